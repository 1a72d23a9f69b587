"""Questions about flags, the answers, and the file that gathers them."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UsageError
from pipeline.storage import replacing

YES, NO, OTHER = "yes", "no", "other"
VERDICTS = (YES, NO, OTHER)
LONGEST_WORD = 20
"""Characters of an original. What is longer is a remark, and belongs elsewhere."""
LONGEST_FILE = 1 << 28
"""Bytes of a file of answers, or of a sheet: some 200,000 rows."""

ID = re.compile(r"([0-9A-Za-z]{1,64}):(\d{1,9})-(\d{1,9}):([0-9a-f]{8})")
"""`doc_id`, `start` and `end` of the flag, and a check of its words. The colon keeps a table
program from taking a `doc_id` like 12e5 for a number."""


class Question(NamedTuple):
    """A flag, and the text around it."""

    id: str
    source: str
    before: str
    """Up to `choosing.AROUND` characters of the document's text before the flag."""
    surface: str
    after: str
    suggestion: str
    others: Sequence[str]
    """Further originals, likeliest first."""
    probability: float
    sample: str
    """Why it was chosen: a key of `choosing.SHARES`."""


class Answer(NamedTuple):
    """What somebody said of a flag. The first fields are those of the question."""

    id: str
    source: str
    before: str
    surface: str
    after: str
    suggestion: str
    probability: float | None
    """As the sheet had it, for the record; null: it was no number any more."""
    sample: str
    answer: str
    """One of VERDICTS: the suggestion stood there; nothing was substituted; another word stood
    there."""
    original: str
    """The word that stood there; empty if nothing was substituted."""
    disputed: str = ""
    """What another sheet says instead; empty: all agree."""

    @property
    def says(self) -> str:
        """The answer as people write it: yes, no, or the original."""
        return self.original if self.answer == OTHER else self.answer


def id_of(doc_id: str, start: int, end: int, surface: str, suggestion: str) -> str:
    """The same for the same flag.

    >>> id_of("00ab", 3, 5, "逝世", "死")
    '00ab:3-5:9b853bdd'
    """
    return f"{doc_id}:{start}-{end}:{_check(surface, suggestion)}"


def is_id_of(text: str, surface: str, suggestion: str) -> bool:
    """Whether an id is that of a flag with these words."""
    found = ID.fullmatch(text)
    return found is not None and found[4] == _check(surface, suggestion)


def _check(surface: str, suggestion: str) -> str:
    return hashlib.sha256(f"{surface}\t{suggestion}".encode("utf-8", "replace")).hexdigest()[:8]


def read(path: Path) -> list[Answer]:
    """The answers of a file, in its order. None if there is no such file.

    Raises UsageError, naming the line, if one is no answer.
    """
    if not path.exists():
        return []
    if path.stat().st_size > LONGEST_FILE:
        raise UsageError(f"{path} is larger than {LONGEST_FILE >> 20} MB: no file of answers")
    found: dict[str, Answer] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                answer = _answer(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise UsageError(f"{path}, line {number} is no answer: {error}") from None
            if answer.id in found:
                raise UsageError(f"{path}, line {number}: {answer.id} is there twice")
            found[answer.id] = answer
    return list(found.values())


def _answer(row: Any) -> Answer:
    answer = Answer(**row)
    for name, value in answer._asdict().items():
        if name != "probability" and not isinstance(value, str):
            raise TypeError(f"{name} is no text")
    if not is_id_of(answer.id, answer.surface, answer.suggestion):
        raise ValueError("id and words do not belong together")
    if answer.answer not in VERDICTS:
        raise ValueError(f"answer is none of {', '.join(VERDICTS)}")
    if bool(answer.original) == (answer.answer == NO):
        raise ValueError("an original belongs to `yes` and `other`, and to nothing else")
    return answer


def write(path: Path, answers: Iterable[Answer]) -> None:
    """A line for each, by id."""
    ordered = sorted(answers, key=lambda answer: answer.id)
    lines = [json.dumps(answer._asdict(), ensure_ascii=False) + "\n" for answer in ordered]
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
