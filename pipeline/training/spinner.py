"""A simulated spinner: clean text in, spun text and the truth out.

The behaviours are those that were seen on about a hundred real pages of some twenty tools: raw
substring replacement without segmentation, or of whole words by their neighbours in an embedding;
one occurrence for each line of the list, or all of them, or a random choice; outputs replaced
again by some tools (处理 became 处置惩罚, and that 措置赏罚), by most never; shuffled
paragraphs, dropped 一, and advertisements inserted in mid-sentence.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.training.words import segmented


class Substitution(NamedTuple):
    """``text[start:end]`` of the spun text stands where ``original`` stood."""

    start: int
    end: int
    original: str


class Insertion(NamedTuple):
    """``text[start:end]`` was inserted."""

    start: int
    end: int


class Tool(NamedTuple):
    """A spinner: its list, and how it fires."""

    lines: Mapping[str, Sequence[str]]
    """Original to its substitutes."""
    mode: str
    """`once` (each line fires on one occurrence), `all`, or `random`."""
    rate: float
    """Largest share of characters to replace, 0 to 1."""
    whole_words: bool = False
    """Whether it segments the text first, as tools that look words up in an embedding do."""
    shuffles: bool = False
    """Whether it changes the order of the paragraphs."""
    drops: float = 0.0
    """Share of 一 that it leaves out."""
    advertisements: Sequence[str] = ()
    """What it inserts, each once, in mid-sentence."""
    passes: int = 1
    """How often the text goes through it, with half the rate each time after the first."""


class Spun(NamedTuple):
    text: str
    truth: list[Substitution]
    inserted: list[Insertion]


def spin(text: str, tool: Tool, rng: random.Random) -> Spun:
    """The spun text and what was done to it, in order."""
    text = _dropped(_shuffled(text, rng) if tool.shuffles else text, tool.drops, rng)
    found = _words(text, tool.lines) if tool.whole_words else _substrings(text, tool.lines)
    chosen = _chosen(found, tool, rng, int(tool.rate * len(text)))
    taken = {at for start, end, _ in chosen for at in range(start + 1, end)}
    places = [at for at in range(1, len(text)) if at not in taken and text[at - 1] not in "\n。"]
    inserted = [
        (at, at, advertisement)
        for at, advertisement in zip(
            rng.sample(places, min(len(places), len(tool.advertisements))),
            tool.advertisements,
            strict=False,
        )
    ]
    spun = _applied(text, sorted([*chosen, *inserted]))
    for number in range(1, tool.passes):
        found = (
            _words(spun.text, tool.lines)
            if tool.whole_words
            else _substrings(spun.text, tool.lines)
        )
        budget = int(tool.rate / 2**number * len(spun.text))
        spun = _respun(spun, sorted(_chosen(found, tool, rng, budget)))
    return spun


def _respun(before: Spun, changes: Sequence[tuple[int, int, str]]) -> Spun:
    """``changes`` to a text that was spun already: one that cuts into a substitution joins it."""
    closed = {at for start, end in before.inserted for at in range(start, end)}
    new = [change for change in changes if closed.isdisjoint(range(change[0], change[1]))]
    old = [(start, end, original) for start, end, original in before.truth]
    pieces: list[str] = []
    truth: list[Substitution] = []
    moved: list[tuple[int, int]] = []
    at = 0
    for start, end in _joined([*old, *new]):
        moved.append((start, end))
        surface = _replaced(before.text, start, end, new)
        original = _replaced(before.text, start, end, old)
        pieces += [before.text[at:start], surface]
        begin = sum(map(len, pieces)) - len(surface)
        if surface != original:  # else it was turned back
            truth.append(Substitution(begin, begin + len(surface), original))
        at = end
    text = "".join([*pieces, before.text[at:]])
    return Spun(text, truth, _kept(before.inserted, moved, pieces[1::2]))


def _joined(spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
    """The spans in order, those that overlap as one."""
    low, high = 0, 0
    for start, end, _ in sorted(spans):
        if start >= high:
            if high:
                yield low, high
            low = start
        high = max(high, end)
    if high:
        yield low, high


def _replaced(text: str, start: int, end: int, changes: Sequence[tuple[int, int, str]]) -> str:
    """``text[start:end]`` after the changes within it, which are in order."""
    pieces = []
    for first, last, surface in changes:
        if start <= first and last <= end:
            pieces += [text[start:first], surface]
            start = last
    return "".join([*pieces, text[start:end]])


def _kept(
    inserted: Sequence[Insertion], moved: Sequence[tuple[int, int]], surfaces: Sequence[str]
) -> list[Insertion]:
    """Insertions where they stand after ``moved`` spans became ``surfaces``."""
    kept = []
    for start, end in inserted:
        shift = sum(
            len(surface) - (last - first)
            for (first, last), surface in zip(moved, surfaces, strict=True)
            if last <= start
        )
        kept.append(Insertion(start + shift, end + shift))
    return kept


def _applied(text: str, changes: Sequence[tuple[int, int, str]]) -> Spun:
    pieces: list[str] = []
    truth: list[Substitution] = []
    inserted: list[Insertion] = []
    at = shift = 0
    for start, end, surface in changes:
        pieces += [text[at:start], surface]
        begin = start + shift
        if start == end:
            inserted.append(Insertion(begin, begin + len(surface)))
        else:
            truth.append(Substitution(begin, begin + len(surface), text[start:end]))
        shift += len(surface) - (end - start)
        at = end
    return Spun("".join([*pieces, text[at:]]), truth, inserted)


def _shuffled(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    return "\n".join(rng.sample(lines, len(lines)))


def _dropped(text: str, share: float, rng: random.Random) -> str:
    if share <= 0:
        return text
    return "".join(char for char in text if char != "一" or rng.random() >= share)


def _substrings(text: str, lines: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Where each original of the list stands, boundaries of words disregarded."""
    lengths = sorted({len(original) for original in lines})
    found: dict[str, list[int]] = {}
    for start in range(len(text)):
        for n in lengths:
            piece = text[start : start + n]
            if piece in lines and len(piece) == n:
                found.setdefault(piece, []).append(start)
    return found


def _words(text: str, lines: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Where each original of the list stands as a word."""
    found: dict[str, list[int]] = {}
    start = 0
    for word in segmented(text):
        if word in lines:
            found.setdefault(word, []).append(start)
        start += len(word)
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
