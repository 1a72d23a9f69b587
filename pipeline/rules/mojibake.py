"""Text that was once decoded in a wrong encoding: 鏂伴椈 or æ–°é—» or ÐÂÎÅ for 新闻.

Each kind of mistake is undone the way it was made: the characters go back to bytes, and the bytes
are decoded as what they were. That is done only where it is certain:

- UTF-8 tells itself: stretches of three and more characters that are valid UTF-8 and make far
  likelier Chinese than what stands there come of nothing else;
- GBK and Big5 accept nearly anything, so there the result must be as likely as good Chinese is, and
  long enough.

A character that lost some of its bytes on the way (to ? or U+FFFD) cannot be told: it becomes
U+FFFD where what surrounds it is repaired. 锟斤拷, U+FFFD in UTF-8 read as GBK, says nothing, and
stays.

Runs before the rules that take away characters, as these may have been bytes. On good text it costs
a search for pairs of characters that hardly ever stand there.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import accumulate, count
from math import inf
from operator import itemgetter
from typing import NamedTuple

from pipeline.likelihood import weights_of
from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Replacement, Rewrite, compose, replace

MOST_ROUNDS = 4
"""A text may have been misread twice, and in more than one way."""

LOST = "\N{REPLACEMENT CHARACTER}"
MOST_LOST = 1 / 3
"""Of the characters of a stretch: with more of them gone, the rest is not certain."""

CHINESE = -9.2
"""Nats per character. Thai makes -9.7, Korean -10.6; of 2,000 pieces of 10 characters of Chinese,
20 make less than -8.4."""
SURELY_CHINESE = -8.0  # for a few characters
IMPLAUSIBLE = -11.0  # even for part of a sentence

CJK = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def mojibake(text: str) -> Rewrite:
    r"""Undo a wrong decoding, wherever it is certain.

    >>> mojibake("标题：鏂伴椈缃戞柊\n\xd6\xd0\xb9\xfa\xb5\xc4\xd0\xc2\xce\xc5, æ–°é—»").text
    '标题：新闻网新\n中国的新闻, 新闻'
    """
    rewrite, done = Rewrite(text), set[str]()
    for _ in range(MOST_ROUNDS):
        for kind, repairs in KINDS.items():
            if found := repairs(rewrite.text, kind in done):
                break
        else:
            break
        done.add(kind)
        once = replace(rewrite.text, found)
        edits = compose(rewrite.edits, once.edits)
        rewrite = Rewrite(once.text, rewrite.changed + once.changed, edits)
    return rewrite


Repairs = Callable[[str, bool], list[Replacement]]
"""From a text, and whether it is known to have been misread in this way, to what is certain."""

ENOUGH_FOR_ALL = 3
"""Chinese characters whose repair makes lone Â· and Ã© of the document certain too."""
ENOUGH_FOR_ALL_LINES = 20
"""The same where the encoding does not tell itself: then a short title is certain too."""


class _Line(NamedTuple):
    """The repairs of a line, and how likely it is afterwards, in nats per character."""

    repairs: list[Replacement]
    mean: float
    is_certain: bool


def _of_lines(lines: list[_Line], is_known: bool) -> list[Replacement]:
    n_certain = sum(len(line.repairs) for line in lines if line.is_certain)
    for_all = is_known or n_certain >= ENOUGH_FOR_ALL_LINES
    taken = [line for line in lines if line.is_certain or (for_all and line.mean >= IMPLAUSIBLE)]
    return [repair for line in taken for repair in line.repairs]


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.split("\n"):
        yield start, start + len(line)
        start += len(line) + 1


# --- UTF-8, from whatever its bytes were taken for ------------------------------------------------

_HOLE = b"\xff"  # stands for a byte that is lost; UTF-8 has none
_UTF_8 = re.compile(
    rb"(?P<whole>[\x00-\x3e\x40-\x7f]|\?(?![\x80-\xbf])"
    rb"|[\xc2-\xdf][\x80-\xbf]|[\xe2-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
    rb"|(?:[\xe2-\xef][\x80-\xbf]?|[\xc2-\xdf])?[?\xff]+[\x80-\xbf]{0,2}"
    rb"|(?:[\xe2-\xef][\x80-\xbf]?)\Z"
)


class _Unit(NamedTuple):
    """A character that some bytes were, and where they end: `LOST` if they are not all there."""

    text: str
    end: int


def _units(data: bytes) -> list[_Unit]:
    """The characters of the longest start of ``data`` that is UTF-8."""
    units, at = [], 0
    while found := _UTF_8.match(data, at):
        at = found.end()
        text = found[0].decode("utf-8", "replace") if found["whole"] else LOST
        if len(text) > 1:  # three bytes that mean a surrogate
            break
        units.append(_Unit(text, at))
    return units


def _grouped(units: Sequence[_Unit], sizes: Sequence[int], at: int) -> Iterator[Replacement]:
    """Replacements for the characters from ``at`` on that had so many bytes each.

    Each is as small as can be: it ends where a character ends on both sides.
    """
    place = {end: number for number, end in enumerate(accumulate(sizes), start=1)}
    start, written = 0, ""
    for text, end in units:
        written += text
        if end in place:
            yield Replacement(at + start, at + place[end], written)
            start, written = place[end], ""


def _joint(units: list[_Unit], sizes: Sequence[int]) -> tuple[list[_Unit], int]:
    """The units up to the last that ends where a character does, and the number of characters."""
    place = {end: number for number, end in enumerate(accumulate(sizes), start=1)}
    last = next((n for n in range(len(units), 0, -1) if units[n - 1].end in place), 0)
    return units[:last], place[units[last - 1].end] if last else 0


# --- UTF-8 read as GBK ----------------------------------------------------------------------------

_GB = "gb18030"  # has also the codes that GBK leaves to its users
_HAN_LEADS = (*range(0xE2, 0xEA), 0xEF)


def _pairs(firsts: Sequence[int], seconds: Sequence[int]) -> str:
    pairs = (bytes((first, second)).decode(_GB, "ignore") for first in firsts for second in seconds)
    return re.escape("".join(pair for pair in pairs if pair > "\x7f"))


_BEGINS = _pairs(_HAN_LEADS, range(0x80, 0xC0))
_GOES_ON = _pairs(range(0x81, 0xC0), (*range(0x40, 0x7F), *_HAN_LEADS))
_IN_GBK = re.compile(f"[{_BEGINS}][{_GOES_ON}€?{LOST}]")
"""Two bytes of one character, then its third and the first of the next."""
_CUE_IN_GBK = Cue(re.compile(f"[{_BEGINS}]"), re.compile(f"[{_GOES_ON}€?{LOST}]"))

_RUN_IN_GBK = re.compile("(?:[^\x00-\x7f]|\\?(?=[^\x00-\x7f]|$))+\\??", re.MULTILINE)
_FIRST_LOOK = 32  # characters; four times as many as long as all of them belong together

FEWEST_IN_GBK = 3
FEWEST_IN_WHOLE_RUN = 2
LEAST_GAIN = 10.0
"""Nats by which the repaired text must be likelier than what stands there."""


def _utf_8_in_gbk(text: str, is_known: bool) -> list[Replacement]:  # noqa: ARG001  tells itself
    found: list[Replacement] = []
    at = 0
    while begin := _IN_GBK.search(text, at):
        used, repairs = _read_gbk(text, begin.start())
        found += repairs
        at = begin.start() + max(used, 1)
    return found


def _read_gbk(text: str, start: int) -> tuple[int, list[Replacement]]:
    """How many characters from ``start`` on may be UTF-8, and what they are, if that is certain."""
    look = _FIRST_LOOK
    while True:
        run = _RUN_IN_GBK.match(text, start, start + look)
        if run is None:
            return 0, []
        parts = [_gbk_bytes(character) for character in run[0]]
        sizes = [len(part) for part in parts]
        units, used = _joint(_units(b"".join(parts)), sizes)
        if used < look - 3:  # it ends for a reason
            break
        look *= 4
    whole = "".join(unit.text for unit in units if unit.text != LOST)
    is_whole = used == len(run[0]) and (start == 0 or text[start - 1] < "\x80")
    fewest = FEWEST_IN_WHOLE_RUN if is_whole else FEWEST_IN_GBK
    if len(CJK.findall(whole)) < fewest or len(units) - len(whole) > MOST_LOST * len(units):
        return used, []
    found = weights_of(whole)
    if found.sum() < weights_of(run[0][:used].strip("?" + LOST)).sum() + LEAST_GAIN:
        return used, []
    if found.mean() < (IMPLAUSIBLE if len(whole) > FEWEST_IN_GBK else CHINESE):
        return used, []
    return used, list(_grouped(units, sizes, start))


def _gbk_bytes(character: str) -> bytes:
    if character == LOST:
        return _HOLE
    # Windows' GBK reads byte 80 as the euro sign.
    return b"\x80" if character == "€" else character.encode(_GB, "replace")


# --- UTF-8 read as Latin-1 or Windows' ------------------------------------------------------------

_SPECIAL = {bytes([code]).decode("cp1252", "ignore"): code for code in range(0x80, 0xA0)}
_SPECIAL.pop("", None)
_BYTE_OF = {chr(code): code for code in range(0x80, 0x100)} | _SPECIAL
_LAST = "\x80-\xbf" + "".join(_SPECIAL)
_IN_LATIN = re.compile(f"[Ãâ-ï][{_LAST}]")
_CUE_IN_LATIN = Cue(re.compile("[Ãâ-ï]"), re.compile(f"[{_LAST}]"))
_RUN_IN_LATIN = re.compile(
    f"(?:[â-ï][{_LAST}]{{2}}|[Â-ß][{_LAST}]|[ð-ô][{_LAST}]{{3}}|[â-ï][{_LAST}]?{LOST}+)+"
)
_NEVER_AFTER_A_LETTER = re.compile("[\x80-\x9fƒˆ˜‰†‡Ÿ¡-ª¬\xad®-¶¸-º¼-¿]")
"""« é » and “café”… are in order, and é\xa0» would be 頻."""

ENOUGH_AMID_LETTERS = 5


def _utf_8_in_latin(text: str, is_known: bool) -> list[Replacement]:
    if not _IN_LATIN.search(text):
        return []
    certain: list[Replacement] = []
    others: list[Replacement] = []
    for run in _RUN_IN_LATIN.finditer(text):
        repairs = list(_read_latin(run))
        is_certain = _is_chinese(run[0], repairs) and _stands_alone(run, repairs)
        (certain if is_certain else others).extend(repairs)
    n_cjk = sum(len(CJK.findall(repair.text)) for repair in certain)
    if is_known or n_cjk >= ENOUGH_FOR_ALL:
        certain = sorted(certain + others)
    return certain


def _read_latin(run: re.Match[str]) -> Iterator[Replacement]:
    """What it was: misread twice, if once leaves no Chinese."""
    parts = [_HOLE if c == LOST else bytes([_BYTE_OF[c]]) for c in run[0]]
    sizes = [1] * len(parts)
    units, _ = _joint(_units(b"".join(parts)), sizes)
    yield from _grouped(units, sizes, run.start())


def _stands_alone(run: re.Match[str], repairs: list[Replacement]) -> bool:
    """Whether no further letters adjoin it, as they do where GBK was read as Latin-1."""
    around = (
        run.string[max(0, run.start() - 1) : run.start()] + run.string[run.end() : run.end() + 1]
    )
    return len(repairs) >= ENOUGH_AMID_LETTERS or not re.search("[\xa1-\xff]", around)


def _is_chinese(run: str, repairs: list[Replacement]) -> bool:
    text = "".join(repair.text for repair in repairs)
    if not CJK.search(text):
        again = _RUN_IN_LATIN.fullmatch(text)
        return again is not None and _is_chinese(text, list(_read_latin(again)))
    if text.count(LOST) * 2 > len(text):
        return False
    is_likely = len(text) > 1 and weights_of(text).mean() >= CHINESE
    return is_likely or _NEVER_AFTER_A_LETTER.search(run) is not None


# --- GBK or Big5 read as Latin-1 or Windows' ------------------------------------------------------

_IN_PAIRS = re.compile("[\xa1-\xfe][\xa1-\xfe]")  # twice as fast as {2}
_CUE_IN_PAIRS = Cue(re.compile("[\xa1-\xfe]"), re.compile("[\xa1-\xfe]"))
_RUN_IN_PAIRS = re.compile(f"(?:[\x81-\x9f\xa1-\xfe][@-~\x80-\xfe{''.join(_SPECIAL)}])+")
_LETTER = re.compile("[À-þ@-~]")
_ONE_LETTER = re.compile("[À-þ][@-~]")  # as in née

FEWEST_PAIRS = 4
ENOUGH_PAIRS = 8
LEAST_LETTERS = 0.2
"""Of the characters: »»»» is no text, whatever it would be in GBK."""


def _pairs_in_latin(text: str, is_known: bool) -> list[Replacement]:
    if not _IN_PAIRS.search(text):
        return []
    lines = [_read_pairs(text, start, end) for start, end in _lines(text)]
    return _of_lines([line for line in lines if line.repairs], is_known)


def _read_pairs(text: str, start: int, end: int) -> _Line:
    runs = [
        run for run in _RUN_IN_PAIRS.finditer(text, start, end) if not _ONE_LETTER.fullmatch(run[0])
    ]
    if not runs:
        return _Line([], -inf, False)
    decoded = (_decoded(runs, codec) for codec in ("gb18030", "big5hkscs"))
    mean, read = max(decoded, key=itemgetter(0))
    repairs = [
        Replacement(at, at + 2, character)
        for first, decoded_run in read
        for at, character in zip(count(first, 2), decoded_run, strict=False)
    ]
    source = "".join(run[0] for run in runs)
    n_pairs = len({source[at : at + 2] for at in range(0, len(source), 2)})
    is_text = len(_LETTER.findall(source)) >= LEAST_LETTERS * len(source)
    bar = CHINESE if n_pairs >= ENOUGH_PAIRS else SURELY_CHINESE
    return _Line(repairs, mean, n_pairs >= FEWEST_PAIRS and is_text and mean >= bar)


def _decoded(runs: list[re.Match[str]], codec: str) -> tuple[float, list[tuple[int, str]]]:
    """What the runs were, with where they start, and how likely it is (nats per character)."""
    read = []
    for run in runs:
        with suppress(UnicodeDecodeError):
            text = bytes(_BYTE_OF.get(c) or ord(c) for c in run[0]).decode(codec)
            if len(text) * 2 == len(run[0]):  # neither four bytes in one, nor two bytes in two
                read.append((run.start(), text))
    text = "".join(text for _, text in read)
    return (float(weights_of(text).mean()) if text else -inf), read


# --- GBK read as Big5, and Big5 read as GBK -------------------------------------------------------

_COMMON = "的一是不了在人有我他这中大国上个为们到说时地也子就道那要下得可你年生這國個為們說時"
UNLIKELY = -10.5
"""Nats per character of what stands there: less than Chinese of 10 characters ever makes."""
FEWEST_SWAPPED = 6
ENOUGH_SWAPPED = 12
BETTER = 2.0  # nats per character
_NOT_ASCII = re.compile(f"[^\x00-\x7f{LOST}]+")
RARE = -12.0


@cache
def _swaps() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    """For each mistake, characters that only it makes common, and what every character was."""
    return tuple(_swap(was, taken_for) for was, taken_for in ((_GB, "big5hkscs"), ("big5", _GB)))


def _swap(was: str, taken_for: str) -> tuple[re.Pattern[str], dict[str, str]]:
    codes = (
        bytes((a, b)) for a in range(0x81, 0xFF) for b in (*range(0x40, 0x7F), *range(0x80, 0xFF))
    )
    pairs = ((code.decode(taken_for, "ignore"), code.decode(was, "ignore")) for code in codes)
    table = {a: b for a, b in pairs if len(a) == len(b) == 1 and "\x7f" < a != b > "\x7f"}
    signs = "".join(a for a, b in table.items() if b in _COMMON and weights_of(a)[0] <= RARE)
    return re.compile(f"[{signs}]"), table


def _swapped(text: str, is_known: bool) -> list[Replacement]:
    for signs, table in _swaps():
        if not signs.search(text):
            continue
        if repairs := _of_lines(_lines_swapped(text, signs, table, is_known), is_known):
            return repairs
    return []


def _lines_swapped(
    text: str, signs: re.Pattern[str], table: dict[str, str], is_known: bool
) -> list[_Line]:
    """The lines that may be repaired. One without a sign is never certain by itself, so that it is
    read, which takes long, only if others are.
    """
    places = list(_lines(text))
    if not is_known:
        signed = [place for place in places if signs.search(text, *place)]
        lines = [_read_swapped(text, *place, signs, table) for place in signed]
        if sum(len(line.repairs) for line in lines if line.is_certain) < ENOUGH_FOR_ALL_LINES:
            return lines
    return [_read_swapped(text, *place, signs, table) for place in places]


def _read_swapped(
    text: str, start: int, end: int, signs: re.Pattern[str], table: dict[str, str]
) -> _Line:
    runs = [(run.start(), run[0]) for run in _NOT_ASCII.finditer(text, start, end)]
    read = [(at, "".join(table.get(c, LOST) for c in run)) for at, run in runs]
    # After a byte that was lost come pairs that never were characters.
    read = [(at, run) for at, run in read if weights_of(run).mean() >= IMPLAUSIBLE]
    was = "".join(run for _, run in read)
    here = "".join(run for _, run in runs)
    if not was or len(was) * 2 < len(here):
        return _Line([], -inf, False)
    before, after = float(weights_of(here).mean()), float(weights_of(was).mean())
    if before > UNLIKELY or after < before + BETTER:
        return _Line([], -inf, False)
    repairs = [
        Replacement(at, at + 1, new)
        for first, run in read
        for at, new in enumerate(run, first)
        if new != LOST and new != text[at]
    ]
    bar = CHINESE if len(was) >= ENOUGH_SWAPPED else SURELY_CHINESE
    enough = len(was) >= FEWEST_SWAPPED and signs.search(text, start, end) is not None
    return _Line(repairs, after, enough and after >= bar)


KINDS: dict[str, Repairs] = {
    "UTF-8 in GBK": _utf_8_in_gbk,  # UTF-8 first: it tells itself
    "UTF-8 in Latin-1": _utf_8_in_latin,
    "pairs in Latin-1": _pairs_in_latin,
    "GBK in Big5, Big5 in GBK": _swapped,
}


def cues() -> tuple[Cue, ...]:
    """One for each kind. A function, as the tables of the last kind take time to make."""
    swapped = (Cue(signs) for signs, _ in _swaps())
    return (_CUE_IN_GBK, _CUE_IN_LATIN, _CUE_IN_PAIRS, *swapped)
