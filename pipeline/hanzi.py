"""Which characters are Han."""

import re

HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
"""CJK unified and compatibility ideographs, extensions A to H (Unicode 16, Blocks.txt)."""

HAN_CLASS = "".join(f"{chr(low)}-{chr(high)}" for low, high in HAN_RANGES)
"""For use inside the brackets of a regular expression."""

HAN = re.compile(f"[{HAN_CLASS}]+")
"""Runs of them."""

PIECE_CHARS = 1 << 20
"""Characters that are looked at at once: the runs of a longer text would fill the memory."""


def count_han(text: str) -> int:
    """How many characters of ``text`` are Han.

    >>> count_han("2018香港开码资料")
    6
    """
    pieces = (text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS))
    return sum(len(run) for piece in pieces for run in HAN.findall(piece))
