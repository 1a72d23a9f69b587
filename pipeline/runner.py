"""Plans what has to be made, has it made, and writes the manifest when all of it is there.

A stage's output is cut into parts, and each part says by a hash what it was made from. So a run
makes the parts that are missing or were made from something else, deletes those that nobody asks
for any more, and does nothing if there is nothing to do.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from pipeline import keys, parquet, parts, storage
from pipeline.accounts import counted
from pipeline.config import Config
from pipeline.duplicates import Copies, exact_copies
from pipeline.errors import StageError, UsageError
from pipeline.inputs import input_of, list_files, shards
from pipeline.outcome import Outcome
from pipeline.parts import Advance, Job
from pipeline.progress import is_json, progress, say, tell
from pipeline.remote import followed, relative, remote, within
from pipeline.runners import Workers, start
from pipeline.schema import STAGE_COLUMNS, TABLES
from pipeline.stages import STAGES
from pipeline.storage import CHECKPOINTS, MANIFEST, REJECTS, Manifest, Part
from pipeline.tally import Made, Tally, peak_bytes


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


def run(
    source: Path, output: Path, config: Config, workers: int, engine: str = "local"
) -> list[Outcome]:
    """All stages, from files to tables. Returns what came of each."""
    directories = {name: output / stage.directory for name, stage in STAGES.items()}
    _check_paths(source, list(directories.values()))
    with _locked(list(directories.values()), [], output), start(engine, workers) as crew:
        outcomes = []
        for name, directory in directories.items():
            outcomes.append(_bring_up_to_date(name, source, directory, config, crew))
            source = directory
    return outcomes


def run_stage(
    name: str, source: Path, target: Path, config: Config, workers: int, engine: str = "local"
) -> Outcome:
    """One stage, from the directory of an earlier one (or from files) to its own."""
    _check_paths(source, [target])
    inputs = [] if name == "ingest" else [at.directory for at in _chain(name, source).values()]
    with _locked([target], inputs), start(engine, workers) as crew:
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
        if within(ours, theirs) or within(theirs, ours):
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
) -> Outcome:
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
    draft = Manifest(stage, relative(source, target), seen, made_from, 0, {}, {}, ())
    if not todo and old is not None and _completed(draft, kept, chain, target, old) == old:
        outcome = Outcome(stage, target, old, 0, len(kept), time.monotonic() - started)
        _tell_end(outcome, "up to date")
        return outcome
    (target / MANIFEST).unlink(missing_ok=True)
    known = _known(stage, target, kept, chain)
    made, tally = _make(todo, crew, len(kept), known)
    manifest = _completed(draft, [*kept, *made], chain, target, old)
    _delete_others(target, manifest.parts)
    if lost := storage.missing(target, manifest.parts):
        found = "nothing: was the folder removed during the run? Run again"
        raise StageError(stage, None, None, str(target / lost), found)
    storage.write_manifest(target, manifest)
    seconds = time.monotonic() - started
    outcome = Outcome(stage, target, manifest, len(made), len(kept), seconds, tally, peak_bytes())
    work = f"{len(made):,} parts made, {len(kept):,} kept"
    _tell_end(outcome, f"{work}; {_rows(manifest)}; {seconds:.1f} s")
    return outcome


def _tell_end(outcome: Outcome, line: str) -> None:
    if is_json():
        tell("end", **outcome.fields())
    else:
        say(f"{outcome.stage}: {line}")


def _known(stage: str, target: Path, kept: Sequence[Part], chain: Chain) -> Tally:
    """What is known before a stage begins: of the parts that it need not make, and for the stages
    after `flag`, how much is spun; after `ingest`, what was rejected, and how much text there is.
    """
    known = counted(target, kept)
    if "ingest" not in chain:
        return known
    ingested = counted(chain["ingest"].directory, chain["ingest"].documents())
    flagged = Tally()
    if "flag" in chain and stage != "write":  # whose own parts tell it
        flagged = counted(chain["flag"].directory, chain["flag"].documents())
    return known._replace(
        rejects=chain["ingest"].manifest.rejects,
        text_bytes=ingested.text_bytes,
        spun=flagged.spun if flagged.spun is not None else known.spun,
        documents=flagged.documents or known.documents,
    )


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
    source = followed(directory, manifest.input)
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
        return storage.still_there(target, manifest.parts)
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
    _tidy([target])  # a killed run's worker may have left a file since we came
    names = {target / part.name for part in wanted}
    for path in storage.part_paths(target):
        if path not in names:
            path.unlink()
    if remote(target) is None:  # a store has no folders, and a job for it makes no checkpoints
        with suppress(FileNotFoundError, NotADirectoryError):
            (target / CHECKPOINTS).rmdir()


# --- making it


def _make(
    jobs: Sequence[Job], crew: Workers, n_kept: int, known: Tally
) -> tuple[list[Part], Tally]:
    """Have the jobs done. Returns their parts, and a tally of the whole stage."""
    if not jobs:
        return [], known
    stage = jobs[0].stage
    unit = "bytes" if stage == "ingest" else "documents"
    total = sum(job.weight for job in jobs)
    tell(
        "stage",
        stage=stage,
        total=total,
        unit=unit,
        parts_made=len(jobs),
        parts_kept=n_kept,
        workers=crew.count,
    )
    parts: list[Part] = []
    tally = known
    with progress(stage, total, unit, known) as report:
        for made in crew.map(jobs, report):
            parts += made.parts
            new = _news(stage, jobs[0].target, made, known)
            tally = tally.plus(new)
            report.add(new)
    return parts, tally


def _news(stage: str, target: Path, made: Made, known: Tally) -> Tally:
    """What a finished job adds to what is known. An engine may leave the counting to us."""
    tally = counted(target, made.parts) if made.tally is None else made.tally
    if stage == "ingest":
        return tally
    tally = tally._replace(rejects={}, text_bytes=0)  # `ingest` has told them
    is_counted = stage not in ("flag", "write") and known.spun is not None
    return tally._replace(documents=0) if is_counted else tally


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
