"""The files of the input: which there are, what is in them, and how they are shared out."""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.parts import SourceFile, part_chars
from pipeline.remote import Remote, remote, stamp
from pipeline.stages.ingest import source_of
from pipeline.storage import (
    HASHES,
    file_hash,
    locked,
    remove_temporaries,
    replacing,
    write_json,
)

WILD = re.compile(r"(\*\*/|\*\*|\*|\?|\[!?[^/\[\]]+\])")
"""What makes a path a pattern."""

COPIED_BYTES = 1 << 20

BYTES_PER_CHAR = 3
"""Of Chinese in UTF-8. Only to guess how many files make a shard."""


class Input(NamedTuple):
    """Where the files are."""

    root: Path
    """A folder, or a file."""
    pattern: re.Pattern[str] | None = None
    """What the path of each file, below ``root``, must match. None: there is no condition."""


def input_of(path: Path) -> Input:
    """What a user means by a path: what there is of that name, or else a shell's pattern.

    >>> root, pattern = input_of(Path("pages/20*/**/*.html"))
    >>> root, [bool(pattern.match(p)) for p in ("20/a.html", "20/1/2/a.html", "a.html")]
    (PosixPath('pages'), [True, True, False])
    """
    if (there := remote(path)) is not None:
        return _remote_input(there)
    if os.path.lexists(path) or not WILD.search(str(path)):
        return Input(path)
    fixed = list(takewhile(lambda part: not WILD.search(part), path.parts))
    return Input(Path(*fixed), _compiled("/".join(path.parts[len(fixed) :])))


def _remote_input(path: Remote) -> Input:
    if not WILD.search(path.path) or path.exists():
        return Input(cast(Path, path))
    names = path.path.split("/")
    fixed = list(takewhile(lambda name: not WILD.search(name), names))
    root = cast(Path, Remote(path.store, "/".join(fixed)))
    return Input(root, _compiled("/".join(names[len(fixed) :])))


def _compiled(pattern: str) -> re.Pattern[str]:
    """A star and a question mark stop at a slash; `**/` is any number of folders."""
    wild = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = []
    for at, piece in enumerate(WILD.split(pattern)):
        if at % 2 == 0:
            pieces.append(re.escape(piece))
        elif piece in wild:
            pieces.append(wild[piece])
        else:  # [abc] or [!abc]
            inner = piece[1:-1].replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[")
            pieces.append("[" + ("^" + inner[1:] if inner[0] == "!" else inner) + "]")
    return re.compile("".join(pieces) + r"\Z", re.DOTALL)


@contextmanager
def kept_stdin(stream: BinaryIO, folder: Path, suffix: str) -> Iterator[Path]:
    """Standard input as a file, so that a run that was stopped can go on, and can be repeated.

    As long as the block lasts it stays as it is. Raises UsageError if another run reads from there.
    """
    path = folder / f"stdin{suffix}"
    try:
        with locked([folder], []):
            remove_temporaries(folder)
            with replacing(path) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(stream, file, COPIED_BYTES)
            yield path
    except BlockingIOError as error:
        message = f"another run is at work in {error.filename}: wait for it, or end it"
        raise UsageError(message) from None


def list_files(source: Input, target: Path, threads: int) -> list[SourceFile]:
    """Every file of the input, in an order that is always the same."""
    root, pattern = source
    if (there := remote(root)) is not None:
        listed = [_remote_entry(there, name, info) for name, info in there.files().items()]
        return sorted(f for f in listed if pattern is None or pattern.match(f.source))
    real = root.resolve()
    known = _known(target, real)
    found = sorted(_walk(root, real)) if root.is_dir() else [_entry(root.parent, root, real)]
    if pattern is not None:
        found = [file for file in found if pattern.match(file.source)]
    with ThreadPoolExecutor(threads) as pool:
        files = list(pool.map(lambda file: _with_hash(file, known), found))
    hashes = {f.source: [*_stamp(f), f.hash] for f in files if not f.problem}
    if hashes != known:
        write_json(target / HASHES, {"input": str(real), "files": hashes})
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


def _known(target: Path, real: Path) -> Mapping[str, Any]:
    """The stamp and hash of each file of this INPUT, if they were noted.

    A file whose stamp is as it was is not read again to see whether it changed.
    """
    try:
        match json.loads((target / HASHES).read_bytes()):
            case {"input": path, "files": dict(files)} if path == str(real):
                return files
    except (FileNotFoundError, ValueError):
        pass
    return {}


def _stamp(file: SourceFile) -> list[int]:
    return [file.size, file.modified, file.changed, file.inode]


def _walk(root: Path, real: Path) -> Iterator[SourceFile]:
    unread: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=unread.append):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (_entry(root, here / name, real) for name in (*names, *links))
    for error in unread:
        yield _unread(root, Path(error.filename), error.strerror or "unreadable folder")


def _entry(root: Path, path: Path, real: Path) -> SourceFile:
    try:
        status = path.stat()
    except OSError as error:
        return _unread(root, path, error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        kind = "a symbolic link to a folder" if path.is_dir() else "no regular file"
        return _unread(root, path, f"{kind}: it is not followed")
    if path.is_symlink() and not path.resolve().is_relative_to(real):
        return _unread(root, path, "a symbolic link that leaves INPUT: it is not followed")
    stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return SourceFile(_source(root, path), str(path), *stamp, "", "")


def _remote_entry(root: Remote, name: str, info: Mapping[str, Any]) -> SourceFile:
    """Its stamp stands for its content, which is not fetched to see whether it has changed."""
    path = root if name == root.name and not root.is_dir() else root / name
    return SourceFile(source_of(name), str(path), int(info["size"]), 0, 0, 0, stamp(info), "")


def _unread(root: Path, path: Path, problem: str) -> SourceFile:
    return SourceFile(_source(root, path), str(path), 0, 0, 0, 0, "", problem)


def _source(root: Path, path: Path) -> str:
    return source_of(path.relative_to(root).as_posix())


def _with_hash(file: SourceFile, known: Mapping[str, Any]) -> SourceFile:
    if file.problem:
        return file
    match known.get(file.source):
        case [*stamp, str(content)] if stamp == _stamp(file):
            return file._replace(hash=content)
    try:
        return file._replace(hash=file_hash(Path(file.path)))
    except OSError as error:
        return file._replace(size=0, problem=error.strerror or str(error))
