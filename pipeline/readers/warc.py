"""Web archives, WARC and WET: a document for each page, or text, that a crawler stored.

- `response` records with status 200, and `resource` records, are read like a file: HTML as
  `html` reads it, with the charset that the server named as a further hint; plain text as it is.
  `conversion` records, which is what WET files hold, are text as it is.
- Other statuses and types of content are rejected as `not_a_page`, one reject for each.
- `warcinfo`, `request`, `metadata`, `revisit` and `continuation` records are no documents, and
  are passed over. They are counted: `record` is the index of the WARC record in the file.
- `url` is WARC-Target-URI and `record_id` WARC-Record-ID. The date is that of the page, if it has
  one: WARC-Date tells when the crawler came by.
- A record that is broken costs itself: reading goes on at the next line that begins `WARC/`. If
  the file ends in the middle of a record, that one is rejected as `truncated`.

warcio parses headers and chunks. Framing is done here, as it must go on after damage and in
bounded memory: warcio's iterator ends at the first wrong length, and has no longest header;
fastwarc, 1.7 times as fast, panics on a stream that cannot seek.
"""

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

from pipeline.config import Config
from pipeline.encodings import UndecodableError, decode
from pipeline.readers.compression import BLOCK_BYTES, BlockStream, blocks
from pipeline.readers.html import MOST_BYTES_PER_CHARACTER, read_page_bytes
from pipeline.records import Record, Reject

if TYPE_CHECKING:
    from warcio.statusandheaders import StatusAndHeaders

VERSION = b"WARC/"
PROTOCOLS = ("WARC/",)
HTTP = ("HTTP/",)
LONGEST_HEADER = 1 << 16
"""Bytes of the header of a record, and of that of HTTP: a cookie may take 4,096."""
PIECE_BYTES, STEP_BYTES = 1 << 10, 1 << 16
"""How much of brotli is read, and unpacked, at a time."""
BOMB_RATIO = 200
"""A page that grows more than that when it is unpacked is one. Plain Chinese shrinks to 1/3; the
emptiest of templates to 1/30."""

DOCUMENTS = ("response", "resource", "conversion")
PAGES = ("text/html", "application/xhtml+xml")
TEXTS = ("text/plain",)
LENGTH = re.compile(r"[0-9]{1,15}")
HEADER_END = re.compile(rb"\r?\n\r?\n")
CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
LOOKS_LIKE_HTML = re.compile(
    rb"\s{0,99}<(?:!doctype html|html|head|body|meta|title)\b", re.IGNORECASE
)
GZIP, ZLIB, RAW_DEFLATE = 31, 15, -15  # what zlib calls them


_Archive: TypeAlias = "io.BufferedReader[BlockStream]"


class _Content(NamedTuple):
    """What a record holds, unpacked."""

    data: bytes
    kind: str
    charset: str | None


def read_warc(stream: BinaryIO, config: Config, after: int = -1) -> Iterator[Record | Reject]:
    r"""One record or reject for each document in the archive, or what should have been one.

    Those up to number ``after`` are passed over: their lengths are read, and not their pages.

    >>> text = "今天的天色真好".encode()
    >>> head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(text)}\r\n\r\n"
    >>> [item.raw for item in read_warc(io.BytesIO(head.encode() + text), Config())]
    ['今天的天色真好']
    """
    archive = io.BufferedReader(BlockStream(blocks(stream)), BLOCK_BYTES)
    number, in_step = 0, True
    while line := _next_line(archive, anywhere=in_step):
        try:
            item = _read_record(archive, line, number, config, after)
            in_step = True
        except _TruncatedError as error:
            yield Reject(number, "truncated", str(error))
            return
        except _BrokenError as error:
            # What is not even followed by a record was no archive.
            in_step = False
            item = Reject(number, "unreadable", str(error))
        if item is not None and number > after:
            yield item
        number += 1


class _TruncatedError(Exception):
    """The file ends within a record."""


class _BrokenError(Exception):
    """What is no record; where the next begins is not known."""


def _next_line(archive: _Archive, *, anywhere: bool) -> bytes:
    """The next line that is not blank; where reading is out of step, that begins a record."""
    while line := archive.readline(LONGEST_HEADER):
        if line.startswith(VERSION) if not anywhere else line.strip():
            return line
    return b""


def _read_record(
    archive: _Archive, line: bytes, number: int, config: Config, after: int
) -> Record | Reject | None:
    """The record that begins with a line; None for one that is no document, or passed over."""
    headers = _warc_headers(archive, line)
    length = headers.get_header("Content-Length", "").strip()
    if not LENGTH.fullmatch(length):
        raise _BrokenError("a record without its length: the archive is damaged, get it again")
    kind = headers.get_header("WARC-Type", "").strip().lower()
    most = config.max_document_chars * MOST_BYTES_PER_CHARACTER + LONGEST_HEADER
    if kind not in DOCUMENTS or int(length) > most or number <= after:
        _skip(archive, int(length))
        if kind not in DOCUMENTS or number <= after:
            return None
        return Reject(number, "too_large", f"{length} bytes: raise max_document_chars")
    data = archive.read(int(length))
    if len(data) < int(length):
        raise _TruncatedError(_cut(int(length), len(data)))
    try:
        item = _document(_content(kind, headers, data, most), number, config)
    except _NoPageError as error:
        return Reject(number, error.reason, str(error))
    if isinstance(item, Reject):
        return item
    return item._replace(
        record_id=_bare(headers.get_header("WARC-Record-ID")),
        url=_bare(headers.get_header("WARC-Target-URI")),
    )


class _NoPageError(Exception):
    """A record that holds no document. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _warc_headers(archive: _Archive, line: bytes) -> "StatusAndHeaders":
    if not line.startswith(VERSION):
        raise _BrokenError(
            "a record should begin here, with WARC/: mend the archive, or get it again"
        )
    lines, size = [line], len(line)
    while line := archive.readline(LONGEST_HEADER):
        lines.append(line)
        size += len(line)
        if not line.strip():
            return _headers(b"".join(lines), PROTOCOLS, _BrokenError)
        if size > LONGEST_HEADER:
            raise _BrokenError(f"a header of more than {LONGEST_HEADER} bytes")
    raise _TruncatedError("the file ends within the header of a record: get it again")


def _headers(
    data: bytes, protocols: tuple[str, ...], error: Callable[[str], Exception]
) -> "StatusAndHeaders":
    from warcio.statusandheaders import (  # noqa: PLC0415  # for those who read archives
        StatusAndHeadersParser,
        StatusAndHeadersParserException,
    )

    try:
        return StatusAndHeadersParser(protocols).parse(io.BytesIO(data))
    except (StatusAndHeadersParserException, EOFError) as failure:
        raise error(f"no header: {failure}") from failure


def _skip(archive: _Archive, length: int) -> None:
    left = length
    while left > 0:
        block = archive.read(min(left, BLOCK_BYTES))
        if not block:
            raise _TruncatedError(_cut(length, length - left))
        left -= len(block)


def _cut(expected: int, found: int) -> str:
    return f"the file ends after {found} of the {expected} bytes of a record: get it again"


def _content(kind: str, headers: "StatusAndHeaders", data: bytes, most: int) -> _Content:
    """What a record holds: for an HTTP response its body, unpacked."""
    mime = headers.get_header("Content-Type", "text/plain" if kind == "conversion" else "")
    if kind != "response" or not data.startswith(b"HTTP/"):
        return _Content(data, *_mime(mime))
    end = HEADER_END.search(data, 0, LONGEST_HEADER)
    if not end:
        raise _not_a_page("an HTTP header without an end")
    http = _headers(data[: end.end()], HTTP, _not_a_page)
    words = http.statusline.split()  # the version comes first: the protocol is HTTP/
    status = words[1] if len(words) > 1 else "none"
    if status != "200":
        raise _not_a_page(f"HTTP status {status}")
    body = data[end.end() :]
    if "chunked" in http.get_header("Transfer-Encoding", "").lower():
        body = _joined(body)
    for encoding in reversed(http.get_header("Content-Encoding", "").lower().split(",")[:3]):
        body = _unpacked(body, encoding.strip(), most)
    return _Content(body, *_mime(http.get_header("Content-Type", "")))


def _not_a_page(detail: str) -> _NoPageError:
    return _NoPageError("not_a_page", detail)


def _mime(header: str) -> tuple[str, str | None]:
    charset = CHARSET.search(header)
    return header.partition(";")[0].strip().lower(), charset[1] if charset else None


def _joined(body: bytes) -> bytes:
    """A body without the lengths of its chunks. Many archives have taken them out already."""
    from warcio.bufferedreaders import ChunkedDataReader  # noqa: PLC0415  # as above

    reader = ChunkedDataReader(io.BytesIO(body), decomp_type=None)
    return b"".join(iter(lambda: bytes(reader.read(BLOCK_BYTES)), b""))


def _unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """A body unpacked, in bounded memory. One that is not packed, whatever is said, is left."""
    if encoding in ("", "identity", "utf-8"):
        return body
    if encoding in ("gzip", "x-gzip"):
        if not body.startswith(b"\x1f\x8b"):
            return body
        unpacked, used, is_whole = _inflated(body, GZIP, most)
    elif encoding == "deflate":
        unpacked, used, is_whole = _inflated(
            body, ZLIB if _has_zlib_header(body) else RAW_DEFLATE, most
        )
    elif encoding == "br":
        unpacked, used, is_whole = _unbrotlied(body, most)
    else:
        raise _not_a_page(f"content encoding {encoding[:20]}, which is not supported")
    if len(unpacked) > BOMB_RATIO * used and len(unpacked) > most:
        raise _NoPageError(
            "decompression_bomb", f"{used} bytes of {encoding} become {len(unpacked)}"
        )
    if len(unpacked) > most:
        raise _NoPageError("too_large", f"more than {most} bytes: raise max_document_chars")
    if not is_whole:
        raise _NoPageError("truncated", f"the body, in {encoding}, ends in mid-stream")
    return unpacked


def _inflated(body: bytes, kind: int, most: int) -> tuple[bytes, int, bool]:
    """The body unpacked, up to a byte too many; the bytes that it took; whether it is whole."""
    unpacker = zlib.decompressobj(kind)
    try:
        unpacked = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise _NoPageError("truncated", f"the body cannot be unpacked: {error}") from error
    return unpacked, len(body) - len(unpacker.unconsumed_tail), unpacker.eof


def _has_zlib_header(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _unbrotlied(body: bytes, most: int) -> tuple[bytes, int, bool]:
    """The same of a body in brotli, of which a few bytes may become gigabytes."""
    import brotli  # noqa: PLC0415  # as above

    unpacker = brotli.Decompressor()
    parts: list[bytes] = []
    size = used = 0
    try:
        while size <= most and not unpacker.is_finished():
            given = b""
            if unpacker.can_accept_more_data():
                given = body[used : used + PIECE_BYTES]
                used += len(given)
                if not given:
                    break
            parts.append(unpacker.process(given, output_buffer_limit=STEP_BYTES))
            size += len(parts[-1])
    except brotli.error as error:
        raise _NoPageError("truncated", f"the body cannot be unpacked: {error}") from error
    return b"".join(parts), used, unpacker.is_finished()


def _document(content: _Content, number: int, config: Config) -> Record | Reject:
    data, kind, charset = content
    if kind in PAGES or (not kind and LOOKS_LIKE_HTML.match(data)):
        return read_page_bytes(data, number, config, charset)
    if kind not in TEXTS:
        raise _not_a_page(f"content of type {kind[:60] or 'unknown'}")
    try:
        text, encoding = decode(data)[:2]
    except UndecodableError as error:
        return Reject(number, error.reason, error.detail)
    if len(text) > config.max_document_chars:
        return Reject(number, "too_large", f"{len(text)} characters: raise max_document_chars")
    if not text.strip():
        return Reject(number, "empty_text", f"nothing but white space, {len(text)} characters")
    return Record(number, text, encoding)


def _bare(value: str | None) -> str | None:
    """An address without the brackets that early writers put around it."""
    bare = (value or "").strip().removeprefix("<").removesuffix(">")
    return bare if bare and bare.isprintable() else None
