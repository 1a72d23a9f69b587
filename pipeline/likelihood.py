"""How likely characters are in Chinese text: what encodings and damaged bytes are judged by."""

from functools import cache
from math import log

import numpy as np
import numpy.typing as npt

from pipeline.lexicon import table

Weights = npt.NDArray[np.float64]

WRONG_BYTE = -25.0
"""Nats for a byte that is no text, or for the U+FFFD that stands for it."""


def weights_of(text: str) -> Weights:
    """Log-probability of each character of ``text``, in nats.

    >>> weights_of("。x").tolist()
    [-6.0, -4.0]
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return weights()[np.minimum(codes, 0x10000)]


HAN_SHARE = 0.85
"""Of the characters of Chinese text; the rest is punctuation, digits and letters."""


CANTONESE = "乜佢冇咁咗咩哋唔啲喎喐喺嗌嗰嘅嘢嘥噉嚟睇瞓諗搵攞揾畀嬲"
"""Common in Hong Kong's web pages, but not in a dictionary of the mainland's."""


@cache
def weights() -> Weights:
    """Log-probability of each character of the first plane; the last entry is for all others.

    Han have the frequencies of a lexicon. For all else, and for Han too rare to be in it, the
    classes come from the structure of the national standards; their shares were set by hand, in
    round figures.
    """
    weights = np.full(0x10001, -17.0)  # rare: private use, Hangul, other planes, unassigned
    weights[0x00A0:0x3100] = -12.0  # other alphabets, symbols, kana
    weights[0x3400:0x4E00] = -16.0  # extension A
    weights[0x4E00:0xA000] = -15.0  # Han in neither level
    weights[0xFE30:0xFE70] = -12.0  # small and vertical punctuation
    for codec, first, last, weight in (
        ("gb2312", 0xB0A1, 0xF7FE, -14.0),
        ("big5", 0xA440, 0xF9D5, -14.0),
        ("gb2312", 0xA1A1, 0xA9EF, -10.0),  # symbols, full-width forms, kana
        ("big5", 0xA140, 0xA3BF, -10.0),
    ):
        weights[_codes(codec, first, last)] = weight
    for character, count in table("character_frequencies").items():
        weights[ord(character)] = log(int(count) * HAN_SHARE / 1_000_000)
    weights[[ord(character) for character in CANTONESE]] = -8.0
    weights[[ord(mark) for mark in "，。、：；？！“”‘’《》（）…—·‧～「」　"]] = -6.0
    weights[0x20:0x7F] = -4.0  # text in ASCII comes in runs, so it is cheap
    weights[[0x09, 0x0A, 0x0D]] = -4.0
    weights[0x01:0x09] = weights[0x0E:0x20] = weights[0x7F:0xA0] = -16.0  # controls
    weights[0xFFFD] = WRONG_BYTE
    weights[0] = 0.0  # who counts bytes counts NULs apart
    return weights


def _codes(codec: str, first: int, last: int) -> list[int]:
    """The characters that a two-byte codec has from one code to another."""
    pairs = (code.to_bytes(2, "big") for code in range(first, last + 1))
    text = "".join(pair.decode(codec, "ignore") for pair in pairs)
    return [ord(character) for character in text if character > "\x7f"]
