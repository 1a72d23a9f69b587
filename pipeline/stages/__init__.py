"""The stages, in order. This table is the only statement of that order."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class Stage(NamedTuple):
    """What the runner must know of a stage. Its code is the module of the same name, here."""

    directory: str
    """Where its parts lie, under OUTPUT."""
    summary: str
    """What it does, for `--help`."""
    reads: tuple[str, ...] = ()
    """The columns that it is handed, all made by earlier stages (`schema.STAGE_COLUMNS`)."""
    settings: tuple[str, ...] = ()
    """The fields of `Config` that it reads: if one of them changes, the stage runs again."""
    packages: tuple[str, ...] = ()
    """Installed packages whose version can change its output."""
    model: bool = False
    """Whether it reads the files of `Config.model`."""


STAGES: Mapping[str, Stage] = {
    "ingest": Stage(
        "1-ingested",
        "decode files into documents; reject, with a reason, what is none",
        settings=("max_document_chars", "shard_chars", "text_field"),
        packages=("brotli", "lxml", "resiliparse", "warcio"),
    ),
    "normalise": Stage(
        "2-normalised",
        "bring text into one form, aligned to its source; read what the page says of itself",
        reads=(
            *("raw", "record_title", "record_date"),
            *("record_publisher", "record_author", "record_editor"),
        ),
        packages=("opencc",),
    ),
    "flag": Stage(
        "3-flagged",
        "mark what a machine probably substituted, with what probably stood there",
        reads=("text",),
        settings=("keep_probability", "flag_probability"),
        packages=("numpy", "opencc", "jieba"),
        model=True,
    ),
    "segment": Stage(
        "4-segmented",
        "cut text into sentences",
        reads=("text", "lines"),
    ),
    "write": Stage(
        "corpus",
        "make the tables",
        reads=(
            *("source", "record", "record_id", "url", "encoding", "damaged", "raw"),
            *("script", "title", "published_at", "publisher", "author", "editor"),
            *("text", "alignment", "edits", "text_hash"),
            *("line_repetition", "shuffled"),
            *("flags", "n_flags", "spin_rate", "spun_probability", "perplexity", "sentences"),
        ),
        settings=("flag_probability", "restore_probability"),
    ),
}
"""`ingest` turns files into batches and `write` batches into tables. Each stage between them has
`run(batch, config)`, which returns its new columns, row for row; `doc_id` is always among those
that it is handed."""


def load(name: str) -> ModuleType:
    """The module of a stage. Only now: a model or a dictionary is not loaded to do nothing."""
    return import_module(f"{__name__}.{name}")
