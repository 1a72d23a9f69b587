"""What a lesson leaves: a model, the pairs as a table, and a report to read."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from pipeline.learning import Learned, Lesson
from pipeline.learning.copies import Pair
from pipeline.model.channel import MAX_LENGTH
from pipeline.parquet import writing
from pipeline.storage import file_hash, replacing

MODEL, PAIRS, REPORT = "model", "pairs.parquet", "report.md"

SCHEMA = pa.schema(
    [
        pa.field("original", pa.string(), nullable=False),
        pa.field("surface", pa.string(), nullable=False),
        pa.field("times", pa.float64(), nullable=False),
        pa.field("documents", pa.int32(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("copies", pa.int32(), nullable=False),
        pa.field("family", pa.int32()),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("examples", pa.list_(pa.string()), nullable=False),
    ]
)
EXAMPLES = 3
LOOKED_AT = 2_000
"""Documents that are searched for examples."""
AROUND = 8
"""Characters of an example on either side."""
SHOWN = 60
"""Pairs of the report, the commonest."""


def write(lesson: Lesson, base: Path, made_from: Mapping[str, object], target: Path) -> None:
    """Write all of it into ``target``: the report last, which says that the rest is there."""
    target.mkdir(parents=True, exist_ok=True)
    (target / REPORT).unlink(missing_ok=True)
    learned_from = {"model": file_hash(base / "card.json"), **made_from, "pairs": len(lesson.pairs)}
    lesson.scorer.save(target / MODEL, {"learned_from": learned_from})
    examples = examples_of(lesson)
    _write_pairs(lesson, examples, target)
    with replacing(target / REPORT) as temporary:
        temporary.write_text(report(lesson, examples), encoding="utf-8")


def _write_pairs(lesson: Lesson, examples: Mapping[Pair, list[str]], target: Path) -> None:
    family = {
        pair: number
        for number, one in reversed(list(enumerate(lesson.families)))
        for pair in one.choices
    }
    every = {**lesson.pairs, **lesson.dropped}
    rows = [
        {
            "original": pair[0],
            "surface": pair[1],
            **one._asdict(),
            "family": family.get(pair),
            "kept": pair in lesson.pairs,
            "examples": examples.get(pair, []),
        }
        for pair, one in _ordered(every)
    ]
    with writing(target, PAIRS, SCHEMA, "") as part:
        part.write(pa.RecordBatch.from_pylist(rows, SCHEMA))


def _ordered(pairs: Mapping[Pair, Learned]) -> list[tuple[Pair, Learned]]:
    """The commonest first."""
    return sorted(pairs.items(), key=lambda item: (-item[1].documents, -item[1].times, item[0]))


def examples_of(lesson: Lesson) -> Mapping[Pair, list[str]]:
    """Of each pair some places where its surface stands in a suspected page."""
    wanted: dict[str, list[Pair]] = defaultdict(list)
    for pair in (*lesson.pairs, *lesson.dropped):
        wanted[pair[1]].append(pair)
    found: dict[Pair, list[str]] = defaultdict(list)
    for document in lesson.suspects[:LOOKED_AT]:
        text = document.text
        seen = set()
        for start in range(len(text)):
            for end in range(start + 1, min(start + MAX_LENGTH, len(text)) + 1):
                surface = text[start:end]
                if surface not in wanted or surface in seen:
                    continue
                seen.add(surface)
                before, behind = text[max(0, start - AROUND) : start], text[end : end + AROUND]
                for pair in wanted[surface]:
                    if len(found[pair]) < EXAMPLES:
                        line = f"{before}[{pair[0]}→{surface}]{behind}"
                        found[pair].append(" ".join(line.split()))
    return found


def report(lesson: Lesson, examples: Mapping[Pair, list[str]]) -> str:
    """In Markdown. What pages say is in code, so that it is shown and not obeyed."""
    lines = [
        "# What was learned",
        "",
        f"{len(lesson.pairs):,} pairs; {len(lesson.dropped):,} left out, because they would raise"
        " flags on clean pages.",
        "",
        f"Flags on clean pages, for 1,000 characters: {lesson.flags_before:.4f} before,"
        f" {lesson.flags_after:.4f} after.",
        "",
        "| round | suspected documents | pairs | likelihood of what is kept apart, nats |",
        "|---|---|---|---|",
        *(
            f"| {number} | {one.suspects:,} | {one.pairs:,} | {one.likelihood:.3f} |"
            for number, one in enumerate(lesson.rounds)
        ),
        "",
        "## Families of spinners",
        "",
        "Documents that write the same for the same originals.",
        "",
        "| family | documents | its commonest pairs | some documents |",
        "|---|---|---|---|",
        *(_family(number, lesson) for number in range(len(lesson.families))),
        "",
        "## Pairs",
        "",
        "| original | surface | documents | times | in copies | confidence | where |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {_code(pair[0])} | {_code(pair[1])} | {one.documents:,} | {one.times:.0f}"
            f" | {one.copies:,} | {one.confidence:.2f} | {_code(*examples.get(pair, [])[:1])} |"
            for pair, one in _ordered(lesson.pairs)[:SHOWN]
        ),
        "",
    ]
    return "\n".join(lines)


def _family(number: int, lesson: Lesson) -> str:
    one = lesson.families[number]
    pairs = " ".join(f"{o}→{s}" for (o, s), _ in one.choices.most_common(8))
    some = " ".join(lesson.suspects[at].doc_id for at in one.documents[:3])
    return f"| {number} | {len(one.documents):,} | {_code(pairs)} | {_code(some)} |"


def _code(*text: str) -> str:
    """As code in a cell of a table.

    >>> _code("a|b`c"), _code()
    ('`a¦b´c`', '')
    """
    return "".join(f"`{one.replace('|', '¦').replace('`', '´')}`" for one in text)
