"""Which characters are Han."""

import re

import numpy as np

HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
"""CJK unified and compatibility ideographs, extensions A to H (Unicode 16, Blocks.txt)."""

HAN_CLASS = "".join(f"{chr(low)}-{chr(high)}" for low, high in HAN_RANGES)
"""For use inside the brackets of a regular expression."""

HAN = re.compile(f"[{HAN_CLASS}]+")
"""Runs of them."""

_IS_HAN = np.zeros(HAN_RANGES[-1][1] + 2, dtype=np.bool_)
"""Of every code point up to the last Han character, and one for all behind it."""
for _low, _high in HAN_RANGES:
    _IS_HAN[_low : _high + 1] = True

PIECE_CHARS = 1 << 20
"""Characters that are looked at at once: of a longer text that takes four bytes each, and more."""


def count_han(text: str) -> int:
    """How many characters of ``text`` are Han.

    >>> count_han("2018香港开码资料")
    6
    """
    if len(text) <= PIECE_CHARS:
        return _count(text)
    return sum(_count(text[at : at + PIECE_CHARS]) for at in range(0, len(text), PIECE_CHARS))


def _count(text: str) -> int:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return int(np.count_nonzero(_IS_HAN.take(points, mode="clip")))
