"""How far the work is, and what came of it: a bar on a terminal, plain lines elsewhere, or with
`--log-json` an object a line. All of it on stderr.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from pipeline.tally import Tally, peak_bytes

LINE_EVERY = 10.0
"""Seconds between two plain lines, or two objects."""
REASONS_SHOWN = 3

EVENTS: Mapping[str, str] = {
    "start": "a command begins",
    "stage": "a stage begins that has something to do",
    "progress": "how far it is, every ten seconds",
    "message": "anything else that is worth a line",
    "end": "a stage is finished",
    "summary": "the command is finished, and what it made is complete",
    "error": "the command has failed; nothing comes after it",
}
"""What `event` may be."""

FIELDS: Mapping[str, str] = {
    "time": "when, in UTC, as ISO 8601 has it",
    "event": "what happened, one of the above",
    "command": "`run`, or the name of a stage",
    "stage": "the stage, or `report`",
    "message": "one line for people",
    "status": "exit status: 1 failed, 2 used wrongly",
    "workers": "processes, or tasks at a time",
    "parts_made": "parts made now; at the beginning of a stage, units of work to be done",
    "parts_kept": "parts that were there already",
    "done": "how much of `total` is done",
    "total": "what is to be done now, without what was kept",
    "unit": "of both: `bytes` of input, `documents` or `rows`",
    "rate": "units a second, since the stage began",
    "remaining_s": "seconds until the stage ends, at that rate; null: not known yet",
    "seconds": "wall-clock time",
    "stage_seconds": "of a run: the same, by stage",
    "worker_seconds": "time that jobs took, added up over workers",
    "documents": "documents of all parts so far, made now or kept",
    "spun": "of these, with a `spun_probability` of 0.5 or more; null before `flag`",
    "spun_share": "the same as a share of `documents`; null where there is none",
    "rejects": "records rejected so far, by reason",
    "rows_in": "records that came in: documents and rejects",
    "rows_out": "rows by table",
    "text_bytes": "bytes of text (`raw`, in UTF-8)",
    "mb_per_s": "of that text, in millions of bytes a second; null: nothing was made",
    "peak_worker_bytes": "most memory that any process which did a job has held",
    "peak_parent_bytes": "the same of the process that plans the work",
    "output": "folder of what was made",
    "report": "path of the report",
}
"""The fields of the objects that `--log-json` writes, and what they mean."""

_as_json = False


def log_json(on: bool) -> None:
    """Write objects from now on, or lines again."""
    global _as_json  # noqa: PLW0603 - stderr, too, is one for all
    _as_json = on


def is_json() -> bool:
    """Whether objects are asked for. Ask before you count what only they tell."""
    return _as_json


def tell(event: str, **fields: Any) -> bool:
    """Write one object, if objects are asked for. Returns whether they are."""
    if _as_json:
        assert_known(event, fields)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        _print(json.dumps({"time": now, "event": event, **fields}))  # in ASCII: it steers nothing
    return _as_json


def assert_known(event: str, fields: Mapping[str, Any]) -> None:
    """Raises ValueError for a name that nobody can look up."""
    if unknown := [name for name in fields if name not in FIELDS]:
        raise ValueError(f"a field that is not described: {unknown[0]}")
    if event not in EVENTS:
        raise ValueError(f"an event that is not described: {event}")


def say(line: str) -> None:
    """One line about what happened."""
    if not tell("message", message=line):
        _print(line)


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is where lines are printed


class Report(Protocol):
    """Where the work says how much of it is done."""

    def __call__(self, done: int) -> None: ...

    def add(self, tally: Tally) -> None:
        """What a finished job has come to."""


class _Work:
    """What is known of a stage that goes on."""

    def __init__(self, stage: str, total: int, unit: str, known: Tally) -> None:
        self.stage, self.total, self.unit, self.tally = stage, total, unit, known
        self.done = 0
        self.started = self.last = time.monotonic()

    def add(self, tally: Tally) -> None:
        self.tally = self.tally.plus(tally)

    def is_due(self) -> bool:
        """Whether it is time for a line."""
        now = time.monotonic()
        if not self.done or now - self.last < LINE_EVERY:
            return False
        self.last = now
        return True

    @property
    def rate(self) -> float:
        return self.done / max(1e-3, time.monotonic() - self.started)

    @property
    def remaining(self) -> float | None:
        return (self.total - self.done) / self.rate if self.done else None

    def found(self) -> str:
        """Rejects by reason, and how much is spun: `; rejects 3 (empty_file 3); spun 5.0%`."""
        share = self.tally.spun_share
        told = [
            f"rejects {reasons(self.tally.rejects)}" if self.tally.rejects else "",
            "" if share is None else f"spun {share:.1%}",
        ]
        return "".join(f"; {one}" for one in told if one)

    def shown_rate(self) -> str:
        if self.unit == "bytes":
            return f"{self.rate / 1e6:.1f} MB/s"
        return f"{self.rate:,.0f} {self.unit}/s"


def reasons(rejects: Mapping[str, int], most: int = REASONS_SHOWN) -> str:
    """How many there are, and of what, the commonest first.

    >>> reasons({"empty_file": 2, "no_content": 1500})
    '1,502 (no_content 1,500, empty_file 2)'
    """
    ranked = sorted(rejects.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{reason} {rows:,}" for reason, rows in ranked[:most]]
    if len(ranked) > most:
        shown.append(f"{len(ranked) - most} more reasons")
    return f"{sum(rejects.values()):,} ({', '.join(shown)})" if ranked else "0"


@contextmanager
def progress(stage: str, total: int, unit: str, known: Tally | None = None) -> Iterator[Report]:
    """Show the progress of one stage, of which ``total`` units are to be done.

    ``known`` is what has come of the parts that are there already.
    """
    show = _Objects if _as_json else _Bar if sys.stderr.isatty() else _Lines
    report = show(stage, total, unit, known or Tally())
    try:
        yield report
    finally:
        report.close()


class _Lines(_Work):
    def __call__(self, done: int) -> None:
        self.done = done
        if self.is_due():
            share = f"{done / max(1, self.total):.0%}"
            left = f"{self.remaining or 0:.0f} s left"
            _print(f"{self.stage}: {share}, {self.shown_rate()}, {left}{self.found()}")

    def close(self) -> None:
        """Nothing is held open."""


class _Objects(_Work):
    def __call__(self, done: int) -> None:
        self.done = done
        if self.is_due():
            left = self.remaining
            tell(
                "progress",
                stage=self.stage,
                done=done,
                total=self.total,
                unit=self.unit,
                rate=round(self.rate, 1),
                remaining_s=None if left is None else round(left, 1),
                documents=self.tally.documents,
                spun=self.tally.spun,
                spun_share=self.tally.spun_share,
                rejects=self.tally.rejects,
                peak_worker_bytes=self.tally.peak_bytes,
                peak_parent_bytes=peak_bytes(),
            )

    def close(self) -> None:
        """Nothing is held open."""


class _Bar(_Work):
    def __init__(self, stage: str, total: int, unit: str, known: Tally) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        super().__init__(stage, total, unit, known)
        columns = [
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[told]}", markup=False),
            TimeRemainingColumn(),
        ]
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bars.start()
        self._task = self._bars.add_task(stage, total=total, told="")

    def __call__(self, done: int) -> None:
        self.done = done
        self._bars.update(self._task, completed=done, told=self.shown_rate() + self.found())

    def close(self) -> None:
        self._bars.stop()
