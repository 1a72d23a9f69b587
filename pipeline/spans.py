"""The value types that stages hand to one another, and the alignment of a text to its source.

Every offset is a count of code points, half-open, as in ``text[start:end]``.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]


class Edit(NamedTuple):
    """``raw[raw_start:raw_end]`` became ``text[start:end]``, and the two differ in length."""

    start: int
    end: int
    raw_start: int
    raw_end: int


class Line(NamedTuple):
    """One line of ``text``, without its line break, and its part in the page (`schema.ROLES`)."""

    start: int
    end: int
    role: str


class Sentence(NamedTuple):
    """``text[start:end]``; the sentences of a text tile it. ``paragraph`` numbers its line."""

    start: int
    end: int
    paragraph: int


class Suggestion(NamedTuple):
    """What may have stood there, and the probability that it did."""

    text: str
    probability: float


class Evidence(NamedTuple):
    """What moved the decision on one flag. All but the counts are natural log odds (nats)."""

    gain: float
    """log P(window with the original) - log P(window as it stands)."""
    channel: float
    """How likely a spinner is to write this surface for that original."""
    document: float
    """How much the rest of the document speaks for spinning."""
    surface_count: int
    """How often the surface stands in this document."""
    suggestion_count: int
    """How often the suggestion stands in this document."""


class Flag(NamedTuple):
    """One span that a machine probably wrote. ``surface`` is ``text[start:end]``."""

    start: int
    end: int
    surface: str
    suggestion: str
    suggestions: tuple[Suggestion, ...]
    probability: float
    kind: str
    detector: str
    evidence: Evidence


class Loss(NamedTuple):
    """What a text costs a language model: minus log probability, summed over its characters."""

    steps: int
    """In whole steps of 1/1024 nat: their sum does not depend on the order of addition."""
    characters: int
    """Those that are not white space."""

    def plus(self, other: "Loss") -> "Loss":
        return Loss(self.steps + other.steps, self.characters + other.characters)


class Verdict(NamedTuple):
    """What a detector says of one document: disjoint flags in order, and what it makes of the
    whole.
    """

    flags: list[Flag]
    spun_log_odds: float | None = None
    """That the document is spun; None from a detector that has no opinion on that."""
    loss: Loss = Loss(0, 0)
    """None of it from a detector that asks no language model."""


class Alignment:
    """Maps offsets of ``text`` back to ``raw``, given every edit that changed a length, in order.

    Between two edits the texts correspond one to one. An offset inside an edit maps to the edge of
    its source, outwards, so that ``raw[raw_start:raw_end]`` holds all of what ``text[start:end]``
    came from. Deleted text belongs to no span: it lies between the source of what precedes it and
    the source of what follows.

    >>> alignment = Alignment([Edit(1, 1, 1, 3)])  # "a??b" became "ab"
    >>> alignment.raw_start(1), alignment.raw_end(1)
    (3, 1)
    """

    def __init__(self, edits: Iterable[Edit]) -> None:
        table = np.array(list(edits), dtype=np.int64).reshape(-1, 4)
        self._start, self._end, self._raw_start, self._raw_end = table.T

    def raw_starts(self, starts: Offsets) -> Offsets:
        """Source offsets for offsets at which a span starts."""
        edit = np.searchsorted(self._start, starts, side="right") - 1
        # Several edits may share a start (a deletion, then a change): the last of them decides.
        return self._mapped(starts, edit, inside=self._raw_start)

    def raw_ends(self, ends: Offsets) -> Offsets:
        """Source offsets for offsets at which a span ends."""
        edit = np.searchsorted(self._start, ends, side="left") - 1
        return self._mapped(ends, edit, inside=self._raw_end)

    def raw_start(self, start: int) -> int:
        return int(self.raw_starts(np.array([start]))[0])

    def raw_end(self, end: int) -> int:
        return int(self.raw_ends(np.array([end]))[0])

    def _mapped(self, offsets: Offsets, edit: Offsets, inside: Offsets) -> Offsets:
        if not len(self._start):
            return offsets.copy()
        shifted = self._raw_end[edit] + (offsets - self._end[edit])
        mapped = np.where(offsets < self._end[edit], inside[edit], shifted)
        return np.where(edit < 0, offsets, mapped)
