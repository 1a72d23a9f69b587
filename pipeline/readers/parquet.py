"""Parquet: a document a row, in a column of strings or of UTF-8 bytes.

- The columns are found by name, as `fields` says; only those are read. `Config.text_field` may name
  a field inside a struct: `data.content`. Numbers and times become strings, times by ISO 8601.
- `record` is the number of the row, from 0. A row group that is damaged costs the rows it has left,
  and leaves one reject; the groups after it are read.
- Parquet has its index at the end. What cannot be read there, as it comes out of a decompressor or
  a pipe, goes through a temporary file of at most `SPOOL_BYTES`.

A few bytes of Parquet may stand for gigabytes: a page that is all one byte, a dictionary with one
long word that a run of a billion indices repeats. So the headers of the pages are read before the
pages; and as many rows are read at a time as `BATCH_BYTES` can hold at worst.
"""

import datetime
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
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
from pipeline.readers.lines import TextFile, decode_line
from pipeline.readers.thrift import CutShortError, ThriftError, read_struct
from pipeline.records import Record, Reject

SPOOL_BYTES = 2 << 30
SPOOL_MEMORY_BYTES = 8 << 20

MAGIC = b"PAR1"
TAIL_BYTES = 8  # the length of the footer, and the magic
FOOTER_BYTES = 8 << 20
"""A footer takes some 100 bytes for each column of each row group, and several times as much in
memory: 250 groups of 200 columns are 5 MB, and take 4 s and 100 MB to read."""

PAGE_BYTES = 128 << 20  # most writers close a page at 1 MiB; one is held unpacked at a time
MOST_PAGES = 100_000  # of a column in a row group
PAGE_HEADER_BYTES = (1 << 10, 1 << 16, 1 << 20)  # as they may hold the least and greatest value

BATCH_BYTES = 128 << 20  # for all columns
BATCH_ROWS = 512
ROW_BYTES = 64  # what a row costs us, even one that is null
MOST_RATIO = MOST_RATIOS["zstd"]

# The type of a page, and the fields of a page's header.
DICTIONARY_PAGE = 2
TYPE, UNPACKED, PACKED, DATA_V1, DATA_V2 = 1, 2, 3, 5, 8
NUM_VALUES = 1  # in either of the last two
# Those of the index, of a row group in it, of a column in that.
ROW_GROUPS, COLUMNS, NUM_ROWS, COLUMN_METADATA = 4, 1, 3, 3
PATH, CHUNK_SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 3, 7, 9, 11

_UTF_8 = TextFile("utf-8", b"", iter(()), "utf-8")  # what the format says that strings are in
_TEXT_TYPES = {
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view()),
}
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
            yield from _rows(source, _index(source), config)
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


class _Chunk(NamedTuple):
    """A column in a row group."""

    path: str
    start: int
    end: int


class _Group(NamedTuple):
    """A row group."""

    rows: int
    chunks: list[_Chunk]


class _Index(NamedTuple):
    """What the end of the file says of the rest."""

    size: int
    """Bytes of the file."""
    groups: list[_Group]


def _index(source: BinaryIO) -> _Index:
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
    source.seek(size - TAIL_BYTES - footer)
    try:
        fields, _ = read_struct(_read_all(source, footer))
        groups = [_group(group) for group in fields[ROW_GROUPS]]
    except (ThriftError, LookupError, TypeError, ValueError) as error:
        raise BadRecordError(
            "unreadable", f"the index is damaged ({error}): get it again"
        ) from error
    rows = sum(group.rows for group in groups)
    if rows * ROW_BYTES > max(FREE_BYTES, MOST_RATIO * size):
        raise _bomb(size, rows * ROW_BYTES)
    return _Index(size, groups)


def _group(fields: dict[int, Any]) -> _Group:
    chunks = [_chunk(chunk[COLUMN_METADATA]) for chunk in fields[COLUMNS]]
    return _Group(_size(fields[NUM_ROWS]), chunks)


def _chunk(fields: dict[int, Any]) -> _Chunk:
    path = b".".join(fields[PATH]).decode()
    offsets = [_size(fields[DATA_OFFSET]), _size(fields.get(DICTIONARY_OFFSET, 0))]
    start = min(offset for offset in offsets if offset)
    return _Chunk(path, start, start + _size(fields[CHUNK_SIZE]))


def _read_all(source: BinaryIO, size: int) -> bytes:
    """As many bytes, or as there are: a raw stream may return less than what was asked for."""
    parts = []
    while size and (block := source.read(min(size, BLOCK_BYTES))):
        parts.append(block)
        size -= len(block)
    return b"".join(parts)


class _Unclosing:
    """A stream that pyarrow, which closes what it reads from, cannot close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        return _read_all(self._stream, size) if size >= 0 else self._stream.read()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        pass


def _rows(source: BinaryIO, index: _Index, config: Config) -> Iterator[Record | Reject]:
    if not any(group.rows for group in index.groups):
        raise BadRecordError("empty_file", "the table has no row")
    file = _opened(source)
    paths = _paths(file, config)
    spent = first = 0
    for position, group in enumerate(index.groups):
        number = first
        try:
            batch_rows = _check_pages(source, [c for c in group.chunks if c.path in paths])
            for fields in _group_rows(file, position, group.rows, paths, batch_rows):
                spent += ROW_BYTES + sum(len(v) for v in fields.values() if isinstance(v, bytes))
                if spent > max(FREE_BYTES, MOST_RATIO * index.size):
                    raise _bomb(index.size, spent)
                yield _to_item(number, fields, config)
                number += 1
            if number < first + group.rows:
                raise ValueError(f"{number - first} rows of {group.rows} are there")
        except BadRecordError as error:
            yield Reject(number, error.reason, error.detail)
            if error.reason == "decompression_bomb":
                return
        except OSError as error:
            if error.errno is not None:  # the disk's error; Arrow's own is about the content
                raise
            yield _damaged(number, position, error)
        except _Unreadable as error:
            yield _damaged(number, position, error)
        first += group.rows


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


def _bomb(size: int, unpacked: int) -> BadRecordError:
    detail = f"{size} bytes of Parquet stand for {unpacked >> 20} MiB or more: no text is so dull"
    return BadRecordError("decompression_bomb", detail)


def _damaged(number: int, group: int, error: Exception) -> Reject:
    detail = f"row group {group} is damaged ({error}): what it has left is lost, get it again"
    return Reject(number, "unreadable", detail)


# --- columns


def _paths(file: pq.ParquetFile, config: Config) -> list[str]:
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
    file: pq.ParquetFile, position: int, left: int, paths: Sequence[str], batch_rows: int
) -> Iterator[dict[str, Any]]:
    """The rows of a row group: strings as bytes, other values as text or None."""
    for batch in file.iter_batches(batch_rows, [position], paths, use_threads=False):
        columns = [_values(_column(batch, path)) for path in paths]
        # More rows than the group should have would take the numbers of the next one's.
        for row in islice(zip(*columns, strict=True), left):
            yield dict(zip(paths, row, strict=True))
        left = max(0, left - batch.num_rows)


def _column(batch: pa.RecordBatch, path: str) -> pa.Array:
    names = batch.schema.names
    if path in names:
        return batch.column(names.index(path))
    name = next(name for name in names if path.startswith(f"{name}."))
    return pc.struct_field(batch.column(names.index(name)), path[len(name) + 1 :].split("."))


def _values(array: pa.Array) -> Iterable[bytes | str | None]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if kind in _TEXT_TYPES:  # as bytes, for Arrow does not look whether they are UTF-8
        return (value.as_py() for value in array.cast(pa.large_binary()))  # one at a time
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
    values: int
    end: int
    """Where the next page begins."""


def _check_pages(source: BinaryIO, chunks: Sequence[_Chunk]) -> int:
    """How many rows to read at a time, from the headers of the pages.

    Raises BadRecordError if a page is too large, ThriftError if its header is damaged.
    """
    rows, words = BATCH_ROWS, 0
    share = BATCH_BYTES // max(1, len(chunks))
    for chunk in chunks:
        pages = list(islice(_pages(source, chunk), MOST_PAGES + 1))
        largest = max((page.unpacked for page in pages), default=0)
        if largest > PAGE_BYTES or len(pages) > MOST_PAGES:
            raise BadRecordError(
                "too_large",
                f"{len(pages)} pages of up to {largest >> 20} MiB; at most {MOST_PAGES} of"
                f" {PAGE_BYTES >> 20} are read: write the table again with usual pages",
            )
        rows = min(rows, _rows_within(share, [p for p in pages if p.kind != DICTIONARY_PAGE]))
        # A dictionary may have nothing but one word, which all rows repeat.
        words += max((page.unpacked for page in pages if page.kind == DICTIONARY_PAGE), default=0)
    return max(1, min(rows, BATCH_BYTES // max(1, words)))


def _rows_within(size: int, pages: Sequence[_Page]) -> int:
    """How many rows in a row take no more than so many bytes, wherever they begin; at least 1."""
    # They may begin and end in the middle of a page, and the last page may have few.
    largest = max((page.unpacked for page in pages), default=0)
    fewest = min((page.values for page in pages[:-1]), default=BATCH_ROWS)
    return max(1, (size // max(1, largest) - 2) * fewest)


def _pages(source: BinaryIO, chunk: _Chunk) -> Iterator[_Page]:
    at = chunk.start
    while at < chunk.end:
        page = _page(source, at)
        yield page
        at = page.end


def _page(source: BinaryIO, at: int) -> _Page:
    for size in PAGE_HEADER_BYTES:
        source.seek(at)
        head = source.read(size)
        try:
            fields, length = read_struct(head)
        except CutShortError:
            continue
        kind, unpacked, packed = (_size(fields.get(n)) for n in (TYPE, UNPACKED, PACKED))
        data = fields.get(DATA_V1) or fields.get(DATA_V2)
        values = data.get(NUM_VALUES) if isinstance(data, dict) else 0
        return _Page(kind, unpacked, _size(values), at + length + packed)
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
                fields[name], wrong = _text(fields[name])
                damaged += wrong
        for name, value in fields.items():
            if isinstance(value, bytes):
                fields[name] = _decoded(value)
        return to_record(number, fields, "utf-8", config, damaged)
    except (BadRecordError, UndecodableError) as error:
        return Reject(number, error.reason, f"row {number + 1}: {error.detail}")


def _text(value: bytes) -> tuple[str, int]:
    try:
        return value.decode(), 0
    except UnicodeDecodeError:
        return decode_line(value, _UTF_8)


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
