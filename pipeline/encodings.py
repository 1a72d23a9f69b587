"""Bytes to text: nothing is guessed in part or dropped, and what is wrong is marked and counted.

Files of Chinese text seldom say how they are encoded, so `decode` asks in this order:

1. a byte order mark decides;
2. what is valid UTF-8 without NULs is UTF-8: other text passes that test by accident only if it
   is a few characters long;
3. otherwise each of `CANDIDATES` reads a sample, and the one that makes the likeliest Chinese of
   it is believed: see `likelihood`. A byte that is wrong counts against an encoding like a very
   odd character, no more, so one damaged byte does not hand the file to another encoding that
   happens to accept every byte of it.

Bytes that are wrong in the chosen encoding become U+FFFD and are counted (`damage`); if there are
too many, the file is refused, and the message names the first. So is a guess that makes nothing
like Chinese.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from pipeline.damage import REPLACEMENT, decode_damaged
from pipeline.likelihood import WRONG_BYTE, weights_of

__all__ = [
    "BYTE_ORDER_MARKS",
    "CANDIDATES",
    "SIGNATURES",
    "Decoded",
    "UndecodableError",
    "by_evidence",
    "byte_order_mark",
    "decode",
    "decode_damaged",
    "detect",
    "refuse_binary",
]

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
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next
    (codecs.BOM_UTF32_BE, "utf-32"),
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
_TEXT_ASCII = bytes(range(1, 0x80))
_NOT_ASCII = re.compile(rb"[\x80-\xff]")

MOST_DAMAGED = 0.03
"""Up to this share of the bytes that are not ASCII, a file is text that is broken in places. A file
read in an encoding that is not its own has 10% and more wrong."""
WIDE = frozenset({"utf-16", "utf-16-le", "utf-16-be", "utf-32"})  # every byte may be wrong
LONGEST_CUT = 3  # bytes of a character, when the last of its four is lost
NUL = "\0"

# Nats per character that is not ASCII. Chinese makes -7.0 on average; the worst of 20,000 texts of
# 60 characters makes -8.8, of 10 characters -10.0. Misread, Korean and Thai make -9.7 to -10.6,
# other scripts and noise -13 to -17.
IMPLAUSIBLE = -9.4
IMPLAUSIBLE_IF_SHORT = -10.0  # divided by the number of characters, and added
IMPLAUSIBLE_ANYHOW = -11.0
PENDING_BYTE = -8.0  # a byte that a decoder still holds back; most cost about -4.5
NUL_BYTE = (
    WRONG_BYTE  # by the byte: else a stretch of NULs, as a crash leaves, would speak for UTF-16
)


HINT = 10.0
"""Nats for an encoding that a file is said to be in: pages are wrong about it now and then."""

_BIG5 = ("big5hkscs", "cp950")
DECLARED: Mapping[str, tuple[str, ...]] = {
    "utf-8": ("utf-8",),
    "gb18030": ("gb18030",),
    "gbk": ("gb18030",),
    "gb2312": ("gb18030",),
    "big5": _BIG5,
    "big5hkscs": _BIG5,
    "cp950": _BIG5,
    "utf-16": ("utf-16-le", "utf-16-be"),
    "utf-16-le": ("utf-16-le",),
    "utf-16-be": ("utf-16-be",),
}
"""The candidates that a declared name, as `codecs.lookup` knows it, speaks for."""


class Decoded(NamedTuple):
    """Text, the encoding it was in (a name that `bytes.decode` knows), and its wrong bytes."""

    text: str
    encoding: str
    damaged: int = 0
    """How many bytes are wrong. Each stretch of them is U+FFFD in ``text``."""


class UndecodableError(ValueError):
    """The bytes are no text that we know how to read. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode(data: bytes, *declared: str | None) -> Decoded:
    r"""All of ``data`` as text, less one byte order mark. Damage in places is marked and counted.

    ``declared`` is what the page, and what its server, call the encoding: see `detect`.

    >>> decode("正常".encode("gb18030"))
    Decoded(text='正常', encoding='gb18030', damaged=0)
    >>> decode(b"\xef\xbb\xbfabc\xff, " + "还有很多别的字".encode() * 9).damaged
    1
    """
    refuse_binary(data)
    marked = byte_order_mark(data)
    if marked is None and b"\0" not in data:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode("utf-8"), "utf-8")
    encoding = marked or by_evidence(data, *declared)
    if marked is None:
        _refuse_implausible(data, encoding)
    text, damaged = decode_damaged(data, encoding)
    if damaged:
        _refuse_damaged(data, encoding, text, damaged)
    # Python's codecs take off the other marks themselves.
    text = text.removeprefix("\ufeff") if encoding == "gb18030" else text
    return Decoded(text, encoding, damaged)


def detect(head: bytes, declared: str | None = None) -> str:
    """The likeliest encoding of a file that begins with ``head``, right or wrong.

    For readers that decode piece by piece, and cannot know beforehand that every piece is valid.
    ``declared`` is what the page or its server calls the encoding, in any spelling: a hint, which
    content may contradict.

    >>> detect("电影".encode("gbk"), declared="GB2312"), detect("电影".encode(), declared="GBK")
    ('gb18030', 'utf-8')
    """
    marked = byte_order_mark(head)
    if marked is not None:
        return marked
    if b"\0" not in head and _is_utf8(head):
        return "utf-8"
    return by_evidence(head, declared)


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


def by_evidence(data: bytes, *declared: str | None) -> str:
    """The candidate that makes the likeliest Chinese of a sample of ``data``."""
    windows = list(_sample(data))
    hinted = {codec for name in declared for codec in DECLARED.get(_codec_name(name), ())}
    nats = {name: HINT if name in hinted else 0.0 for name in CANDIDATES}
    return max(CANDIDATES, key=lambda name: nats[name] + sum(likelihood(w, name) for w in windows))


def _codec_name(declared: str | None) -> str:
    """Python's name for an encoding, as strangers spell it; empty for one that it does not know."""
    try:
        return codecs.lookup((declared or "").strip().lower().removeprefix("x-")).name
    except (LookupError, ValueError):  # a NUL in the name
        return ""


def likelihood(window: bytes, encoding: str) -> float:
    """Log-likelihood of the bytes, in nats, if they are Chinese in this encoding.

    Decoding is one to one, so the likelihood of the bytes is that of the text, and those of
    different encodings may be compared however many characters each of them makes.
    """
    text, pending = _decode_leniently(window, encoding)
    nul_bytes = text.count("\0") * len("\0".encode(encoding))
    odd_bytes = pending * PENDING_BYTE + nul_bytes * NUL_BYTE
    return float(weights_of(text).sum()) + odd_bytes


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


def _refuse_implausible(data: bytes, encoding: str) -> None:
    """Raise if the bytes are valid, but make nothing like Chinese: Latin-1, Shift-JIS, noise."""
    texts = [_decode_leniently(window, encoding)[0] for window in _sample(data)]
    text = "".join(character for character in "".join(texts) if character > "\x7f")
    if not text:
        return
    bar = max(IMPLAUSIBLE + IMPLAUSIBLE_IF_SHORT / len(text), IMPLAUSIBLE_ANYHOW)
    if weights_of(text).mean() < bar:
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


def _refuse_damaged(data: bytes, encoding: str, text: str, damaged: int) -> None:
    """Raise if more is wrong than `MOST_DAMAGED` of the bytes that can be: ASCII never is.

    A text that ends in mid-character is not worse for being short.
    """
    can_be_wrong = len(data if encoding in WIDE else data.translate(None, _TEXT_ASCII))
    cut = min(damaged, LONGEST_CUT) if text.endswith(REPLACEMENT) else 0
    if damaged - cut <= MOST_DAMAGED * can_be_wrong:
        return
    try:
        strict = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError("undecodable", _invalid_detail(data, encoding, error)) from error
    raise UndecodableError("binary_file", _nul_detail(strict, encoding))


def _invalid_detail(data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    # The codec may have been given less than `data`: the rest, after the byte order mark.
    first = len(data) - len(error.object) + error.start
    return (
        f"{encoding} fits best, but too many bytes are wrong in it, the first (0x{data[first]:02x})"
        f" at byte {first}: mend the file, or convert it to UTF-8"
    )


def _nul_detail(text: str, encoding: str) -> str:
    return (
        f"NUL at character {text.index(NUL)}, read as {encoding}:"
        " no text has so many; if this is text after all, take the NULs out"
    )
