"""Clean Chinese text: normalise it, find what a machine substituted (伪原创), cut it up.

On one text, in memory:

>>> import pipeline
>>> pipeline.normalise("２０２１年\u200b１月").text
'2021年1月'
>>> flags = pipeline.flag("这种情势主义害逝世人。")
>>> [(flag.surface, flag.suggestion) for flag in flags if flag.probability > 0.5]
[('情势', '形式'), ('逝世', '死')]
>>> [s.end for s in pipeline.segment("他来了。她走了。")]
[4, 8]
>>> pipeline.clean("这种情势主义害逝世人。").restored
'这种形式主义害死人。'

On files: `python -m pipeline run INPUT OUTPUT`, and then ``pipeline.read("documents", "OUTPUT")``.

Every offset counts code points and is half-open, as in ``text[start:end]``. A probability is
between 0 and 1 and calibrated (`model/shipped/card.md` says how well); odds and gains are in nats.
Nothing heavy is imported, and no model loaded, until a function needs it.
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
    """One text, all stages done: what `clean` returns.

    The rows are those of the tables, column for column (`schema.TABLES` says what each means); only
    `source`, `doc_id` and `duplicate_of` say nothing here, as there is no file and no other text.
    """

    text: str
    """The normalised text."""
    restored: str
    """The same, with every sure flag's suggestion put in."""
    document: dict[str, Any]
    """The row of `documents`."""
    sentences: list[dict[str, Any]]
    """Rows of `sentences`; joined, their `text` is ``text``."""
    flags: list[dict[str, Any]]
    """Rows of `flags`, from probability 0.05 on, disjoint and in order."""

    @classmethod
    def of(cls, tables: Mapping[str, pa.RecordBatch]) -> Cleaned:
        """From the tables of one document."""
        [document] = tables["documents"].to_pylist()
        sentences = tables["sentences"].to_pylist()
        restored = "".join(sentence["restored"] for sentence in sentences)
        return cls(document["text"], restored, document, sentences, tables["flags"].to_pylist())


def normalise(raw: str) -> Normalised:
    r"""Bring a text into one form, and read what the page says of itself.

    Wording is never touched: the rules (`rules.RULES`) are about white space, width, entities,
    damage, and traditional script where all of the text is traditional. ``text`` of the result is
    the new text, ``edits`` what each rule did, ``alignment`` the way back to ``raw``, ``lines`` the
    part of each line in the page; title, date, publisher, author and editor are None if not found.
    Twice changes nothing more.

    >>> page = normalise("小桥修好了\r\n\r\n\u3000\u3000发布时间：２０２１年１月３０日\r\n")
    >>> page.text, str(page.published_at)
    ('小桥修好了\n\n发布时间：2021年1月30日', '2021-01-30 00:00:00')
    >>> page.edits
    (('line_ends', 3), ('white_space', 3), ('width', 7))

    Raises TypeError if ``raw`` is no text.
    """
    from pipeline.stages.normalise import normalise as kernel

    return kernel(_text(raw))


def flag(text: str) -> list[Flag]:
    """Spans of a normalised text that a machine probably substituted, disjoint and in order.

    Each has ``start``, ``end``, ``surface``, which is ``text[start:end]``, the likeliest original
    as ``suggestion``, up to five ``suggestions`` with a probability each, the ``probability`` that
    something was substituted at all (those below 0.05 are left out; 0.5 and more count as flags),
    ``kind``, ``detector``, and ``evidence`` (`spans.Evidence`, in nats).

    The evidence of a page is in all of it: pass whole texts, not sentences. The first call loads
    the shipped model (one second, 60 MB); after it a sentence takes some 15 ms, and many texts are
    done faster by `python -m pipeline run`.

    >>> text = "这种情势主义害逝世人。"
    >>> first, *_ = [found for found in flag(text) if found.probability >= 0.5]
    >>> first.start, first.end, first.surface, first.suggestion, first.kind
    (2, 4, '情势', '形式', 'substitution')
    >>> first.evidence.gain > 5  # nats that 形式 gains there
    True

    Raises TypeError if ``text`` is no text.
    """
    from pipeline.stages.flag import flag as kernel

    return kernel(_text(text))


def segment(text: str) -> list[Sentence]:
    r"""Cut a normalised text into sentences, which tile it: joined, they are the text.

    ``paragraph`` is the 0-based number of a sentence's line, among those with content.

    >>> text = "“真的吗?”她问。是的。\n圆周率是3.14。"
    >>> [(text[s.start : s.end], s.paragraph) for s in segment(text)]
    [('“真的吗?”她问。', 0), ('是的。\n', 0), ('圆周率是3.14。', 1)]

    Raises TypeError if ``text`` is no text.
    """
    from pipeline.stages.segment import segment as kernel

    return kernel(_text(text))


def clean(raw: str, config: Config | None = None) -> Cleaned:
    """Do all of it to one text, as `python -m pipeline run` would.

    ``config`` (`config.Config`) has the settings that `--set` has, and the model.

    >>> import pipeline
    >>> cleaned = pipeline.clean("这种情势主义害逝世人。")
    >>> cleaned.restored, cleaned.document["n_flags"], len(cleaned.sentences)
    ('这种形式主义害死人。', 2, 1)

    Raises TypeError if ``raw`` is no text, and ValueError for half of a UTF-16 pair, which no table
    can hold.
    """
    from pipeline.config import Config
    from pipeline.parts import clean_record
    from pipeline.records import Record

    if half := re.search(r"[\ud800-\udfff]", _text(raw)):
        raise ValueError(f"raw[{half.start()}] is half of a UTF-16 pair, {half[0]!r}: take it out")
    return Cleaned.of(clean_record("-", Record(0, raw, "utf-8"), config or Config()))


def _text(value: object) -> str:
    """What a notebook passes may come from a column with gaps."""
    if not isinstance(value, str):
        message = f"a text is expected, not {type(value).__name__}: decode bytes, leave out gaps"
        raise TypeError(message)
    return value


def read(
    table: str, path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as a pandas frame: ``pipeline.read("flags", "data")``.

    ``table`` is one of `documents`, `sentences`, `flags`, `rejects`; ``path`` is the OUTPUT of a
    finished run; ``columns`` are all unless some are named, in the order named. `schema.TABLES` has
    type and meaning of each. One row is one document, sentence, flag or rejected record, in the
    order of the input; `doc_id` joins them.

    The frame keeps Arrow's types: an integer column with a null in it stays an integer column, and
    strings take a fraction of the memory of Python's. All rows are in memory: for a corpus that is
    larger, the recipes read the same Parquet with DuckDB, Polars or Spark.

    Raises `errors.UsageError`, which says what there is instead, if there is no such table or
    column, if ``path`` holds no finished tables, or if a part of them is gone.
    """
    from pipeline.errors import UsageError
    from pipeline.tables import read_table

    if isinstance(columns, str):
        raise UsageError(f"columns is the text {columns!r}: write [{columns!r}]")
    return read_table(table, path, columns)
