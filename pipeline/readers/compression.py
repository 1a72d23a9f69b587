"""Decompression as a stream, in bounded memory, that never takes a damaged file for a short one.

Whatever precedes the damage is handed out first; only then comes `DamagedError`. The usual file
objects will not do: in the middle of a large `read` they throw away what they had, and that of
bzip2 takes whatever follows the first stream for nothing.

A file that unpacks to more than `FREE_BYTES` and to more than `MOST_RATIOS` times its own size is a
bomb, and is not followed further. So the work that a file can cause is in proportion to its size.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, cast

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1 << 20
PIECE_BYTES = 4096  # what is lost at most if damaged content cannot be read a second time
INPUT_BYTES = 1 << 16

FREE_BYTES = 64 << 20
MOST_RATIOS = {"gzip": 500, "bzip2": 1000, "xz": 3000, "zstd": 3000}
"""What the most repetitive text that is of use to somebody stays well below. Measured on 48 MB at
the best level (gzip, bzip2, xz, zstd): requests of a server as JSON lines 32, 46, 41, 39; one page
under running numbers 81, 209, 519, 270; one message every ten seconds 39, 101, 1,205, 147. Beyond
the limits: one line without end 294, 2,735, 6,675, 11,629; zeros 1,028, 645,278, 6,750, 32,388."""

XZ_MEMORY_BYTES = 144 << 20
"""`xz -9` asks for 65 MiB. What asks for more than 128 MiB, zstd refuses by itself."""

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


def replayed(
    taken: list[bytes], failure: Exception | None, rest: Iterator[bytes]
) -> Iterator[bytes]:
    """Blocks that were read ahead, then the failure that ended that, if one did, or the rest.

    ``taken`` is emptied, so that what was read ahead is not held to the end.
    """
    yield from taken
    taken.clear()
    if failure is not None:
        raise failure
    yield from rest


def read_at_most(stream: BinaryIO, size: int) -> bytes:
    """The first ``size`` bytes of the stream, which may hand them out in smaller blocks."""
    parts = []
    while size > 0 and (block := stream.read(min(size, BLOCK_BYTES))):
        parts.append(block)
        size -= len(block)
    return b"".join(parts)


def gunzip(stream: BinaryIO) -> BinaryIO:
    """The content of a gzip file: of all its members, one after the other."""
    return _unpacked(stream, _GZIP)


def bunzip2(stream: BinaryIO) -> BinaryIO:
    """The content of a bzip2 file: of all its streams, one after the other."""
    return _unpacked(stream, _BZIP2)


def unxz(stream: BinaryIO) -> BinaryIO:
    """The content of an xz file: of all its streams, with or without padding between them."""
    return _unpacked(stream, _XZ)


def unzstd(stream: BinaryIO) -> BinaryIO:
    """The content of a zstd file: of all its frames, one after the other."""
    return _unpacked(stream, _ZSTD)


class _Unpacking(Protocol):
    """Content as it is unpacked. ``read`` returns 1 to ``size`` bytes, and none at the end."""

    def read(self, size: int, /) -> bytes: ...


class _Kind(NamedTuple):
    name: str
    open: Callable[[BinaryIO], _Unpacking]


def _unpacked(stream: BinaryIO, kind: _Kind) -> BinaryIO:
    return cast(BinaryIO, BlockStream(_pieces(stream, kind)))


def _pieces(stream: BinaryIO, kind: _Kind) -> Iterator[bytes]:
    start = stream.tell() if stream.seekable() else None
    source = _Counted(stream)
    content = kind.open(cast(BinaryIO, source))
    served = 0
    try:
        while piece := content.read(PIECE_BYTES):
            served += len(piece)
            if served > FREE_BYTES and served > MOST_RATIOS[kind.name] * source.taken:
                raise _bomb(kind.name, served, source.taken)
            yield piece
    except OSError as error:
        if error.errno is not None:  # the disk's error, not the decompressor's
            raise
        failure: Exception = error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        failure = error
    else:
        return
    if start is not None:
        stream.seek(start)
        for byte in _last_bytes(kind.open(stream), served):
            served += 1
            yield byte
    raise _damaged(kind.name, served, failure) from failure


def _last_bytes(content: _Unpacking, served: int) -> Iterator[bytes]:
    """What was lost to an exception, at most a piece: read up to there again, then bytewise."""
    while served:
        served -= len(content.read(min(served, PIECE_BYTES)))
    with suppress(OSError, EOFError, zlib.error, lzma.LZMAError):
        while byte := content.read(1):
            yield byte


class _Counted:
    """A stream that counts what is taken from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self._stream.read(size)
        self.taken += len(block)
        return block


class _Decoder(Protocol):
    """What the decompressors of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflater:
    """That of zlib in the same shape. A wrong checksum does not cost it the last bytes before."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._failure: zlib.error | None = None
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._failure is not None:
            raise self._failure
        before, data = self._zlib.copy(), self._zlib.unconsumed_tail + data
        try:
            content = self._zlib.decompress(data, max_length)
        except zlib.error as error:
            self._failure, self.needs_input = error, False
            content = b"".join(_bytewise(before, data))
        else:
            self.needs_input = not self._zlib.unconsumed_tail and len(content) < max_length
        return content


def _bytewise(decoder: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What comes out before the byte at which it fails."""
    with suppress(zlib.error):
        for byte in data:
            yield decoder.decompress(bytes([byte]))


class _Members:
    """The content of the members of a file, one after the other; zeros may pad them."""

    def __init__(self, source: BinaryIO, new: Callable[[], _Decoder], padding: bytes) -> None:
        self._source, self._new, self._padding = source, new, padding
        self._decoder: _Decoder | None = None
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        content = b""
        while not content:
            if self._decoder is None and not self._next_member():
                return b""
            decoder = cast(_Decoder, self._decoder)
            if decoder.needs_input and not self._rest:
                self._rest = self._source.read(INPUT_BYTES)
                if not self._rest:
                    raise EOFError("it ends in mid-stream")
            data, self._rest = self._rest, b""
            content = decoder.decompress(data, size)
            if decoder.eof:
                self._rest, self._decoder = decoder.unused_data, None
        return content

    def _next_member(self) -> bool:
        rest = self._rest.lstrip(self._padding)
        while not rest:
            block = self._source.read(INPUT_BYTES)
            if not block:
                return False
            rest = block.lstrip(self._padding)
        self._rest, self._decoder = rest, self._new()
        return True


def _new_xz() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


def _open_zstd(stream: BinaryIO) -> _Unpacking:
    # pyarrow closes what it reads from, and the stream is not ours to close.
    source = BlockStream(blocks(stream))
    return cast(_Unpacking, pa.input_stream(source, compression="zstd"))


# Tapes, and tools that write whole blocks, pad gzip with zeros; xz allows for it in so many words.
_GZIP = _Kind("gzip", lambda source: _Members(source, _Inflater, b"\0"))
_BZIP2 = _Kind("bzip2", lambda source: _Members(source, bz2.BZ2Decompressor, b""))
_XZ = _Kind("xz", lambda source: _Members(source, _new_xz, b"\0"))
_ZSTD = _Kind("zstd", _open_zstd)


def _bomb(kind: str, served: int, taken: int) -> DamagedError:
    detail = (
        f"{taken} bytes of {kind} have made {served >> 20} MiB, over {MOST_RATIOS[kind]} times as"
        " much, and no end of it: if it is text after all, hand it over unpacked"
    )
    return DamagedError("decompression_bomb", detail)


def _damaged(kind: str, served: int, failure: Exception) -> DamagedError:
    found = str(failure)
    if "Memory usage limit" in found or "too much memory" in found:
        detail = f"{kind} asks for more than 128 MiB of memory: pack it again at a lower level"
        return DamagedError("decompression_bomb", detail)
    # Damage before the first byte means that it was no such file to begin with.
    if served or isinstance(failure, EOFError) or "Truncated" in found:
        detail = f"{kind} stream is damaged after {served} bytes of content ({found}): get it again"
        return DamagedError("truncated", detail)
    detail = f"this is no {kind} file ({found}): mend its suffix or get it again"
    return DamagedError("unreadable", detail)
