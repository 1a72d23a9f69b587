"""A simulated spinner: clean text in, spun text and the truth out.

The behaviours are those that were seen on about a hundred real pages of some twenty tools: raw
substring replacement without segmentation; one occurrence for each list line, or all of them, or
a random choice; outputs never replaced again.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Substitution(NamedTuple):
    """``text[start:end]`` of the spun text stands where ``original`` stood."""

    start: int
    end: int
    original: str


class Tool(NamedTuple):
    """A spinner: its list, and how it fires."""

    lines: Mapping[str, Sequence[str]]
    """Original to its substitutes."""
    mode: str
    """`once` (each line fires on one occurrence), `all`, or `random`."""
    rate: float
    """Largest share of characters to replace, 0 to 1."""


def spin(text: str, tool: Tool, rng: random.Random) -> tuple[str, list[Substitution]]:
    """The spun text and its substitutions, in order."""
    chosen = _chosen(_occurrences(text, tool.lines), tool, rng, int(tool.rate * len(text)))
    pieces, truth, at, shift = [], [], 0, 0
    for start, end, surface in sorted(chosen):
        pieces += [text[at:start], surface]
        truth.append(Substitution(start + shift, start + shift + len(surface), text[start:end]))
        shift += len(surface) - (end - start)
        at = end
    return "".join([*pieces, text[at:]]), truth


def _occurrences(text: str, lines: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Where each original of the list stands, boundaries of words disregarded."""
    lengths = sorted({len(original) for original in lines})
    found: dict[str, list[int]] = {}
    for start in range(len(text)):
        for n in lengths:
            piece = text[start : start + n]
            if piece in lines and len(piece) == n:
                found.setdefault(piece, []).append(start)
    return found


def _chosen(
    found: Mapping[str, Sequence[int]], tool: Tool, rng: random.Random, budget: int
) -> list[tuple[int, int, str]]:
    """Disjoint occurrences with their substitutes, until the budget of characters is spent."""
    taken: set[int] = set()
    chosen = []
    for original, surface, start in _firings(found, tool, rng):
        span = range(start, start + len(original))
        if len(taken) >= budget:
            break
        if taken.isdisjoint(span):
            taken.update(span)
            chosen.append((span.start, span.stop, surface))
    return chosen


def _firings(
    found: Mapping[str, Sequence[int]], tool: Tool, rng: random.Random
) -> list[tuple[str, str, int]]:
    """What the tool would replace, in the order in which it would try."""
    originals = list(found)
    rng.shuffle(originals)
    if tool.mode == "once":
        lines = [
            (original, surface, start)
            for original in originals
            for surface, start in zip(
                rng.sample(list(tool.lines[original]), len(tool.lines[original])),
                rng.sample(list(found[original]), len(found[original])),
                strict=False,  # more lines than occurrences, or fewer: each fires once at most
            )
        ]
        rng.shuffle(lines)
        return lines
    if tool.mode == "all":
        surfaces = {o: rng.choice(tool.lines[o]) for o in originals}
        return [(o, surfaces[o], start) for o in originals for start in found[o]]
    firings = [(o, rng.choice(tool.lines[o]), start) for o in originals for start in found[o]]
    rng.shuffle(firings)
    return firings
