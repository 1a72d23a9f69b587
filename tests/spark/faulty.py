"""Jobs that fail, to be done by a task: it imports them from here."""

import os

from pipeline import parts
from pipeline.errors import UsageError
from pipeline.parts import Advance, Job
from pipeline.storage import Part

VICTIM = "第7篇"


def with_a_bug(job: Job, advance: Advance) -> list[Part]:
    """The stage as it is, but for one document."""
    load = parts.load

    class Broken:
        @staticmethod
        def run(batch, config):
            if any(VICTIM in text for text in batch["text"].to_pylist()):
                raise ValueError("a bug [[00ff]] \n <坏>")
            return load(job.stage).run(batch, config)

    parts.load = lambda name: Broken if name == job.stage else load(name)
    try:
        return parts.add_columns(job, advance)
    finally:
        parts.load = load


def killed(_job: Job, _advance: Advance) -> list[Part]:
    os._exit(137)


def full(_job: Job, _advance: Advance) -> list[Part]:
    raise OSError(28, "No space left on device", "/data/part")


def misused(_job: Job, _advance: Advance) -> list[Part]:
    raise UsageError("lower max_document_chars")


def elsewhere(job: Job, _advance: Advance) -> list[Part]:
    return [Part("elsewhere/part-00000-00000.parquet", job.key, 1, 1, 1, "")]


def failing(job: Job, advance: Advance) -> list[Part]:
    raise TypeError("no such thing")
