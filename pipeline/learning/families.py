"""Which suspected documents speak one tool's words.

Two tools with the same original in their lists seldom write the same for it (of 61 pairs on one
news story that two tools had spun, two were the same). So a document belongs to the family whose
choices it shares: a mixture of multinomials, one for each original, settled by hard assignment.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

ROUNDS = 6
LEAST_DOCUMENTS = 5
"""Of a family: fewer are an accident, or tell nothing."""
MOST_FAMILIES = 64
DOUBT = 2.0
"""Weight of what any tool might write, in occurrences, beside what the family has been seen to."""
LEAST_GAIN = 3.0
"""Nats by which the choices of a document must be likelier in its family than of any tool."""

Choices = Mapping[str, str]
"""Of one document, from original to surface."""


class Family(NamedTuple):
    documents: list[int]
    """Numbers of the documents, in order."""
    choices: Counter[tuple[str, str]]
    """(original, surface), and in how many of the documents."""


def families(documents: Sequence[Choices]) -> list[Family]:
    """The largest first. A document that fits none, or says little, is in none."""
    general = _General(documents)
    order = sorted(range(len(documents)), key=lambda at: (-len(documents[at]), at))
    groups: list[Family] = []
    for _ in range(ROUNDS):
        settled: list[Family] = [Family([], Counter()) for _ in groups]
        for at in order:
            best, gain = _best(documents[at], groups, settled, general)
            if gain >= LEAST_GAIN:
                _join(settled[best], at, documents[at])
            elif len(settled) < MOST_FAMILIES and len(documents[at]) >= LEAST_DOCUMENTS:
                groups.append(Family([], Counter()))
                settled.append(Family([], Counter()))
                _join(settled[-1], at, documents[at])
        groups = [one for one in settled if one.documents]
    kept = [one for one in groups if len(one.documents) >= LEAST_DOCUMENTS]
    kept.sort(key=lambda one: (-len(one.documents), min(one.documents)))
    return [Family(sorted(one.documents), one.choices) for one in kept]


class _General:
    """What one would expect of a tool nobody knows: for each original, any of the surfaces that
    were seen, or another, as likely as the next.
    """

    def __init__(self, documents: Sequence[Choices]) -> None:
        self._surfaces: dict[str, set[str]] = defaultdict(set)
        for choices in documents:
            for original, surface in choices.items():
                self._surfaces[original].add(surface)

    def share(self, original: str) -> float:
        return 1 / (len(self._surfaces[original]) + 1)


def _best(
    choices: Choices, before: Sequence[Family], now: Sequence[Family], general: _General
) -> tuple[int, float]:
    """The family that a document fits best, and by how much better than in general, nats. Each
    family has what it had in the round before and what has joined it in this one.
    """
    found = 0, float("-inf")
    for number, (old, new) in enumerate(zip(before, now, strict=True)):
        known = new.choices if len(new.documents) >= len(old.documents) else old.choices
        gain = _gain(choices, known, general)
        if gain > found[1]:
            found = number, gain
    return found


def _gain(choices: Choices, known: Mapping[tuple[str, str], int], general: _General) -> float:
    whole: dict[str, int] = defaultdict(int)
    for (original, _), times in known.items():
        whole[original] += times
    total = 0.0
    for original, surface in choices.items():
        if original not in whole:
            continue
        share = general.share(original)
        own = known.get((original, surface), 0) + DOUBT * share
        total += log(own / (whole[original] + DOUBT)) - log(share)
    return total


def _join(family: Family, at: int, choices: Choices) -> None:
    family.documents.append(at)
    family.choices.update(choices.items())
