"""Bytes to text, strictly: nothing is replaced, guessed in part or dropped.

Files of Chinese text seldom say how they are encoded, so `decode` asks in this order:

1. a byte order mark decides;
2. what is valid UTF-8 without NULs is UTF-8: other text passes that test by accident only if it
   is a few characters long;
3. otherwise each of `CANDIDATES` reads a sample, and the one that makes the likeliest Chinese of
   it is believed: see `likelihood`. A byte that is wrong counts against an encoding like a very
   odd character, no more, so one damaged byte does not hand the file to another encoding that
   happens to accept every byte of it.

The chosen encoding must then decode every byte. If it does not, the file is refused, and the
message names the first byte that is wrong. A guess that makes nothing like Chinese is refused too.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CANDIDATES: tuple[str, ...] = (
    "utf-8",
    "gb18030",  # holds GBK and GB2312
    "big5hkscs",  # holds Big5, and the characters of Hong Kong
    "cp950",  # Windows' Big5: lacks Hong Kong, but has the euro sign
    "utf-16-le",
    "utf-16-be",
)
"""What a file without a byte order mark may be. To add an encoding that Python knows, add its
name; the first wins a tie."""

BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)

# Only signatures that text cannot begin with by chance; NULs give the other formats away.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\x03\x04", "a ZIP archive (perhaps DOCX, XLSX or EPUB)"),
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "an ELF program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (b"\x1f\x8b\x08", "a gzip file (give it the suffix .gz)"),
    (b"\x28\xb5\x2f\xfd", "a zstd file (give it the suffix .zst)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
)

WINDOW_BYTES = 16_384
LEAD_BYTES = 256  # ASCII to keep before it: half of UTF-16 may look like that
# Where a byte that is not ASCII follows one that is, a character begins, in every encoding here
# but UTF-16: the first either is a character or ends one. Digits are left out, as GB18030 has them
# in the middle of a character too.
_PLAUSIBLE_START = re.compile(rb"[\x00-\x2f\x3a-\x7f][\x80-\xff]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")

# What codecs call a text that ends in mid-character.
_CUT_SHORT = ("unexpected end of data", "incomplete multibyte sequence", "truncated data")

# Nats per character that is not ASCII. Chinese makes some -8.5 and seldom less than -10, even
# where it is all symbols; noise and other scripts, misread, make -11 to -19.
IMPLAUSIBLE = -11.0
PENDING_BYTE = -8.0  # a byte that a decoder still holds back; most cost about -4.5
NUL_BYTE = -25.0  # by the byte: else a stretch of NULs, as a crash leaves, would speak for UTF-16


class Decoded(NamedTuple):
    """Text, and the encoding it was in: a name that `bytes.decode` knows."""

    text: str
    encoding: str


class UndecodableError(ValueError):
    """The bytes are no text that we know how to read. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode(data: bytes) -> Decoded:
    r"""All of ``data`` as text, less one byte order mark.

    >>> decode("正常".encode("gb18030"))
    Decoded(text='正常', encoding='gb18030')
    >>> decode(b"\xef\xbb\xbfabc")
    Decoded(text='abc', encoding='utf-8-sig')
    """
    refuse_binary(data)
    marked = byte_order_mark(data)
    if marked is None and b"\0" not in data:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode("utf-8"), "utf-8")
    decoded = _decode_as(data, marked or by_evidence(data))
    if "\0" in decoded.text:
        raise UndecodableError("binary_file", _nul_detail(decoded))
    if marked is None:
        _refuse_implausible(data, decoded.encoding)
    return decoded


def detect(head: bytes) -> str:
    """The likeliest encoding of a file that begins with ``head``, right or wrong.

    For readers that decode piece by piece, and cannot know beforehand that every piece is valid.
    """
    marked = byte_order_mark(head)
    if marked is not None:
        return marked
    if b"\0" not in head and _is_utf8(head):
        return "utf-8"
    return by_evidence(head)


def refuse_binary(data: bytes) -> None:
    """Raise if ``data`` begins like a known binary format."""
    for signature, what in SIGNATURES:
        if data.startswith(signature):
            raise UndecodableError(
                "binary_file", f"this is {what}, not plain text: extract its text, or leave it out"
            )


def byte_order_mark(data: bytes) -> str | None:
    """The encoding that a byte order mark announces, if there is one."""
    return next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None)


def by_evidence(data: bytes) -> str:
    """The candidate that makes the likeliest Chinese of a sample of ``data``."""
    windows = list(_sample(data))
    return max(CANDIDATES, key=lambda name: sum(likelihood(w, name) for w in windows))


def likelihood(window: bytes, encoding: str) -> float:
    """Log-likelihood of the bytes, in nats, if they are Chinese in this encoding.

    Decoding is one to one, so the likelihood of the bytes is that of the text, and those of
    different encodings may be compared however many characters each of them makes.
    """
    text, pending = _decode_leniently(window, encoding)
    nul_bytes = text.count("\0") * len("\0".encode(encoding))
    odd_bytes = pending * PENDING_BYTE + nul_bytes * NUL_BYTE
    return float(_weights_of(text).sum()) + odd_bytes


def _sample(data: bytes) -> Iterator[bytes]:
    """Up to three windows: at the first byte that is not ASCII, in the middle, near the end.

    Each begins where a character of any candidate begins, or a byte before: after an ASCII byte,
    and at an even offset for the sake of UTF-16.
    """
    first = _NOT_ASCII.search(data)
    start = max(0, first.start() - LEAD_BYTES) & ~1 if first else 0
    yield data[start : start + WINDOW_BYTES]
    for share in (0.5, 0.9):
        found = _PLAUSIBLE_START.search(data, max(start + WINDOW_BYTES, int(len(data) * share)))
        if found:
            start = (found.start() + 1) & ~1
            yield data[start : start + WINDOW_BYTES]


def _decode_leniently(window: bytes, encoding: str) -> tuple[str, int]:
    """Its text, U+FFFD for what is wrong, and how many bytes at the end wait for more."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    text = decoder.decode(window)
    return text, len(decoder.getstate()[0])


def _weights_of(text: str) -> npt.NDArray[np.float64]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    return _weights()[np.minimum(codes, 0x10000)]


@cache
def _weights() -> npt.NDArray[np.float64]:
    """Log-probability of each character of the first plane; the last entry is for all others.

    The classes come from the structure of the national standards: both put the characters of
    everyday use into a first level. Their shares were set by hand, in round figures.
    """
    weights = np.full(0x10001, -17.0)  # rare: private use, Hangul, other planes, unassigned
    weights[0x00A0:0x3100] = -12.0  # other alphabets, symbols, kana
    weights[0x3400:0x4E00] = -16.0  # extension A
    weights[0x4E00:0xA000] = -15.0  # Han in neither level
    weights[0xFE30:0xFE70] = -12.0  # small and vertical punctuation
    for codec, first, last, weight in (
        ("gb2312", 0xD8A1, 0xF7FE, -13.0),
        ("big5", 0xC940, 0xF9D5, -13.0),
        ("gb2312", 0xA1A1, 0xA9EF, -10.0),  # symbols, full-width forms, kana
        ("big5", 0xA140, 0xA3BF, -10.0),
        ("gb2312", 0xB0A1, 0xD7F9, -8.7),
        ("big5", 0xA440, 0xC67E, -8.7),
    ):
        weights[_codes(codec, first, last)] = weight
    weights[[ord(mark) for mark in "，。、：；？！“”‘’《》（）…—·‧～「」　"]] = -6.0
    weights[0x20:0x7F] = -4.0  # text in ASCII comes in runs, so it is cheap
    weights[[0x09, 0x0A, 0x0D]] = -4.0
    weights[0x01:0x09] = weights[0x0E:0x20] = weights[0x7F:0xA0] = -16.0  # controls
    weights[0xFFFD] = -25.0  # stands for a wrong byte
    weights[0] = 0.0  # see NUL_BYTE
    return weights


def _codes(codec: str, first: int, last: int) -> list[int]:
    """The characters that a two-byte codec has from one code to another."""
    pairs = (code.to_bytes(2, "big") for code in range(first, last + 1))
    text = "".join(pair.decode(codec, "ignore") for pair in pairs)
    return [ord(character) for character in text if character > "\x7f"]


def _refuse_implausible(data: bytes, encoding: str) -> None:
    """Raise if the bytes are valid, but make nothing like Chinese: Latin-1, Shift-JIS, noise."""
    texts = [_decode_leniently(window, encoding)[0] for window in _sample(data)]
    text = "".join(character for character in "".join(texts) if character > "\x7f")
    if text and _weights_of(text).mean() < IMPLAUSIBLE:
        raise UndecodableError(
            "undecodable",
            f"{encoding} fits best, but what it makes does not look like Chinese:"
            " if it is text, convert the file to UTF-8",
        )


def _is_utf8(head: bytes) -> bool:
    """Whether ``head`` may begin a UTF-8 file; its last character may be cut in two."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _decode_as(data: bytes, encoding: str) -> Decoded:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError("undecodable", _invalid_detail(data, encoding, error)) from error
    # Python's codecs take off the other marks themselves.
    return Decoded(text.removeprefix("\ufeff") if encoding == "gb18030" else text, encoding)


def _invalid_detail(data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    # The codec may have been given less than `data`: the rest, after the byte order mark.
    first = len(data) - len(error.object) + error.start
    if error.end == len(error.object) and error.reason in _CUT_SHORT:
        return (
            f"{encoding} fits best, but at byte {first} the file ends in mid-character:"
            " get the whole file, or cut the last bytes off"
        )
    return (
        f"{encoding} fits best, but byte {first} (0x{data[first]:02x}) is wrong in it:"
        " mend the file, or convert it to UTF-8"
    )


def _nul_detail(decoded: Decoded) -> str:
    where = decoded.text.index("\0")
    return (
        f"NUL at character {where}, read as {decoded.encoding}:"
        " no text has that; if this is text after all, take the NULs out"
    )
