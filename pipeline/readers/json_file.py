"""JSON that is no JSON lines: an array of objects, or one object, or several in a row.

Each object is a document, and read as a line of JSON lines would be; arrays are gone into one
level deep. JSON lines under a wrong suffix are known by their first line, and read as such.
`record` is the number of the object, from 0.

The file is cut into values by its brackets and quotes alone, a block at a time. So a value that is
no JSON costs only itself as long as its brackets match; where they do not, what follows may be
lost in it, up to the longest that a document may be.
"""

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from pipeline.config import Config
from pipeline.encodings import UndecodableError
from pipeline.readers.compression import BLOCK_BYTES
from pipeline.readers.jsonl import holds_fields, read_lines, read_value
from pipeline.readers.lines import TextFile, as_utf_8, longest_line, open_text, read_ahead
from pipeline.records import Record, Reject

_BLANK = b" \t\r\n\xef\xbb\xbf"  # the last three are a byte order mark
_SHALLOW = re.compile(rb'["\[\]{},]')
_DEEP = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)  # up to its end, or the block's

BACKSLASH = b"\\"


def read_json(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    """One record or reject for each object.

    >>> import io
    >>> array = io.BytesIO(b'[{"text": "a"}, {"text": "b"}]')
    >>> [record.raw for record in read_json(array, Config())]
    ['a', 'b']
    """
    try:
        file = as_utf_8(open_text(stream))
    except UndecodableError as error:
        yield Reject(None, error.reason, error.detail)
        return
    head, content = read_ahead(file.content, BLOCK_BYTES)
    file = file._replace(content=content)
    first, _, rest = head.lstrip(_BLANK).partition(b"\n")
    # An object that is laid out in lines has none of its own on the first, but for `{}`.
    if rest.strip(_BLANK) and holds_fields(first, file):
        yield from read_lines(file, config)
    else:
        yield from _read_values(file, config)


def _read_values(file: TextFile, config: Config) -> Iterator[Record | Reject]:
    values = _Values(longest_line(config.max_document_chars))
    number = -1
    for number, value in enumerate(values.split(file.content)):
        yield read_value(number, value, file, config, f"object {number + 1}")
    if values.in_array:
        detail = "the array is not closed: the file is cut short, get it again"
        yield Reject(number + 1, "invalid_json", detail)
    elif number < 0:
        yield Reject(None, "empty_file", "the file has no object")


class _Values:
    """Cuts JSON into the values that stand at its top, or in an array at its top."""

    def __init__(self, longest: int) -> None:
        self.in_array = False
        self._longest = longest
        self._depth = 0  # of brackets in the value
        self._in_string = False
        self._parts: list[bytes] = []  # of the value, from earlier blocks
        self._size = 0

    def split(self, content: Iterable[bytes]) -> Iterator[bytes | None]:
        """The bytes of each value. None stands for one that is too long."""
        escape = b""
        for block in content:
            data = escape + block
            escape = b""
            start = at = 0
            while at < len(data):
                if self._in_string:
                    at = cast(re.Match[bytes], _STRING.match(data, at)).end()
                    if at == len(data) - 1 and data.endswith(
                        BACKSLASH
                    ):  # what it escapes is in the next block
                        data, escape = data[:at], BACKSLASH
                    elif at < len(data):
                        self._in_string = False
                        at += 1
                    continue
                found = (_DEEP if self._depth else _SHALLOW).search(data, at)
                at = found.end() if found else len(data)
                end = self._end(found[0], data, start, at) if found else None
                if end is not None:
                    yield from self._value(data[start:end])
                    start = at
            self._keep(data[start:])
        yield from self._value(escape)

    def _end(self, mark: bytes, data: bytes, start: int, at: int) -> int | None:
        """Where a value from ``start`` ends, if it does at this mark, which ends at ``at``."""
        if mark == b'"':
            self._in_string = True
            return None
        if self._depth:
            self._depth += 1 if mark in b"[{" else -1
            return None if self._depth else at
        if mark in b"[{":
            begun = self._size or self.in_array or data[start : at - 1].strip(_BLANK)
            if mark == b"[" and not begun:
                self.in_array = True
                return at - 1
            self._depth = 1
            return None
        if mark == b"]" and self.in_array:
            self.in_array = False
            return at - 1
        return at - 1 if mark == b"," else at  # a bracket that closes nothing is no JSON: tell it

    def _value(self, last: bytes) -> Iterator[bytes | None]:
        self._keep(last)
        if self._size > self._longest:
            yield None
        elif self._size:
            yield b"".join(self._parts)
        self._parts, self._size = [], 0

    def _keep(self, piece: bytes) -> None:
        if not self._size:
            piece = piece.lstrip(_BLANK)
        self._size += len(piece)
        if self._size <= self._longest:
            self._parts.append(piece)
        else:
            self._parts.clear()
