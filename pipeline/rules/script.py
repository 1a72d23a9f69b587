"""Traditional to simplified, for documents that are traditional, and for those as wholes.

The script is told from characters that only one of the two writes. A document in simplified script
keeps its stray traditional characters (參, 訪): spinning tools put them in, and a detector reports
them. So does one of both scripts, a parallel text or a dictionary, since neither half is an error;
and Japanese, whose kanji look like a mixture of both.
"""

import re
from collections.abc import Iterator
from functools import cache
from operator import ne
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from opencc import OpenCC

from pipeline.lexicon import table
from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite
from pipeline.spans import Edit

PROBED = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))
"""The blocks evidence comes from. What lies beyond is rare, and slows the search 300 times."""

TRADITIONAL_SHARE = 0.8
"""From this share of the evidence on, a document is traditional. A simplified menu or quotation on
a traditional page stays below 0.2, and converting it changes 26 characters in a million."""

MIXED_SHARE = 0.2
"""Up to this share, traditional characters are strays. Tools that swap them in stay far below."""

KANA = re.compile("[ぁ-ねは-ゖァ-ヺ]")
"""Without の, which Chinese writes for ornament."""
JAPANESE_SHARE = 0.1
"""Kana among kana and evidence: Japanese has more kana than kanji, Chinese a title or two."""

PIECE_CHARS = 1 << 18
"""Characters that are converted or counted at once, or as many as a longer line has."""

MOST_ROUNDS = 4
"""薴 becomes 苧, and 苧, elsewhere a traditional character itself, 苎. No known chain is longer."""


class ScriptEvidence(NamedTuple):
    """What only one script writes."""

    traditional: re.Pattern[str]
    classes: npt.NDArray[np.int8]
    """For each code point up to U+FFFF: 1 traditional only, 2 simplified only, else 0."""


def script(text: str) -> Rewrite:
    """Convert a traditional document.

    >>> script("這裡的學生們說著國語").text, script("记者採訪了他们").text
    ('这里的学生们说着国语', '记者採訪了他们')
    """
    converted, rounds = text, 0
    # Once is not always enough, and twice not always right: 苧 in a simplified text stays.
    while rounds < MOST_ROUNDS and script_of(converted) == "Hant":
        converted, before, rounds = simplified(converted), converted, rounds + 1
        if converted == before:
            break
    if converted == text:
        return Rewrite(text)
    if len(converted) != len(text):
        edits = aligned(text, converted)
        return Rewrite(converted, sum(e.raw_end - e.raw_start for e in edits), edits)
    return Rewrite(converted, sum(map(ne, text, converted)))


def script_of(text: str) -> str:
    """One of `schema.SCRIPTS`; without evidence for either, Hans.

    >>> script_of("乾隆皇帝的書"), script_of("记者採访了参观的师生"), script_of("漢字の勉強をする")
    ('Hant', 'Hans', 'mixed')
    """
    if not evidence().traditional.search(text):
        return "Hans"
    traditional, simplified_ = _counts(text)
    share = traditional / (traditional + simplified_)
    if share <= MIXED_SHARE:
        return "Hans"
    kana = len(KANA.findall(text))
    is_japanese = kana > JAPANESE_SHARE * (kana + traditional + simplified_)
    return "mixed" if is_japanese or share < TRADITIONAL_SHARE else "Hant"


def simplified(text: str) -> str:
    """Simplified text for traditional, whatever its region.

    >>> simplified("乾縣的乾隆年間餅乾")
    '乾县的乾隆年间饼干'
    """
    convert = converter(_profile(text)).convert
    return "".join(_protected(piece, convert(piece)) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """The text in some whole lines at a time: OpenCC takes twenty times the memory of what it is
    given, and no word spans a line's end.
    """
    start = 0
    while start < len(text):
        end = text.find("\n", start + PIECE_CHARS) + 1 or len(text)
        yield text[start:end]
        start = end


# Taiwan writes 著 for the particle too, and 裡. Others do 着 and 裏, and Hong Kong 衞 枱 敍 綫.
TAIWAN = re.compile("[著裡]")
NOT_TAIWAN = re.compile("[着裏衞枱敍綫]")
MOST_STRAYS = 0.3
"""Of these characters together: a quotation, a shop's name, 裏 and 裡 at will."""


def _profile(text: str) -> str:
    """The OpenCC profile. tw2s writes 着 for 著 wherever no phrase forbids it, so the text must be
    Taiwan's; hk2s does for all others, OpenCC's own standard included.
    """
    if "著" not in text:
        return "hk2s"
    taiwan, other = len(TAIWAN.findall(text)), len(NOT_TAIWAN.findall(text))
    return "tw2s" if other <= MOST_STRAYS * (taiwan + other) else "hk2s"


@cache
def converter(profile: str) -> OpenCC:
    return OpenCC(profile)  # 0.1 s each, and it cannot be pickled: once per process


@cache
def _protected_words() -> tuple[re.Pattern[str], dict[str, str]]:
    words = table("protected_words")
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))), words


def _protected(text: str, converted: str) -> str:
    """Put right the words in the list, where they stand. Needs texts of the same length."""
    pattern, words = _protected_words()
    if len(text) != len(converted):
        return converted
    pieces, done = [], 0
    for found in pattern.finditer(text):
        pieces += [converted[done : found.start()], words[found[0]]]
        done = found.end()
    return "".join([*pieces, converted[done:]])


@cache
def evidence() -> ScriptEvidence:
    """Derived from the national character sets and OpenCC: takes 0.3 s, once per process.

    Traditional only: not in GB2312, and simplification changes it. Simplified only: not in Big5,
    and the reverse changes it. What a conversion to the other side writes speaks for neither: 苧 is
    also simplified, and 户 is Hong Kong's.
    """
    han = [chr(code) for first, last in PROBED for code in range(first, last + 1)]
    to_simplified = _one_by_one("t2s", han)
    to_traditional = _one_by_one("s2t", han)
    written = {after for before, after in to_simplified.items() if before != after}
    traditional = {
        c for c in han if c != to_simplified[c] and not _encodable(c, "gb2312")
    } - written
    simple = {c for c in han if c != to_traditional[c] and not _encodable(c, "big5")}
    simple -= set(_one_by_one("s2hk", han).values())
    classes = np.zeros(0x10000, dtype=np.int8)
    classes[list(map(ord, traditional))] = 1
    classes[list(map(ord, simple))] = 2
    return ScriptEvidence(re.compile("[" + "".join(sorted(traditional)) + "]"), classes)


def cues() -> tuple[Cue, ...]:
    """What is not traditional anywhere is not looked at again."""
    return (Cue(evidence().traditional),)


def _one_by_one(profile: str, characters: list[str]) -> dict[str, str]:
    converted = converter(profile).convert("\n".join(characters)).split("\n")
    return dict(zip(characters, converted, strict=True))


def _encodable(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _counts(text: str) -> tuple[int, int]:
    found = np.zeros(3, dtype=np.int64)
    for start in range(0, len(text), PIECE_CHARS):
        codes = _codes(text[start : start + PIECE_CHARS])
        found += np.bincount(evidence().classes[codes[codes <= 0xFFFF]], minlength=3)
    return int(found[1]), int(found[2])


def aligned(text: str, converted: str) -> tuple[Edit, ...]:
    r"""Edits for a conversion that changed the length: none of OpenCC's used here has been seen to.

    Lines correspond, since no word spans a break. An edit runs from the first to the last
    difference of a line.

    >>> aligned("甲\n用打印機", "甲\n用列表机")
    ()
    >>> aligned("甲\n用信息的人", "甲\n用資訊內容的人")
    (Edit(start=3, end=7, raw_start=3, raw_end=5),)
    """
    edits, start, raw_start = [], 0, 0
    for before, after in zip(text.split("\n"), converted.split("\n"), strict=True):
        end, raw_end = start + len(after), raw_start + len(before)
        if len(before) != len(after):
            head = _shared(before, after)
            tail = _shared(before[head:][::-1], after[head:][::-1])
            edits.append(Edit(start + head, end - tail, raw_start + head, raw_end - tail))
        start, raw_start = end + 1, raw_end + 1
    return tuple(edits)


def _shared(one: str, other: str) -> int:
    """Length of the longest common prefix."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
