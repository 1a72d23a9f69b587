"""The work on one part, as a worker does it: read, call the stage, check, write."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.config import Config
from pipeline.duplicates import Copies
from pipeline.errors import StageError
from pipeline.parquet import PartFile, describe, one_batch, opened, read_batches, writing
from pipeline.records import Record, Reject
from pipeline.schema import DOC_ID, STAGE_COLUMNS, TABLES
from pipeline.stages import STAGES, load
from pipeline.storage import Part

BATCH_CHARS = 1_000_000
"""A batch, which becomes a row group, is closed once it holds this many characters."""
REJECTS_ROWS = 10_000
"""Rows in a row group of rejects."""

Advance = Callable[[int], None]
"""Called with the bytes or the documents that are done since the last call."""

Reads = tuple[tuple[Path, tuple[str, ...]], ...]
"""Files, and the columns that are wanted of each."""
Run = Callable[[pa.RecordBatch, Config], Any]


class SourceFile(NamedTuple):
    """One file of the input."""

    source: str
    """Path relative to INPUT, with slashes."""
    path: str
    size: int
    modified: int
    """In nanoseconds, like the next."""
    changed: int
    """When its content, name, owner or mode last changed. Unlike `modified` it cannot be set."""
    inode: int
    hash: str
    problem: str
    """Why it is not even opened; else empty."""


class Job(NamedTuple):
    """One unit of work: what a worker is handed."""

    make: Callable[["Job", Advance], list[Part]]
    """One of the functions below. It returns the files that it made."""
    stage: str
    name: str
    """`part-00003` for a shard of the input, `part-00003-00001` for one part of it."""
    marker: str
    """The file that is written last: if it is there, so are the others."""
    key: str
    weight: int
    """Bytes or documents, to show progress; the heaviest jobs start first."""
    target: Path
    config: Config
    reads: Reads = ()
    files: tuple[SourceFile, ...] = ()
    shard: int = 0
    copies: Copies = ()
    """Of the documents of this part, those whose text an earlier document has."""


def part_chars(config: Config, index: int) -> int:
    """Characters after which part ``index`` is closed.

    The first parts are small, and run last: so a few files, too, keep all workers busy to the end.
    """
    return max(1, config.shard_chars >> max(0, 3 - index // 16))


# --- ingest: files to batches


def ingest_shard(job: Job, advance: Advance) -> list[Part]:
    """Read the files; write their documents in parts, and one part of what was rejected."""
    names: list[str] = []
    found = Counter(dict.fromkeys((file.source for file in job.files), 0))
    with writing(job.target, job.marker, TABLES["rejects"], job.key, REJECTS_ROWS) as rejects:
        batches = _document_batches(job, rejects, found, advance)
        first = next(batches, None)
        while first is not None or not names:  # there is a part even if there is no document
            names.append(f"{job.name}-{len(names):05d}.parquet")
            limit = part_chars(job.config, job.shard + len(names) - 1)
            with writing(job.target, names[-1], _on_disk("ingest"), job.key) as documents:
                first = _fill(documents, first, batches, limit)
        rejects.files = len(names) + 1
        made = _described(job.target, names)
        _check_nothing_vanished(job, found, sum(part.rows for part in made) + rejects.rows)
    return [*made, *_described(job.target, [job.marker])]


def _check_nothing_vanished(job: Job, found: Counter[str], rows: int) -> None:
    """Every file has left something, and all of it is written. If not, there is no marker yet."""
    if silent := [source for source, items in found.items() if not items]:
        raise StageError("ingest", job.name, None, "a document or a reject", f"none: {silent[0]}")
    if rows != found.total():
        raise StageError("ingest", job.name, None, f"{found.total()} rows", f"{rows}")


class _Batch(NamedTuple):
    documents: pa.RecordBatch
    chars: int


def _fill(
    part: PartFile, first: _Batch | None, batches: Iterator[_Batch], limit: int
) -> _Batch | None:
    """Write batches until the part is full; return the one that opens the next part."""
    chars, batch = 0, first
    while batch is not None and chars < limit:
        part.write(batch.documents)
        chars += batch.chars
        batch = next(batches, None)
    return batch


def _document_batches(
    job: Job, rejects: PartFile, found: Counter[str], advance: Advance
) -> Iterator[_Batch]:
    documents_batch, rejects_batch = load("ingest").documents_batch, load("ingest").rejects_batch
    limit = min(BATCH_CHARS, part_chars(job.config, job.shard))
    waiting: list[pa.RecordBatch] = []
    chars = 0
    for file in job.files:
        records: list[Record] = []
        for item in _items(file, job.config, advance):
            found[file.source] += 1
            if isinstance(item, Reject):
                rejects.write(rejects_batch(file.source, [item]))
                continue
            records.append(item)
            chars += sum(len(value) for value in item if isinstance(value, str))
            if chars >= limit:
                waiting.append(documents_batch(file.source, records))
                yield _Batch(_joined(waiting), chars)
                records, waiting, chars = [], [], 0
        if records:
            waiting.append(documents_batch(file.source, records))
    if waiting:
        yield _Batch(_joined(waiting), chars)


def _items(file: SourceFile, config: Config, advance: Advance) -> Iterator[Record | Reject]:
    """The records of a file, and one more reject if the system stops the reading."""
    if file.problem:
        yield Reject(None, "unreadable", file.problem)
        return
    position = 0
    try:
        with Path(file.path).open("rb") as stream:
            for item in load("ingest").ingest(file.source, stream, config):
                yield item
                advance(stream.tell() - position)
                position = stream.tell()
            now = os.fstat(stream.fileno())
    except FileNotFoundError:
        yield Reject(None, "changed", "the file vanished before it was read: run again")
        return
    except OSError as error:
        yield Reject(None, "unreadable", error.strerror or str(error))
        return
    advance(file.size - position)
    if (now.st_size, now.st_mtime_ns) != (file.size, file.modified):
        yield Reject(None, "changed", "the file was written to while it was read: run again")


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return one_batch(pa.Table.from_batches(batches))


# --- the stages that add columns


def add_columns(job: Job, advance: Advance) -> list[Part]:
    """Hand the stage its columns, a batch at a time; write the new ones beside `doc_id`."""
    schema = _on_disk(job.stage)
    with writing(job.target, job.marker, schema, job.key) as written:
        written.files = 1
        for batch in read_batches(job.stage, job.name, job.reads):
            columns = new_columns(job.stage, batch, job.config, job.name)
            doc_id = batch.column("doc_id")
            written.write(pa.record_batch([doc_id, *columns.columns], schema=schema))
            advance(batch.num_rows)
    return _described(job.target, [job.marker])


def new_columns(
    stage: str, batch: pa.RecordBatch, config: Config, part: str | None = None
) -> pa.RecordBatch:
    """What the stage returns for the batch, checked."""
    columns = _call(stage, batch, config, part)
    wanted = STAGE_COLUMNS[stage]
    if columns.num_rows != batch.num_rows:
        expected, found = f"{batch.num_rows} rows", f"{columns.num_rows}"
    elif not columns.schema.equals(wanted):
        expected, found = f"the columns {_types(wanted)}", _types(columns.schema)
    elif missing := [f.name for f in wanted if not f.nullable and columns[f.name].null_count]:
        expected, found = "no null", f"one in {missing[0]}"
    else:
        return columns
    raise StageError(stage, part, None, expected, found)


def _types(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def _call(stage: str, batch: pa.RecordBatch, config: Config, part: str | None) -> Any:
    run = load(stage).run
    try:
        return run(batch, config)
    except Exception as error:  # nothing is swallowed: it is named, and raised again
        doc_id = _culprit(run, batch, config)
        found = f"{type(error).__name__}: {error}"
        raise StageError(stage, part, doc_id, "no error", found) from error


def _culprit(run: Run, batch: pa.RecordBatch, config: Config) -> str | None:
    """The first document that fails alone, too."""
    for row in range(batch.num_rows):
        one = batch.slice(row, 1)
        try:
            run(one, config)
        except Exception:  # noqa: BLE001 - the caller raises it
            return str(one["doc_id"][0])
    return None


def _on_disk(stage: str) -> pa.Schema:
    schema = STAGE_COLUMNS[stage]
    return schema if stage == "ingest" else schema.insert(0, DOC_ID)


# --- write: batches to tables


def write_tables(job: Job, advance: Advance) -> list[Part]:
    """Write one part of each table that is made from documents."""
    names = {table: f"{table}/{job.name}.parquet" for table in TABLES if table != "rejects"}
    with ExitStack() as stack:  # the first to be opened, which is the marker, gets its name last
        files = {
            table: stack.enter_context(writing(job.target, name, TABLES[table], job.key))
            for table, name in names.items()
        }
        files["documents"].files = len(names)
        done = 0
        for batch in read_batches(job.stage, job.name, job.reads):
            whole = with_copies(batch, {row - done: first for row, first in job.copies})
            done += batch.num_rows
            for table, rows in table_rows(whole, job.config, job.name).items():
                files[table].write(rows)
            advance(batch.num_rows)
    return _described(job.target, list(names.values()))


def with_copies(batch: pa.RecordBatch, copies: Mapping[int, str]) -> pa.RecordBatch:
    """The batch with the column `duplicate_of`, given the rows that are copies."""
    first = pa.array([copies.get(row) for row in range(batch.num_rows)], pa.string())
    return batch.append_column(TABLES["documents"].field("duplicate_of"), first)


def table_rows(
    batch: pa.RecordBatch, config: Config, part: str | None = None
) -> Mapping[str, pa.RecordBatch]:
    """The rows of each table, checked."""
    tables: Mapping[str, pa.RecordBatch] = _call("write", batch, config, part)
    for table, rows in tables.items():
        if not rows.schema.equals(TABLES[table]):
            expected, found = f"{table} with {_types(TABLES[table])}", _types(rows.schema)
            raise StageError("write", part, None, expected, found)
    if tables["documents"].num_rows != batch.num_rows:
        found = f"{tables['documents'].num_rows}"
        raise StageError("write", part, None, f"{batch.num_rows} documents", found)
    return tables


def copy_rejects(job: Job, _: Advance) -> list[Part]:
    """Give what `ingest` rejected its place among the tables."""
    [(source, _columns)] = job.reads
    with (
        writing(job.target, job.marker, TABLES["rejects"], job.key, REJECTS_ROWS) as written,
        opened(source) as rejects,
    ):
        written.files = 1
        for batch in rejects.iter_batches(REJECTS_ROWS):
            written.write(batch.cast(TABLES["rejects"]))
    return _described(job.target, [job.marker])


# --- one text, in memory


def clean_record(source: str, record: Record, config: Config) -> Mapping[str, pa.RecordBatch]:
    """All the stages on one record, without a file: the same code, so the same tables."""
    batch = load("ingest").documents_batch(source, [record])
    for stage in STAGES:
        if stage in STAGE_COLUMNS and stage != "ingest":
            columns = new_columns(stage, batch, config)
            batch = pa.record_batch(
                [*batch.columns, *columns.columns],
                schema=pa.schema([*batch.schema, *columns.schema]),
            )
    return table_rows(with_copies(batch, {}), config)


def _described(directory: Path, names: Sequence[str]) -> list[Part]:
    made = [part for name in names if (part := describe(directory, name))]
    if len(made) != len(names):
        raise OSError(errno.EIO, "what was just written cannot be read", str(directory))
    return made
