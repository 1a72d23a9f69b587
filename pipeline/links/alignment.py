"""Which paragraphs of two texts correspond, in whatever order they stand, and what was changed."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from heapq import nsmallest
from typing import NamedTuple

import jieba
from rapidfuzz.distance import Levenshtein

from pipeline.hanzi import HAN
from pipeline.model.channel import MAX_LENGTH

LEAST_PARAGRAPH = 8
"""Letters, digits and Han characters of a paragraph that is worth aligning."""
LONGEST_PARAGRAPH = 2_000
"""A longer line is cut at the ends of sentences: what aligning takes grows with the square."""
MOST_CHARS = 50_000
"""Of each text that are aligned: of a longer one its beginning."""

GRAM = 3
LEAST_GRAMS = 0.12
"""Share of the shorter paragraph's trigrams that two paragraphs have in common to be compared. Of a
paragraph with 40% of its characters replaced one in four or five stays."""
LEAST_EQUAL = 0.5
"""Share of the longer paragraph's characters that correspond. Of unrelated ones a fifth does."""


class Span(NamedTuple):
    start: int
    end: int


class Matched(NamedTuple):
    """Two paragraphs that correspond."""

    own: Span
    other: Span
    equal: int
    """Characters that are the same, in the same order."""


class Change(NamedTuple):
    """What a tool has done at one place: ``surface`` stands in the spun text for ``original``."""

    original: str
    surface: str
    start: int
    """Of the surface in the spun text."""
    start_in_original: int
    before: str
    """The character before it, the same in both texts; empty if there is none."""
    behind: str


def paragraphs(text: str) -> list[Span]:
    r"""Lines with content; long ones in pieces that end with a sentence.

    >>> paragraphs("短\n这一行的字数就够了，可以比较。")
    [Span(start=2, end=17)]
    """
    found = []
    start = 0
    for line in text[:MOST_CHARS].split("\n"):
        end = start + len(line)
        found += [piece for piece in _pieces(text, start, end) if _is_long_enough(text, piece)]
        start = end + 1
    return found


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    while end - start > LONGEST_PARAGRAPH:
        limit = start + LONGEST_PARAGRAPH
        cut = text.rfind("。", start, limit) + 1 or limit
        yield Span(start, cut)
        start = cut
    yield Span(start, end)


def _is_long_enough(text: str, span: Span) -> bool:
    return sum(map(str.isalnum, text[span.start : span.end])) >= LEAST_PARAGRAPH


def matched(own: str, other: str) -> list[Matched]:
    """Paragraphs of ``own`` with those of ``other``, each of them once at most."""
    theirs = paragraphs(other)
    holders: dict[str, list[int]] = defaultdict(list)
    sizes = []
    for number, span in enumerate(theirs):
        grams = _grams(other[span.start : span.end])
        sizes.append(len(grams))
        for gram in grams:
            holders[gram].append(number)
    taken: set[int] = set()
    found = []
    for span in paragraphs(own):
        piece = own[span.start : span.end]
        grams = _grams(piece)
        common = Counter(number for gram in grams for number in holders.get(gram, ()))
        for number, n in nsmallest(3, common.items(), key=lambda one: (-one[1], one[0])):
            if number in taken or n < LEAST_GRAMS * min(len(grams), sizes[number]):
                continue
            at = theirs[number]
            equal = _equal(piece, other[at.start : at.end])
            if equal >= LEAST_EQUAL * max(len(piece), at.end - at.start):
                taken.add(number)
                found.append(Matched(span, at, equal))
                break
    return found


def _grams(text: str) -> set[str]:
    words = "".join(char for char in text if char.isalnum())
    return {words[at : at + GRAM] for at in range(len(words) - GRAM + 1)}


def _equal(one: str, other: str) -> int:
    opcodes = Levenshtein.opcodes(one, other)
    return sum(op.src_end - op.src_start for op in opcodes if op.tag == "equal")


# --- changes


def changes(original: str, spun: str) -> list[Change]:
    """What was replaced, word by word, in a paragraph that was spun.

    Of 认识 and 意识 only one character differs: what differs is widened to words, if that makes
    words of both, and what makes several words of both is divided. What an editor does, to insert
    and to leave out, is no change of words.

    >>> [change[:2] for change in changes("提高对它的认识。", "进步对它的意识。")]
    [('提高', '进步'), ('认识', '意识')]
    >>> [change[:2] for change in changes("保障安全的工作人员。", "保障平安的事情职员。")]
    [('安全', '平安'), ('工作', '事情'), ('人员', '职员')]
    """
    differing = regions(original, spun)
    found = []
    done = 0
    for number, region in enumerate(differing):
        start, end, *_ = region
        following = differing[number + 1][0] if number + 1 < len(differing) else len(original)
        room = start - done, following - end
        for first, last, surface_first, surface_last in _words(original, spun, region, room):
            one, other = original[first:last], spun[surface_first:surface_last]
            if _is_pair(one, other):
                beside = (
                    _same(original, at, spun, place)
                    for at, place in ((first - 1, surface_first - 1), (last, surface_last))
                )
                found.append(Change(one, other, surface_first, first, *beside))
            done = max(end, last)
    return found


def _same(one: str, at: int, other: str, place: int) -> str:
    """The character there, if both have it; else nothing."""
    if at < 0 or place < 0:
        return ""
    return one[at : at + 1] if one[at : at + 1] == other[place : place + 1] else ""


Region = tuple[int, int, int, int]
"""Start and end in the original, start and end in the spun text."""


def regions(original: str, spun: str) -> list[Region]:
    """What differs, in order. One character that both have, between what was left out or put in,
    is no anchor: of 安全 and 平安 it is the 安.
    """
    found: list[Region] = []
    for op in Levenshtein.opcodes(original, spun):
        if op.tag == "equal":
            continue
        new = op.src_start, op.src_end, op.dest_start, op.dest_end
        if found and _belong_together(found[-1], new):
            new = (found[-1][0], new[1], found[-1][2], new[3])
            found[-1] = new
        else:
            found.append(new)
    return found


def _belong_together(one: Region, other: Region) -> bool:
    between = other[0] - one[1]
    return between == 0 or (between == 1 and not (_is_even(one) and _is_even(other)))


def _is_even(region: Region) -> bool:
    """Whether it puts one character for one."""
    start, end, low, high = region
    return end - start == high - low


def _words(original: str, spun: str, region: Region, room: tuple[int, int]) -> Iterator[Region]:
    """The region in words. ``room`` is what is the same before and behind it."""
    start, end, low, high = region
    if min(end - start, high - low) > 1 and are_words(original[start:end], spun[low:high]):
        yield region
        return
    wider = [
        (start - left, end + right, low - left, high + right)
        for left, right in WIDENINGS
        if left <= room[0] and right <= room[1]
    ]
    if _is_even(region):
        for first, last, surface_first, surface_last in wider:
            cuts = _cuts(original[first:last], spun[surface_first:surface_last])
            if cuts is not None:
                for one, two in itertools.pairwise(cuts):
                    yield first + one, first + two, surface_first + one, surface_first + two
                return
    words = [way for way in wider if are_words(original[way[0] : way[1]], spun[way[2] : way[3]])]
    yield max(words, key=lambda way: _frequency(original[way[0] : way[1]]), default=region)


def _cuts(one: str, other: str) -> list[int] | None:
    """Where to divide both so that all parts are words of two characters and more."""
    best: list[list[int] | None] = [[0]]
    for end in range(1, len(one) + 1):
        ways = [
            [*before, end]
            for start in range(max(0, end - MAX_LENGTH), end - 1)
            if (before := best[start]) and are_words(one[start:end], other[start:end])
        ]
        best.append(min(ways, key=len) if ways else None)
    return best[-1]


WIDENINGS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2))
"""Characters before and behind that both have, with which what differs may be words."""


def are_words(one: str, other: str) -> bool:
    """Whether both are words of more than one character, by jieba's dictionary."""
    return _frequency(one) > 0 and _frequency(other) > 0


def _frequency(word: str) -> int:
    jieba.setLogLevel("WARNING")  # it would tell everybody that it loads its dictionary
    jieba.dt.check_initialized()
    return int(jieba.dt.FREQ.get(word, 0)) if len(word) > 1 else 0


def _is_pair(one: str, other: str) -> bool:
    """Whether both are Han throughout, and of a length that the channel holds."""
    return one != other and all(
        0 < len(text) <= MAX_LENGTH and HAN.fullmatch(text) for text in (one, other)
    )
