"""Text out of bytes that are wrong in places, with as little lost as can be.

In UTF-8 a wrong byte costs the character it stands in, and no other. In the encodings of two and
four bytes nothing says where a character begins: after a byte that was lost, or one too many, a
decoder pairs the second half of each character with the first half of the next, and calls most of
that valid. So the stretch around a wrong byte is read in the likeliest way: each byte begins a
character, or is wrong, whatever makes the best Chinese of the whole (`_likeliest`).
"""

import codecs
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.likelihood import WRONG_BYTE, weights, weights_of

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

IMPOSSIBLE = -np.inf
WRONG_AGAIN = -12.0
"""Nats for a byte after one that is wrong: damage comes in runs, so it is less of a surprise. Two
are still dearer than a character, lest good text go with the bad."""

CUT = -8.0
"""Nats for the last byte of all, if it is half a character: text is often cut."""

FOUR_BYTES = -17.0
"""Nats for a GB18030 character of four bytes, as `weights` has it for what is rare."""

BLOCK_BYTES = 1 << 16
READ_AGAIN_BYTES = 256

# No codec makes a lone surrogate of bytes unless it is told to, so one can stand for a wrong byte.
_WRONG = "\udcff"
_WRONG_RUN = re.compile("[\0\udcff]+")
_HANDLER = "pipeline.damage"

# What is never the second byte of a character, so that a new one begins after it. In GB18030 digits
# are, and from 0x40 on everything is, in all of them.
_SAFE = re.compile(rb"[\x00-\x2f]+")


def decode_damaged(data: bytes, encoding: str) -> tuple[str, int]:
    r"""Text in which each stretch of wrong bytes is one U+FFFD, and how many bytes were wrong.

    NULs are wrong too: no text has them. ``encoding`` is any name that `bytes.decode` knows; a
    byte order mark is taken off by those that say so (`utf-8-sig`, `utf-16`, `utf-32`).

    >>> decode_damaged("一二".encode() + b"\xff\xe4\xb8", "utf-8")
    ('一二�', 3)
    >>> decode_damaged(b"\x00".join(["形式".encode("gbk"), "主义".encode("gbk")]), "gb18030")
    ('形式�主义', 1)
    """
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = _mended(data, encoding)
    return _counted(text, len("\0".encode(_unmarked(encoding))))


def _counted(text: str, nul_bytes: int) -> tuple[str, int]:
    """Marks and NULs to U+FFFD, and the number of bytes behind them."""
    if not _WRONG_RUN.search(text):
        return text, 0
    wrong = text.count(_WRONG) + text.count("\0") * nul_bytes
    return _WRONG_RUN.sub(REPLACEMENT, text), wrong


def _mended(data: bytes, encoding: str) -> str:
    """The text with one `_WRONG` for each wrong byte."""
    codec = codecs.lookup(encoding).name
    if codec in TWO_BYTE_CODECS:
        return "".join(_in_two_bytes(data, codec))
    if codec.startswith("utf-16"):
        return _in_utf_16(data, codec)
    return data.decode(encoding, _HANDLER)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _WRONG * (error.end - error.start), error.end


codecs.register_error(_HANDLER, _mark)

# --- GB18030 and Big5 -----------------------------------------------------------------------------

TWO_BYTE_CODECS = frozenset({"gb18030", "gbk", "gb2312", "big5", "big5hkscs", "cp950"})
"""As `codecs.lookup` names them."""


def _in_two_bytes(data: bytes, codec: str) -> Iterator[str]:
    done = 0
    for stop in _safe_stops(data):
        piece = data[done:stop]
        try:
            yield piece.decode(codec)
        except UnicodeDecodeError:
            sizes = _likeliest_sizes(piece, codec, is_end=stop == len(data))
            yield from _characters(piece, sizes, codec)
        done = stop


def _safe_stops(data: bytes) -> Iterator[int]:
    yield from (found.end() for found in _SAFE.finditer(data))
    yield len(data)


def _characters(piece: bytes, sizes: Iterator[int], codec: str) -> Iterator[str]:
    at = 0
    for size in sizes:
        yield piece[at : at + size].decode(codec, _HANDLER) if size else _WRONG
        at += size or 1


class _CharacterWeights(NamedTuple):
    """For each byte, the weight of the characters of one, two and four bytes that begin there."""

    ones: list[float]
    twos: list[float]
    fours: list[float]


def _weigh(piece: bytes, codec: str) -> _CharacterWeights:
    codes = np.frombuffer(piece, np.uint8).astype(np.int64)
    ones, twos, fours = (np.full(len(codes), IMPOSSIBLE) for _ in range(3))
    if codec.startswith("utf-16"):
        low, high = codes[:-1], codes[1:]
        twos[:-1] = weights()[high << 8 | low if codec == "utf-16-le" else low << 8 | high]
        return _CharacterWeights(ones.tolist(), twos.tolist(), fours.tolist())
    is_ascii = codes < 0x80
    ones[is_ascii] = weights()[codes[is_ascii]]
    twos[:-1] = _two_byte_weights(codec)[codes[:-1] << 8 | codes[1:]]
    if codec == "gb18030" and len(codes) >= 4:
        lead, digit = (codes >= 0x81) & (codes <= 0xFE), (codes >= 0x30) & (codes <= 0x39)
        found = np.flatnonzero(lead[:-3] & digit[1:-2] & lead[2:-1] & digit[3:])
        fours[[at for at in found.tolist() if _is_valid(piece[at : at + 4], codec)]] = FOUR_BYTES
    return _CharacterWeights(ones.tolist(), twos.tolist(), fours.tolist())


@cache
def _two_byte_weights(codec: str) -> npt.NDArray[np.float64]:
    table = np.full(0x10000, IMPOSSIBLE)
    for code in range(0x8100, 0x10000):
        text = code.to_bytes(2, "big").decode(codec, "ignore")
        # A lead byte that is dropped leaves its trail; some codes of HKSCS are two characters.
        if text and text[0] > "\x7f":
            table[code] = float(weights_of(text).sum())
    return table


def _is_valid(piece: bytes, codec: str) -> bool:
    try:
        piece.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _likeliest_sizes(piece: bytes, codec: str, *, is_end: bool) -> Iterator[int]:
    """The sizes of the characters of the likeliest reading, in order; 0 stands for a wrong byte.

    Piece by piece, in bounded memory: what is read near the end of a block is read again with what
    follows it.
    """
    at = 0
    while at < len(piece):
        block = piece[at : at + BLOCK_BYTES]
        is_last = at + len(block) == len(piece)
        found = _weigh(block, codec)
        if is_last and is_end:
            found.ones[-1] = max(found.ones[-1], CUT)
        stop = len(block) - (0 if is_last else READ_AGAIN_BYTES)
        used = 0
        for size in _likeliest(found):
            if used >= stop:
                break
            yield size
            used += size or 1
        at += used


def _likeliest(found: _CharacterWeights) -> list[int]:
    """From the end to the start, so that at each byte the best of the rest is known (Viterbi)."""
    ones, twos, fours = found
    length = len(ones)
    best, best_after_wrong = [0.0] * (length + 4), [0.0] * (length + 4)
    choice, choice_after_wrong = [0] * length, [0] * length
    for at in range(length - 1, -1, -1):
        value, size = ones[at] + best[at + 1], 1
        if (other := twos[at] + best[at + 2]) > value:
            value, size = other, 2
        if (other := fours[at] + best[at + 4]) > value:
            value, size = other, 4
        wrong = best_after_wrong[at + 1] + WRONG_BYTE
        best[at], choice[at] = (wrong, 0) if wrong > value else (value, size)
        wrong = best_after_wrong[at + 1] + WRONG_AGAIN
        best_after_wrong[at], choice_after_wrong[at] = (
            (wrong, 0) if wrong > value else (value, size)
        )
    sizes, at, after_wrong = [], 0, False
    while at < length:
        size = choice_after_wrong[at] if after_wrong else choice[at]
        sizes.append(size)
        at, after_wrong = at + (size or 1), size == 0
    return sizes


# --- UTF-16 ---------------------------------------------------------------------------------------


def _in_utf_16(data: bytes, codec: str) -> str:
    """A byte lost turns all that follows into noise, so each byte may be where a character begins.

    Only a text of an odd number of bytes is read so; half of a pair costs no more than itself.
    """
    data, codec = _without_mark(data, codec)
    if len(data) % 2 == 0:
        return data.decode(codec, _HANDLER)
    return "".join(_units(data, _likeliest_sizes(data, codec, is_end=True), codec))


def _units(data: bytes, sizes: Iterator[int], codec: str) -> Iterator[str]:
    """Runs of units decode together, as two may be a pair."""
    start = at = 0
    for size in sizes:
        if size == 0:
            yield data[start:at].decode(codec, _HANDLER) + _WRONG
            start = at + 1
        at += size or 1
    yield data[start:].decode(codec, _HANDLER)


def _without_mark(data: bytes, codec: str) -> tuple[bytes, str]:
    if codec != "utf-16":
        return data, codec
    if data.startswith(codecs.BOM_UTF16_BE):
        return data[2:], "utf-16-be"
    return data.removeprefix(codecs.BOM_UTF16_LE), "utf-16-le"


def _unmarked(encoding: str) -> str:
    """An encoding of the same width that writes no mark."""
    return {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(
        codecs.lookup(encoding).name, encoding
    )
