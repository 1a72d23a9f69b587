"""Plain text: one document a file. Its text is the whole file, less a byte order mark."""

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.config import Config
from pipeline.encodings import UndecodableError, decode
from pipeline.readers.compression import read_at_most
from pipeline.records import Record, Reject

MOST_BYTES_PER_CHARACTER = 4  # in every encoding that `decode` knows
BYTE_ORDER_MARK_BYTES = 4  # at most


def read_txt(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    r"""One record, its line ends as they are, or one reject.

    >>> import io
    >>> [record] = read_txt(io.BytesIO("正常\r\n".encode("gb18030")), Config())
    >>> record.raw, record.encoding
    ('正常\r\n', 'gb18030')
    """
    max_chars = config.max_document_chars
    most = max_chars * MOST_BYTES_PER_CHARACTER + BYTE_ORDER_MARK_BYTES
    data = read_at_most(stream, most + 1)
    if len(data) > most:
        yield _too_large(max_chars)
        return
    try:
        text, encoding, damaged = decode(data)
    except UndecodableError as error:
        yield Reject(None, error.reason, error.detail)
        return
    if len(text) > max_chars:
        yield _too_large(max_chars)
    elif not text or text.isspace():
        yield Reject(None, "empty_file", _emptiness(text))
    else:
        yield Record(0, text, encoding, damaged=damaged)


def _too_large(max_chars: int) -> Reject:
    detail = f"more than {max_chars} characters: split the file, or raise max_document_chars"
    return Reject(None, "too_large", detail)


def _emptiness(text: str) -> str:
    return f"nothing but white space, {len(text)} characters" if text else "the file has no text"
