"""`make train`: from a folder of text and a folder of word lists to everything that ships."""

import logging
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pipeline.model.alphabet import Alphabet
from pipeline.model.arrays import Ids
from pipeline.model.channel import Channel, Pair
from pipeline.model.scorer import Scorer
from pipeline.storage import file_hash
from pipeline.training import language_model
from pipeline.training.corpus import documents, is_held_out
from pipeline.training.fit import fit
from pipeline.training.lexica import Pairs, read_pairs
from pipeline.training.ngram_counts import as_ids
from pipeline.training.pages import cut, spun

log = logging.getLogger(__name__)

PAIRS_FILE = "spinner_pairs.tsv"


class Settings(NamedTuple):
    """What decides a training besides its input. All of it goes into the model's card."""

    ngrams: int = 9_000_000
    """n-grams in the shipped table, 4.5 bytes each."""
    least_count: int = 8
    """A rarer character has no id of its own."""
    held_out_per_mille: int = 40
    """Documents kept from the counts, to fit the decision on."""
    pages: int = 6_000
    spun_share: float = 0.5
    seed: int = 1


def build(corpus: Path, lexica: Path, output: Path, settings: Settings) -> Scorer:
    """Train on every document of ``corpus`` and write the model to ``output``.

    Raises FileNotFoundError if ``lexica`` has no `spinner_pairs.tsv`.
    """
    rng = random.Random(settings.seed)
    pairs = read_pairs(lexica / PAIRS_FILE)
    counted, held, alphabet = _read(corpus, settings)
    log.info("%d ids to count, %d documents held out", len(counted), len(held))
    ngrams = language_model.train(counted, alphabet, settings.ngrams)
    channel = Channel.of_pairs(ngrams, known(pairs))
    texts = list(cut(held, rng))
    rng.shuffle(texts)
    pages = list(spun(texts[: settings.pages], pairs, settings.spun_share, rng))
    log.info("%d pages, %d spun", len(pages), sum(bool(page.truth) for page in pages))
    scorer = fit(ngrams, channel, pages, settings.seed)
    scorer.save(output, card(corpus, lexica, settings))
    return scorer


def card(corpus: Path, lexica: Path, settings: Settings) -> dict[str, object]:
    """How a model came about: the settings, and name and SHA-256 of every file that went in."""
    files = sorted(p for p in corpus.rglob("*") if p.is_file()) if corpus.is_dir() else [corpus]
    made_from = {path.name: file_hash(path) for path in (*files, lexica / PAIRS_FILE)}
    return {"settings": settings._asdict(), "made_from": made_from}


def known(pairs: Pairs) -> dict[tuple[str, str], Pair]:
    """Every pair with its families: here, the lists that hold it."""
    names = sorted({name for names in pairs.values() for name in names})
    return {
        pair: Pair(0.0, sum(1 << names.index(name) for name in holders))
        for pair, holders in pairs.items()
    }


def _read(corpus: Path, settings: Settings) -> tuple[Ids, list[str], Alphabet]:
    """The ids to count, the held-out texts, and the alphabet of both."""
    texts: list[str] = []
    held: list[str] = []
    frequency: Counter[str] = Counter()
    for name, text in documents(corpus):
        frequency.update(text)
        (held if is_held_out(name, settings.held_out_per_mille) else texts).append(text)
    if not texts:
        raise ValueError(f"{corpus} holds no readable text")
    alphabet = Alphabet.of_counts(frequency, settings.least_count)
    return as_ids(alphabet, texts), held, alphabet
