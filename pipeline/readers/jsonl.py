r"""JSON lines: one JSON object a line, with the document in one of its fields.

- The field is `Config.text_field`, or the first there is of `fields.TEXT_FIELDS`; what else is
  taken along is listed there too. A number stays as it was written (`1.0`, not `1`); any other
  type, and half a surrogate pair, becomes null.
- `record` is the number of the line, from 0. Blank lines are skipped, but counted.
- One bad line costs that line alone. Of a key that comes twice the last holds, as in most JSON
  parsers. `NaN` and `Infinity`, which many programs write, are let pass where nothing reads them.
- The encoding is one for the file, found from its first megabyte, or from more as long as that
  is plain ASCII. A byte order mark at the start of any line is ignored, so that files may be
  joined by `cat`. A line in which a few bytes are wrong is kept, with U+FFFD for each stretch.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pipeline.config import Config
from pipeline.encodings import UndecodableError
from pipeline.readers.fields import BadRecordError, Number, to_record, too_large
from pipeline.readers.lines import TextFile, decode_line, open_text, split_lines, wrong_bytes
from pipeline.records import Record, Reject

MOST_VALUES = 1_000_000
"""Of a line, as each takes some 60 bytes of memory for two on disk. The longest document that is
let pass has one value; the widest embedding has a few thousand."""

_JSON = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=lambda _: None)
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def read_jsonl(stream: BinaryIO, config: Config, after: int = -1) -> Iterator[Record | Reject]:
    r"""One record or reject for each line that is not blank, and of a number above ``after``.

    >>> import io
    >>> lines = '{"text": "没时间", "id": 7}\n[]\n'.encode("gb18030")
    >>> [type(item).__name__ for item in read_jsonl(io.BytesIO(lines), Config())]
    ['Record', 'Reject']
    """
    try:
        file = open_text(stream)
    except UndecodableError as error:
        yield Reject(None, error.reason, error.detail)
        return
    yield from read_lines(file, config, after)


def read_lines(file: TextFile, config: Config, after: int = -1) -> Iterator[Record | Reject]:
    """The same, of a file that is open already."""
    empty = True
    for number, line in enumerate(split_lines(file.content, config.max_document_chars)):
        if line is None or line.strip():
            empty = False
            if number > after:
                yield read_value(number, line, file, config, f"line {number + 1}")
    if empty:
        yield Reject(None, "empty_file", "the file has no line with anything on it")


def read_value(
    number: int, data: bytes | None, file: TextFile, config: Config, where: str
) -> Record | Reject:
    """The record or reject for the bytes of one JSON value; None if they were too many to keep."""
    try:
        if data is None:
            raise too_large(config.max_document_chars)
        text, damaged = decode_line(data, file)
        try:
            fields = _parse(text.removeprefix("\ufeff"))
        except BadRecordError as error:
            if damaged:  # which is the reason, then
                raise wrong_bytes(text[: text.index("\ufffd")], file.encoding) from error
            raise
        return to_record(number, fields, file.encoding, config, damaged)
    except (BadRecordError, UndecodableError) as error:
        return Reject(number, error.reason, f"{where}: {error.detail}")


def holds_fields(data: bytes, file: TextFile) -> bool:
    """Whether the bytes are one JSON object, whole and with something in it."""
    try:
        return bool(_parse(decode_line(data, file)[0].removeprefix("\ufeff")))
    except (BadRecordError, UndecodableError):
        return False


def _parse(text: str) -> dict[str, Any]:
    _refuse_hordes(text)
    try:
        value = _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise BadRecordError("invalid_json", f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise BadRecordError("invalid_json", "brackets are nested too deeply") from error
    if not isinstance(value, dict):
        found = _json_type(value)
        raise BadRecordError("not_an_object", f'a JSON {found}; expected {{"text": "…", …}}')
    return value


def _refuse_hordes(text: str) -> None:
    """Raise BadRecordError if there are more values than memory should hold."""
    if len(text) > MOST_VALUES and _marks(text) > MOST_VALUES:
        # Most of these may be in the document itself.
        values = _marks(_STRING.sub("", text))
        if values > MOST_VALUES:
            detail = f"about {values} values; at most {MOST_VALUES} are read: split the record"
            raise BadRecordError("too_large", detail)


def _marks(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _json_type(value: object) -> str:
    if isinstance(value, Number):
        return "number"
    return {list: "array", str: "string", bool: "boolean"}.get(type(value), "null")
