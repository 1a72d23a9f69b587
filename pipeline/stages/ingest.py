"""Ingest: the bytes of one file become records, and rejects for whatever is no document.

Bad input is decided here, and nowhere later: each record of a file is either yielded or rejected
with a reason, so that rows in = documents + rejects.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

import pyarrow as pa

from pipeline.config import Config
from pipeline.errors import is_ours
from pipeline.readers import ARCHIVES, COMPRESSIONS, PASSING_OVER, READERS
from pipeline.readers.compression import DamagedError
from pipeline.readers.sniffing import compression_of, format_of, peek
from pipeline.records import SYSTEM_SAYS, Reader, Record, Reject
from pipeline.schema import STAGE_COLUMNS, TABLES

DETAIL_CHARS = 200

# 80 bits: among a billion documents, two share a doc_id with a chance of one in two million.
DOC_ID_BYTES = 10


def ingest(
    source: str, stream: BinaryIO, config: Config, after: int | None = None
) -> Iterator[Record | Reject]:
    r"""The records of one file, in file order. ``source`` tells the format by its suffixes.

    Whatever the bytes, no exception comes of them. With ``after`` only what follows the document of
    that number.

    >>> import io
    >>> [record.raw for record in ingest("a.TXT", io.BytesIO("正常".encode()), Config())]
    ['正常']
    >>> [reject.reason for reject in ingest("a.docx", io.BytesIO(b"PK"), Config())]
    ['unsupported_format']
    """
    empty = after is None
    for item in _read(source, stream, config, after):
        empty = False
        yield item._replace(detail=_printable(item.detail)) if isinstance(item, Reject) else item
    if empty:
        yield Reject(None, "empty_file", "the reader of this format found nothing in it")


def _read(
    source: str, stream: BinaryIO, config: Config, after: int | None
) -> Iterator[Record | Reject]:
    suffix, compression = suffixes(source)
    try:
        if suffix not in READERS and not PurePosixPath(source).name.startswith("."):
            suffix, stream = _told_by_content(suffix, compression, stream)
        elif compression:
            stream = COMPRESSIONS[compression](stream)
        if suffix not in READERS:
            yield Reject(None, "unsupported_format", _unsupported(suffix))
            return
        yield from _records(READERS[suffix], stream, config, after)
    except DamagedError as error:
        yield Reject(None, error.reason, error.detail)
    except OSError as error:
        if is_ours(error):
            raise
        yield Reject(None, "unreadable", f"{SYSTEM_SAYS}{error.strerror or error}")


def _records(
    reader: Reader, stream: BinaryIO, config: Config, after: int | None
) -> Iterator[Record | Reject]:
    if after is None:
        return reader(stream, config)
    if reader in PASSING_OVER:
        return PASSING_OVER[reader](stream, config, after)
    items = reader(stream, config)
    for item in items:
        if isinstance(item, Record) and item.record == after:
            break
    return items


def _told_by_content(suffix: str, compression: str, stream: BinaryIO) -> tuple[str, BinaryIO]:
    """The suffix that the content deserves, or the one it has; and the stream from its start."""
    head, stream = peek(stream)
    compression = compression or ("" if suffix else compression_of(head))
    if compression:
        head, stream = peek(COMPRESSIONS[compression](stream))
    return format_of(head, named=suffix != "") or suffix, stream


def source_of(path: str) -> str:
    r"""A path as `source` has it: bytes that are no UTF-8 are written `\xff`.

    So that no two paths become the same, a backslash before an x is written `\x5c`.

    >>> print(source_of("中\udcff.txt"), source_of(r"中\xff.txt"), source_of(r"a\b.txt"))
    中\xff.txt 中\x5cxff.txt a\b.txt
    """
    return os.fsencode(path.replace(r"\x", r"\x5cx")).decode("utf-8", "backslashreplace")


def suffixes(source: str) -> tuple[str, str]:
    """The suffixes of format and of compression, in lower case; empty where there is none.

    >>> suffixes("news/2020.JSONL.gz"), suffixes("a.txt"), suffixes("README")
    (('.jsonl', '.gz'), ('.txt', ''), ('', ''))
    """
    path = PurePosixPath(source.lower())
    if path.suffix in COMPRESSIONS:
        return path.with_suffix("").suffix, path.suffix
    return path.suffix, ""


def doc_id(source: str, record: int) -> str:
    """The key of a document: 20 hexadecimal digits that depend on nothing but where it stood.

    >>> doc_id("a.txt", 0)
    '5ca18ac21febfc4a1ff3'
    """
    key = f"{source}\0{record}".encode()
    return hashlib.blake2b(key, digest_size=DOC_ID_BYTES).hexdigest()


def documents_batch(source: str, records: Sequence[Record]) -> pa.RecordBatch:
    """The records of one file as the columns of this stage."""
    columns = {
        "doc_id": [doc_id(source, record.record) for record in records],
        "source": [source] * len(records),
        "record": [record.record for record in records],
        "record_id": [record.record_id for record in records],
        "url": [record.url for record in records],
        "encoding": [record.encoding for record in records],
        "record_title": [record.title for record in records],
        "record_date": [record.date for record in records],
        "record_publisher": [record.publisher for record in records],
        "record_author": [record.author for record in records],
        "record_editor": [record.editor for record in records],
        "damaged": [record.damaged for record in records],
        "raw": [record.raw for record in records],
    }
    return pa.RecordBatch.from_pydict(columns, schema=STAGE_COLUMNS["ingest"])


def rejects_batch(source: str, rejects: Sequence[Reject]) -> pa.RecordBatch:
    """The rejects of one file as rows of the table."""
    columns = {
        "source": [source] * len(rejects),
        "record": [reject.record for reject in rejects],
        "stage": ["ingest"] * len(rejects),
        "reason": [reject.reason for reject in rejects],
        "detail": [reject.detail for reject in rejects],
    }
    return pa.RecordBatch.from_pydict(columns, schema=TABLES["rejects"])


def _printable(detail: str) -> str:
    """One line of bounded length, whatever the input put into it."""
    shown = detail[: DETAIL_CHARS + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _escaped(c) for c in shown)
    return shown if len(shown) <= DETAIL_CHARS else shown[: DETAIL_CHARS - 1] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _unsupported(suffix: str) -> str:
    if suffix in ARCHIVES:
        return f"{suffix} is an archive of files: unpack it first, and name the folder as INPUT"
    found = f"no reader for {suffix}" if suffix else "a hidden file"
    formats, compressions = ", ".join(READERS), ", ".join(COMPRESSIONS)
    return f"{found}; supported: {formats}, each also compressed as {compressions}"
