"""The files of the input: which there are, what is in them, and how they are shared out."""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.config import Config
from pipeline.parts import SourceFile, part_chars
from pipeline.storage import file_hash, write_json

HASHES = "_files.json"
"""Beside the parts of `ingest`: size, time of change and hash of each file. A file whose size and
time are as they were is not read again to see whether it changed."""

BYTES_PER_CHAR = 3
"""Of Chinese in UTF-8. Only to guess how many files make a shard."""


def list_files(root: Path, target: Path, threads: int) -> list[SourceFile]:
    """Every file under ``root``, or the one that it is, in an order that is always the same."""
    known = _known(target)
    found = sorted(_walk(root)) if root.is_dir() else [_entry(root.parent, root)]
    with ThreadPoolExecutor(threads) as pool:
        files = list(pool.map(lambda file: _with_hash(file, known), found))
    hashes = {f.source: [f.size, f.modified, f.hash] for f in files if not f.problem}
    if hashes != known:
        write_json(target / HASHES, hashes)
    return files


def shards(files: list[SourceFile], config: Config) -> list[tuple[SourceFile, ...]]:
    """Neighbours together, up to the size of a part. There is always a shard, if an empty one."""
    made: list[tuple[SourceFile, ...]] = []
    shard: list[SourceFile] = []
    size = 0
    for file in files:
        limit = part_chars(config, len(made)) * BYTES_PER_CHAR
        if shard and size + file.size > limit:
            made.append(tuple(shard))
            shard, size = [], 0
        shard.append(file)
        size += file.size
    return [*made, tuple(shard)] if shard or not made else made


def _known(target: Path) -> Mapping[str, list[int | str]]:
    try:
        known: Mapping[str, list[int | str]] = json.loads((target / HASHES).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return known


def _walk(root: Path) -> Iterator[SourceFile]:
    unread: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=unread.append):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (_entry(root, here / name) for name in (*names, *links))
    for error in unread:
        yield _unread(root, Path(error.filename), error.strerror or "unreadable folder")


def _entry(root: Path, path: Path) -> SourceFile:
    try:
        status = path.stat()
    except OSError as error:
        return _unread(root, path, error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        kind = "a symbolic link to a folder" if path.is_dir() else "no regular file"
        return _unread(root, path, f"{kind}: it is not followed")
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        return _unread(root, path, "a symbolic link that leaves INPUT: it is not followed")
    source = _source(root, path)
    return SourceFile(source, str(path), status.st_size, status.st_mtime_ns, "", "")


def _unread(root: Path, path: Path, problem: str) -> SourceFile:
    return SourceFile(_source(root, path), str(path), 0, 0, "", problem)


def _source(root: Path, path: Path) -> str:
    r"""The relative path; bytes of a name that are no UTF-8 are written as `\xff`."""
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")


def _with_hash(file: SourceFile, known: Mapping[str, list[int | str]]) -> SourceFile:
    if file.problem:
        return file
    size, modified, content = known.get(file.source, (-1, -1, ""))
    if (size, modified) == (file.size, file.modified):
        return file._replace(hash=str(content))
    try:
        return file._replace(hash=file_hash(Path(file.path)))
    except OSError as error:
        return file._replace(size=0, problem=error.strerror or str(error))
