"""HTML pages: one document a file, whose text is that of the article, a paragraph a line.

Menus, lists of other headlines and the like are left out (`extraction`); title, date, publisher,
author, editor and address are taken from the page's metadata and from its lines
(`page_metadata`). A page without a text of its own is rejected as `no_content`.

The encoding is found as that of any file is; what the page or the server declares counts as
evidence (`encodings.HINT`), as many pages declare what they are not.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.config import Config
from pipeline.encodings import Decoded, UndecodableError, decode
from pipeline.readers.compression import read_at_most
from pipeline.readers.extraction import MAX_MARKUP, PageError, main_text, parse, visible
from pipeline.readers.page_metadata import read_metadata
from pipeline.records import Record, Reject

MOST_BYTES_PER_CHARACTER = 4
HEAD_BYTES = 4_096
"""Where a page declares its encoding: four times what the standard asks for."""

DECLARED = re.compile(
    rb"""(?:charset|encoding)\s{0,9}=\s{0,9}["']?\s{0,9}([a-z0-9_:.-]{2,40})""", re.IGNORECASE
)


def read_html(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    r"""One record, or one reject.

    >>> import io
    >>> page = "<title>小桥</title><a>首页</a><p>昨天，小桥终于修好了。"
    >>> [record] = read_html(io.BytesIO(page.encode("gb18030")), Config())
    >>> record.title, record.raw, record.encoding
    ('小桥', '昨天，小桥终于修好了。', 'gb18030')
    """
    most = min(config.max_document_chars, MAX_MARKUP) * MOST_BYTES_PER_CHARACTER
    data = read_at_most(stream, most + 1)
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


def decode_page(data: bytes, declared: str | None = None) -> Decoded:
    r"""The mark-up of a page, its encoding, and how many bytes of it were wrong.

    NULs, which HTML ignores, go uncounted.

    >>> decode_page("<meta charset=utf-8>今天天气很好，大家都出去玩".encode("gb18030")).encoding
    'gb18030'
    """
    if data.count(0) < len(data) // 8:  # UTF-16 has one for each sign of mark-up
        data = data.replace(b"\0", b"")
    return decode(data, declared, _declared_in(data))


def _declared_in(data: bytes) -> str | None:
    found = DECLARED.search(data[:HEAD_BYTES])
    return found[1].decode("ascii") if found else None


def _too_large(max_chars: int) -> PageError:
    detail = f"more than {max_chars} characters: split the page"
    return PageError("too_large", detail)
