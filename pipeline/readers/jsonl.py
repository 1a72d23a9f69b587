r"""JSON lines: one JSON object a line, with the document in its string field `text`.

- `id`, `url`, `title` and `date` are taken along if they are strings or numbers. A number stays
  as it was written (`1.0`, not `1`); any other type, and half a surrogate pair, becomes null.
- `record` is the number of the line, from 0. Blank lines are skipped, but counted.
- One bad line costs that line alone. Of a key that comes twice the last holds, as in most JSON
  parsers. `NaN` and `Infinity`, which many programs write, are let pass where nothing reads them.
- The encoding is one for the file, found from its first megabyte, or from more as long as that
  is plain ASCII. A byte order mark at the start of any line is ignored, so that files may be
  joined by `cat`.
"""

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from pipeline.config import Config
from pipeline.encodings import UndecodableError, detect, refuse_binary
from pipeline.readers.compression import BLOCK_BYTES, BlockStream, DamagedError, blocks
from pipeline.records import Record, Reject

HEAD_BYTES = 1 << 20
ASCII_HEAD_BYTES = 16 << 20  # how long to wait for the first byte that tells something

# Most Chinese takes three bytes a character in UTF-8. A longer line is refused unread, and so is
# a record near the limit that is written in \u escapes of six.
BYTES_PER_CHARACTER = 3
BYTES_BESIDES_TEXT = 1 << 16

OPTIONAL_FIELDS = {"id": "record_id", "url": "url", "title": "title", "date": "date"}


class _Number(str):
    """A JSON number as written: no precision is lost, and none has too many digits for `int`."""

    __slots__ = ()


class _BadLineError(ValueError):
    """One line that is no document."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=lambda _: None)


def read_jsonl(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    r"""One record or reject for each line that is not blank.

    >>> lines = '{"text": "没时间", "id": 7}\n[]\n'.encode("gb18030")
    >>> [type(item).__name__ for item in read_jsonl(io.BytesIO(lines), Config())]
    ['Record', 'Reject']
    """
    max_chars = config.max_document_chars
    head, content = _read_ahead(stream)
    try:
        refuse_binary(head)
    except UndecodableError as error:
        yield Reject(None, error.reason, error.detail)
        return
    encoding = detect(head)
    empty = True
    for number, line in enumerate(_lines(content, encoding, max_chars)):
        if line is None or line.strip():
            empty = False
            yield _read_line(number, line, encoding, max_chars)
    if empty:
        yield Reject(None, "empty_file", "the file has no line with anything on it")


def _read_ahead(stream: BinaryIO) -> tuple[bytes, Iterator[bytes]]:
    """Enough of the stream to tell its encoding, and all of its blocks, those included."""
    rest = blocks(stream)
    taken: list[bytes] = []
    failure: DamagedError | OSError | None = None
    size, ascii_only = 0, True
    try:
        while size < (ASCII_HEAD_BYTES if ascii_only else HEAD_BYTES):
            block = next(rest, b"")
            if not block:
                break
            taken.append(block)
            size += len(block)
            ascii_only = ascii_only and block.isascii() and b"\0" not in block
    except (DamagedError, OSError) as error:
        failure = error  # its turn comes after the blocks that precede it
    return b"".join(taken), _replay(taken, failure, rest)


def _replay(
    taken: list[bytes], failure: Exception | None, rest: Iterator[bytes]
) -> Iterator[bytes]:
    yield from taken
    taken.clear()
    if failure is not None:
        raise failure
    yield from rest


def _lines(content: Iterable[bytes], encoding: str, max_chars: int) -> Iterator[bytes | None]:
    """The lines, in bounded memory; None stands for one that is too long."""
    if encoding.startswith("utf-16"):
        content = _to_utf_8(content, encoding)
    longest = BYTES_PER_CHARACTER * max_chars + BYTES_BESIDES_TEXT
    stream = io.BufferedReader(BlockStream(content), BLOCK_BYTES)
    while line := stream.readline(longest + 1):
        if len(line) > longest and not line.endswith(b"\n"):
            _skip_line(stream)
            yield None
        else:
            yield line


def _skip_line(stream: "io.BufferedReader[BlockStream]") -> None:
    while (part := stream.readline(BLOCK_BYTES)) and not part.endswith(b"\n"):
        pass


def _to_utf_8(content: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """UTF-16 rewritten so that a line break is one byte. What was wrong in it stays wrong."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="surrogatepass")
    for block in content:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"  # the file ends in mid-character


def _read_line(number: int, line: bytes | None, encoding: str, max_chars: int) -> Record | Reject:
    try:
        if line is None:
            raise _too_large(max_chars)
        fields = _parse(line, encoding)
        text = _text_of(fields, max_chars)
    except _BadLineError as error:
        return Reject(number, error.reason, f"line {number + 1}: {error.detail}")
    known = {name: _optional(fields.get(key)) for key, name in OPTIONAL_FIELDS.items()}
    return Record(number, text, encoding, **known)  # type: ignore[arg-type]


def _parse(line: bytes, encoding: str) -> dict[str, Any]:
    try:
        value = _JSON.decode(_decode(line, encoding))
    except json.JSONDecodeError as error:
        raise _BadLineError("invalid_json", f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise _BadLineError("invalid_json", "brackets are nested too deeply") from error
    if not isinstance(value, dict):
        found = _json_type(value)
        raise _BadLineError("not_an_object", f'a JSON {found}; expected {{"text": "…", …}}')
    return value


def _decode(line: bytes, encoding: str) -> str:
    # By here UTF-16 is UTF-8 (see `_lines`), and the codec that takes off a mark is a slow one.
    codec = "utf-8" if encoding.startswith("utf-") else encoding
    try:
        return line.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        characters = len(line[: error.start].decode(codec, "replace"))
        raise _BadLineError(
            "undecodable",
            f"the file is in {encoding}, but after {characters} characters of this line come"
            " bytes that are not: mend the line, or convert it to UTF-8",
        ) from error


def _text_of(fields: dict[str, Any], max_chars: int) -> str:
    text = fields.get("text")
    if type(text) is not str:  # a number is a _Number, which is a str too
        raise _BadLineError("missing_text", _what_is_missing(fields))
    if len(text) > max_chars:
        raise _too_large(max_chars)
    if not text or text.isspace():
        raise _BadLineError("empty_text", f"nothing but white space, {len(text)} characters")
    if not _is_writable(text):
        raise _BadLineError("lone_surrogate", r"a \u escape from d800 to dfff without its partner")
    return text


def _optional(value: object) -> str | None:
    """Strings and numbers as strings; null for what no table could hold."""
    return str(value) if isinstance(value, str) and _is_writable(value) else None


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_large(max_chars: int) -> _BadLineError:
    return _BadLineError(
        "too_large",
        f"more than {max_chars} characters, or {BYTES_PER_CHARACTER} times as many bytes:"
        " split the record, or raise max_document_chars",
    )


def _what_is_missing(fields: dict[str, Any]) -> str:
    if "text" in fields:
        return f"the field text is a JSON {_json_type(fields['text'])}; expected a string"
    names = ", ".join(list(fields)[:8]) or "none at all"
    return f"no field text; the fields are: {names}. Rename the one that holds the document"


def _json_type(value: object) -> str:
    if isinstance(value, _Number):
        return "number"
    return {dict: "object", list: "array", str: "string", bool: "boolean"}.get(type(value), "null")
