r"""CSV and TSV: a header that names the columns, then a document a row.

- The column is found by name, as `fields` says. The delimiter is the one of , ; tab | by which the
  header falls into the most names that are known, and then into the most cells; Excel writes tabs
  into `.csv` in some languages. Its line `sep=;` is obeyed.
- `record` is the number of the row, from 0, the header and blank lines not counted.
- Cells in quotes may hold delimiters, line breaks and doubled quotes. A quote ends the cell if a
  delimiter or the end of the line follows; any other is let pass, as many programs forget to double
  them. A quote that never closes costs its row, not those below: see `_Rows`.
- A row with more cells than the header has is rejected, as its text may be in two pieces; so is one
  with fewer that may break off in the text. It may not if quotes close it, or more cells follow:
  Excel leaves out empty cells at the end.

Why not a reader that exists: the one of the standard library and that of pyarrow take all that
follows a stray quote for one cell, and the limit of the first is one for the whole process.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from pipeline.config import Config
from pipeline.encodings import UndecodableError
from pipeline.readers.fields import BadRecordError, missing, text_names, to_record, too_large
from pipeline.readers.lines import (
    BYTES_BESIDES_TEXT,
    TextFile,
    decode_line,
    open_text,
    split_lines,
)
from pipeline.records import Record, Reject

DELIMITERS = ",;\t|"
NO_DELIMITER = "\n"  # which never stands inside a line

MOST_CELLS = 20_000  # Excel has 16,384 columns

_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\s*')


def read_csv(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    r"""One record or reject for each row below the header.

    >>> import io
    >>> table = '编号,正文\n7,"没时间,不时光"\n8\n'.encode("gb18030")
    >>> first, second = read_csv(io.BytesIO(table), Config())
    >>> first.raw, first.record_id, second.reason
    ('没时间,不时光', '7', 'bad_row')
    """
    return _read(stream, config, DELIMITERS)


def read_tsv(stream: BinaryIO, config: Config) -> Iterator[Record | Reject]:
    """The same, but of two delimiters that would do as well it is the tab."""
    return _read(stream, config, "\t" + DELIMITERS.replace("\t", ""))


def _read(stream: BinaryIO, config: Config, delimiters: str) -> Iterator[Record | Reject]:
    try:
        file = open_text(stream)
        lines = _decoded(file, config)
        first = next(lines, None)
        if first is None:
            raise BadRecordError("empty_file", "the file has no line with anything on it")
        delimiter, lines = _delimiter(first, lines, delimiters, config)
        rows = iter(_Rows(lines, delimiter, config.max_document_chars))
        header = _header(next(rows, None), config)
    except (UndecodableError, BadRecordError) as error:
        yield Reject(None, error.reason, error.detail)
        return
    number = -1
    for number, row in enumerate(rows):
        try:
            if isinstance(row, BadRecordError):
                raise row
            fields = _fields(row, header)
            yield to_record(number, fields, file.encoding, config, row.damaged)
        except BadRecordError as error:
            yield Reject(number, error.reason, f"row {number + 1}: {error.detail}")
    if number < 0:
        yield Reject(None, "empty_file", "a header, and no row below it")


# --- lines


class _Line(NamedTuple):
    """A line with its end; or what is wrong with it, and then it has no text."""

    text: str
    damaged: int = 0
    problem: BadRecordError | None = None


def _decoded(file: TextFile, config: Config) -> Iterator[_Line]:
    """The lines that are not blank, and blank ones, which may stand inside a cell, after those."""
    content: Iterable[bytes] = file.content
    if b"\n" not in file.head and b"\r" in file.head:  # as Macs did, and some programs still do
        content = (block.replace(b"\r", b"\n") for block in content)
    begun = False
    for line in split_lines(content, config.max_document_chars):
        if line is None:
            begun = True
            yield _Line("", 0, too_large(config.max_document_chars))
            continue
        try:
            text, damaged = decode_line(line, file)
        except UndecodableError as error:
            begun = True
            yield _Line("", 0, BadRecordError(error.reason, error.detail))
            continue
        if not begun:
            text = text.removeprefix("\ufeff")
            begun = not _is_blank(text)
        if begun:
            yield _Line(text, damaged)


def _is_blank(text: str) -> bool:
    return not text.strip("\r\n \ufeff")


# --- header


def _delimiter(
    first: _Line, lines: Iterator[_Line], delimiters: str, config: Config
) -> tuple[str, Iterator[_Line]]:
    """What stands between cells, and the lines from the header on."""
    if first.problem is not None:
        raise first.problem
    named = _SEPARATOR_LINE.fullmatch(first.text)
    if named:
        return named[1], lines
    scores = {d: _score(first.text, d, config) for d in delimiters}
    best = max(delimiters, key=scores.__getitem__)  # the first of equals
    return best if scores[best][1] > 1 else NO_DELIMITER, chain([first], lines)


def _score(line: str, delimiter: str, config: Config) -> tuple[bool, int]:
    names = _Rows(iter(()), delimiter, 0).split(line, 0).cells
    return bool(text_names(names, config)), len(names)


class _Header(NamedTuple):
    names: list[str]
    """Of the columns; of two that are the same, the second is empty."""
    texts: list[str]
    """Those that may hold the document, best first."""


def _header(row: "_Row | BadRecordError | None", config: Config) -> _Header:
    if row is None:
        raise BadRecordError("empty_file", "the file has no header")
    if isinstance(row, BadRecordError):
        raise BadRecordError(row.reason, f"the header: {row.detail}")
    names: list[str] = []
    for cell in row.cells:
        name = cell.strip()
        names.append("" if name in names else name)
    texts = text_names(names, config)
    if not texts:
        raise missing([name for name in names if name], config, "column")
    return _Header(names, texts)


def _fields(row: "_Row", header: _Header) -> dict[str, str]:
    """The cells of a row by the names of their columns, but for empty ones that hold no text."""
    cells, (names, texts) = row.cells, header
    if len(cells) > len(names) and any(cells[len(names) :]):
        _refuse(row, names, "its text may be in two pieces; put cells in quotes")
    beyond_text = len(cells) - names.index(texts[0]) - 1
    if beyond_text < 0 or (beyond_text == 0 and len(cells) < len(names) and not row.closed):
        _refuse(row, names, "it may break off in the text; put cells in quotes")
    return {
        name: cell
        for name, cell in zip(names, cells, strict=False)
        if name and (cell or name in texts)
    }


def _refuse(row: "_Row", names: list[str], why: str) -> None:
    found = f"{len(row.cells)} cells for {len(names)} columns"
    raise BadRecordError("bad_row", f"{found}: {why}")


# --- rows


class _Row(NamedTuple):
    cells: list[str]
    closed: bool
    """Whether quotes close the last cell."""
    damaged: int


class _Split(NamedTuple):
    """Cells of a line; ``rest`` is the beginning of another whose quote is open, if not None."""

    cells: list[str]
    closed: bool
    rest: str | None


class _Rows:
    """Lines to rows.

    A quote is taken for one that never closes if none that could close it comes before the end of
    the file, or before more characters than a document may have, or before one that looks as if it
    opened a cell. Then its row is rejected, and the next one begins with the next line.

    Whether a line holds the quote that closes a cell does not depend on where that was opened, as
    the pair of a doubled quote never stands on two lines. So lines that hold none are looked at
    only once, however many quotes before them wait for one, and the time is linear.
    """

    def __init__(self, lines: Iterator[_Line], delimiter: str, max_chars: int) -> None:
        self._lines, self._delimiter = lines, delimiter
        self._longest = max_chars + BYTES_BESIDES_TEXT
        self._ahead: deque[_Line] = deque()  # lines that were read, and are in no row yet
        self._silent = 0  # how many of them, from the first, hold no quote that matters
        self._silent_chars = 0
        self._pair_or_close = re.compile(rf'""|"(?= *(?:{re.escape(delimiter)}|\r?\n?\Z))')
        self._quote = re.compile('""|"')
        self._opening = re.compile(' *"')

    def __iter__(self) -> Iterator[_Row | BadRecordError]:
        while (line := self._next()) is not None:
            if line.problem is not None:
                yield line.problem
            elif not _is_blank(line.text):
                try:
                    yield self._row(line)
                except BadRecordError as error:
                    yield error

    def _next(self) -> _Line | None:
        if not self._ahead:
            return next(self._lines, None)
        line = self._ahead.popleft()
        if self._silent:
            self._silent -= 1
            self._silent_chars -= len(line.text)
        return line

    def _row(self, line: _Line) -> _Row:
        cells, closed, rest = self.split(line.text, 0)
        damaged, chars = line.damaged, len(line.text)
        if rest is not None and self._delimiter == "\t" and not self._is_closed_below(chars):
            # Many who write tabs quote nothing, and so a quote is a quote.
            cells = line.text.rstrip("\r\n").split("\t", MOST_CELLS)
            return _Row(cells, False, damaged)
        while rest is not None:
            parts = [rest]
            for _ in range(self._lines_before_close(chars)):
                line = self._ahead.popleft()
                parts.append(line.text)
                damaged, chars = damaged + line.damaged, chars + len(line.text)
            line = self._ahead.popleft()
            damaged, chars = damaged + line.damaged, chars + len(line.text)
            close = self._close_in(line.text, 0)
            cells.append("".join([*parts, line.text[:close]]).replace('""', '"'))
            more, closed, rest = self._after_close(line.text, close)
            cells += more
            _check_count(cells)
        return _Row(cells, closed, damaged)

    def _is_closed_below(self, chars: int) -> bool:
        silent = self._silent, self._silent_chars
        try:
            found = self._lines_before_close(chars)
        except BadRecordError:
            return False
        self._silent, self._silent_chars = silent
        return found >= 0

    def _lines_before_close(self, chars: int) -> int:
        """How many of those ahead come before the one whose quote closes the cell.

        Raises BadRecordError if none does; ``chars`` is how long the row is by now.
        """
        while True:
            if self._silent == len(self._ahead):
                line = next(self._lines, None)
                if line is None:
                    if self._delimiter == NO_DELIMITER:  # what tells a row from a piece of text?
                        self._ahead.clear()
                        self._silent = self._silent_chars = 0
                    raise _never_closed("before the end of the file")
                self._ahead.append(line)
            line = self._ahead[self._silent]
            if chars + self._silent_chars + len(line.text) > self._longest:
                raise _never_closed(f"within {self._longest} characters")
            if line.problem is not None:
                raise _never_closed("before a line that cannot be read")
            for quote in self._quote.finditer(line.text):
                at = quote.start()
                if len(quote[0]) == 2:
                    continue
                if self._pair_or_close.match(line.text, at):
                    silent, self._silent, self._silent_chars = self._silent, 0, 0
                    return silent
                if not at or line.text[at - 1] == self._delimiter:
                    raise _never_closed("before the next one opens")
            self._silent += 1
            self._silent_chars += len(line.text)

    def split(self, text: str, at: int) -> _Split:
        """The cells of a line from ``at`` on, which is where one begins."""
        cells: list[str] = []
        if '"' not in text:
            cells = text.rstrip("\r\n")[at:].split(self._delimiter, MOST_CELLS)
            _check_count(cells)
            return _Split(cells, False, None)
        while True:
            opening = self._opening.match(text, at)
            if opening is None:
                end = text.find(self._delimiter, at) if self._delimiter != NO_DELIMITER else -1
                if end < 0:
                    cells.append(text[at:].rstrip("\r\n"))
                    return _Split(cells, False, None)
                cells.append(text[at:end])
            else:
                end = self._close_in(text, opening.end())
                if end < 0:
                    return _Split(cells, False, text[opening.end() :])
                cells.append(text[opening.end() : end].replace('""', '"'))
                end = self._end_of_cell(text, end)
                if end < 0:
                    return _Split(cells, True, None)
            _check_count(cells)
            at = end + 1

    def _after_close(self, text: str, close: int) -> _Split:
        end = self._end_of_cell(text, close)
        return self.split(text, end + 1) if end >= 0 else _Split([], True, None)

    def _end_of_cell(self, text: str, close: int) -> int:
        """Where the delimiter stands after the quote that closes a cell; -1 at the line's end."""
        if self._delimiter == NO_DELIMITER:
            return -1
        return text.find(self._delimiter, close)

    def _close_in(self, text: str, at: int) -> int:
        """Where the quote stands that closes the cell; -1 if not in this line."""
        for found in self._pair_or_close.finditer(text, at):
            if len(found[0]) == 1:
                return found.start()
        return -1


def _check_count(cells: list[str]) -> None:
    if len(cells) > MOST_CELLS:
        raise BadRecordError("bad_row", f"more than {MOST_CELLS} cells")


def _never_closed(where: str) -> BadRecordError:
    detail = f"a quote opens a cell, and none closes it {where}: double the quotes in the text"
    return BadRecordError("bad_row", detail)
