"""HTML pages: one document a file, whose text is that of the article, a paragraph a line.

Menus, lists of other headlines and the like are left out (`extraction`); title, date, publisher,
author, editor and address are taken from the page's metadata and from its lines
(`page_metadata`). A page without a text of its own is rejected as `no_content`.

The encoding is found as that of any file is; what the page or the server declares counts as
evidence worth `DECLARED_NATS`, as many pages declare what they are not.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from pipeline.config import Config
from pipeline.encodings import (
    UndecodableError,
    decode,
    detect,
    likelihood,
)
from pipeline.readers.compression import BLOCK_BYTES
from pipeline.readers.extraction import MAX_MARKUP, PageError, main_text, parse, visible
from pipeline.readers.page_metadata import read_metadata
from pipeline.records import Record, Reject

MOST_BYTES_PER_CHARACTER = 4
DECLARED_NATS = 20.0
"""What a declaration is worth: as much as two or three characters that make sense."""
HEAD_BYTES = 4_096
"""Where a page declares its encoding: four times what the standard asks for."""
LEAD_BYTES = 256
WINDOW_BYTES = 16_384
MOST_DAMAGED = 0.01
"""Of the bytes that are not ASCII. Beyond it the page is in some other encoding."""

DECLARED = re.compile(
    rb"""(?:charset|encoding)\s{0,9}=\s{0,9}["']?\s{0,9}([a-z0-9_:.-]{2,40})""", re.IGNORECASE
)
REPLACEMENTS = re.compile("\ufffd+")
NOT_ASCII = re.compile(rb"[\x80-\xff]")
NAMES = (
    ("gb", "gb18030"),  # gb2312 and gbk are parts of it
    ("x-gbk", "gb18030"),
    ("big5", "big5hkscs"),
    ("utf-8", "utf-8"),
    ("utf8", "utf-8"),
    ("utf-16be", "utf-16-be"),
    ("utf-16", "utf-16-le"),
)
"""What a declared name begins with, and what it means."""


def read_html(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    r"""One record, or one reject.

    >>> import io
    >>> page = "<title>小桥</title><a>首页</a><p>昨天，小桥终于修好了。"
    >>> [record] = read_html(io.BytesIO(page.encode("gb18030")), Config())
    >>> record.title, record.raw, record.encoding
    ('小桥', '昨天，小桥终于修好了。', 'gb18030')
    """
    most = min(config.max_document_chars, MAX_MARKUP) * MOST_BYTES_PER_CHARACTER
    data = _read_at_most(stream, most + 1)
    if not data.strip():
        yield Reject(None, "empty_file", f"nothing but white space, {len(data)} bytes")
    else:
        item = read_page_bytes(data, 0, config)
        yield item._replace(record=None) if isinstance(item, Reject) else item


def read_page_bytes(
    data: bytes, record: int, config: Config, declared: str | None = None
) -> Record | Reject:
    """The document in a page. ``declared`` is the encoding that the server named, if it did."""
    max_chars = min(config.max_document_chars, MAX_MARKUP)
    try:
        if len(data) > max_chars * MOST_BYTES_PER_CHARACTER:
            raise _too_large(max_chars)
        markup, encoding, damaged = decode_page(data, declared)
        if len(markup) > max_chars:
            raise _too_large(max_chars)
        root = parse(markup)
        page = visible(root)
        text = main_text(page)
        if not text.strip():
            raise PageError("no_content", "only links, or nothing, is left of the page")
        found = read_metadata(root, page.lines, page.headings, text)
    except (PageError, UndecodableError) as error:
        return Reject(record, error.reason, error.detail)
    return Record(record, text, encoding, damaged=damaged, **found._asdict())


def decode_page(data: bytes, declared: str | None = None) -> tuple[str, str, int]:
    r"""The mark-up of a page, its encoding, and how many bytes of it were wrong.

    Wrong bytes become U+FFFD, a stretch of them one. NULs, which HTML ignores, go.

    >>> decode_page("<meta charset=utf-8>今天天气很好，大家都出去玩".encode("gb18030"))[1]
    'gb18030'
    """
    if data.count(0) < len(data) // 8:  # UTF-16 has one for each sign of mark-up
        data = data.replace(b"\0", b"")
    try:
        text, encoding, damaged = (*decode(data), 0)[:3]
    except UndecodableError as error:
        if error.reason != "undecodable":
            raise
        text, encoding, damaged = _decode_leniently(data, error)
    hint = _meaning(declared) or _meaning(_declared_in(data))
    if (
        hint
        and not encoding.startswith("utf-")
        and hint != encoding
        and _may_be(data, hint, encoding)
    ):
        with suppress(UnicodeDecodeError):
            return data.decode(hint), hint, 0
    return text, encoding, damaged


def _decode_leniently(data: bytes, failure: UndecodableError) -> tuple[str, str, int]:
    """The same of a page with wrong bytes; ``failure`` again if they are too many, or none."""
    encoding = detect(data)
    kept = data.decode(encoding, "ignore").encode(encoding, "ignore")
    damaged = len(data) - len(kept)
    if not 0 < damaged <= max(1, MOST_DAMAGED * len(NOT_ASCII.findall(data))):
        raise failure
    return REPLACEMENTS.sub("\ufffd", data.decode(encoding, "replace")), encoding, damaged


def _declared_in(data: bytes) -> str | None:
    found = DECLARED.search(data[:HEAD_BYTES])
    return found[1].decode("ascii") if found else None


def _meaning(name: str | None) -> str | None:
    """The encoding that a declared name stands for, if it is one of Chinese."""
    lower = (name or "").strip().lower()
    return next((codec for start, codec in NAMES if lower.startswith(start)), None)


def _may_be(data: bytes, hint: str, found: str) -> bool:
    """Whether ``found`` is not much likelier than the encoding that the page declares."""
    first = NOT_ASCII.search(data)
    start = max(0, first.start() - LEAD_BYTES) & ~1 if first else 0
    window = data[start : start + WINDOW_BYTES]
    return likelihood(window, hint) + DECLARED_NATS >= likelihood(window, found)


def _read_at_most(stream: BinaryIO, size: int) -> bytes:
    """The first ``size`` bytes of the stream, which may hand them out in smaller blocks."""
    parts = []
    while size > 0 and (block := stream.read(min(size, BLOCK_BYTES))):
        parts.append(block)
        size -= len(block)
    return b"".join(parts)


def _too_large(max_chars: int) -> PageError:
    detail = f"more than {max_chars} characters: split the page"
    return PageError("too_large", detail)
