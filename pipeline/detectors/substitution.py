"""Words and characters that a spinner put in the place of others.

Every occurrence of a known surface is weighed as a raw substring, without segmentation, because
spinners replace that way: 低分|别抱怨 became 低分辨抱怨.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.config import Config
from pipeline.model import scorer
from pipeline.model.arrays import Floats, Ints
from pipeline.model.scorer import Found, Judged, Read, Scorer
from pipeline.spans import Evidence, Flag, Suggestion, Verdict

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
    for batch in _batches(_pieces(texts)):
        judged = model.judge([text for _, _, text in batch])
        for (number, _, text), spun in zip(batch, judged.spun, strict=True):
            odds[number].append((float(spun), len(text)))
        if judged.read is None:
            continue
        for row in _chosen(judged.read.found, judged.probability, config.keep_probability):
            at = judged.text[judged.read.found.sites.document[row]]
            number, offset, text = batch[at]
            flags[number].append(_flag(model, judged.read, judged, row, text, offset))
    return [Verdict(*pair) for pair in zip(flags, map(_whole, odds), strict=True)]


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


def _chosen(found: Found, probability: Floats, at_least: float) -> Iterator[int]:
    """The probable sites, in order; of overlapping ones the most probable."""
    sites = found.sites
    rows = np.flatnonzero(probability >= at_least)
    taken = np.zeros(len(found.batch.ids), dtype=np.bool_)
    kept = []
    for row in rows[np.argsort(-probability[rows], kind="stable")]:
        span = slice(sites.start[row], sites.end[row])
        if not taken[span].any():
            taken[span] = True
            kept.append(int(row))
    yield from sorted(kept)


def _flag(model: Scorer, read: Read, judged: Judged, row: int, text: str, offset: int) -> Flag:
    found = read.found
    first = found.batch.starts[found.sites.document[row]]
    start, end = int(found.sites.start[row] - first), int(found.sites.end[row] - first)
    probability = float(judged.probability[row])
    if _negates(text[start:end], _likeliest(model, found, row)):
        probability = min(probability, MOST_IF_NEGATED)
    best = found.best.candidate[row]
    suggestions = _suggestions(model, found, row, probability)
    return Flag(
        start + offset,
        end + offset,
        text[start:end],
        suggestions[0].text,
        suggestions,
        probability,
        "substitution",
        NAME,
        Evidence(
            float(found.candidates.gain[best]),
            float(found.candidates.prior[best]),
            float(judged.log_odds[row] - read.alone[row]),
            int(found.surface_count[row]),
            int(found.original_count[row]),
        ),
    )


def _likeliest(model: Scorer, found: Found, row: int) -> str:
    number = int(found.candidates.original[found.best.candidate[row]])
    return model.channel.terms[number]


def _negates(one: str, other: str) -> bool:
    """Whether two words differ by a negation alone.

    >>> _negates("不会", "会"), _negates("有", "没有"), _negates("提高", "降低")
    (True, True, False)
    """
    short, long = sorted((one, other), key=len)
    return any(mark in long and long.replace(mark, "", 1) == short for mark in NEGATIONS)


def _suggestions(
    model: Scorer, found: Found, row: int, probability: float
) -> tuple[Suggestion, ...]:
    """The originals of a site, best first. Their probabilities sum to at most the flag's."""
    low, high = np.searchsorted(found.candidates.site, [row, row + 1])
    share = found.best.share[low:high]
    ranked: Ints = np.argsort(-share, kind="stable")[:MAX_SUGGESTIONS]
    terms = model.channel.terms
    return tuple(
        Suggestion(terms[found.candidates.original[low + i]], probability * float(share[i]))
        for i in ranked
    )
