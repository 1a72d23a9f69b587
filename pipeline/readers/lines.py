"""What the formats share that are text, and are read a line at a time."""

import codecs
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from pipeline.damage import decode_damaged
from pipeline.encodings import UndecodableError, detect, refuse_binary
from pipeline.readers.compression import BLOCK_BYTES, BlockStream, DamagedError, blocks, replayed
from pipeline.readers.fields import DAMAGED_SHARE

HEAD_BYTES = 1 << 20
ASCII_HEAD_BYTES = 16 << 20  # how long to wait for the first byte that tells something

# Most Chinese takes three bytes a character in UTF-8. A longer line is refused unread, and so is
# a record near the limit that is written in \u escapes of six.
BYTES_PER_CHARACTER = 3
BYTES_BESIDES_TEXT = 1 << 16

NUL = "\0"


class TextFile(NamedTuple):
    """A file of text that is being read."""

    encoding: str
    head: bytes
    """What the encoding was told from: a megabyte, or more as long as that is plain ASCII."""
    content: Iterator[bytes]
    """All of it, in blocks. UTF-16 and UTF-32 are rewritten as UTF-8, so that a line break is one
    byte; what was wrong in it stays wrong."""
    codec: str
    """What ``content`` is in."""


def open_text(stream: BinaryIO) -> TextFile:
    """Find the encoding. Raises UndecodableError for what is no text at all.

    >>> open_text(io.BytesIO("这个问题".encode("gb18030"))).encoding
    'gb18030'
    """
    head, content = read_ahead(blocks(stream))
    refuse_binary(head)
    encoding = detect(head)
    if encoding.startswith("utf-16"):
        return TextFile(encoding, head, _from_utf_16(content, encoding), "utf-8")
    if encoding.startswith("utf-32"):
        return TextFile(encoding, head, _to_utf_8(content, encoding), "utf-8")
    # The codec that takes off a mark is a slow one, and marks may stand elsewhere too.
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    return TextFile(encoding, head, content, codec)


def as_utf_8(file: TextFile) -> TextFile:
    """The same file with its content in UTF-8, so that `{` is one byte that is part of no other."""
    if file.codec == "utf-8":
        return file
    return file._replace(content=_to_utf_8(file.content, file.codec), codec="utf-8")


def split_lines(content: Iterable[bytes], max_chars: int) -> Iterator[bytes | None]:
    """The lines with their ends, in bounded memory; None stands for one that is too long."""
    longest = longest_line(max_chars)
    stream = io.BufferedReader(BlockStream(content), BLOCK_BYTES)
    while line := stream.readline(longest + 1):
        if len(line) > longest and not line.endswith(b"\n"):
            _skip_line(stream)
            yield None
        else:
            yield line


def longest_line(max_chars: int) -> int:
    """Bytes of a line that may hold a document of ``max_chars`` characters."""
    return BYTES_PER_CHARACTER * max_chars + BYTES_BESIDES_TEXT


def decode_line(line: bytes, file: TextFile) -> tuple[str, int]:
    r"""A piece of ``file.content`` as text, and how many of its bytes are wrong.

    Raises UndecodableError if that is too many.

    >>> file = open_text(io.BytesIO(b""))
    >>> decode_line("正常".encode() + b"\xff" + "时间，没有时间".encode(), file)
    ('正常�时间，没有时间', 1)
    """
    try:
        text = line.decode(file.codec)
        if NUL not in text:
            return text, 0
        first = line.index(0)
    except UnicodeDecodeError as error:
        first = error.start
    text, damaged = decode_damaged(line, file.codec)
    if damaged > DAMAGED_SHARE * len(line):
        raise wrong_bytes(line[:first].decode(file.codec, "replace"), file.encoding)
    if file.encoding.startswith("utf-16"):  # where half a pair takes two bytes, and so does a NUL
        nuls = line.count(0)
        damaged -= (damaged - nuls) // 3 - nuls
    return text, damaged


def wrong_bytes(before: str, encoding: str) -> UndecodableError:
    """The error for a line with bytes that are wrong after the text ``before``."""
    return UndecodableError(
        "undecodable",
        f"the file is in {encoding}, but after {len(before)} characters of this line come"
        " bytes that are not: mend the line, or convert it to UTF-8",
    )


def _keep_wrong_bytes(error: UnicodeError) -> tuple[str, int]:
    """As halves of UTF-16 pairs, which no codec makes of what is right.

    One at a time: what follows the first may be right, and be the quote that ends a string. But in
    UTF-32 four belong together.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    end = error.end if error.encoding.startswith("utf-32") else error.start + 1
    return "".join(chr(0xDC80 | byte) for byte in error.object[error.start : end]), end


codecs.register_error("pipeline.keep_wrong_bytes", _keep_wrong_bytes)


def read_ahead(
    rest: Iterator[bytes], ascii_bytes: int = ASCII_HEAD_BYTES
) -> tuple[bytes, Iterator[bytes]]:
    """A megabyte, or up to ``ascii_bytes`` of ASCII; and all of the blocks, those included."""
    taken: list[bytes] = []
    failure: DamagedError | OSError | None = None
    size, ascii_only = 0, True
    try:
        while size < (ascii_bytes if ascii_only else HEAD_BYTES):
            block = next(rest, b"")
            if not block:
                break
            taken.append(block)
            size += len(block)
            ascii_only = ascii_only and block.isascii() and b"\0" not in block
    except (DamagedError, OSError) as error:
        failure = error  # its turn comes after the blocks that precede it
    return b"".join(taken), replayed(taken, failure, rest)


def _skip_line(stream: "io.BufferedReader[BlockStream]") -> None:
    while (part := stream.readline(BLOCK_BYTES)) and not part.endswith(b"\n"):
        pass


def _from_utf_16(content: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="surrogatepass")
    for block in content:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"  # the file ends in mid-character


def _to_utf_8(content: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)(errors="pipeline.keep_wrong_bytes")
    for block in content:
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
