"""Parquet parts: how they are written, and how columns of several stages are read side by side."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import StageError, UsageError
from pipeline.remote import remote
from pipeline.storage import Part, file_hash, replacing

KEY = b"pipeline"  # of the footer's metadata
LONG_TEXT = {"doc_id", "raw", "text", "restored"}
"""What hardly ever repeats. Only other text has a dictionary: of numbers it costs time, and a fifth
of the size of `flags`."""
GIANT_BYTES = 8_000_000
"""Of a row. Nobody wants to know between which two texts of that size a text stands, and to find
it out takes six times their size: 290 MB of memory for 47 MB. So of these parts the long columns
have no statistics."""


class PartFile:
    """A part that is being written."""

    def __init__(self, sink: pa.NativeFile, schema: pa.Schema, key: str, group_rows: int) -> None:
        self._sink, self._schema, self._group_rows = sink, schema, group_rows
        self._file: pq.ParquetWriter | None = None
        self.key = key
        """Hash of what it was made from. Noted when it is closed, so it may yet be set."""
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self.rows = 0
        """Rows appended so far."""
        self.files = 0
        """On the last file of a unit of work: how many files the unit has."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows: a row group for each batch, or for as many as make `group_rows`."""
        if batch.num_rows:
            self._waiting.append(batch)
            self._rows += batch.num_rows
            self.rows += batch.num_rows
            if self._rows >= self._group_rows:
                self.flush()

    def flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._opened(table).write_table(table, row_group_size=self._rows)
            self._waiting, self._rows = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def finish(self) -> None:
        """Write what waits, and note the key."""
        self.flush()
        noted = {KEY: json.dumps({"key": self.key, "files": self.files})}
        self._opened(None).add_key_value_metadata(noted)

    def _opened(self, first: pa.Table | None) -> pq.ParquetWriter:
        if self._file is None:
            leaves = dict(_leaves(self._schema))
            short = [path for path in leaves if path not in LONG_TEXT]
            is_giant = first is not None and first.nbytes >= GIANT_BYTES * first.num_rows
            self._file = pq.ParquetWriter(
                self._sink,
                self._schema,
                version="2.6",
                compression="zstd",
                use_dictionary=[path for path in short if pa.types.is_string(leaves[path])],
                write_statistics=short if is_giant else True,
                write_page_index=True,
            )
        return self._file


@contextmanager
def writing(
    directory: Path, name: str, schema: pa.Schema, key: str, group_rows: int = 1
) -> Iterator[PartFile]:
    """Write a part; it gets its name when the block ends without an error.

    Raises FileNotFoundError if the directory is gone: with it went what had been written before.
    """
    directory.stat()
    with (
        replacing(directory / name) as temporary,
        pa.OSFile(os.fsencode(temporary), "wb") as sink,  # as bytes: it need not be UTF-8
        PartFile(sink, schema, key, group_rows) as part,
    ):
        yield part
        part.finish()


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """For reading. Its path need not be UTF-8. It is not mapped into memory, where all that was
    ever read of it would count as held.
    """
    here = None if remote(path) else pa.OSFile(os.fsencode(path))
    with here or path.open("rb") as file:
        yield pq.ParquetFile(file)


def _leaves(
    fields: pa.Schema | pa.StructType, prefix: str = ""
) -> Iterator[tuple[str, pa.DataType]]:
    """Paths of the columns as Parquet names them, `flags.list.element.kind`, and their types."""
    for field in fields:
        path, kind = prefix + field.name, field.type
        if pa.types.is_list(kind):
            path, kind = f"{path}.list.{kind.value_field.name}", kind.value_type
        if pa.types.is_struct(kind):
            yield from _leaves(kind, f"{path}.")
        else:
            yield path, kind


def describe(directory: Path, name: str) -> Part | None:
    """What a finished part says of itself; None if there is none, or none of ours."""
    path = directory / name
    try:
        with path.open("rb") if remote(path) else pa.OSFile(os.fsencode(path)) as file:
            metadata = pq.read_metadata(file)
        made = json.loads(metadata.metadata[KEY])
        key, files = made["key"], made["files"]
    except (ValueError, KeyError, TypeError, FileNotFoundError):
        return None
    except OSError as error:
        if error.errno is not None:  # the disk's error; Arrow's own is about a damaged footer
            raise
        return None
    size = path.stat().st_size
    pages = size - metadata.serialized_size - 8  # the footer is followed by its length and `PAR1`
    return Part(name, key, files, metadata.num_rows, size, file_hash(path, pages))


def read_batches(
    stage: str, part: str, reads: Sequence[tuple[Path, Sequence[str]]]
) -> Iterator[pa.RecordBatch]:
    """The columns wanted of each file, side by side with `doc_id`, a row group at a time."""
    with ExitStack() as stack:
        files = [stack.enter_context(opened(path)) for path, _ in reads]
        for group in range(files[0].num_row_groups):
            tables = [
                file.read_row_group(group, columns=["doc_id", *columns], use_threads=False)
                for file, (_, columns) in zip(files, reads, strict=True)
            ]
            ids = tables[0]["doc_id"]
            for table, (path, _) in zip(tables[1:], reads[1:], strict=True):
                if not ids.equals(table["doc_id"]):
                    found = f"others in {path}"
                    raise StageError(stage, part, None, f"the documents of {reads[0][0]}", found)
            yield _side_by_side(tables)


def _side_by_side(tables: Sequence[pa.Table]) -> pa.RecordBatch:
    joined = tables[0]
    for table in tables[1:]:
        for name in table.column_names[1:]:
            joined = joined.append_column(table.schema.field(name), table[name])
    return one_batch(joined)


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """All rows as one batch, which can hold 2 GB of a column."""
    batches = table.combine_chunks().to_batches()
    if len(batches) > 1:
        raise UsageError("a batch has more than 2 GB of text: lower max_document_chars")
    return batches[0]


def rows_by_reason(path: Path) -> dict[str, int]:
    with opened(path) as file:
        reasons = file.read(columns=["reason"])["reason"]
    return {item["values"]: item["counts"] for item in pc.value_counts(reasons).to_pylist()}
