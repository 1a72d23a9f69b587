"""The command: chains of kills until there were enough of them, or the time is over."""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.stages import STAGES
from tests.conftest import contents
from tests.torture import inputs, looking, processes

Log = Callable[[dict[str, Any]], None]
STARTS = ("empty", "deleted from", "older")
LISTENS = 0.5
"""Seconds after which a process must answer a signal with a line; before, the system does."""
STOPPED = "stopped; the same command goes on from here"


class Torture:
    """A folder with an input, its reference, and an output that is tortured."""

    def __init__(self, folder: Path, lines: int, seed: int, log: Log) -> None:
        self._folder, self._log, self._rng = folder, log, random.Random(seed)
        self._output = folder / "out"
        self.kills: Counter[str] = Counter()
        self.stages: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.missed = self.reruns = 0
        self.differences: list[str] = []
        self._errors = folder / "errors"
        self._left_before: set[Path] = set()
        inputs.build(folder / "in", lines)
        self._new = self._reference("new")
        shutil.move(folder / "in", folder / "kept")
        shutil.copytree(folder / "kept", folder / "in")
        inputs.age(folder / "in")
        self._old = self._reference("old")
        shutil.rmtree(folder / "in")
        shutil.move(folder / "kept", folder / "in")

    def _reference(self, name: str) -> looking.Contents:
        output = self._folder / name
        started = time.monotonic()
        self._to_the_end(["run", "in", name], 1, name)
        self._seconds = time.monotonic() - started
        if doubled := looking.doubled(output):
            raise ValueError(f"the reference has {doubled} documents twice")
        self._parts = len(list(output.rglob("part-*.parquet")))
        return contents(output)

    # --- one chain

    def chain(self, most: int) -> None:
        """From a start through up to ``most`` kills to the end of a run."""
        start = self._rng.choice(STARTS)
        self._prepare(start)
        allowed = [self._new, self._old] if start == "older" else [self._new]
        for _ in range(self._rng.randint(1, max(1, min(most, 8)))):
            if self._killed(start, allowed):
                break
        self._finish(start)

    def _prepare(self, start: str) -> None:
        shutil.rmtree(self._output, ignore_errors=True)
        if start == "empty":
            return
        shutil.copytree(self._folder / ("old" if start == "older" else "new"), self._output)
        if start == "deleted from":
            for path in sorted(self._output.rglob("*")):
                if path.is_file() and self._rng.random() < 0.4:  # parts, manifests, the report
                    path.unlink()

    def _killed(self, start: str, allowed: list[looking.Contents]) -> bool:
        """One run that is killed. Returns whether it came to its end before that."""
        workers = self._rng.choice((1, 2, 2, 2, 3))
        kind = self._rng.choice(processes.KILLS if workers > 1 else processes.KILLS[1:])
        # Of an input that somebody has deleted from, a single stage rightly makes nothing.
        whole = start != "deleted from"
        arguments = self._command() if whole else ["run", "in", "out"]
        self._left_before = self._found("*.tmp")
        started = time.monotonic()
        process = self._start(arguments, workers)
        self._sleep(process, started)
        after = time.monotonic() - started
        stage = looking.stage_at_work(self._output)
        hit = processes.end(kind, process, self._rng)
        at_once = looking.at_any_moment(self._output, allowed, whole=whole) if hit else ()
        wrong = [*at_once]
        status = processes.wait(process)
        left = processes.orphans(process.pid)
        wrong += looking.at_any_moment(self._output, allowed, whole=whole)
        wrong += [f"process {pid} lives on" for pid in left]
        outcome, complaint = self._outcome(kind, status, hit, is_new=after < LISTENS)
        wrong += complaint
        if hit:
            self.kills[kind] += 1
            self.stages[stage] += 1
            self.statuses[f"{kind}: {outcome}"] += 1
        else:
            self.missed += 1
        self._note(
            wrong,
            start=start,
            command=arguments[0],
            workers=workers,
            kill=kind if hit else None,
            after=round(after, 2),
            stage=stage,
            status=status,
            outcome=outcome,
        )
        return status == 0 and arguments[0] in ("run", "write")

    def _command(self) -> list[str]:
        """All stages, or the next that is to be made."""
        stage = looking.stage_at_work(self._output)
        if stage not in STAGES and stage != "start":
            return ["run", "in", "out"]
        name = "ingest" if stage == "start" else stage
        if self._rng.random() < 0.7:
            return ["run", "in", "out"]
        names = list(STAGES)
        before = names[names.index(name) - 1] if name != "ingest" else ""
        source = f"out/{STAGES[before].directory}" if before else "in"
        return [name, source, f"out/{STAGES[name].directory}"]

    def _sleep(self, process: Any, started: float) -> None:
        """Until a moment that is chosen by the clock, or by what has been made."""
        rng = self._rng
        until = started + rng.random() * self._seconds * 1.2
        if rng.random() < 0.3:
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.002)
            return
        there = self._count()
        target = there + rng.randint(0, max(1, self._parts - there))
        until = started + 30 * self._seconds
        while process.poll() is None and self._count() <= target and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.05)

    def _found(self, pattern: str) -> set[Path]:
        while True:
            try:
                return set(self._output.rglob(pattern))
            except FileNotFoundError:  # somebody removes a folder while we look
                continue

    def _count(self) -> int:
        return len(self._found("part-*.parquet"))

    def _outcome(
        self, kind: str, status: int | None, hit: bool, *, is_new: bool
    ) -> tuple[str, list[str]]:
        """What came of it, in a word, and what is wrong with that."""
        said = self._errors.read_text(errors="replace").splitlines()
        last = said[-1] if said else ""
        if status is None:
            return "hangs", [f"it hung after {kind}"]
        if not hit or status == 0:
            return "finished", [] if status == 0 else [f"status {status}: {last}"]
        if kind in ("main", "group"):
            return "killed", [] if status == -9 else [f"status {status}: {last}"]
        if is_new and (status in (-2, -15, -1) or (last == "KeyboardInterrupt" and len(said) > 1)):
            return "before it listened", []
        wrong = ["a traceback"] if any("Traceback" in line for line in said) else []
        expected = "run again to go on from here" if kind == "worker" else STOPPED
        if status != 1 or not last.endswith(expected):
            wrong.append(f"status {status}: {last}")
        # One that is stopped before it has tidied up leaves what an earlier one has left, killed.
        if not self._found("*.tmp") <= self._left_before:
            wrong.append("temporary files are left")
        return "one line", wrong

    def _finish(self, start: str) -> None:
        workers = self._rng.choice((1, 2))
        self._to_the_end(["run", "in", "out"], workers, start)
        self.reruns += 1
        reference = self._new
        self._note(
            [*looking.at_the_end(self._output, reference)],
            start=start,
            command="run",
            workers=workers,
            kill=None,
            outcome="rerun",
        )

    def _start(self, arguments: list[str], workers: int) -> Any:
        paths = [str(self._folder / path) for path in arguments[1:]]
        command = [arguments[0], *paths, "--workers", str(workers), *inputs.SETTINGS]
        return processes.start(command, self._errors)

    def _to_the_end(self, arguments: list[str], workers: int, start: str) -> None:
        process = self._start(arguments, workers)
        status = processes.wait(process)
        if status != 0:
            said = self._errors.read_text(errors="replace")
            self._note([f"a run to the end: status {status}: {said[-500:]}"], start=start)

    def _note(self, wrong: list[str], **fields: Any) -> None:
        self.differences += wrong
        self._log({**fields, "differences": wrong})

    def summary(self) -> dict[str, Any]:
        return {
            "kills": self.kills.total(),
            "by_kind": dict(self.kills),
            "by_stage": dict(self.stages),
            "outcomes": dict(sorted(self.statuses.items())),
            "finished_first": self.missed,
            "reruns": self.reruns,
            "differences": len(self.differences),
        }


def torture(
    folder: Path, kills: int, seconds: float, seed: int, lines: int, log: Log
) -> dict[str, Any]:
    """Kill until there were ``kills`` or the time is over. Returns the summary."""
    victim = Torture(folder, lines, seed, log)
    started = time.monotonic()
    while (done := victim.kills.total()) < kills and (
        not done or time.monotonic() - started < seconds
    ):
        victim.chain(kills - victim.kills.total())
    return {**victim.summary(), "seconds": round(time.monotonic() - started)}


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)  # noqa: T201 - a command's output


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3600, help="no chain begins after that")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lines", type=int, default=80, help="how large the input is")
    args = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # a shell has a background job ignore them
    with tempfile.TemporaryDirectory() as folder:
        found = torture(Path(folder), args.kills, args.seconds, args.seed, args.lines, _print)
    _print(found)
    return 1 if found["differences"] or not found["kills"] else 0


if __name__ == "__main__":
    sys.exit(main())
