"""What is no folder here: object stores, HDFS, and whatever else fsspec reaches by a URL.

`place` gives something that is like a `Path` in all that the frame asks of one. Only whole files
go to a store: they are made here, and sent when they are finished.
"""

import hashlib
import json
import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, BinaryIO, cast
from uuid import uuid4

from pipeline.errors import UsageError

WHOLE_OR_ABSENT = {"abfs", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a", "tos"}
"""Stores in which an object appears when all of it is there. Elsewhere a file is renamed."""

STAMPS = (
    *("ETag", "etag", "md5Hash", "content_md5", "checksum"),
    *("mtime", "LastModified", "last_modified", "modificationTime", "updated", "modified"),
    "created",
)
"""What stores tell of a file that changes with its content, the best first."""


class Remote:
    """A file or folder of a store, with the methods of `Path` that are used here."""

    def __init__(self, store: Any, path: str) -> None:
        self.store = store
        self.path = path.rstrip("/")

    def __str__(self) -> str:
        return str(self.store.unstrip_protocol(self.path))

    def __repr__(self) -> str:
        return f"Remote({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and (self.store, self.path) == (other.store, other.path)

    def __hash__(self) -> int:
        return hash(self.path)

    def __lt__(self, other: "Remote") -> bool:
        return self.path < other.path

    def __truediv__(self, name: str | os.PathLike[str]) -> "Remote":
        return Remote(self.store, f"{self.path}/{name}")

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "Remote":
        return Remote(self.store, self.path.rpartition("/")[0])

    @property
    def parents(self) -> Iterator["Remote"]:
        at = self
        while at.path:
            at = at.parent
            yield at

    def relative_to(self, other: "Remote") -> PurePosixPath:
        return PurePosixPath(self.path).relative_to(other.path)

    def is_relative_to(self, other: object) -> bool:
        same = isinstance(other, Remote) and self.store == other.store
        return same and PurePosixPath(self.path).is_relative_to(cast(Remote, other).path)

    def resolve(self) -> "Remote":
        return self

    absolute = resolve

    def info(self) -> Mapping[str, Any]:
        """What the store tells of it, now. Raises FileNotFoundError."""
        self.store.invalidate_cache()
        return cast(Mapping[str, Any], self.store.info(self.path))

    def exists(self) -> bool:
        self.store.invalidate_cache()
        return not self.path.strip("/") or bool(self.store.exists(self.path))

    def is_dir(self) -> bool:
        self.store.invalidate_cache()
        return not self.path.strip("/") or bool(self.store.isdir(self.path))

    def is_file(self) -> bool:
        self.store.invalidate_cache()
        return bool(self.store.isfile(self.path))

    def stat(self) -> SimpleNamespace:
        return SimpleNamespace(st_size=int(self.info()["size"]))

    def iterdir(self) -> Iterator["Remote"]:
        self.store.invalidate_cache()
        paths = (str(path).rstrip("/") for path in self.store.ls(self.path, detail=False))
        return (Remote(self.store, path) for path in paths if path != self.path)

    def open(self, mode: str = "rb") -> BinaryIO:
        self.store.invalidate_cache()
        return cast(BinaryIO, self.store.open(self.path, mode))

    def read_bytes(self) -> bytes:
        with self.open() as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def mkdir(self, *, parents: bool = True, exist_ok: bool = True) -> None:
        if parents and self.path:
            self.store.makedirs(self.path, exist_ok=exist_ok)

    def unlink(self, *, missing_ok: bool = False) -> None:
        try:
            self.store.rm_file(self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def files(self) -> dict[str, Mapping[str, Any]]:
        """What the store tells of every file below, by its path from here; of a file: its name."""
        self.store.invalidate_cache()
        found = self.store.find(self.path, detail=True)
        if list(found) == [self.path]:
            return {self.name: found[self.path]}
        return {path[len(self.path) :].lstrip("/"): info for path, info in found.items()}

    def fetch(self, path: Path) -> None:
        """Copy it to a file here, a piece at a time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.store.get_file(self.path, str(path))

    def send(self, path: Path) -> None:
        """Make it what a file here is: all of it, or nothing."""
        self.parent.mkdir()
        if self._protocols() & WHOLE_OR_ABSENT:
            self.store.put_file(str(path), self.path)
            return
        temporary = f"{self.parent.path}/.{self.name}.{uuid4().hex}.tmp"
        try:
            self.store.put_file(str(path), temporary)
            if self.exists():  # HDFS renames to no name that is taken
                self.unlink(missing_ok=True)
            self.store.mv(temporary, self.path)
        finally:
            if self.store.exists(temporary):
                self.store.rm_file(temporary)

    def _protocols(self) -> set[str]:
        named = self.store.protocol
        return {named} if isinstance(named, str) else set(named)


def place(text: str | os.PathLike[str]) -> Path:
    """What a user names: a path, or a URL. The latter's type is a lie that spares many unions.

    Raises UsageError if nothing that is installed reaches such a URL.

    >>> place("in/texts")
    PosixPath('in/texts')
    """
    if "://" not in os.fspath(text):
        return Path(text)
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra

        store, path = url_to_fs(os.fspath(text))
    except ModuleNotFoundError:
        message = f"{text} is reached by fsspec: pip install 'chinese-corpus-pipeline[spark]'"
        raise UsageError(message) from None
    except (ImportError, ValueError) as error:  # it says what else to install, or what is unknown
        raise UsageError(f"{text}: {error}") from None
    return cast(Path, Remote(store, path))


def remote(path: object) -> Remote | None:
    """The path, if it is in a store."""
    return path if isinstance(path, Remote) else None


def is_url(path: str) -> bool:
    return "://" in path


def within(path: Path, other: Path) -> bool:
    """Whether a path is the other, or lies in it."""
    if remote(path) is None and remote(other) is not None:
        return False
    if remote(path) is not None and remote(other) is None:
        return False
    return path.is_relative_to(other)


def relative(path: Path, start: Path) -> str:
    """The path from ``start`` on; or the whole of it, if one is in another store."""
    one, other = remote(path), remote(start)
    if one is None and other is None:
        return os.path.relpath(path, start)
    if one is not None and other is not None and one.store == other.store:
        return posixpath.relpath(one.path, other.path)
    return str(path if one is not None else path.absolute())


def followed(start: Path, path: str) -> Path:
    """The path that `relative` has written."""
    at = remote(start)
    if is_url(path) or (at is not None and path.startswith("/")):
        return place(path)
    if at is not None:
        return cast(Path, Remote(at.store, posixpath.normpath(f"{at.path}/{path}")))
    return Path(os.path.normpath(start / path))


def stamp(info: Mapping[str, Any]) -> str:
    """Hash of what the store tells of a file: another one, if its content may be another."""
    known = next((f"{name} {info[name]}" for name in STAMPS if info.get(name)), "")
    told = [info["size"], known or sorted(f"{name} {value}" for name, value in info.items())]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
