"""The work on one part, as a worker does it: read, call the stage, check, write."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.config import Config
from pipeline.duplicates import Copies
from pipeline.errors import StageError, is_ours
from pipeline.parquet import PartFile, describe, one_batch, opened, read_batches, writing
from pipeline.records import SYSTEM_SAYS, Record, Reject
from pipeline.schema import DOC_ID, STAGE_COLUMNS, TABLES
from pipeline.stages import STAGES, load
from pipeline.storage import CHECKPOINTS, Part

BATCH_CHARS = 1_000_000
"""A batch, which becomes a row group, is closed once it holds this many characters."""
GIANT_CHARS = 4_000_000
"""A document from this length on has a part of its own, as large as other parts: of what has to be
held at once, it is the most."""
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
    """Read the files; write their documents in parts, and one part of what was rejected.

    A large file leaves a checkpoint beside each part. What an interrupted run has made of it up to
    the last one is kept, and the reading goes on from there.
    """
    kept = _last_checkpoint(job)
    names = [part.name for part in kept.parts]
    found = Counter(dict.fromkeys((file.source for file in job.files), 0))
    with writing(job.target, job.marker, TABLES["rejects"], job.key, REJECTS_ROWS) as rejects:
        said = _Rejects(rejects)
        said.repeat(job.target / part.name for part in kept.checkpoints)
        if kept.parts:
            found[job.files[0].source] += kept.documents + rejects.rows
        batches = _document_batches(job, said, found, advance, kept.record)
        while _write_part(job, names, said, batches):
            pass
        rejects.files = len(names) + 1
        made = [*kept.parts, *_described(job.target, names[len(kept.parts) :])]
        _check_nothing_vanished(job, found, sum(part.rows for part in made) + rejects.rows)
        if said.passing:
            rejects.key = f"{job.key}, to be read again"
    made += _described(job.target, [job.marker])
    for name in names:
        (job.target / CHECKPOINTS / name).unlink(missing_ok=True)
    return made


def _write_part(
    job: Job, names: list[str], rejects: "_Rejects", batches: Iterator["_Batch"]
) -> bool:
    """Write the next part, if there is one; add its name. Returns whether more may follow."""
    name = f"{job.name}-{len(names):05d}.parquet"
    limit = part_chars(job.config, job.shard + len(names))
    with _checkpoint(job, name) as rejects.since_checkpoint:
        batch = next(batches, None)
        if batch is None and names:  # there is a part even if there is no document
            return False
        with writing(job.target, name, _on_disk("ingest"), job.key) as documents:
            chars = 0
            while batch is not None:
                documents.write(batch.documents)
                chars += batch.chars
                if batch.is_last or batch.ends_part or chars >= limit:
                    break
                batch = next(batches, None)
        names.append(name)
        more = batch is not None and not batch.is_last
        if rejects.since_checkpoint and more and _as_listed(job.files[0]):
            rejects.since_checkpoint.files = 1
    return more


class _Rejects:
    """Where rejects go: into the part of the shard, and beside the documents of a large file."""

    def __init__(self, whole: PartFile) -> None:
        self._whole = whole
        self.since_checkpoint: PartFile | None = None
        self.passing = False
        """Whether one tells of what may be over by the next run."""

    def write(self, source: str, reject: Reject) -> None:
        row = load("ingest").rejects_batch(source, [reject])
        self._whole.write(row)
        if self.since_checkpoint is not None:
            self.since_checkpoint.write(row)
        self.passing |= reject.reason == "changed" or reject.detail.startswith(SYSTEM_SAYS)

    def repeat(self, checkpoints: Iterable[Path]) -> None:
        """Write what stands in checkpoints, row by row as it came: so pages end where they did."""
        for path in checkpoints:
            with opened(path) as file:
                for batch in file.iter_batches(REJECTS_ROWS):
                    rows = batch.cast(TABLES["rejects"])
                    for row in range(rows.num_rows):
                        self._whole.write(rows.slice(row, 1))


class _Kept(NamedTuple):
    """What an interrupted run has made of a large file, up to its last checkpoint."""

    parts: tuple[Part, ...] = ()
    checkpoints: tuple[Part, ...] = ()
    record: int | None = None
    """Number of the last document in the file."""

    @property
    def documents(self) -> int:
        return sum(part.rows for part in self.parts)


def _checkpoint(job: Job, name: str) -> AbstractContextManager[PartFile | None]:
    """A file for the rejects since the checkpoint before. It counts only if its `files` is 1.

    With the documents of its part it says all that the reading had found. Only for a file that
    takes long to read again: the others of a shard are together smaller than a part.
    """
    if not _is_large(job):
        return nullcontext()
    key = f"{job.key}, checkpoint"  # another: it is no file of the finished shard
    name = f"{CHECKPOINTS}/{name}"
    return writing(job.target, name, TABLES["rejects"], key, REJECTS_ROWS)


def _is_large(job: Job) -> bool:
    return len(job.files) == 1 and job.weight > part_chars(job.config, job.shard)


def _last_checkpoint(job: Job) -> _Kept:
    if not _is_large(job):
        return _Kept()
    parts: list[Part] = []
    checkpoints: list[Part] = []
    while True:
        name = f"{job.name}-{len(parts):05d}.parquet"
        part = describe(job.target, name)
        checkpoint = describe(job.target, f"{CHECKPOINTS}/{name}")
        if part is None or part.key != job.key or not part.rows:
            break
        if checkpoint is None or (checkpoint.key, checkpoint.files) != (
            f"{job.key}, checkpoint",
            1,
        ):
            break
        parts.append(part)
        checkpoints.append(checkpoint)
    if not parts:
        return _Kept()
    with opened(job.target / parts[-1].name) as file:
        last = file.read_row_group(file.num_row_groups - 1, ["record"], use_threads=False)
    return _Kept(tuple(parts), tuple(checkpoints), last["record"][-1].as_py())


def _as_listed(file: SourceFile) -> bool:
    """Whether a file is still the one whose hash is in the key, as far as its stamp tells."""
    try:
        now = Path(file.path).stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (file.size, file.modified)


def _check_nothing_vanished(job: Job, found: Counter[str], rows: int) -> None:
    """Every file has left something, and all of it is written. If not, there is no marker yet."""
    if silent := [source for source, items in found.items() if not items]:
        raise StageError("ingest", job.name, None, "a document or a reject", f"none: {silent[0]}")
    if rows != found.total():
        raise StageError("ingest", job.name, None, f"{found.total()} rows", f"{rows}")


class _Batch(NamedTuple):
    documents: pa.RecordBatch
    chars: int
    is_last: bool
    """Closed by the end of the input, not by its size. Whatever is to be rejected has been."""
    ends_part: bool = False
    """What follows begins another part."""


def _document_batches(
    job: Job, rejects: _Rejects, found: Counter[str], advance: Advance, after: int | None
) -> Iterator[_Batch]:
    documents_batch = load("ingest").documents_batch
    limit = min(BATCH_CHARS, part_chars(job.config, job.shard))
    waiting: list[pa.RecordBatch] = []
    chars = 0
    for file in job.files:
        records: list[Record] = []
        for item in _items(file, job.config, advance, after):
            found[file.source] += 1
            if isinstance(item, Reject):
                rejects.write(file.source, item)
                continue
            size = sum(len(value) for value in item if isinstance(value, str))
            if size >= GIANT_CHARS and chars:
                waiting.append(documents_batch(file.source, records))
                yield _Batch(_joined(waiting), chars, is_last=False, ends_part=True)
                records, waiting, chars = [], [], 0
            records.append(item)
            chars += size
            if chars >= limit:
                waiting.append(documents_batch(file.source, records))
                yield _Batch(_joined(waiting), chars, is_last=False, ends_part=size >= GIANT_CHARS)
                records, waiting, chars = [], [], 0
        if records:
            waiting.append(documents_batch(file.source, records))
    if waiting:
        yield _Batch(_joined(waiting), chars, is_last=True)


def _items(
    file: SourceFile, config: Config, advance: Advance, after: int | None
) -> Iterator[Record | Reject]:
    """The records of a file, and one more reject if the system stops the reading."""
    if file.problem:
        yield Reject(None, "unreadable", file.problem)
        return
    position = 0
    try:
        with Path(file.path).open("rb") as stream:
            for item in load("ingest").ingest(file.source, stream, config, after):
                yield item
                advance(stream.tell() - position)
                position = stream.tell()
            now = os.fstat(stream.fileno())
    except FileNotFoundError:
        yield Reject(None, "changed", "the file vanished before it was read: run again")
        return
    except OSError as error:
        if is_ours(error):
            raise
        yield Reject(None, "unreadable", f"{SYSTEM_SAYS}{error.strerror or error}")
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
