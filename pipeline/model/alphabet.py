"""Characters as small integers, so that five of them fit one 64-bit word.

The language model does not care which digit or letter it sees, nor how wide a comma is; it does
care about every Han character that it has met often enough.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.model.arrays import Ids

MAX_SIZE = 7131
"""The largest base whose fifth power is below 2**64: 7131**5 = 1.8440e19 < 1.8447e19."""

BOUNDARY, UNKNOWN, DIGIT, LATIN, SPACE, QUOTE = range(6)
N_CLASSES = 6

_FOLDED = str.maketrans(
    {
        **dict(zip(",:;!?()", "，：；！？（）", strict=True)),
        **dict.fromkeys("‘’“”「」『』'", '"'),
        "—": "-",
        "─": "-",
        "–": "-",
        "·": "•",
    }
)
"""Marks that differ in width or country only, and count as one."""


def _class_of(char: str) -> int | None:
    if char == "\n":
        return BOUNDARY
    if char.isspace():
        return SPACE
    if char == '"':
        return QUOTE
    if char.isdecimal() or char in "①②③④⑤⑥⑦⑧⑨⑩":
        return DIGIT
    if (char.isascii() and char.isalpha()) or ("Ａ" <= char <= "ｚ" and char.isalpha()):
        return LATIN
    return None


class Alphabet:
    r"""Maps text to ids. ``chars`` lists those that have an id of their own, in order.

    >>> Alphabet("的一").ids("的,1\n").tolist()
    [6, 1, 2, 0]
    """

    def __init__(self, chars: str) -> None:
        if N_CLASSES + len(chars) > MAX_SIZE:
            raise ValueError(f"{len(chars)} characters and {N_CLASSES} classes exceed {MAX_SIZE}")
        self.chars = chars
        self.size = N_CLASSES + len(chars)
        table = np.full(0x110000, UNKNOWN, dtype=np.uint16)
        own = {char: N_CLASSES + i for i, char in enumerate(chars)}
        for code in range(0x10000):
            char = chr(code).translate(_FOLDED)
            kind = _class_of(char)
            table[code] = own.get(char, UNKNOWN) if kind is None else kind
        for char, number in own.items():
            if ord(char) >= 0x10000:
                table[ord(char)] = number
        self._table = table

    def ids(self, text: str) -> Ids:
        """One id per code point of ``text``."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._table[codes]

    def knows(self, text: str) -> bool:
        """Whether every character of ``text`` has an id of its own."""
        return bool((self.ids(text) >= N_CLASSES).all())

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], at_least: int) -> "Alphabet":
        """The most frequent characters, those first; ties in code point order."""
        folded: dict[str, int] = {}
        for char, count in counts.items():
            own = char.translate(_FOLDED)
            if _class_of(own) is None:
                folded[own] = folded.get(own, 0) + count
        ranked = sorted((-n, char) for char, n in folded.items() if n >= at_least)
        return cls("".join(char for _, char in ranked[: MAX_SIZE - N_CLASSES]))
