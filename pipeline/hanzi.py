"""Which characters are Han."""

import re

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")
"""Runs of CJK unified and compatibility ideographs, extensions A to H (Unicode 16, Blocks.txt)."""


def count_han(text: str) -> int:
    """How many characters of ``text`` are Han.

    >>> count_han("2018香港开码资料")
    6
    """
    return sum(map(len, HAN.findall(text)))
