"""Files: whole or absent, locked while they change, and known by a hash of what is in them.

Everything is written under a temporary name in its own directory and then renamed, so that a name
without the suffix `.tmp` is a complete file, whenever the machine stops.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = "_manifest.json"
LOCK = ".lock"
REJECTS = "_rejects"  # the underscore keeps readers of the data set out of it


class Part(NamedTuple):
    """One finished Parquet file, as the manifest lists it."""

    name: str
    """Path relative to the directory of its stage."""
    key: str
    """Hash of everything that it was made from. All files of one unit of work share it."""
    files: int
    """On the file of a unit that is written last: how many files the unit has. Else 0."""
    rows: int
    size: int
    content: str
    """Hash of the file up to its footer: of what is in it, whatever it was made by."""


class Manifest(NamedTuple):
    """What a stage made, and from what. It is there only if all the parts are."""

    stage: str
    input: str
    """Path of the input, relative to this directory."""
    input_manifest: str | None
    """Hash of the manifest of the input; null for the files that `ingest` reads."""
    made_from: Mapping[str, Any]
    """Code, settings, data files, model and package versions: see `keys.ingredients`."""
    rows_in: int
    rows_out: Mapping[str, int]
    """Rows by table."""
    rejects: Mapping[str, int]
    """Records that `ingest` rejected, by reason."""
    parts: tuple[Part, ...]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` if all goes well, and vanishes if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    with replacing(path) as temporary:
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_manifest(directory: Path, manifest: Manifest) -> None:
    parts = [part._asdict() for part in manifest.parts]
    write_json(directory / MANIFEST, manifest._asdict() | {"parts": parts})


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest; None if there is none, or if it is none of ours."""
    try:
        fields = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        parts = tuple(Part(**part) for part in fields.pop("parts"))
        return Manifest(**fields, parts=parts)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None


def file_hash(path: Path, size: int = -1) -> str:
    """SHA-256 of a file, or of its first ``size`` bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size and (block := file.read(1 << 20 if size < 0 else min(size, 1 << 20))):
            digest.update(block)
            size -= len(block) if size > 0 else 0
    return digest.hexdigest()


def manifest_hash(directory: Path) -> str:
    return file_hash(directory / MANIFEST)


def part_paths(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("part-*.parquet") if path.is_file())


def is_finished(directory: Path) -> bool:
    return (directory / MANIFEST).is_file()


def remove_temporaries(directory: Path, *, deep: bool) -> None:
    """Remove what a run that was stopped has left. Only with the lock in hand."""
    for path in (directory.rglob if deep else directory.glob)(".*.tmp"):
        path.unlink(missing_ok=True)


def on_disk(directory: Path, part: Part) -> bool:
    """Whether a part that the manifest lists is still there."""
    try:
        return (directory / part.name).stat().st_size == part.size
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def locked(exclusive: list[Path], shared: list[Path]) -> Iterator[None]:
    """Hold the locks of directories. The system frees them when the process ends, however it ends.

    Raises BlockingIOError, with the directory as its file name, if another run holds one.
    """
    with ExitStack() as stack:
        for directory in exclusive:
            directory.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((directory / LOCK).open("a"))
            _lock(file.fileno(), fcntl.LOCK_EX, directory)
        for directory in shared:
            if (directory / LOCK).is_file():  # else it was copied here, and nobody writes to it
                file = stack.enter_context((directory / LOCK).open("r"))
                _lock(file.fileno(), fcntl.LOCK_SH, directory)
        yield


def _lock(descriptor: int, mode: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EWOULDBLOCK, "in use by another run", str(directory)) from None
