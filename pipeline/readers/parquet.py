"""Parquet: a document a row, in a column of strings or of UTF-8 bytes.

- The columns are found by name, as `fields` says; only those are read. `Config.text_field` may name
  a field inside a struct: `data.content`. Numbers and times become strings, times by ISO 8601.
- `record` is the number of the row, from 0. A row group that is damaged costs the rows it has left,
  and leaves one reject; the groups after it are read.
- Parquet has its index at the end. What cannot be read there, as it comes out of a decompressor or
  a pipe, goes through a temporary file of at most `SPOOL_BYTES`.

A few bytes of Parquet may stand for gigabytes: a page that is all one byte, a dictionary with one
long word that a run of a billion indices repeats. So the headers of the pages are read before the
pages; and as many rows are read at a time as `BATCH_BYTES` can hold if each were the longest that
the dictionary may have.
"""

import datetime
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import Config
from pipeline.encodings import UndecodableError
from pipeline.readers.compression import BLOCK_BYTES, FREE_BYTES, MOST_RATIOS, blocks
from pipeline.readers.fields import (
    BadRecordError,
    Number,
    known_names,
    missing,
    text_names,
    to_record,
)
from pipeline.readers.lines import decode_line
from pipeline.readers.thrift import CutShortError, ThriftError, read_struct
from pipeline.records import Record, Reject

SPOOL_BYTES = 2 << 30
SPOOL_MEMORY_BYTES = 8 << 20

MAGIC = b"PAR1"
TAIL_BYTES = 8  # the length of the footer, and the magic
FOOTER_BYTES = 16 << 20
"""A footer takes some 100 bytes for each column of each row group, and several times as much in
memory. Files of 100 GB have 5 MB."""

PAGE_BYTES = 128 << 20  # most writers close a page at 1 MiB; one is held unpacked at a time
MOST_PAGES = 100_000  # of a column in a row group
PAGE_HEADER_BYTES = (1 << 10, 1 << 16, 1 << 20)  # as they may hold the least and greatest value

BATCH_BYTES = 128 << 20
BATCH_ROWS = 512
ROW_BYTES = 64  # what a row costs us, even one that is null
MOST_RATIO = MOST_RATIOS["zstd"]

# The type of a page, and the fields of a page's header.
DICTIONARY_PAGE = 2
TYPE, UNPACKED, PACKED = 1, 2, 3

_Unreadable = (pa.ArrowException, ValueError, OverflowError, MemoryError, ThriftError)


def read_parquet(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    """One record or reject for each row.

    >>> sink = io.BytesIO()
    >>> pq.write_table(pa.table({"正文": ["没时间", None], "id": [7, 8]}), sink)
    >>> first, second = read_parquet(io.BytesIO(sink.getvalue()), Config())
    >>> first.raw, first.record_id, second.reason
    ('没时间', '7', 'missing_text')
    """
    try:
        with _seekable(stream) as source:
            size = _check_footer(source)
            yield from _rows(source, size, config)
    except BadRecordError as error:
        yield Reject(None, error.reason, error.detail)


# --- the file


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    if stream.seekable():
        yield stream
        return
    # Of the standard library's own making: it has no name, and vanishes with the process.
    with tempfile.SpooledTemporaryFile(SPOOL_MEMORY_BYTES) as spool:
        for block in blocks(stream):
            spool.write(block)
            if spool.tell() > SPOOL_BYTES:
                detail = (
                    f"more than {SPOOL_BYTES >> 30} GiB of Parquet in a stream: unpack it first"
                )
                raise BadRecordError("too_large", detail)
        yield cast(BinaryIO, spool)


def _check_footer(source: BinaryIO) -> int:
    """The size of the file."""
    size = source.seek(0, io.SEEK_END)
    if size == 0:
        raise BadRecordError("empty_file", "the file has no bytes")
    source.seek(max(0, size - TAIL_BYTES))
    tail = source.read(TAIL_BYTES)
    footer = int.from_bytes(tail[:4], "little")
    if size < len(MAGIC) + TAIL_BYTES or tail[4:] != MAGIC or footer > size - TAIL_BYTES:
        raise BadRecordError(
            "unreadable", "no Parquet file, or cut short: its last bytes are not its index"
        )
    if footer > FOOTER_BYTES:
        detail = f"an index of {footer >> 20} MiB; at most {FOOTER_BYTES >> 20} are read: split it"
        raise BadRecordError("too_large", detail)
    return size


class _Unclosing:
    """A stream that pyarrow, which closes what it reads from, cannot close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        parts = []
        while size and (block := self._stream.read(size if size > 0 else BLOCK_BYTES)):
            parts.append(block)  # a raw stream may return less than what was asked for
            size -= len(block) if size > 0 else 0
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        pass


def _rows(source: BinaryIO, size: int, config: Config) -> Iterator[Record | Reject]:
    file = _opened(source)
    if not file.metadata.num_rows:
        raise BadRecordError("empty_file", "the table has no row")
    _check_claims(file.metadata, size)
    columns = _columns(file, config)
    spent = 0
    first = 0
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        number = first
        try:
            for fields in _group_rows(file, source, index, columns):
                spent += ROW_BYTES + sum(len(v) for v in fields.values() if isinstance(v, bytes))
                if spent > max(FREE_BYTES, MOST_RATIO * size):
                    raise _bomb(size, spent)
                yield _to_item(number, fields, config)
                number += 1
            if number < first + group.num_rows:
                raise ValueError(f"{number - first} rows of {group.num_rows} are there")
        except BadRecordError as error:
            yield Reject(number, error.reason, error.detail)
            if error.reason == "decompression_bomb":
                return
        except OSError as error:
            if error.errno is not None:  # the disk's error; Arrow's own is about the content
                raise
            yield _damaged(number, index, error)
        except _Unreadable as error:
            yield _damaged(number, index, error)
        first += group.num_rows


def _opened(source: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(
            pa.PythonFile(_Unclosing(source), "r"),
            pre_buffer=False,  # else a row group is held as a whole
            buffer_size=BLOCK_BYTES,
            page_checksum_verification=True,
        )
    except OSError as error:
        if error.errno is not None:
            raise
        failure: Exception = error
    except _Unreadable as error:
        failure = error
    raise BadRecordError("unreadable", f"the index cannot be read ({failure}): get it again")


def _check_claims(metadata: pq.FileMetaData, size: int) -> None:
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        detail = f"the index is damaged: {metadata.num_rows} rows, but {sum(rows)} in its groups"
        raise BadRecordError("unreadable", detail)
    if sum(rows) * ROW_BYTES > max(FREE_BYTES, MOST_RATIO * size):
        raise _bomb(size, sum(rows) * ROW_BYTES)


def _bomb(size: int, unpacked: int) -> BadRecordError:
    detail = f"{size} bytes of Parquet stand for {unpacked >> 20} MiB or more: no text is so dull"
    return BadRecordError("decompression_bomb", detail)


def _damaged(number: int, group: int, error: Exception) -> Reject:
    detail = f"row group {group} is damaged ({error}): what it has left is lost, get it again"
    return Reject(number, "unreadable", detail)


# --- columns


def _columns(file: pq.ParquetFile, config: Config) -> list[str]:
    """Paths of the columns to read: names, and dotted ones for what is inside a struct."""
    try:
        columns = [file.schema.column(i) for i in range(len(file.schema))]
        paths = [column.path for column in columns if not column.max_repetition_level]
    except _Unreadable as error:
        raise BadRecordError("unreadable", f"the names of the columns: {error}") from error
    if not text_names(paths, config):
        raise missing(paths, config, "column")
    return known_names(paths, config)


def _group_rows(
    file: pq.ParquetFile, source: BinaryIO, index: int, paths: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The rows of a row group: strings as bytes, other values as text or None."""
    group = file.metadata.row_group(index)
    chunks = [group.column(i) for i in range(group.num_columns)]
    wanted = [chunk for chunk in chunks if chunk.path_in_schema in paths]
    longest = sum(_check_pages(source, chunk) for chunk in wanted)
    size = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, longest)))
    left = group.num_rows
    for batch in file.iter_batches(size, row_groups=[index], columns=paths, use_threads=False):
        values = {path: _values(_column(batch, path)) for path in paths}
        rows = min(left, batch.num_rows)  # more would take the numbers of the next group's
        left -= rows
        for row in range(rows):
            yield {path: column[row] for path, column in values.items()}


def _column(batch: pa.RecordBatch, path: str) -> pa.Array:
    names = batch.schema.names
    if path in names:
        return batch.column(names.index(path))
    name = next(name for name in names if path.startswith(f"{name}."))
    return pc.struct_field(batch.column(names.index(name)), path[len(name) + 1 :].split("."))


def _values(array: pa.Array) -> list[bytes | str | None]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        array = array.cast(pa.large_binary())  # as Arrow does not look whether they are UTF-8
        kind = array.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return cast(list[bytes | str | None], array.to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = (None if v is None else str(v) for v in array.to_pylist())
        return [None if v in {None, "nan", "NaN"} else Number(v) for v in numbers]
    if pa.types.is_temporal(kind):
        return [_iso(value) for value in array]
    return [None] * len(array)


def _iso(value: pa.Scalar) -> str | None:
    """A time as ISO 8601 has it; None for what no calendar has."""
    try:
        if pa.types.is_timestamp(value.type) and value.type.unit == "ns":
            value = value.cast(pa.timestamp("us", value.type.tz), safe=False)
        time = value.as_py()
    except (*_Unreadable, LookupError, OSError):  # beyond the year 9999, or a zone that is none
        return None
    return time.isoformat() if isinstance(time, datetime.date | datetime.time) else None


# --- pages


class _Page(NamedTuple):
    kind: int
    unpacked: int
    end: int
    """Where the next page begins."""


def _check_pages(source: BinaryIO, chunk: pq.ColumnChunkMetaData) -> int:
    """Bytes that a value of the column may take in memory: as many as its longest dictionary has.

    Raises BadRecordError if a page is too large, ThriftError if its header is damaged.
    """
    offsets = [chunk.data_page_offset, chunk.dictionary_page_offset]
    at = min(offset for offset in offsets if offset)
    end = at + chunk.total_compressed_size
    longest = pages = 0
    while at < end:
        page = _page(source, at)
        at, pages = page.end, pages + 1
        if page.unpacked > PAGE_BYTES or pages > MOST_PAGES:
            raise BadRecordError(
                "too_large",
                f"a page of {page.unpacked >> 20} MiB; at most {PAGE_BYTES >> 20} are read:"
                " write the table again with smaller pages",
            )
        if page.kind == DICTIONARY_PAGE:
            longest = max(longest, page.unpacked)
    return longest


def _page(source: BinaryIO, at: int) -> _Page:
    for size in PAGE_HEADER_BYTES:
        source.seek(at)
        head = source.read(size)
        try:
            fields, length = read_struct(head)
        except CutShortError:
            continue
        kind, unpacked, packed = (_size(fields.get(n)) for n in (TYPE, UNPACKED, PACKED))
        return _Page(kind, unpacked, at + length + packed)
    raise ThriftError(f"no page header at byte {at}")


def _size(value: object) -> int:
    if type(value) is int and value >= 0:
        return value
    raise ThriftError("the header of a page lacks a size")


# --- rows


def _to_item(number: int, fields: dict[str, Any], config: Config) -> Record | Reject:
    try:
        damaged = 0
        texts = text_names(fields, config)
        for name in texts:
            if isinstance(fields[name], bytes):
                fields[name], wrong = decode_line(fields[name], "utf-8")
                damaged += wrong
        for name, value in fields.items():
            if isinstance(value, bytes):
                fields[name] = _decoded(value)
        return to_record(number, fields, "utf-8", config, damaged)
    except (BadRecordError, UndecodableError) as error:
        return Reject(number, error.reason, f"row {number + 1}: {error.detail}")


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
