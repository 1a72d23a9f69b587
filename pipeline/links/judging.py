"""Whether two documents are copies, and which was made from the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import SHIPPED_MODEL
from pipeline.links import direction
from pipeline.links.alignment import Matched, Span, changes, matched
from pipeline.links.sampling import code_points, is_word
from pipeline.model import scorer
from pipeline.model.arrays import Floats
from pipeline.model.ngrams import NgramModel
from pipeline.parquet import opened
from pipeline.schema import LINKS

LEAST_SIMILARITY = 0.3
"""Share of a document's characters that must stand in the other for a link."""
LEAST_EQUAL = 40
"""And characters: a title or a signature makes no copy."""


class Text(NamedTuple):
    doc_id: str
    text: str
    spun: float
    """Probability that it was, by itself."""


def judge_group(
    work: Path, model: Path | None, numbered: tuple[int, tuple[Path, int]]
) -> Path | None:
    """Write the links among one group of pairs, which has that number, file and row group; None if
    there is none. Without a ``model`` it is the shipped one, wherever that is on this machine.
    """
    number, (texts, group) = numbered
    with opened(texts) as file:
        pairs = file.read_row_group(group, use_threads=False).to_pylist()
    ngrams = scorer.load(model or SHIPPED_MODEL).ngrams
    links = [
        found
        for pair in pairs
        if (found := link(ngrams, *(_side(pair, side) for side in ("one", "two"))))
    ]
    if not links:
        return None
    path = work / f"links-{number:06d}.parquet"
    pq.write_table(pa.Table.from_pylist(links, LINKS), path)
    return path


def _side(pair: dict[str, Any], name: str) -> Text:
    return Text(*(pair[f"{name}_{of}"] for of in ("id", "text", "spun")))


def link(model: NgramModel, one: Text, two: Text) -> dict[str, Any] | None:
    """A row of `links`; None if they are no copies. The likelier spun one comes first; of two that
    nobody has spun the ``one``.
    """
    found = matched(one.text, two.text)
    equal = sum(at.equal for at in found)
    if equal < LEAST_EQUAL or equal < LEAST_SIMILARITY * min(map(_words, (one.text, two.text))):
        return None
    is_one, is_two = direction.probabilities(*_evidence(model, one, two, found))
    if is_two > is_one:
        one, two = two, one
        found = sorted(Matched(at.other, at.own, at.equal) for at in found)
    return {
        "doc_id": one.doc_id,
        "other_doc_id": two.doc_id,
        "similarity": min(1.0, equal / max(1, _words(one.text))),
        "spun_probability": max(is_one, is_two),
        "paragraphs": [
            {
                "start": at.own.start,
                "end": at.own.end,
                "other_start": at.other.start,
                "other_end": at.other.end,
            }
            for at in found
        ],
    }


def _words(text: str) -> int:
    """Letters, digits and Han characters."""
    return int(is_word(code_points(text)).sum())


def _evidence(
    model: NgramModel, one: Text, two: Text, found: list[Matched]
) -> tuple[direction.Features, direction.Features]:
    """For the one having been made from the two, and the other way round."""
    spans = [(at.own, at.other) for at in found]
    back = [(other, own) for own, other in spans]
    return (
        direction.features(one.spun, two.spun, _gains(model, one, two, spans)),
        direction.features(two.spun, one.spun, _gains(model, two, one, back)),
    )


def _gains(
    model: NgramModel, spun: Text, original: Text, spans: Sequence[tuple[Span, Span]]
) -> Floats:
    """Of each change from the one to the other."""
    found = [np.zeros(0, dtype=np.float32)]
    for own, other in spans:
        here, there = spun.text[own.start : own.end], original.text[other.start : other.end]
        if here != there and (made := changes(there, here)):
            found.append(direction.gains(model, here, there, made))
    return np.concatenate(found)
