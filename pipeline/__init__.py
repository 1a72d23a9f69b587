"""Clean Chinese text: normalise it, find what a machine substituted (伪原创), cut it up.

>>> import pipeline
>>> pipeline.normalise("２０２１年\u200b１月").text
'2021年1月'

Nothing heavy is imported until a function needs it.
"""

# ruff: noqa: PLC0415 - imports are where they are needed, so that this one is quick
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa

    from pipeline.config import Config
    from pipeline.spans import Flag, Sentence
    from pipeline.stages.normalise import Normalised

__all__ = ["Cleaned", "clean", "flag", "normalise", "read", "segment"]


class Cleaned(NamedTuple):
    """One text, all stages done. The rows are those of the tables, column for column."""

    text: str
    """The normalised text."""
    restored: str
    """The same, with every sure flag's suggestion put in."""
    document: dict[str, Any]
    sentences: list[dict[str, Any]]
    flags: list[dict[str, Any]]

    @classmethod
    def of(cls, tables: Mapping[str, pa.RecordBatch]) -> Cleaned:
        """From the tables of one document."""
        [document] = tables["documents"].to_pylist()
        sentences = tables["sentences"].to_pylist()
        restored = "".join(sentence["restored"] for sentence in sentences)
        return cls(document["text"], restored, document, sentences, tables["flags"].to_pylist())


def normalise(raw: str) -> Normalised:
    """Bring a text into one form, aligned to ``raw``, and read what the page says of itself."""
    from pipeline.stages.normalise import normalise as kernel

    return kernel(raw)


def flag(text: str) -> list[Flag]:
    """Spans of a normalised text that a machine probably substituted. Loads the shipped model."""
    from pipeline.stages.flag import flag as kernel

    return kernel(text)


def segment(text: str) -> list[Sentence]:
    """Cut a normalised text into sentences, which tile it."""
    from pipeline.stages.segment import segment as kernel

    return kernel(text)


def clean(raw: str, config: Config | None = None) -> Cleaned:
    """Do all of it to one text, as `python -m pipeline run` would.

    Raises ValueError for half of a UTF-16 pair, which no table can hold.

    >>> import pipeline
    >>> pipeline.clean("他说：“是。”她走了。").text
    '他说：“是。”她走了。'
    """
    from pipeline.config import Config
    from pipeline.parts import clean_record
    from pipeline.records import Record

    if half := re.search(r"[\ud800-\udfff]", raw):
        raise ValueError(f"raw[{half.start()}] is half of a UTF-16 pair, {half[0]!r}: take it out")
    return Cleaned.of(clean_record("-", Record(0, raw, "utf-8"), config or Config()))


def read(
    table: str, path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as a pandas frame: ``pipeline.read("flags", "data")``.

    ``path`` is the OUTPUT of a finished run, and ``columns`` are all unless some are named. The
    frame keeps Arrow's types: an integer column with a null in it stays an integer column, and
    strings take a fraction of the memory of Python's.
    """
    from pipeline.tables import read_table

    return read_table(table, path, columns)
