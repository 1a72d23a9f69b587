"""Raw text to text that can be compared and counted, with the way back to every character.

The rules alter characters, white space and traditional script; wording they never touch. The page's
furniture is read from the result.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate, chain
from typing import NamedTuple

import pyarrow as pa

from pipeline.config import Config
from pipeline.page import read_page
from pipeline.page.dates import read_date
from pipeline.page.metadata import is_name
from pipeline.quality import line_repetition, text_hash
from pipeline.rules import RULES, look
from pipeline.rules.rewriting import compose
from pipeline.rules.script import script_of
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Edit, Line
from pipeline.stages import STAGES

MOST_ROUNDS = 8
"""Of the rules: two do for most texts, and no text that was tried took more than four."""


class Normalised(NamedTuple):
    """A text and what was done to it: the columns of the stage, in the order of the schema."""

    script: str
    title: str | None
    published_at: datetime | None
    publisher: str | None
    author: str | None
    editor: str | None
    text: str
    text_hash: str
    line_repetition: float
    shuffled: float
    alignment: tuple[Edit, ...]
    edits: tuple[tuple[str, int], ...]
    """Each rule that fired, with the number of code points it changed or removed."""
    lines: tuple[Line, ...]
    """Those with content."""


def normalise(
    raw: str,
    record_title: str | None = None,
    record_date: str | None = None,
    record_publisher: str | None = None,
    record_author: str | None = None,
    record_editor: str | None = None,
) -> Normalised:
    r"""Normalise one document. What its record says of it is taken before what the page says.

    >>> page = normalise("小桥修好了\r\n\r\n\u3000\u3000发布时间：２０２１年１月３０日\r\n")
    >>> page.text, page.published_at
    ('小桥修好了\n\n发布时间：2021年1月30日', datetime.datetime(2021, 1, 30, 0, 0))
    >>> page.edits
    (('line_ends', 3), ('white_space', 3), ('width', 7))
    """
    text, edits, alignment, is_simple = _rewritten(raw)
    page = read_page(text)
    return Normalised(
        script=_script(text, edits, is_simple=is_simple),
        title=_one_line(record_title) or page.title,
        published_at=(record_date and read_date(record_date)) or page.published_at,
        publisher=_name(record_publisher) or page.publisher,
        author=_name(record_author) or page.author,
        editor=_name(record_editor) or page.editor,
        text=text,
        text_hash=text_hash(text),
        line_repetition=line_repetition(text),
        shuffled=page.shuffled,
        alignment=alignment,
        edits=edits,
        lines=page.lines,
    )


def run(docs: pa.RecordBatch, config: Config) -> pa.RecordBatch:  # noqa: ARG001  no setting yet
    """The columns of `normalise` for a batch of ingested documents."""
    columns = (docs.column(name).to_pylist() for name in STAGES["normalise"].reads)
    rows = [normalise(*row) for row in zip(*columns, strict=True)]
    schema = STAGE_COLUMNS["normalise"]
    values = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.record_batch(list(map(_array, values, schema)), schema=schema)


class _Rewritten(NamedTuple):
    text: str
    edits: tuple[tuple[str, int], ...]
    alignment: tuple[Edit, ...]
    is_simple: bool
    """Whether no character is in it that only traditional script writes."""


def _rewritten(text: str) -> _Rewritten:
    """The text after all rules, what each did, and the edits that changed a length.

    One rule may make what an earlier one looks for: an entity decoded, a control removed. So they
    take turns until none finds anything. A rule of which no cue stands in the text is not asked.
    """
    counts: dict[str, int] = {}
    alignment: tuple[Edit, ...] = ()
    cues = look()
    seen = cues.at(text)
    for _ in range(MOST_ROUNDS):
        before = text
        for name, rule in RULES.items():
            if not seen & cues.bits[name]:
                continue
            rewrite = rule(text)
            if rewrite.changed:
                counts[name] = counts.get(name, 0) + rewrite.changed
                text, alignment = rewrite.text, compose(alignment, rewrite.edits)
                seen = cues.at(text)
        if text == before:
            break
    edits = tuple((name, counts[name]) for name in RULES if name in counts) if counts else ()
    return _Rewritten(text, edits, alignment, not seen & cues.bits["script"])


def _script(text: str, edits: tuple[tuple[str, int], ...], *, is_simple: bool) -> str:
    """What `raw` is written in."""
    if any(name == "script" for name, _ in edits):
        return "Hant"
    return "Hans" if is_simple else script_of(text)


def _name(given: str | None) -> str:
    """Who is named; nobody for 未知, UNKNOWN and the like."""
    name = _one_line(given)
    return name if is_name(name) else ""


def _one_line(given: str | None) -> str:
    return " ".join(_rewritten(given).text.split()) if given else ""


def _array(values: Sequence[object], field: pa.Field) -> pa.Array:
    """Lists of tuples go column by column: `pa.array` takes 28 µs for one tuple (pyarrow 26)."""
    if not pa.types.is_list(field.type):
        return pa.array(values, field.type)
    return _struct_lists(values, field.type)  # type: ignore[arg-type]


def _struct_lists(rows: Sequence[Sequence[tuple[object, ...]]], kind: pa.ListType) -> pa.Array:
    members = list(kind.value_type)
    columns: Iterable[Sequence[object]] = zip(*chain.from_iterable(rows), strict=True)
    arrays = [pa.array(v, m.type) for v, m in zip(columns, members, strict=False)]
    arrays = arrays or [pa.array([], member.type) for member in members]
    offsets = pa.array(accumulate(map(len, rows), initial=0), pa.int32())
    structs = pa.StructArray.from_arrays(arrays, fields=members)
    return pa.ListArray.from_arrays(offsets, structs, type=kind)
