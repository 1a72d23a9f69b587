"""Files: whole or absent, locked while they change, and known by a hash of what is in them.

Everything is written under a temporary name in its own directory and then renamed, so that a name
without the suffix `.tmp` is a complete file, whenever the machine stops.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any, NamedTuple
from uuid import uuid4

from pipeline.leases import check_free, leased
from pipeline.remote import remote
from pipeline.schema import TABLES

MANIFEST = "_manifest.json"
LOCK = ".lock"
HASHES = "_files.json"
REJECTS = "_rejects"  # the underscore keeps readers of the data set out of it
CHECKPOINTS = "_checkpoints"
"""Of large files, as long as their shard is unfinished."""
FOLDERS = (REJECTS, CHECKPOINTS, *TABLES)
"""The folders that a stage's directory may have."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

PART = re.compile(r"part-\d{5,}(-\d{5,})?\.parquet")
OTHERS = r"_\w+\.json|report\.html|stdin[\w.]*"
TEMPORARY = re.compile(rf"\.({PART.pattern}|{OTHERS})\.[0-9a-f]+\.tmp")


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


PART_TYPES = (str, str, int, int, int, str)
MANIFEST_TYPES = (str, str, (str, NoneType), dict, int, dict, dict, tuple)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` if all goes well, and vanishes if not."""
    if (there := remote(path)) is not None:
        with TemporaryDirectory() as folder:
            yield Path(folder) / path.name
            there.send(Path(folder) / path.name)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two may write one file at once, on different machines: an engine that tries a job twice.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in NO_ROOM and error.filename is None:  # few of those who raise it say where
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    with replacing(path) as temporary:
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
        # A byte of a path that is no UTF-8 is written as JSON's own escape, and so comes back.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def write_manifest(directory: Path, manifest: Manifest) -> None:
    parts = [part._asdict() for part in manifest.parts]
    write_json(directory / MANIFEST, manifest._asdict() | {"parts": parts})


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest; None if there is none, or if it is none of ours."""
    try:
        fields = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        parts = tuple(Part(**part) for part in fields["parts"])
        manifest = Manifest(**{**fields, "parts": parts})
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None
    shaped = _are(manifest, MANIFEST_TYPES) and all(_are(part, PART_TYPES) for part in parts)
    return manifest if shaped else None


def _are(values: Sequence[Any], types: Sequence[Any]) -> bool:
    return all(isinstance(value, kind) for value, kind in zip(values, types, strict=True))


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
    return sorted(_files(directory, PART))


def _files(directory: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    """Where a stage writes, and by the names that it gives: so none is anybody else's."""
    if (there := remote(directory)) is not None:  # asked once, not for every file
        for name in there.files():
            inner, _, file = name.rpartition("/")
            if inner in {"", *FOLDERS} and pattern.fullmatch(file):
                yield directory / name
        return
    for folder in (directory, *(directory / folder for folder in FOLDERS)):
        if folder.is_dir():
            paths = (path for path in folder.iterdir() if pattern.fullmatch(path.name))
            yield from (path for path in paths if path.is_file())


def is_finished(directory: Path) -> bool:
    return (directory / MANIFEST).is_file()


def is_ours(directory: Path) -> bool:
    """Whether a stage may write here: there is nothing, or an output of ours."""
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    if LOCK in names or read_manifest(directory) is not None:
        return True
    others = names - {MANIFEST, HASHES, REJECTS, CHECKPOINTS}
    return all(_is_our_name(name) or _holds_ours(directory / name) for name in others)


def _is_our_name(name: str) -> bool:
    return (PART.fullmatch(name) or TEMPORARY.fullmatch(name)) is not None


def _holds_ours(folder: Path) -> bool:
    """What a run leaves whose folder, and its lock, was deleted under it."""
    is_ours = folder.name in FOLDERS and folder.is_dir()
    return is_ours and all(_is_our_name(path.name) for path in folder.iterdir())


def lock_holder(directory: Path) -> str:
    """Machine, process and number of the run that has the lock, or last had it; else empty."""
    try:
        return (directory / LOCK).read_text(encoding="utf-8").partition("\n")[0]
    except (FileNotFoundError, NotADirectoryError):
        return ""


def remove_temporaries(directory: Path) -> None:
    """Remove what a run that was stopped has left. Only with the lock in hand."""
    for path in _files(directory, TEMPORARY):
        path.unlink(missing_ok=True)


def still_there(directory: Path, parts: Sequence[Part]) -> list[Part]:
    """Those of the parts that a manifest lists which are there."""
    if (there := remote(directory)) is None:
        return [part for part in parts if on_disk(directory, part)]
    sizes = {name: info["size"] for name, info in there.files().items()}
    return [part for part in parts if sizes.get(part.name) == part.size]


def on_disk(directory: Path, part: Part) -> bool:
    """Whether a part that the manifest lists is still there."""
    try:
        return (directory / part.name).stat().st_size == part.size
    except (FileNotFoundError, NotADirectoryError):
        return False


def missing(directory: Path, parts: Sequence[Part]) -> str | None:
    """The first of the parts, or the lock that is held, that somebody has removed; else None."""
    names = (part.name for part in parts if not on_disk(directory, part))
    return next(names, None if (directory / LOCK).exists() else LOCK)


@contextmanager
def locked(exclusive: list[Path], shared: list[Path]) -> Iterator[None]:
    """Hold the locks of directories. The system frees them when the process ends, however it ends.

    Raises BlockingIOError, with the directory as its file name, if another run holds one.
    """
    with ExitStack() as stack:
        for directory in exclusive:
            directory.mkdir(parents=True, exist_ok=True)
            holder = f"{socket.gethostname()} {os.getpid()} {uuid4().hex}"
            if (there := remote(directory / LOCK)) is not None:
                stack.enter_context(leased(there, holder))
                continue
            file = stack.enter_context((directory / LOCK).open("a"))
            _lock(file.fileno(), fcntl.LOCK_EX, directory)
            file.truncate(0)
            file.write(f"{holder}\n")
            file.flush()
        for directory in shared:
            if (there := remote(directory / LOCK)) is not None:
                check_free(there)
            elif (directory / LOCK).is_file():  # else it was copied here, and nobody writes to it
                file = stack.enter_context((directory / LOCK).open("r"))
                _lock(file.fileno(), fcntl.LOCK_SH, directory)
        yield


def _lock(descriptor: int, mode: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EWOULDBLOCK, "in use by another run", str(directory)) from None
