import pytest

from pipeline.model.alphabet import Alphabet
from pipeline.training import language_model
from pipeline.training.ngram_counts import as_ids

TEXTS = [
    "我们认识到问题的严重性,必须提高认识。",
    "我们提高了工作的水平,工作有了提高。",
    "大家都认识他,他的工作很重要。",
    "形式主义害死人,严重违背了初衷。",
] * 6


@pytest.fixture(scope="session")
def ngrams():
    """A model of a few sentences, nothing pruned."""
    chars = "".join(
        sorted({c for text in TEXTS for c in text if c >= "\u4e00"} | set("意进步逝世，。"))
    )
    alphabet = Alphabet(chars)
    return language_model.train(as_ids(alphabet, TEXTS), alphabet, budget=10**6, partitions=2)
