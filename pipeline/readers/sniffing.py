"""What a file is whose name does not say it: a page saved as `12345` or `view.php?id=3`."""

import re
from typing import BinaryIO, cast

from pipeline.readers.compression import BLOCK_BYTES, BlockStream, DamagedError, blocks, replayed

HEAD_BYTES = 4096

COMPRESSION_MAGIC = (
    (b"\x1f\x8b\x08", ".gz"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ\x00", ".xz"),
)

_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|meta|script|div)[\s>]", re.IGNORECASE)
_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?\s*")


def compression_of(head: bytes) -> str:
    """The suffix of the compression that ``head`` begins like; empty if none.

    >>> compression_of(b"BZh91AY&SY"), compression_of("正文".encode())
    ('.bz2', '')
    """
    return next((suffix for magic, suffix in COMPRESSION_MAGIC if head.startswith(magic)), "")


def format_of(head: bytes, *, named: bool) -> str:
    r"""The suffix of the format that ``head`` looks like; empty if it cannot be told.

    A file with a suffix of its own (``named``) must be beyond doubt. One without is plain text if
    it is nothing else.

    >>> format_of(b"\n<!DOCTYPE html>", named=True), format_of(b"WARC/1.0\r\n", named=True)
    ('.html', '.warc')
    >>> format_of('{"text": "甲"}'.encode(), named=False), format_of(b"PK\x03\x04", named=True)
    ('.jsonl', '')
    """
    start = cast("re.Match[bytes]", _OPENING.match(head)).end()
    if head.startswith(b"PAR1"):
        return ".parquet"
    if head.startswith(b"WARC/"):
        return ".warc"
    if head[start : start + 1] == b"<" and _HTML.search(head):
        return ".html"
    if named:
        return ""
    return ".jsonl" if head[start : start + 1] == b"{" else ".txt"


def peek(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes, and a stream that begins with them. A failure comes in its place."""
    taken: list[bytes] = []
    failure: DamagedError | OSError | None = None
    size = 0
    try:
        while size < HEAD_BYTES and (block := stream.read(HEAD_BYTES - size)):
            taken.append(block)
            size += len(block)
    except (DamagedError, OSError) as error:
        failure = error
    head, whole = b"".join(taken), replayed(taken, failure, blocks(stream, BLOCK_BYTES))
    return head, cast(BinaryIO, BlockStream(whole))
