"""What a reader yields: records, and rejects for what it could not read."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from pipeline.config import Config

SYSTEM_SAYS = "the operating system says: "
"""How the detail of a reject begins that is not about what the file holds: it may be over soon."""


class Record(NamedTuple):
    """One document as found. ``raw`` is never edited after this."""

    record: int
    raw: str
    encoding: str
    record_id: str | None = None
    url: str | None = None
    title: str | None = None
    date: str | None = None
    publisher: str | None = None
    author: str | None = None
    editor: str | None = None
    damaged: int = 0
    """Bytes that are wrong in the encoding. Each stretch of them is U+FFFD in ``raw``."""


class Reject(NamedTuple):
    """Something that is no document, and why. ``record`` is None if the whole file is meant."""

    record: int | None
    reason: str
    detail: str


Reader = Callable[[BinaryIO, Config], Iterator[Record | Reject]]
"""A function from a binary stream, already decompressed, and the settings. It reads in bounded
memory, and yields in file order: the numbers of the records grow."""

ReaderAfter = Callable[[BinaryIO, Config, int], Iterator[Record | Reject]]
"""A reader that passes over what stands up to a record of this number, that one included, and
yields what it would yield after it."""
