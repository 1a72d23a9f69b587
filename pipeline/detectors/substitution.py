"""Words and characters that a spinner put in the place of others.

Every occurrence of a known surface is weighed as a raw substring, without segmentation, because
spinners replace that way: 低分|别抱怨 became 低分辨抱怨.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.config import Config
from pipeline.detectors.pieces import pieces
from pipeline.model import scorer
from pipeline.model.arrays import Bools, Floats, Ints
from pipeline.model.channel import MAX_LENGTH
from pipeline.model.scorer import Found, Judged, Read, Scorer
from pipeline.schema import EVIDENCE_FIELDS, FLAG_FIELDS, SUGGESTION_FIELDS
from pipeline.spans import Loss
from pipeline.verdicts import FLAG, Verdicts, in_lists

NAME = "substitution"

BATCH_CHARS = 200_000
"""Characters judged at once: enough for numpy to pay, and arrays of some 300 MB if all is spun."""

MAX_SUGGESTIONS = 5

NEGATIONS = "不没无未非"
MOST_IF_NEGATED = 0.79
"""Highest probability of a flag whose suggestion only adds or takes away a negation (会 for 不会):
below `Config.restore_probability`, for a restoration that may turn the meaning round is not offered
as sure. That something was substituted is still said."""

_Piece = tuple[int, int, str]
"""Number of the document, offset of the piece in it, the piece."""


def detect(texts: Sequence[str], config: Config) -> Verdicts:
    """One verdict for each text. Flags of less than ``config.keep_probability`` are left out."""
    return judge_with(scorer.load(Path(config.model)), texts, config)


def judge_with(model: Scorer, texts: Sequence[str], config: Config) -> Verdicts:
    """The same with a model in hand."""
    flags: list[pa.StructArray] = [pa.array([], FLAG)]
    documents: list[Ints] = []
    odds: list[list[tuple[float, int]]] = [[] for _ in texts]
    loss = [Loss(0, 0)] * len(texts)
    every = ((number, *piece) for number, text in enumerate(texts) for piece in pieces(text))
    for batch in _batches(every):
        judged = model.judge([text for _, _, text in batch])
        for (number, _, text), spun, cost in zip(batch, judged.spun, judged.loss, strict=True):
            odds[number].append((float(spun), len(text)))
            loss[number] = loss[number].plus(cost)
        if judged.read is not None:
            found, document = _flags(model, judged, judged.read, batch, config.keep_probability)
            flags.append(found)
            documents.append(document)
    owner = np.concatenate(documents) if documents else np.zeros(0, dtype=np.int64)
    lists = in_lists(pa.concat_arrays(flags), owner, len(texts))
    return Verdicts(lists, [_whole(parts) for parts in odds], loss)


def _whole(parts: list[tuple[float, int]]) -> float:
    """Of a document judged in pieces, the mean log odds by length: a tool spins all of a page."""
    return sum(odds * (n + 1) for odds, n in parts) / sum(n + 1 for _, n in parts)


def _batches(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    held = 0
    for piece in pieces:
        batch.append(piece)
        held += len(piece[2])
        if held >= BATCH_CHARS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _chosen(found: Found, probability: Floats, at_least: float) -> Ints:
    """The probable sites, in order; of overlapping ones the most probable, then the first."""
    rows = np.flatnonzero(probability >= at_least)
    waiting = rows[np.argsort(-probability[rows], kind="stable")]
    taken = np.zeros(len(found.batch.ids), dtype=np.bool_)
    kept = []
    while len(waiting):  # two or three rounds: all that nothing better overlaps, then what is left
        places = _places(found, waiting)
        rank = np.arange(len(waiting))[:, None]
        first = np.full(len(taken), len(waiting))
        np.minimum.at(first, places, np.broadcast_to(rank, places.shape))
        top = (first[places] == rank).all(axis=1)
        kept.append(waiting[top])
        taken[places[top]] = True
        waiting = waiting[~top]
        waiting = waiting[~taken[_places(found, waiting)].any(axis=1)]
    return np.sort(np.concatenate([rows[:0], *kept]))


def _places(found: Found, rows: Ints) -> Ints:
    """Where the characters of each site are, the last one several times in a shorter one."""
    start, end = found.sites.start[rows], found.sites.end[rows]
    places: Ints = np.minimum(start[:, None] + np.arange(MAX_LENGTH), end[:, None] - 1)
    return places


def _flags(
    model: Scorer, judged: Judged, read: Read, batch: Sequence[_Piece], at_least: float
) -> tuple[pa.StructArray, Ints]:
    """A flag for every probable site, by document and start, and whose each is."""
    found = read.found
    rows = _chosen(found, judged.probability, at_least)
    within = found.sites.document[rows]
    piece = judged.text[within]
    start, end = (
        of[rows] - found.batch.starts[within] for of in (found.sites.start, found.sites.end)
    )
    number, offset = np.array([(n, at) for n, at, _ in batch], dtype=np.int64).T
    ranked, edges = _ranked(found, rows)
    originals = model.channel.terms_column.take(pa.array(found.candidates.original[ranked]))
    suggestion = originals.take(pa.array(edges[:-1]))
    surface = [
        batch[at][2][low:high]
        for at, low, high in zip(piece.tolist(), start.tolist(), end.tolist(), strict=True)
    ]
    best = found.best.candidate[rows]
    length = model.channel.length[found.candidates.original[best]]
    is_near = np.abs(end - start - length) == 1
    chance = _capped(judged.probability[rows], is_near, surface, suggestion)
    shares = np.repeat(chance, np.diff(edges)) * found.best.share[ranked]
    n = len(rows)
    columns = [
        _column("start", start + offset[piece]),
        _column("end", end + offset[piece]),
        pa.array(surface, pa.string()),
        suggestion,
        pa.ListArray.from_arrays(
            pa.array(edges, pa.int32()),
            _struct(SUGGESTION_FIELDS, [originals, pa.array(shares, pa.float32())]),
            type=FLAG.field("suggestions").type,
        ),
        _column("probability", chance),
        pa.repeat(pa.scalar("substitution"), n),
        pa.repeat(pa.scalar(NAME), n),
        _struct(
            EVIDENCE_FIELDS,
            [
                found.candidates.gain[best],
                found.candidates.prior[best],
                judged.log_odds[rows] - read.alone[rows],
                found.surface_count[rows],
                found.original_count[rows],
            ],
        ),
    ]
    return _struct(FLAG_FIELDS, columns), number[piece]


def _column(name: str, values: Ints | Floats) -> pa.Array:
    return pa.array(values, FLAG.field(name).type)


def _struct(fields: Sequence[pa.Field], columns: Sequence[object]) -> pa.StructArray:
    arrays = [pa.array(of, field.type) for of, field in zip(columns, fields, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(fields))


def _capped(
    chance: Floats, is_near: Bools, surface: Sequence[str], suggestion: pa.StringArray
) -> Floats:
    """At most MOST_IF_NEGATED where the two differ by a negation alone; those that are not near
    differ by more.
    """
    capped = chance.copy()
    for row in np.flatnonzero(is_near & (chance > MOST_IF_NEGATED)).tolist():
        if _negates(surface[row], suggestion[row].as_py()):
            capped[row] = MOST_IF_NEGATED
    return capped


def _ranked(found: Found, rows: Ints) -> tuple[Ints, Ints]:
    """Candidates of the sites ``rows``, the MAX_SUGGESTIONS likeliest of each, likeliest first; and
    where those of each site begin, with the end of the last.
    """
    low, high = np.searchsorted(found.candidates.site, [rows, rows + 1])
    counts = high - low
    owner = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidate = low[owner] + within
    order = np.lexsort((-found.best.share[candidate], owner))
    ranked = candidate[order[within < MAX_SUGGESTIONS]]
    kept = np.minimum(counts, MAX_SUGGESTIONS)
    return ranked, np.append(0, np.cumsum(kept))


def _negates(one: str, other: str) -> bool:
    """Whether two words differ by a negation alone.

    >>> _negates("不会", "会"), _negates("有", "没有"), _negates("提高", "降低")
    (True, True, False)
    """
    if abs(len(one) - len(other)) != 1:
        return False
    short, long = sorted((one, other), key=len)
    return any(mark in long and long.replace(mark, "", 1) == short for mark in NEGATIONS)
