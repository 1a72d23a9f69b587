"""What a text looks like in figures. Nothing is filtered by them: thresholds are the user's.

The rules that other corpora are filtered by are made for English; each figure here is for Chinese.
"""

import hashlib
import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.duplicates import HASH_DIGITS
from pipeline.hanzi import HAN_RANGES

OTHER, HAN, PUNCTUATION, WHITE = range(4)
"""Classes of characters."""

WHITE_SPACE = re.compile(r"\s+")


@cache
def classes() -> npt.NDArray[np.uint8]:
    """The class of each code point."""
    table = np.full(0x110000, OTHER, np.uint8)
    for code in range(0x20000):  # no punctuation nor white space stands above, but for tags
        char = chr(code)
        if char.isspace():
            table[code] = WHITE
        elif unicodedata.category(char)[0] == "P":
            table[code] = PUNCTUATION
    for low, high in HAN_RANGES:
        table[low : high + 1] = HAN
    return table


def text_hash(text: str) -> str:
    """The same for the same text: 32 hexadecimal digits.

    >>> text_hash("没时间")
    '58afa239ff81c909bdedd5261ad70849'
    """
    return hashlib.blake2b(text.encode(), digest_size=HASH_DIGITS // 2).hexdigest()


def line_repetition(text: str) -> float:
    r"""Share of a text, less white space, in lines that stand earlier in it, too.

    English web pages are usually left out from 0.2 on (Rae et al. 2021, Gopher, table A1).

    >>> line_repetition("点击这里\n正文\n点击这里\n"), line_repetition("")
    (0.4, 0.0)
    """
    lines = text.split("\n")
    if len(set(lines)) == len(lines):
        return 0.0
    seen: set[str] = set()
    total = repeated = 0
    for line in lines:
        size = len(WHITE_SPACE.sub("", line))
        total += size
        repeated += size if line in seen else 0
        seen.add(line)
    return repeated / total if total else 0.0
