"""Decompression as a stream, in bounded memory, that never takes a damaged file for a short one.

Whatever precedes the damage is handed out first; only then comes `DamagedError`. The usual file
objects will not do: in the middle of a large `read` they throw away what they had.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1 << 20
PIECE_BYTES = 4096

Decompressor = Callable[[BinaryIO], BinaryIO]


class DamagedError(Exception):
    """The compressed stream breaks off or is corrupt. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class BlockStream(io.RawIOBase):
    """A binary stream over blocks of bytes. One read takes from one block, so may be short."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = memoryview(block)
        taken = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        return taken

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer)
        taken = self.read(len(target))
        target[: len(taken)] = taken
        return len(taken)


def blocks(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """What is left of the stream. A block may be shorter than ``size``, but is never empty."""
    while block := stream.read(size):
        yield block


def gunzip(stream: BinaryIO) -> BinaryIO:
    """The content of a gzip file: of all its members, one after the other."""
    return cast(BinaryIO, BlockStream(_gunzipped(stream)))


def unzstd(stream: BinaryIO) -> BinaryIO:
    """The content of a zstd file: of all its frames, one after the other."""
    return cast(BinaryIO, BlockStream(_unzstded(stream)))


def _gunzipped(stream: BinaryIO) -> Iterator[bytes]:
    served = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            # `read1` returns what it has; `read` would lose it to an exception.
            while block := unzipped.read1(BLOCK_BYTES):
                served += len(block)
                yield block
    except EOFError as error:
        raise _damaged("truncated", "gzip", served, "it ends in mid-stream") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        # Damage before the first byte means that it was no gzip file to begin with.
        reason = "truncated" if served else "unreadable"
        raise _damaged(reason, "gzip", served, str(error)) from error


def _unzstded(stream: BinaryIO) -> Iterator[bytes]:
    start = stream.tell() if stream.seekable() else None
    served = 0
    try:
        for piece in blocks(_open_zstd(stream), PIECE_BYTES):
            served += len(piece)
            yield piece
    except OSError as error:
        if error.errno is not None:  # the disk's error, not the decompressor's
            raise
        failure = error
    else:
        return
    if start is not None:
        stream.seek(start)
        for byte in _last_bytes(stream, served):
            served += 1
            yield byte
    cut_short = served > 0 or "Truncated" in str(failure)
    reason = "truncated" if cut_short else "unreadable"
    raise _damaged(reason, "zstd", served, str(failure)) from failure


def _last_bytes(stream: BinaryIO, served: int) -> Iterator[bytes]:
    """What pyarrow lost to its exception, at most a piece: read so far again, then bytewise."""
    unzipped = _open_zstd(stream)
    while served:
        served -= len(unzipped.read(min(served, BLOCK_BYTES)))
    with suppress(OSError):
        yield from blocks(unzipped, 1)


def _open_zstd(stream: BinaryIO) -> BinaryIO:
    # pyarrow closes what it reads from, and the stream is not ours to close.
    source = BlockStream(blocks(stream))
    return cast(BinaryIO, pa.input_stream(source, compression="zstd"))


def _damaged(reason: str, kind: str, served: int, found: str) -> DamagedError:
    if reason == "unreadable":
        detail = f"this is no {kind} file ({found}): mend its suffix or get it again"
    else:
        detail = f"{kind} stream is damaged after {served} bytes of content ({found}): get it again"
    return DamagedError(reason, detail)
