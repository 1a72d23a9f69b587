"""Whether the paragraphs of a page stand in their original order. Spinning tools shuffle them.

What tells is how paragraphs begin and end: numerals out of order (第三 before 第一), 此外 or 该 in
the first paragraph, 综上所述 before the middle, a heading with nothing below it. Each such thing is
a feature; their weights add up to log odds (`training/order.py` fits them on shuffled texts).
No feature looks at two paragraphs' content: that would cost more than all the rest of `normalise`.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

from pipeline.lexicon import entries, table

FEWEST_LINES = 3
"""Fewer paragraphs are no evidence: either order of two is as good."""
MOST_LINES = 2_000
"""Of a longer text, the first: an order is plain long before."""
MOST_OF_A_KIND = 4
"""How often one feature may speak, so that a table of numbers does not drown the rest."""
SHARE_SHUFFLED = 0.02
"""Of pages in general, before one is read. A text without evidence scores about as much."""
LONGEST_HEADING = 24
LONGEST_CREDIT, SHORTEST_TEXT = 40, 60
"""A short line 责任编辑：张岩 and a paragraph below it, which no editor would put there."""
SHORT, LONG = 0.5, 1.5
"""Of the mean paragraph of the text: news begin long and end short."""

_HAN = "一二三四五六七八九十"
_DIGITS = {
    **{mark: at for at, mark in enumerate(_HAN, 1)},
    **{mark: at for at, mark in enumerate("①②③④⑤⑥⑦⑧⑨⑩", 1)},
    **{mark: at for at, mark in enumerate(("首先", "其次", "再次"), 1)},
    **dict.fromkeys(("起首", "首要"), 1),  # as tools write 首先
}
_NOUN = (
    "情况|问题|案例|误区|理由|建议|原因|方法|步骤|亮点|关键词|观点|技巧|要点|特点|看点|变化|方面"
    "|阶段"
)

CLASSES = table("paragraph_cues")
_CUES: dict[str, list[str]] = {}
for _cue in sorted(CLASSES, key=len, reverse=True):
    _CUES.setdefault(_cue[0], []).append(_cue)
"""By their first character, which is all that most paragraphs are asked for."""
NUMERAL = re.compile(
    rf"第(?:(?P<ordinal>[{_HAN}]{{1,3}}|\d{{1,2}})[、，,。：:是个种类点步轮阶大方 ]"
    rf"|(?P<article>[{_HAN}]{{1,3}}|\d{{1,2}})条|(?P<chapter>[{_HAN}]{{1,3}}|\d{{1,2}})[章节编部])"
    rf"|(?P<order>首先|其次|再次|起首|首要)|其(?P<each>[{_HAN}])[，、是：]"
    rf"|(?P<section>[{_HAN}]{{1,3}})[、.．:：]|[（(](?P<item>[{_HAN}]{{1,3}})[)）]"
    rf"|(?P<point>[{_HAN}])[是要则来]"
    rf"|(?P<number>\d{{1,2}})(?:[、．)）]|[.] ?(?!\d))|[（(](?P<bracket>\d{{1,2}})[)）]"
    rf"|(?P<circle>[①-⑩])|(?:{_NOUN})(?P<named>[{_HAN}]|\d{{1,2}})"
    r"|(?P<date>(?:19|20)\d\d年|\d{1,2}月\d{1,2}[日号]|\d{1,2}[日号][，,上下早凌])"
)
_FIRST = frozenset(f"第首其再起（(①②③④⑤⑥⑦⑧⑨⑩0123456789{_HAN}") | {n[0] for n in _NOUN.split("|")}
DATELINE = re.compile(r"[一-鿿·]{2,14}(?:\d{1,2}月)?\d{1,2}日[电讯]|[一-鿿]{2,8}消息[（(：:]")
_QUOTES = frozenset("“「『")
_TELLING = _FIRST | _QUOTES | frozenset(_CUES)
"""Characters with which a paragraph must begin for more than a dateline to be told from it."""
SERIES = {
    "ordinal": "point", "order": "point", "each": "point", "point": "point", "named": "point",
    "article": "article", "chapter": "section", "section": "section", "item": "item",
    "number": "number", "bracket": "number", "circle": "number",
}  # fmt: skip
"""Numerals that share a sequence, and weights."""
BINS = ("first", "early", "late", "last")
"""Where a paragraph stands: at either end, or in which half."""
_END = "。！？!?；;…”」』）)"

Weights = Mapping[str, float]


def shuffled_score(lines: Sequence[str]) -> float:
    """Probability that these paragraphs, as they stand, are not in their original order.

    0 for fewer than three. It supposes that SHARE_SHUFFLED of all texts are shuffled: multiply the
    odds by what you know of your corpus.

    >>> ordered = ["第一，我们修桥。", "第二，我们铺路。", "第三，我们种树。"]
    >>> shuffled_score(ordered) < 0.02 < 0.5 < shuffled_score(ordered[::-1])
    True
    """
    if len(lines) < FEWEST_LINES:
        return 0.0
    known = weights()
    odds = known["constant"] + math.log(SHARE_SHUFFLED / (1 - SHARE_SHUFFLED))
    odds += sum(known.get(name, 0.0) * count for name, count in _features(lines).items())
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


@cache
def weights() -> Weights:
    """Natural log odds that each feature adds, as fitted."""
    return {name: float(weight) for name, weight in entries("order_weights")}


def features(lines: Sequence[str]) -> Counter[str]:
    """What the paragraphs show, and how often (at most MOST_OF_A_KIND times).

    >>> features(["此外，下雨了。", "第二，吃饭。", "第一，起床。"])["point:back"]
    1
    """
    return Counter(_features(lines))


def _features(lines: Sequence[str]) -> dict[str, int]:
    """The same as a plain dictionary, which is far quicker to fill; in an order that is its own."""
    lines = lines[:MOST_LINES]
    series: dict[str, list[int]] = {}
    kinds: list[str] = []
    names: list[str] = []
    for at, line in enumerate(lines):
        kind, numeral = _start(line)
        if numeral:
            series.setdefault(kind, []).append(_number(numeral))
        elif kind:
            names.append(f"{kind}:{_bin(at, len(lines))}")
        kinds.append(kind)
    for kind, row in series.items():
        names += [f"{SERIES[kind]}:{step}" for step in _steps(row)]
    names += _shapes(lines, kinds)
    names += _lengths(lines)
    found: dict[str, int] = {}
    for name in names:
        count = found.get(name, 0)
        if count < MOST_OF_A_KIND:
            found[name] = count + 1
    return found


def _start(line: str) -> tuple[str, str]:
    """The kind of what a paragraph begins with, and its numeral if it is one of a series."""
    first = line[:1]
    if first not in _TELLING:
        return _dateline(line)
    if first in _FIRST and (found := NUMERAL.match(line)) and (kind := found.lastgroup):
        return (kind, found[kind]) if kind in SERIES else (kind, "")
    for cue in _CUES.get(first, ()):
        if line.startswith(cue):
            return CLASSES[cue], ""
    if first in _QUOTES:
        return "quote", ""
    return _dateline(line)


def _dateline(line: str) -> tuple[str, str]:
    head = line[:24]
    if ("日" in head or "消息" in head) and DATELINE.match(line):
        return "dateline", ""
    return "", ""


def _bin(at: int, n: int) -> str:
    if at == 0:
        return "first"
    if at == n - 1:
        return "last"
    return "early" if at < n / 2 else "late"


def _shapes(lines: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    """What ties lines to their neighbours: headings, colons, and credits above a paragraph."""
    above = ""
    for at, (line, kind) in enumerate(zip(lines, kinds, strict=True)):
        if kind == "credit" and len(line) <= LONGEST_CREDIT:
            shape = "credit"
        elif shape := _shape(line):
            yield f"{shape}:{_bin(at, len(lines))}"
        if above:
            if above == shape:
                yield f"{shape}:twice"
            if above == "credit" and len(line) >= SHORTEST_TEXT:
                yield "credit:above text"
        above = shape


def _shape(line: str) -> str:
    end = line[-1:]
    if end in _END:
        return ""
    if end in ("：", ":"):
        return "colon"
    return "heading" if len(line) <= LONGEST_HEADING else ""


def _lengths(lines: Sequence[str]) -> Iterator[str]:
    """How long the ends are, of a text that has any length."""
    mean = sum(map(len, lines)) / max(1, len(lines))
    for at, where in ((0, "first"), (-1, "last")) if lines else ():
        share = len(lines[at]) / max(1, mean)
        size = "short" if share < SHORT else "long" if share > LONG else "middling"
        yield f"length {size}:{where}"


def _steps(numbers: Sequence[int]) -> Iterator[str]:
    """How each numeral of a series follows the one before it.

    1 begins the series anew, unless it has not come before: then it comes late.
    """
    if len(numbers) > 1 and len(set(numbers)) == len(numbers):
        # Numerals that stand once each are one series, so that any disorder is plain.
        yield "ordered" if list(numbers) == sorted(numbers) else "disordered"
    yield "starts" if numbers[0] == 1 else "starts late"
    begun = numbers[0] == 1
    for last, number in pairwise(numbers):
        if number == last + 1:
            yield "next"
        elif number == 1 and begun:
            yield "restarts"
        elif number == last:
            yield "same"
        else:
            yield "back" if number < last else "jumps"
        begun = begun or number == 1


def _number(numeral: str) -> int:
    """一 to 九十九, 1 to 99, ①, 首先. Numerals that are none count as 0."""
    if numeral.isdecimal():
        return int(numeral)
    if numeral in _DIGITS:
        return _DIGITS[numeral]
    tens, ten, ones = numeral.rpartition("十")
    if not ten or len(tens) > 1 or len(ones) > 1:
        return 0
    return 10 * _DIGITS.get(tens, 1) + _DIGITS.get(ones, 0)
