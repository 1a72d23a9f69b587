"""What must be true of an output: at any moment, and when a run has reached its end."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.stages import STAGES
from pipeline.storage import CHECKPOINTS, MANIFEST, PART, on_disk, read_manifest
from tests.conftest import contents

Contents = Mapping[str, bytes]


def at_any_moment(output: Path, allowed: list[Contents], *, whole: bool) -> Iterator[str]:
    """What is wrong with an output whose run has been killed.

    ``allowed``: the contents of finished outputs; a file is to be as it is in one of them.
    ``whole``: nobody has deleted what a manifest lists.
    """
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output).as_posix()
        if not PART.fullmatch(path.name) and path.suffix != ".html":
            continue
        data = _bytes(path)
        if data is None:
            continue
        if CHECKPOINTS in path.parts:
            if not _is_whole(data):
                yield f"{name} is cut off"
        elif data not in [files.get(name) for files in allowed]:
            yield f"{name} is not as it should be"
    for stage in STAGES.values():
        folder = output / stage.directory
        data, manifest = _bytes(folder / MANIFEST), read_manifest(folder)
        if data is None:
            continue
        name = f"{stage.directory}/{MANIFEST}"
        if data not in [files.get(name) for files in allowed]:
            yield f"{name} is not as it should be"
        lost = (
            [p.name for p in manifest.parts if not on_disk(folder, p)] if manifest else ["itself"]
        )
        if lost and whole and _bytes(folder / MANIFEST) == data:
            yield f"{name} lists {lost[0]}, which is not there"


def _is_whole(parquet: bytes) -> bool:
    try:
        pq.read_table(pa.BufferReader(parquet))
    except (OSError, ValueError):  # Arrow's own errors are among these
        return False
    return True


def _bytes(path: Path) -> bytes | None:
    """None if it is not there, or not any more: a run that was told to stop tidies up first."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def at_the_end(output: Path, reference: Contents) -> Iterator[str]:
    """What is wrong with an output whose run has reached its end."""
    found = contents(output)
    for name in sorted({*found, *reference}):
        if found.get(name) != reference.get(name):
            state = "is missing" if name not in found else "is too many"
            yield f"{name} {state if name not in found or name not in reference else 'differs'}"
    manifest = read_manifest(output / STAGES["write"].directory)
    if manifest is None:
        yield "there is no manifest of the tables"
    elif manifest.rows_in != sum(manifest.rows_out[table] for table in ("documents", "rejects")):
        yield f"{manifest.rows_in} rows came in, {manifest.rows_out} went out"


def doubled(output: Path) -> int:
    """Documents that stand in the tables more than once."""
    rows = pq.read_table(output / STAGES["write"].directory / "documents", columns=["doc_id"])
    counts = Counter(rows["doc_id"].to_pylist())
    return sum(count - 1 for count in counts.values())


def stage_at_work(output: Path) -> str:
    """The first stage without a manifest."""
    if not (output / STAGES["ingest"].directory).exists():
        return "start"
    for name, stage in STAGES.items():
        if not (output / stage.directory / MANIFEST).exists():
            return name
    return "report"
