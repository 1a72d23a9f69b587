"""Sheets: questions for people, as CSV for table programs or JSON for Label Studio, and back.

A sheet goes through programs and hands that change more than the answers. What is written is told
to Excel as UTF-8 and holds nothing that it would run; what is read may have come back in GBK or
UTF-16, with semicolons, tabs or full-width commas, sorted, cut, with columns moved, or with quotes
lost. A row is believed if its id fits its words. Every other is named, and costs no other row.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.annotation.answers import (
    ID,
    LONGEST_FILE,
    LONGEST_WORD,
    NO,
    OTHER,
    YES,
    Answer,
    Question,
    is_id_of,
)
from pipeline.encodings import UndecodableError, decode
from pipeline.errors import UsageError

LINE_END = "‖"
"""Stands for the end of a line: in a cell it would make the row a screen high. GBK has it."""
BESIDE = 30
"""Characters of the line on either side of a flag, next to it. More are in the last columns."""
DELIMITERS = ",;\t，"
FORMULA = re.compile(r"'*\s*[=+\-@＝＋－＠\t\r]")
"""What a table program takes for a formula at the start of a cell, and what was escaped once."""
LONGEST_CELL = 1 << 20

COLUMNS = (
    *("id", "source", "left", "surface", "right", "suggestion", "others", "probability"),
    *("sample", "answer", "text_before", "text_after"),
)
NEEDED = ("id", "surface", "suggestion", "answer")

SAYS_YES = frozenset({"yes", "y", "true", "1", "是", "√", "✓", "✔"})
SAYS_NO = frozenset({"no", "n", "false", "0", "否", "×", "✗", "✘", "x"})
"""Not 对 or 不对: those may be originals (不对 became 错误). Who means the word 是 or 否 as an
original puts it in quotes."""
QUOTED = re.compile(r"[\"'“”‘’「『](.+)[\"'“”‘’」』]", re.DOTALL)
WORD = re.compile(r"\w[\w·\-]*")

STUDIO_SPAN, STUDIO_ANSWER, STUDIO_ORIGINAL = "span", "answer", "original"
STUDIO_INTERFACE = f"""\
<View>
  <Text name="text" value="$text"/>
  <Labels name="{STUDIO_SPAN}" toName="text"><Label value="substitution"/></Labels>
  <Header value="$surface ← $suggestion ?"/>
  <Choices name="{STUDIO_ANSWER}" toName="text"><Choice value="yes"/><Choice value="no"/></Choices>
  <TextArea name="{STUDIO_ORIGINAL}" toName="text" placeholder="another original"/>
</View>"""
"""The labelling interface that the tasks are made for."""


class BadRow(NamedTuple):
    """A row that could not be taken."""

    where: str
    """Number of the line, or of the task."""
    problem: str
    """What is wrong, and what to do."""


class _Cells(NamedTuple):
    """A row as it stands in a sheet."""

    where: str
    cells: Mapping[str, str]


# --- out


def writer(target: Path) -> Callable[[Sequence[Question]], bytes]:
    """What makes a file of that suffix. Raises UsageError if nothing does."""
    try:
        return {".csv": as_csv, ".json": as_studio}[target.suffix.lower()]
    except KeyError:
        message = f"{target}: the suffix must be .csv (Excel) or .json (Label Studio)"
        raise UsageError(message) from None


def as_csv(questions: Sequence[Question]) -> bytes:
    """Columns COLUMNS, in the form that Excel opens without asking: UTF-8 with its mark, CRLF."""
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for question in questions:
        row = _row(question)
        table.writerow([_harmless(row[name]) for name in COLUMNS])
    return out.getvalue().encode("utf-8-sig", "replace")


def _row(question: Question) -> Mapping[str, str]:
    before, after = question.before.replace("\n", LINE_END), question.after.replace("\n", LINE_END)
    return {
        "id": question.id,
        "source": question.source,
        "left": before.rpartition(LINE_END)[2][-BESIDE:],
        "surface": question.surface,
        "right": after.partition(LINE_END)[0][:BESIDE],
        "suggestion": question.suggestion,
        "others": " ".join(question.others),
        "probability": f"{question.probability:.3f}",
        "sample": question.sample,
        "answer": "",
        "text_before": before,
        "text_after": after,
    }


def _harmless(cell: str) -> str:
    """With an apostrophe before what a table program would run.

    >>> _harmless("=1+1"), _harmless("正常")
    ("'=1+1", '正常')
    """
    return f"'{cell}" if FORMULA.match(cell) else cell


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def as_studio(questions: Sequence[Question]) -> bytes:
    """A list of tasks with the flag as a prediction, for STUDIO_INTERFACE."""
    tasks = json.dumps(list(map(_task, questions)), ensure_ascii=False, indent=1)
    return (tasks + "\n").encode("utf-8", "replace")


def _task(question: Question) -> Mapping[str, Any]:
    start = _in_utf16(question.before)
    span = {
        "start": start,
        "end": start + _in_utf16(question.surface),
        "text": question.surface,
        "labels": ["substitution"],
    }
    result = {"from_name": STUDIO_SPAN, "to_name": "text", "type": "labels", "value": span}
    row = {name: cell for name, cell in _row(question).items() if name != "answer"}
    text = question.before + question.surface + question.after
    return {
        "data": {**row, "text": text},
        "predictions": [{"score": question.probability, "result": [result]}],
    }


def _in_utf16(text: str) -> int:
    """Length as a browser counts it."""
    return len(text.encode("utf-16-le", "replace")) // 2


# --- in


def read(sheet: Path) -> tuple[list[Answer], int, list[BadRow]]:
    """The answers of a sheet, how many rows have none, and the rows that cannot be taken.

    Raises UsageError if it is no sheet.
    """
    if sheet.stat().st_size > LONGEST_FILE:
        raise UsageError(f"{sheet} is larger than {LONGEST_FILE >> 20} MB: no sheet of ours")
    try:
        text = decode(sheet.read_bytes()).text
    except UndecodableError as error:
        raise UsageError(f"{sheet}: {error.detail}") from None
    is_json = text.lstrip()[:1] in {"[", "{"}
    rows = _tasks(sheet, text) if is_json else _lines(sheet, text)
    answers, unanswered, bad = [], 0, []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        elif not row.cells["answer"].strip():
            unanswered += 1
        else:
            try:
                answers.append(_answer(row.cells))
            except ValueError as error:
                bad.append(BadRow(row.where, str(error)))
    return answers, unanswered, bad


def _answer(cells: Mapping[str, str]) -> Answer:
    """Raises ValueError, saying what is wrong."""
    cells = {name: _as_it_was(cell) for name, cell in cells.items()}
    surface, suggestion = cells["surface"], cells["suggestion"]
    if not is_id_of(cells["id"].strip(), surface, suggestion):
        raise ValueError(
            f"the id does not belong to {surface[:9]}→{suggestion[:9]}: was one column sorted"
            " without the others, or a word changed? Take the row from the sheet as it was exported"
        )
    answer, original = _verdict(cells["answer"], surface, suggestion)
    return Answer(
        cells["id"].strip(),
        cells.get("source", ""),
        _text(cells.get("text_before", "")),
        surface,
        _text(cells.get("text_after", "")),
        suggestion,
        _number(cells.get("probability", "")),
        cells.get("sample", ""),
        answer,
        original,
    )


def _verdict(answer: str, surface: str, suggestion: str) -> tuple[str, str]:
    """What an answer says, and the original.

    >>> [_verdict(answer, "逝世", "死") for answer in (" Ｙｅｓ，", "否", "去世")]
    [('yes', '死'), ('no', ''), ('other', '去世')]
    """
    said = answer.strip().strip("，,。;；").strip()
    plain = unicodedata.normalize("NFKC", said).casefold()
    if plain in SAYS_YES:
        return YES, suggestion
    if plain in SAYS_NO:
        return NO, ""
    quoted = QUOTED.fullmatch(said)
    word = quoted[1] if quoted else said
    if word == surface:
        raise ValueError(f"the answer is {surface} itself: if nothing was substituted, write no")
    if len(word) > LONGEST_WORD or not WORD.fullmatch(word):
        shown = unicodedata.normalize("NFC", said[:LONGEST_WORD])
        raise ValueError(f"the answer is neither yes, no nor a word: {shown!r}")
    return (YES, suggestion) if word == suggestion else (OTHER, word)


def _text(cell: str) -> str:
    return cell.replace(LINE_END, "\n").replace("\r\n", "\n")


def _number(cell: str) -> float | None:
    try:
        return float(unicodedata.normalize("NFKC", cell).replace(",", "."))
    except ValueError:
        return None


# --- rows of CSV


def _lines(sheet: Path, text: str) -> Iterator[_Cells | BadRow]:
    text = re.sub(r"\Asep=.\r?\n", "", text.removeprefix("\ufeff"))
    delimiter, header = _header(sheet, text)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    seen: set[str] = set()
    old = csv.field_size_limit(LONGEST_CELL)
    try:
        next(table)
        for row in table:
            if any(cell.strip() for cell in row):
                found = _cells(table.line_num, row, header)
                seen.add(row[header.index("id")].strip() if header.index("id") < len(row) else "")
                yield found
    except csv.Error as error:
        yield BadRow(f"line {table.line_num}", f"{error}: is a quotation mark left open above it?")
    finally:
        csv.field_size_limit(old)
    # What an open quotation mark has swallowed is in no row, but it is not to go unnamed.
    for number, line in enumerate(text.splitlines(), 1):
        for found_id in ID.finditer(line):
            if found_id[0] not in seen:
                seen.add(found_id[0])
                problem = f"{found_id[0]} is inside a cell: is a quotation mark left open above it?"
                yield BadRow(f"line {number}", problem)


def _header(sheet: Path, text: str) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns."""
    first = text.partition("\n")[0]
    for delimiter in DELIMITERS:
        row = next(csv.reader([first.strip()], delimiter=delimiter), [])
        names = [cell.strip().casefold() for cell in row]
        if set(NEEDED) <= set(names):
            if len(set(names)) < len(names):
                raise UsageError(f"{sheet}: two columns have the same name")
            return delimiter, names
    message = f"{sheet} has no columns {', '.join(NEEDED)} in its first line: no sheet of `export`"
    raise UsageError(message)


def _cells(line: int, row: Sequence[str], header: Sequence[str]) -> _Cells | BadRow:
    where = f"line {line}"
    spare = [cell for cell in row[len(header) :] if cell.strip()]
    if spare:
        return BadRow(where, f"more cells than columns: is {spare[0][:20]!r} one too many?")
    if len(row) <= max(header.index(name) for name in NEEDED):
        return BadRow(where, f"{len(row)} cells, where the first line has {len(header)}")
    cells = dict(zip(header, row, strict=False))  # empty cells at the end may be left out
    original = cells.pop(STUDIO_ORIGINAL, "").strip()  # a table that Label Studio has written
    return _Cells(where, {**cells, "answer": original or cells["answer"]})


# --- tasks of Label Studio


def _tasks(sheet: Path, text: str) -> Iterator[_Cells | BadRow]:
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{sheet} is no JSON: {error}") from None
    if not isinstance(tasks, list):
        raise UsageError(f"{sheet} is no list of tasks: export it from Label Studio as JSON")
    for number, task in enumerate(tasks, 1):
        try:
            yield from _of_task(f"task {number}", task)
        except (AttributeError, LookupError, TypeError) as error:
            yield BadRow(f"task {number}", f"not of the form that Label Studio writes ({error!r})")


def _of_task(where: str, task: Any) -> Iterator[_Cells]:
    """A row for each annotator; one without an answer if there is none. Of a short export
    (JSON-MIN) the task itself.
    """
    data = task.get("data", task)
    cells = {name: _cell(data.get(name)) for name in COLUMNS}
    if "data" not in task:
        word = _cell(data.get(STUDIO_ORIGINAL)).strip()
        yield _Cells(where, {**cells, "answer": word or cells["answer"]})
        return
    made = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    for one in made:
        values = {item["from_name"]: item["value"] for item in one["result"]}
        choice = values.get(STUDIO_ANSWER, {}).get("choices", [""])
        original = values.get(STUDIO_ORIGINAL, {}).get("text", [""])
        word = original if isinstance(original, str) else "".join(original[:1])
        yield _Cells(where, {**cells, "answer": word.strip() or str(choice[0])})
    if not made:
        yield _Cells(where, {**cells, "answer": ""})


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
