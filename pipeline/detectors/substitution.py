"""Words and characters that a spinner put in the place of others.

Every occurrence of a known surface is weighed as a raw substring, without segmentation, because
spinners replace that way: 低分|别抱怨 became 低分辨抱怨.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.config import Config
from pipeline.model import scorer
from pipeline.model.arrays import Floats, Ints
from pipeline.model.scorer import Found, Judged, Scorer
from pipeline.spans import Evidence, Flag, Loss, Suggestion, Verdict

NAME = "substitution"

PIECE_CHARS = 20_000
"""A longer document is judged in pieces, so that memory is bounded. Evidence inside a document is
rich long before this: ten sites suffice, and 20,000 characters of spun text have a thousand."""

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


def detect(texts: Sequence[str], config: Config) -> list[Verdict]:
    """One verdict for each text. Flags of less than ``config.keep_probability`` are left out."""
    return judge_with(scorer.load(Path(config.model)), texts, config)


def judge_with(model: Scorer, texts: Sequence[str], config: Config) -> list[Verdict]:
    """The same with a model in hand."""
    flags: list[list[Flag]] = [[] for _ in texts]
    odds: list[list[tuple[float, int]]] = [[] for _ in texts]
    loss = [Loss(0, 0)] * len(texts)
    for batch in _batches(_pieces(texts)):
        judged = model.judge([text for _, _, text in batch])
        for (number, _, text), spun, cost in zip(batch, judged.spun, judged.loss, strict=True):
            odds[number].append((float(spun), len(text)))
            loss[number] = loss[number].plus(cost)
        if judged.read is None:
            continue
        for document, flag in _flags(model, judged, batch, config.keep_probability):
            flags[document].append(flag)
    return [Verdict(*of_one) for of_one in zip(flags, map(_whole, odds), loss, strict=True)]


def _whole(parts: list[tuple[float, int]]) -> float:
    """Of a document judged in pieces, the mean log odds by length: a tool spins all of a page."""
    return sum(odds * (n + 1) for odds, n in parts) / sum(n + 1 for _, n in parts)


def _pieces(texts: Sequence[str]) -> Iterator[_Piece]:
    """Cut at a line's or a sentence's end where there is one."""
    for number, text in enumerate(texts):
        start = 0
        while len(text) - start > PIECE_CHARS:
            window = text[start + PIECE_CHARS // 2 : start + PIECE_CHARS]
            cut = max(window.rfind("\n"), window.rfind("。")) + 1
            end = start + (PIECE_CHARS // 2 + cut if cut else PIECE_CHARS)
            yield number, start, text[start:end]
            start = end
        yield number, start, text[start:]


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
    """The probable sites, in order; of overlapping ones the most probable."""
    rows = np.flatnonzero(probability >= at_least)
    rows = rows[np.argsort(-probability[rows], kind="stable")]
    taken = bytearray(len(found.batch.ids))
    kept = []
    starts, ends = found.sites.start[rows].tolist(), found.sites.end[rows].tolist()
    for row, start, end in zip(rows.tolist(), starts, ends, strict=True):
        if not any(taken[start:end]):
            taken[start:end] = b"1" * (end - start)
            kept.append(row)
    return np.array(sorted(kept), dtype=np.int64)


def _flags(
    model: Scorer, judged: Judged, batch: Sequence[_Piece], at_least: float
) -> Iterator[tuple[int, Flag]]:
    """Number of the document and flag, of every probable site. What numpy can do for all of them at
    once it does at once: densely spun text has one flag for every ten characters.
    """
    read = judged.read
    if read is None:
        return
    found = read.found
    rows = _chosen(found, judged.probability, at_least)
    document = found.sites.document[rows]
    first = found.batch.starts[document]
    best = found.best.candidate[rows]
    ranked, edges = _ranked(found, rows)
    terms = model.channel.terms
    originals = [terms[number] for number in found.candidates.original[ranked].tolist()]
    shares = found.best.share[ranked].tolist()
    columns = zip(
        judged.text[document].tolist(),
        (found.sites.start[rows] - first).tolist(),
        (found.sites.end[rows] - first).tolist(),
        judged.probability[rows].tolist(),
        found.candidates.gain[best].tolist(),
        found.candidates.prior[best].tolist(),
        (judged.log_odds[rows] - read.alone[rows]).tolist(),
        found.surface_count[rows].tolist(),
        found.original_count[rows].tolist(),
        itertools.pairwise(edges.tolist()),
        strict=True,
    )
    for at, start, end, chance, *evidence, (low, high) in columns:
        number, offset, text = batch[at]
        surface = text[start:end]
        negated = _negates(surface, originals[low])
        probability = min(chance, MOST_IF_NEGATED) if negated else chance
        suggestions = tuple(
            Suggestion(original, probability * share)
            for original, share in zip(originals[low:high], shares[low:high], strict=True)
        )
        flag = Flag(
            start + offset,
            end + offset,
            surface,
            originals[low],
            suggestions,
            probability,
            "substitution",
            NAME,
            Evidence(*evidence),
        )
        yield number, flag


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
