"""People's judgement on flags: a sheet of questions out, answers in, for the next `make train`.

`export` chooses flags that teach most (`choosing`) and writes them as a sheet (`sheets`); `gather`
reads a sheet that was filled in, checks each row and adds it to a file of answers (`answers`).
Every row carries the text around its flag, so that answers outlive the tables they were asked of.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.annotation import answers, sheets
from pipeline.annotation.choosing import chosen
from pipeline.annotation.sheets import BadRow
from pipeline.errors import UsageError
from pipeline.stages import STAGES
from pipeline.storage import locked, read_manifest, replacing

__all__ = ["Gathered", "export", "gather"]


class Gathered(NamedTuple):
    """What became of one sheet."""

    added: int
    """Answers that the file did not have."""
    known: int
    """Answers that it had."""
    changed: int
    """Answers that took the place of another."""
    unanswered: int
    """Rows that nobody has answered."""
    disputed: list[str]
    """A line for each answer that contradicts the one there is."""
    bad: list[BadRow]


def export(output: Path, target: Path, rows: int, model: str) -> Mapping[str, int]:
    """Write ``rows`` flags of a finished run to ``target``; how many of each kind there are.

    The suffix of ``target`` decides: `.csv` for table programs, `.json` for Label Studio. The same
    tables and ``model``, the directory of the detector's, give the same sheet.

    Raises UsageError if there are no finished tables or no flags, or if ``target`` exists: it may
    hold answers.
    """
    write = sheets.writer(target)
    if target.exists():
        raise UsageError(f"{target} exists, and may hold answers: name another file")
    corpus = output / STAGES["write"].directory
    try:
        with locked([], [corpus]):
            manifest = read_manifest(corpus)
            if manifest is None:
                message = f"{corpus} holds no finished tables: run `python -m pipeline run` first"
                raise UsageError(message)
            questions = chosen(corpus, manifest, rows, model)
    except BlockingIOError as error:
        message = f"a run is at work in {error.filename}: wait for it, or end it"
        raise UsageError(message) from None
    if not questions:
        raise UsageError(f"{corpus} has no flag of kind substitution: there is nothing to ask")
    with replacing(target) as temporary:
        temporary.write_bytes(write(questions))
    samples = [question.sample for question in questions]
    return {sample: samples.count(sample) for sample in dict.fromkeys(samples)}


def gather(sheet: Path, target: Path, *, replace: bool = False) -> Gathered:
    """Add the answers of a sheet to those in ``target``, JSON lines. Twice adds nothing.

    An answer that contradicts the one there is does not replace it, unless ``replace``: both are
    kept, and as long as they are, training does without the row. Raises UsageError if one of the
    files is not what it should be; a row that is not is in `Gathered.bad`, and costs no other.
    """
    found, unanswered, bad = sheets.read(sheet)
    held = {answer.id: answer for answer in answers.read(target)}
    added = known = changed = 0
    disputed = []
    for answer in found:
        old = held.get(answer.id)
        if old is None:
            added += 1
        elif old.says == answer.says and not (replace and old.disputed):
            known += 1
            continue
        elif replace:
            changed += 1
        else:
            said = f"{answer.surface}: {old.says} before, {answer.says} now"
            disputed.append(f"{answer.id} ({said})")
            answer = old._replace(disputed=answer.says)  # noqa: PLW2901 - both are kept
        held[answer.id] = answer
    if held:
        answers.write(target, held.values())
    return Gathered(added, known, changed, unanswered, disputed, bad)
