"""`make learn`, on the tables of a finished run."""

from pathlib import Path

from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.learning import Lesson, learn, output
from pipeline.learning.corpus import sample
from pipeline.model import scorer
from pipeline.stages import STAGES
from pipeline.storage import MANIFEST, file_hash, read_manifest

LEARNED = "learned"


def learn_from(folder: Path, model: Path) -> tuple[Path, Lesson]:
    """Learn from the tables in ``folder``, write `learned` beside them. Returns where, and what.

    ``model`` is what is to know more. It reads the pages itself: of what the tables say of spinning
    it takes only which pages to draw. Raises UsageError if there are no finished tables.
    """
    corpus = folder / STAGES["write"].directory
    manifest = read_manifest(corpus)
    if manifest is None:
        raise UsageError(f"{corpus} holds no finished tables: run `make` first")
    made_from = {"tables": file_hash(corpus / MANIFEST)}
    lesson = learn(scorer.load(model), sample(corpus, manifest), Config(model=str(model)))
    target = folder / LEARNED
    output.write(lesson, model, made_from, target)
    return target, lesson
