"""How far the work is: a bar on a terminal, plain lines elsewhere. All of it on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY = 10.0
"""Seconds between two plain lines."""


class Report(Protocol):
    """Where the work says how much of it is done."""

    def __call__(self, done: int) -> None: ...


def say(line: str) -> None:
    """One line about what happened."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is where lines are printed


@contextmanager
def progress(stage: str, total: int, unit: str) -> Iterator[Report]:
    """Show the progress of one stage, of which ``total`` units are to be done."""
    show = _bar if sys.stderr.isatty() else _lines
    with show(stage, total, unit) as report:
        yield report


@contextmanager
def _bar(stage: str, total: int, unit: str) -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = [
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(stage, total=total, rate="")

        def report(done: int) -> None:
            bars.update(task, completed=done, rate=_rate(done, started, unit))

        yield report


@contextmanager
def _lines(stage: str, total: int, unit: str) -> Iterator[Report]:
    started = last = time.monotonic()

    def report(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done and now - last >= LINE_EVERY:
            last = now
            left = (total - done) / done * (now - started)
            say(f"{stage}: {done / total:.0%}, {_rate(done, started, unit)}, {left:.0f} s left")

    yield report


def _rate(done: int, started: float, unit: str) -> str:
    rate = done / max(1e-3, time.monotonic() - started)
    return f"{rate / 1e6:.1f} MB/s" if unit == "bytes" else f"{rate:,.0f} {unit}/s"
