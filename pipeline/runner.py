"""Plans what has to be made, has it made, and writes the manifest when all of it is there.

A stage's output is cut into parts, and each part says by a hash what it was made from. So a run
makes the parts that are missing or were made from something else, deletes those that nobody asks
for any more, and does nothing if there is nothing to do.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from pipeline import keys, parquet, parts, storage
from pipeline.config import Config
from pipeline.duplicates import Copies, exact_copies
from pipeline.errors import StageError, UsageError
from pipeline.inputs import input_of, list_files, shards
from pipeline.parts import Advance, Job
from pipeline.progress import progress, say
from pipeline.schema import STAGE_COLUMNS, TABLES
from pipeline.stages import STAGES
from pipeline.storage import CHECKPOINTS, MANIFEST, REJECTS, Manifest, Part
from pipeline.workers import Workers


class Finished(NamedTuple):
    """The output of an earlier stage, complete."""

    directory: Path
    manifest: Manifest

    def documents(self) -> list[Part]:
        return [part for part in self.manifest.parts if "/" not in part.name]

    def rejects(self) -> list[Part]:
        return [part for part in self.manifest.parts if part.name.startswith(f"{REJECTS}/")]


Chain = Mapping[str, Finished]
"""The stages whose columns an input offers, by name, from `ingest` on."""


def run(source: Path, output: Path, config: Config, workers: int) -> Manifest:
    """All stages, from files to tables. Returns the manifest of the tables."""
    directories = {name: output / stage.directory for name, stage in STAGES.items()}
    _check_paths(source, list(directories.values()))
    with _locked(list(directories.values()), [], output), Workers(workers) as crew:
        for name, directory in directories.items():
            manifest = _bring_up_to_date(name, source, directory, config, crew)
            source = directory
    return manifest


def run_stage(name: str, source: Path, target: Path, config: Config, workers: int) -> Manifest:
    """One stage, from the directory of an earlier one (or from files) to its own."""
    _check_paths(source, [target])
    inputs = [] if name == "ingest" else [at.directory for at in _chain(name, source).values()]
    with _locked([target], inputs), Workers(workers) as crew:
        return _bring_up_to_date(name, source, target, config, crew)


def summary(directory: Path, manifest: Manifest) -> str:
    """What there is now. Raises StageError if that is no document at all."""
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in manifest.rejects.items())
    if not manifest.rows_out["documents"]:
        found = f"none, and these rejects: {reasons}" if reasons else "none, nor anything rejected"
        raise StageError(manifest.stage, None, None, "at least one document", found)
    return f"{directory}: {_rows(manifest)}{f' ({reasons})' if reasons else ''}"


def check_input_stayed(manifest: Manifest) -> None:
    """Raises StageError if some of it did not, and so is not in the tables."""
    if changed := manifest.rejects.get("changed", 0):
        files = "1 file that was" if changed == 1 else f"{changed:,} files that were"
        found = f"{files} changed or removed while it was read (rejected as `changed`): run again"
        raise StageError("ingest", None, None, "an input that stays as it is", found)


def _check_paths(source: Path, targets: Sequence[Path]) -> None:
    source = input_of(source).root
    if not source.exists():
        raise UsageError(f"{source} does not exist")
    for target in targets:
        existing = next(path for path in (target, *target.parents) if path.exists())
        if not existing.is_dir():
            raise UsageError(f"{existing} is a file: name a directory for the output")
        ours, theirs = target.resolve(), source.resolve()
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            message = f"{target} and {source} must not lie in one another: it would read its output"
            raise UsageError(message)
        if not storage.is_ours(target):
            raise UsageError(f"{target} holds other files: name an empty folder, or a new one")


@contextmanager
def _locked(exclusive: list[Path], shared: list[Path], *beside: Path) -> Iterator[None]:
    """Have the directories for ourselves, and leave nothing half done in them, nor ``beside``."""
    try:
        with storage.locked(exclusive, shared):
            _tidy([*exclusive, *beside])
            try:
                yield
            finally:  # again: a worker whose parent was killed lives some milliseconds longer
                _tidy([*exclusive, *beside])
    except BlockingIOError as error:
        message = f"another run is at work in {error.filename}: wait for it, or end it"
        raise UsageError(message) from None


def _tidy(directories: Sequence[Path]) -> None:
    for directory in directories:
        storage.remove_temporaries(directory)


def _bring_up_to_date(
    stage: str, source: Path, target: Path, config: Config, crew: Workers
) -> Manifest:
    started = time.monotonic()
    old = storage.read_manifest(target)
    if old is not None and old.stage != stage:
        raise UsageError(f"{target} holds what `{old.stage}` made: name another folder")
    chain = {} if stage == "ingest" else _chain(stage, source)
    made_from = keys.ingredients(stage, config)
    seed = Job(_maker(stage), stage, "", "", keys.digest(made_from), 0, target, config)
    jobs = list(_later_jobs(seed, chain) if chain else _ingest_jobs(seed, source, crew.count))
    there = _by_key(_parts_there(target, old))
    todo = [job for job in jobs if not _is_made(job, there)]
    skipped = {job.key for job in jobs}.difference(job.key for job in todo)
    kept = [part for key in skipped for part in there[key]]
    seen = storage.manifest_hash(source) if chain else None
    draft = Manifest(stage, os.path.relpath(source, target), seen, made_from, 0, {}, {}, ())
    if not todo and old is not None and _completed(draft, kept, chain, target, old) == old:
        say(f"{stage}: up to date")
        return old
    (target / MANIFEST).unlink(missing_ok=True)
    made = [part for done in _make(todo, crew) for part in done]
    manifest = _completed(draft, [*kept, *made], chain, target, old)
    _delete_others(target, manifest.parts)
    if lost := storage.missing(target, manifest.parts):
        found = "nothing: was the folder removed during the run? Run again"
        raise StageError(stage, None, None, str(target / lost), found)
    storage.write_manifest(target, manifest)
    work = f"{len(made):,} parts made, {len(kept):,} kept"
    say(f"{stage}: {work}; {_rows(manifest)}; {time.monotonic() - started:.1f} s")
    return manifest


# --- what has to be there


def _chain(stage: str, source: Path) -> Chain:
    """Follow the manifests back to the first stage. Each must know the one before as it is now."""
    chain: dict[str, Finished] = {}
    directory: Path | None = source
    while directory is not None:
        manifest = storage.read_manifest(directory)
        if manifest is None:
            before = list(takewhile(lambda name: name not in {stage, *chain}, STAGES))[-1]
            raise UsageError(f"{directory} holds no finished stage: run `{before}` first")
        lost = next((p.name for p in manifest.parts if not storage.on_disk(directory, p)), None)
        if lost:
            raise UsageError(f"{directory} lacks {lost}: run `{manifest.stage}` again")
        chain[manifest.stage] = Finished(directory, manifest)
        directory = _input_of(directory, manifest)
    for column in STAGES[stage].reads:
        if not any(column in STAGE_COLUMNS[name].names for name in chain if name != "write"):
            maker = next(name for name in STAGE_COLUMNS if column in STAGE_COLUMNS[name].names)
            raise UsageError(
                f"{stage} reads `{column}`, and {source} lacks it: run `{maker}` first"
            )
    return dict(reversed(chain.items()))


def _input_of(directory: Path, manifest: Manifest) -> Path | None:
    if manifest.input_manifest is None:
        return None
    source = Path(os.path.normpath(directory / manifest.input))
    if not storage.is_finished(source):
        raise UsageError(f"{source} is unfinished, and {directory} was made from it: run it again")
    if storage.manifest_hash(source) != manifest.input_manifest:
        message = f"{source} has changed since {directory} was made: run `{manifest.stage}` again"
        raise UsageError(message)
    return source


def _maker(stage: str) -> Callable[[Job, Advance], list[Part]]:
    return {"ingest": parts.ingest_shard, "write": parts.write_tables}.get(stage, parts.add_columns)


def _ingest_jobs(seed: Job, source: Path, threads: int) -> Iterator[Job]:
    """A job for each shard of the input. `seed.key` stands for all but the input itself."""
    files = list_files(input_of(source), seed.target, threads)
    for index, shard in enumerate(shards(files, seed.config)):
        name = f"part-{index:05d}"
        content = [(file.source, file.hash, file.problem) for file in shard]
        yield seed._replace(
            name=name,
            marker=f"{REJECTS}/{name}.parquet",
            key=keys.digest([seed.key, name, content]),
            weight=sum(file.size for file in shard),
            files=shard,
            shard=index,
        )


def _later_jobs(seed: Job, chain: Chain) -> Iterator[Job]:
    """A job for each part of the input, which reads the part of that name of earlier stages."""
    tables = "documents/" if seed.stage == "write" else ""
    wanted = {
        name: tuple(c for c in STAGES[seed.stage].reads if c in STAGE_COLUMNS[name].names)
        for name in chain
    }
    offered = {
        name: {part.name: part for part in chain[name].documents()}
        for name, columns in wanted.items()
        if columns
    }
    documents = chain["ingest"].documents()
    copies: list[Copies] = [()] * len(documents)
    if seed.stage == "write":
        copies = exact_copies([chain["normalise"].directory / part.name for part in documents])
    for part, copied in zip(documents, copies, strict=True):
        yield seed._replace(
            name=part.name.removesuffix(".parquet"),
            marker=f"{tables}{part.name}",
            key=keys.digest(
                [seed.key, part.name, [o[part.name].content for o in offered.values()], copied]
            ),
            weight=part.rows,
            reads=tuple((chain[name].directory / part.name, wanted[name]) for name in offered),
            copies=copied,
        )
    if seed.stage == "write":
        for part in chain["ingest"].rejects():
            name = part.name.removeprefix(f"{REJECTS}/")
            yield seed._replace(
                make=parts.copy_rejects,
                name=name.removesuffix(".parquet"),
                marker=f"rejects/{name}",
                key=keys.digest([seed.key, part.name, part.content]),
                reads=((chain["ingest"].directory / part.name, ()),),
            )


# --- what is there


def _parts_there(target: Path, manifest: Manifest | None) -> list[Part]:
    """With a manifest nothing is opened. Without one a run was interrupted: ask every file."""
    if manifest is not None:
        return [part for part in manifest.parts if storage.on_disk(target, part)]
    names = [path.relative_to(target).as_posix() for path in storage.part_paths(target)]
    return [part for name in names if (part := parquet.describe(target, name))]


def _by_key(found: Sequence[Part]) -> Mapping[str, list[Part]]:
    groups: dict[str, list[Part]] = {}
    for part in found:
        groups.setdefault(part.key, []).append(part)
    return groups


def _is_made(job: Job, there: Mapping[str, list[Part]]) -> bool:
    group = there.get(job.key, [])
    return any(part.name == job.marker and part.files == len(group) for part in group)


def _delete_others(target: Path, wanted: Sequence[Part]) -> None:
    names = {target / part.name for part in wanted}
    for path in storage.part_paths(target):
        if path not in names:
            path.unlink()
    with suppress(FileNotFoundError, NotADirectoryError):
        (target / CHECKPOINTS).rmdir()


# --- making it


def _make(jobs: Sequence[Job], crew: Workers) -> Iterator[list[Part]]:
    if jobs:
        unit = "bytes" if jobs[0].stage == "ingest" else "documents"
        with progress(jobs[0].stage, sum(job.weight for job in jobs), unit) as report:
            yield from crew.map(jobs, report)


def _completed(
    draft: Manifest, made: Sequence[Part], chain: Chain, target: Path, old: Manifest | None
) -> Manifest:
    """The manifest for these parts. What comes in goes out, or is rejected with a reason."""
    listed = tuple(sorted(made))
    rows: Counter[str] = Counter()
    for part in listed:
        rows[_table(part)] += part.rows
    if not chain:
        known = old is not None and old.parts == listed
        rejects = old.rejects if known and old else _rejects_by_reason(target, listed)
        return draft._replace(
            parts=listed, rows_in=rows.total(), rows_out=dict(rows), rejects=rejects
        )
    source = chain["ingest"].manifest
    rows_in = source.rows_in if draft.stage == "write" else source.rows_out["documents"]
    rows_out = sum(rows[table] for table in ("documents", "rejects"))
    if rows_out != rows_in:
        raise StageError(draft.stage, None, None, f"{rows_in} rows", f"{rows_out}")
    return draft._replace(
        parts=listed,
        rows_in=rows_in,
        rows_out=dict(rows),
        rejects=source.rejects,
    )


def _table(part: Part) -> str:
    folder, _, name = part.name.rpartition("/")
    return folder.lstrip("_") if name and folder else "documents"


def _rejects_by_reason(target: Path, listed: Sequence[Part]) -> Mapping[str, int]:
    reasons: Counter[str] = Counter()
    for part in listed:
        if _table(part) == "rejects" and part.rows:
            reasons.update(parquet.rows_by_reason(target / part.name))
    return dict(reasons)


def _rows(manifest: Manifest) -> str:
    rows = manifest.rows_out
    return ", ".join(f"{table} {rows[table]:,}" for table in TABLES if table in rows)
