"""`make learn`, on the tables of a finished run."""

from pathlib import Path

from pipeline.config import Config
from pipeline.learning import Lesson, copies, learn, output
from pipeline.learning.corpus import sample
from pipeline.links.command import finished, link_from
from pipeline.model import scorer
from pipeline.stages import STAGES
from pipeline.storage import MANIFEST, file_hash

LEARNED = "learned"


def learn_from(folder: Path, model: Path, workers: int) -> tuple[Path, Lesson]:
    """Learn from the tables in ``folder``, write `learned` beside them. Returns where, and what.

    ``model`` is what is to know more. It reads the pages itself: of what the tables say of spinning
    it takes only which pages to draw. What spun copies prove is learned from `links`, which are
    found first if they are not there. Raises UsageError if there are no finished tables.
    """
    corpus = folder / STAGES["write"].directory
    manifest = finished(corpus)
    made_from = {"tables": file_hash(corpus / MANIFEST)}
    links = link_from(folder, model, workers)
    facts = copies.facts(copies.read(corpus, manifest, links))
    lesson = learn(scorer.load(model), sample(corpus, manifest), Config(model=str(model)), facts)
    target = folder / LEARNED
    output.write(lesson, model, made_from, target)
    return target, lesson
