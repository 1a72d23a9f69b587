"""What the figures of an evaluation mean. A span counts as found if a flag overlaps it.

The definitions are those of whoever measures this project through its tables: documents without a
span are clean and tell of false flags, all others tell of precision, recall and calibration.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.hanzi import count_han
from pipeline.spans import Flag
from pipeline.stages.flag import Flagged

THRESHOLD = 0.5
"""A flag counts from this probability on, and a document as called spun above it."""

DECIMALS = 4

BINS = 10
"""Of the calibration error, equally wide."""

LEAST_HAN = 300
"""A shorter document says little about itself: its `spun_probability` is not measured."""

CLEAN_CALLED_SPUN = 0.001
"""The share of clean documents above the threshold at which the found ones are counted."""

APART = frozenset({"injection", "deletion"})
"""Kinds of change that are no substitution."""


class Span(NamedTuple):
    """``text[start:end]`` stands where ``original`` stood."""

    start: int
    end: int
    original: str | None = None
    counts: bool = True
    """Whether it is a substitution for sure. One that is not counts for and against nobody."""


class Example(NamedTuple):
    """A text and the truth about it: without spans it is clean."""

    text: str
    spans: Sequence[Span] = ()


class Outcome(NamedTuple):
    """What one document adds to the figures of its test."""

    spans: int = 0
    spans_found: int = 0
    flags: int = 0
    """On documents with spans, of THRESHOLD and more."""
    flags_right: int = 0
    originals_right: int = 0
    false_flags: int = 0
    """On clean documents, of THRESHOLD and more."""
    clean_han: int = 0
    is_spun: bool = False
    spun_probability: float = 0.0
    is_long: bool = False
    """Whether it has LEAST_HAN Han characters."""
    calibration: Sequence[tuple[float, bool]] = ()
    """Probability and truth of every flag of a document with spans, improbable ones too."""


class Row(NamedTuple):
    """The figures of one test. None where the test has nothing to tell."""

    test: str
    documents: int
    spans: int
    precision: float | None
    recall: float | None
    f1: float | None
    original_right: float | None
    """Of the right flags, those that give place and original exactly."""
    ece: float | None
    false_flags_per_1000_han: float | None
    spun_found_at_1_in_1000: float | None
    auc: float | None
    called_spun: float | None
    """Share of the clean documents, short ones too, that are called spun."""


def outcome(example: Example, flagged: Flagged) -> Outcome:
    """What the flags of one document are worth."""
    flags = [flag for flag in flagged.flags if flag.kind != "injection"]
    of_flags = _of_spun(example, flags) if example.spans else _of_clean(example, flags)
    return of_flags._replace(
        is_spun=bool(example.spans),
        spun_probability=flagged.spun_probability,
        is_long=count_han(example.text) >= LEAST_HAN,
    )


def _of_clean(example: Example, flags: Sequence[Flag]) -> Outcome:
    false_flags = sum(flag.probability >= THRESHOLD for flag in flags)
    return Outcome(false_flags=false_flags, clean_han=count_han(example.text))


def _of_spun(example: Example, flags: Sequence[Flag]) -> Outcome:
    counted = [span for span in example.spans if span.counts]
    aside = [span for span in example.spans if not span.counts]
    flags = [flag for flag in flags if not _meets(flag, aside)]
    kept = [flag for flag in flags if flag.probability >= THRESHOLD]
    originals = {(span.start, span.end): span.original for span in counted}
    return Outcome(
        spans=len(counted),
        spans_found=sum(_meets(span, kept) for span in counted),
        flags=len(kept),
        flags_right=sum(_meets(flag, counted) for flag in kept),
        originals_right=sum(originals.get((f.start, f.end)) == f.suggestion for f in kept),
        calibration=[(flag.probability, _meets(flag, counted)) for flag in flags],
    )


def _meets(one: Span | Flag, others: Sequence[Span] | Sequence[Flag]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)


def row(test: str, outcomes: Sequence[Outcome]) -> Row:
    """The figures of a test from what its documents add to them."""
    spans, clean_han = sum(o.spans for o in outcomes), sum(o.clean_han for o in outcomes)
    flags, right = sum(o.flags for o in outcomes), sum(o.flags_right for o in outcomes)
    precision = right / max(1, flags) if spans else None
    recall = sum(o.spans_found for o in outcomes) / spans if spans else None
    exact, false = sum(o.originals_right for o in outcomes), sum(o.false_flags for o in outcomes)
    clean, spun = (
        [o.spun_probability for o in outcomes if o.is_long and o.is_spun == is_spun]
        for is_spun in (False, True)
    )
    both = bool(clean and spun)
    return Row(
        test,
        len(outcomes),
        spans,
        precision,
        recall,
        None if precision is None or recall is None else f1(precision, recall),
        exact / max(1, right) if spans else None,
        calibration_error([pair for o in outcomes for pair in o.calibration]) if spans else None,
        1000 * false / clean_han if clean_han else None,
        found_at(clean, spun, CLEAN_CALLED_SPUN) if both else None,
        auc(clean, spun) if both else None,
        _called_spun(outcomes),
    )


def cells(figures: Row) -> list[str]:
    """A row as text; nothing where it has no figure.

    >>> cells(row("none", []))[:4]
    ['none', '0', '0', '']
    """
    return [
        "" if v is None else f"{v:.{DECIMALS}f}" if isinstance(v, float) else str(v)
        for v in figures
    ]


def _called_spun(outcomes: Sequence[Outcome]) -> float | None:
    clean = [o.spun_probability > THRESHOLD for o in outcomes if not o.is_spun]
    return sum(clean) / len(clean) if clean else None


def f1(precision: float, recall: float) -> float:
    """The harmonic mean.

    >>> f1(1.0, 0.5), f1(0.0, 0.0)
    (0.6666666666666666, 0.0)
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """How far probabilities and truth lie apart, the mean over all flags, each taken by its bin.

    >>> calibration_error([(0.75, True), (0.75, False), (0.25, False), (1.0, True)])
    0.1875
    """
    surplus = [0.0] * BINS
    for probability, truth in pairs:
        surplus[min(BINS - 1, int(probability * BINS))] += probability - truth
    return sum(map(abs, surplus)) / max(1, len(pairs))


def found_at(clean: Sequence[float], spun: Sequence[float], rate: float) -> float:
    """Share of the spun above the threshold that only a share ``rate`` of the clean exceeds.

    Of fewer clean ones than 1 / ``rate`` none may exceed it.

    >>> found_at([0.1, 0.6], [0.5, 0.6, 0.7], 0.001)
    0.3333333333333333
    """
    threshold = sorted(clean, reverse=True)[min(len(clean) - 1, int(rate * len(clean)))]
    return sum(probability > threshold for probability in spun) / len(spun)


def auc(clean: Sequence[float], spun: Sequence[float]) -> float:
    """Chance that a spun document has the higher probability than a clean one; a tie is half.

    >>> auc([0.1, 0.5], [0.5, 0.9])
    0.875
    """
    ranked = sorted([(score, False) for score in clean] + [(score, True) for score in spun])
    wins = below = 0.0
    at = 0
    while at < len(ranked):
        tied = at
        while tied < len(ranked) and ranked[tied][0] == ranked[at][0]:
            tied += 1
        above = sum(is_spun for _, is_spun in ranked[at:tied])
        wins += above * (below + (tied - at - above) / 2)
        below += tied - at - above
        at = tied
    return wins / (len(clean) * len(spun))
