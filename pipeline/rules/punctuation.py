"""Punctuation that is doubled, mixed, or damaged, where what was meant is certain.

| found | becomes |
|---|---|
| P。S。 U。S。A. | P.S. U.S.A.: single letters, two and more |
| www。example。com a@b。cn | www.example.com a@b.cn: names that end in a known domain or suffix |
| 3。5% 2019。5。3 | 3.5% 2019.5.3: before a unit; a year, month and day |
| 1。 before a Han character, at the start of a line | 1. |
| 。。 ，， 、、 ；； ：： ，, | one of them, after and before text |
| ，。 、。 ；。 ！。 ？。 。”。 | 。 。 。 ！ ？ 。” |
| ...... 。。。 ······ | …… after Han |
| -- －－ ── | —— between Han |
| , ; : ? ! between Han | ， ； ： ？ ！ if nearly all the text writes these |

All else stays: 。， (which of them?), ！！ and ？！ (emphasis), ！”。 (in order), half-width
punctuation where a page writes that throughout, 。。 where it writes that again and again (for ……),
a lone …, brackets of either width.
"""

import re
from collections.abc import Callable, Iterator

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Replacement, Rewrite, compose, replace

HAN_BASIC = "㐀-䶿一-鿿豈-\ufaff"
"""`hanzi.HAN_CLASS` up to U+FFFF: classes with ranges beyond are slow to search."""

STOP = "。．"
DOMAINS = "com|cn|net|org|gov|edu|info|tv|cc|html?|aspx?|php|jsp|pdf|docx?|jpg|png|mp[34]|exe|js"
UNITS = (
    "%|％|‰|℃|个百分点|亿|万|千克|公里|公斤|公顷|千米|厘米|毫米|毫升|平方|立方|倍|英寸|美元|元|摄氏度"
    "|GB|MB|GHz|kg|km|cm|mm|ml"
)

Step = Callable[[str], Iterator[Replacement]]


def punctuation(text: str) -> Rewrite:
    """Regularise what is certain.

    >>> punctuation("涨了3。5%，，见www。example。com：P。S。他走了......又说--好！。").text
    '涨了3.5%，见www.example.com：P.S.他走了……又说——好！'
    """
    rewrite = Rewrite(text)
    for step in STEPS:
        found = list(step(rewrite.text))
        if found:
            once = replace(rewrite.text, found)
            edits = compose(rewrite.edits, once.edits)
            rewrite = Rewrite(once.text, rewrite.changed + once.changed, edits)
    return rewrite


# --- Full stops that were points ------------------------------------------------------------------

_RANGE = rf"(?:[-－~～—至到]{{1,2}}[0-9]{{1,4}}[.{STOP}][0-9]{{1,3}})?"
_POINTS = re.compile(
    rf"(?<![A-Za-z0-9.])(?<![A-Za-z][{STOP}])(?:[A-Za-z][{STOP}]){{2,}}(?:[A-Za-z](?![A-Za-z0-9]))?"
    rf"|(?<![A-Za-z0-9_.-])(?:[A-Za-z0-9_-]{{1,63}}[{STOP}.@])+(?:{DOMAINS})(?![A-Za-z0-9])"
    rf"|(?<![0-9.第{STOP}])[0-9]{{1,4}}[{STOP}][0-9]{{1,3}}(?={_RANGE}(?:{UNITS}))"
    rf"|(?<![0-9])(?:19|20)[0-9]{{2}}[{STOP}][0-9]{{1,2}}[{STOP}][0-9]{{1,2}}(?![0-9])"
    rf"|^[0-9]{{1,2}}。(?=[{HAN_BASIC}])",
    re.MULTILINE,
)
_NEAR_POINT = re.compile(f"[A-Za-z0-9][{STOP}]")
"""What all of them hold: found sooner than they are."""


def _points(text: str) -> Iterator[Replacement]:
    if not _NEAR_POINT.search(text):
        return
    for found in _POINTS.finditer(text):
        plain = found[0].replace("。", ".").replace("．", ".")
        for at, (before, after) in enumerate(zip(found[0], plain, strict=True), found.start()):
            if before != after:
                yield Replacement(at, at + 1, after)


# --- One mark too many ----------------------------------------------------------------------------

_WORD = f"{HAN_BASIC}A-Za-z0-9"
_BEFORE = rf"(?<=[{_WORD}%％℃”’）》」』])"
_AFTER = rf"(?=[{_WORD}“‘（《「『\n]|\Z)"
_GOES_ON = rf"(?=[{_WORD}“‘（《「『])"  # no empty cells
_TOO_MANY = re.compile(
    rf"{_BEFORE}(?:(?P<twice>[，、；：])(?P=twice)|，,|,，){_GOES_ON}"
    rf"|{_BEFORE}[，、；](?P<stop>。){_AFTER}"
    rf"|{_BEFORE}(?P<mark>[！？])。{_AFTER}"
    r"|。”(?P<again>。)(?![。，、；：！？…])"
    rf"|(?<=[{_WORD}]{{4}})。(?P<second>。)(?![。，、；：！？…])"
)
_STOPS_MEET = re.compile("。。+")
MOST_STOPS_MEET = 2
"""Times in a document that 。。 is a slip. Whoever writes it more often means an ellipsis."""

_MARKS_MEET = re.compile("[，、；：！？。][。，、；：,]")


def _too_many(text: str) -> Iterator[Replacement]:
    if not (_MARKS_MEET.search(text) or ",，" in text or "。”。" in text):
        return
    is_slip = len(_STOPS_MEET.findall(text)) <= MOST_STOPS_MEET
    for found in _TOO_MANY.finditer(text):
        start, end = found.span()
        if found["second"] and not is_slip:
            continue
        # The marks are replaced together, so that the one that stays comes from both.
        yield Replacement(start, end, _one_mark(found))


def _one_mark(found: re.Match[str]) -> str:
    if found["again"]:
        return "。”"
    return found["mark"] or found["second"] or found["stop"] or found["twice"] or "，"


# --- Ellipses and dashes --------------------------------------------------------------------------

_DOTS = re.compile(
    rf"(?<=[{HAN_BASIC}”’）》」』，。！？、；：])(?:\.{{3,12}}|。{{3,12}}|·{{3,12}})"
    r"(?![.。·…]|[ \t]*[0-9])"
)
_DASHES = re.compile(
    rf"(?<=[{HAN_BASIC}”’）》」』])(?:-{{2,3}}|－{{2}}|─{{2}})(?=[{HAN_BASIC}“‘（《「『])"
)


def _ellipses(text: str) -> Iterator[Replacement]:
    if "..." in text or "。。。" in text or "···" in text:
        yield from (Replacement(*found.span(), "……") for found in _DOTS.finditer(text))


def _dashes(text: str) -> Iterator[Replacement]:
    if "--" in text or "－－" in text or "──" in text:
        yield from (Replacement(*found.span(), "——") for found in _DASHES.finditer(text))


# --- Half width -----------------------------------------------------------------------------------

_FULL = dict(zip(",;:?!", "，；：？！", strict=True))
_HALF = re.compile(rf"[,;:?!](?<=[{HAN_BASIC}].)(?=[{HAN_BASIC}])")  # the mark first: faster
_FULL_WIDTH = re.compile("[，；：？！]")

FEWEST_FULL = 8
FULL_PER_HALF = 4
"""A page that writes both kinds at will has no rule that we could restore."""


def _half_width(text: str) -> Iterator[Replacement]:
    found = list(_HALF.finditer(text))
    if not found:
        return
    n_full = len(_FULL_WIDTH.findall(text))
    if n_full >= FEWEST_FULL and n_full >= FULL_PER_HALF * len(found):
        yield from (Replacement(*half.span(), _FULL[half[0]]) for half in found)


STEPS: tuple[Step, ...] = (
    _points,
    _ellipses,  # before `_too_many`: 。。。 is no 。 twice
    _too_many,
    _dashes,
    _half_width,
)

_NEIGHBOURS = (
    ("[A-Za-z0-9]", f"[{STOP}]", ""),
    ("[，、；：！？。]", "[。，、；：,]", ""),
    (",", "，", ""),
    ("”", "。", "。”。"),
    (r"\.", r"\.", "..."),
    ("·", "·", "···"),
    ("[-－─]", "[-－─]", ""),
    ("[,;:?!]", f"[{HAN_BASIC}]", ""),
)
CUES = tuple(Cue(re.compile(one), re.compile(other), words) for one, other, words in _NEIGHBOURS)
"""What each step asks for before it looks closer; 。。。 is among the marks that meet."""
