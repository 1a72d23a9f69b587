"""Processes that do jobs. If the work stops, whatever the reason, they end with it.

Each has a pipe of its own, and there is no lock that two of them take: so one that is killed, at
whatever moment, is told from one that is at work, and can never have the others wait for ever. Of
`concurrent.futures` that is not true: who is killed while it waits for a job takes the lock of the
queue along.
"""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from types import TracebackType
from typing import NamedTuple, Self

from pipeline.errors import StageError
from pipeline.parts import Job
from pipeline.progress import Report
from pipeline.runners.doing import do
from pipeline.startup import SIGNALS, give_memory_back, leave_pandas_out
from pipeline.tally import Made, peak_bytes

PR_SET_PDEATHSIG = 1  # of prctl(2)
REPORT_EVERY = 0.2  # seconds

GROWN_BYTES = 280_000_000
"""A process that has grown by so much since it began the run leaves the next stage to others: with
the 80 MB that it begins with, that is RENEWED_BYTES."""

RENEWED_BYTES = 350_000_000
"""A process that has held so much does not do another stage. Ordinary parts take 300 MB in `flag`;
a document of 50 MB, up to 610 MB in a process of its own, and 870 MB in one that did all stages."""

Done = ctypes.Array[ctypes.c_int64]
"""What each worker has done, shared with the parent."""


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: "Connection[Job, Made | Exception]"

    def end(self) -> None:
        self.process.kill()  # what it has not renamed yet, whoever holds the lock removes
        self.process.join()
        self.pipe.close()


class Workers:
    """Up to ``count`` processes, started when there is first more than one job to do."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._done: Done = RawArray(ctypes.c_int64, count)
        self._crew: dict[int, _Worker] = {}
        """By place, of which there are ``count``."""
        self._before = peak_bytes()
        """What this process had held before there was anything to do."""
        self._peaks: dict[int, int] = {}
        """The most memory that the worker at each place has held, in bytes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._crew.values():
            worker.process.kill()
        for worker in self._crew.values():
            worker.end()
        self._crew = {}

    def map(self, jobs: Sequence[Job], report: Report) -> Iterator[Made]:
        """Do the jobs, the heaviest first; yield what each made, as it is finished."""
        ordered = sorted(jobs, key=lambda job: -job.weight)
        return self._here(ordered, report) if self._alone(jobs) else self._spread(ordered, report)

    def _alone(self, jobs: Sequence[Job]) -> bool:
        """Starting processes takes longer than a job that weighs nothing."""
        alone = self.count == 1 or sum(job.weight > 0 for job in jobs) <= 1
        return alone and not self._crew and peak_bytes() - self._before < GROWN_BYTES

    @staticmethod
    def _here(jobs: Sequence[Job], report: Report) -> Iterator[Made]:
        done = 0

        def advance(units: int) -> None:
            nonlocal done
            done += units
            report(done)

        for job in jobs:
            yield do(job, advance)

    def _spread(self, jobs: Sequence[Job], report: Report) -> Iterator[Made]:
        self._renew()
        self._done[:] = [0] * self.count
        waiting = iter(jobs)
        busy = {w.pipe: place for place, w in self._crew.items() if _given(w.pipe, waiting)}
        while busy:
            for pipe in wait(list(busy), REPORT_EVERY):
                assert isinstance(pipe, Connection)  # noqa: S101 - for mypy: nothing else is in it
                made = _received(pipe, jobs[0].stage)
                if made.tally is not None:
                    self._peaks[busy[pipe]] = made.tally.peak_bytes
                if not _given(pipe, waiting):
                    del busy[pipe]
                yield made
            report(sum(self._done))

    def _renew(self) -> None:
        """Have a worker at each place. One that has held much memory makes room for another: what
        one stage has loaded, the next has no use for, and it adds up.
        """
        for place, peak in self._peaks.items():
            if peak >= RENEWED_BYTES:
                self._crew.pop(place).end()
        self._peaks = {}
        context = multiprocessing.get_context("spawn")  # threads and a fork do not mix
        resource_tracker.ensure_running()  # now: whoever starts it lets the signals through again
        with _held_back(SIGNALS):
            for place in set(range(self.count)).difference(self._crew):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_work, args=(theirs, self._done, place), daemon=True
                )
                process.start()
                theirs.close()  # its end is closed, then, when it ends
                self._crew[place] = _Worker(process, ours)


def _given(pipe: "Connection[Job, Made | Exception]", waiting: Iterator[Job]) -> bool:
    """Hand out the next job. Returns whether there was one."""
    job = next(waiting, None)
    if job is None:
        return False
    try:
        pipe.send(job)
    except ConnectionError:
        raise _killed(job.stage) from None
    return True


def _received(pipe: "Connection[Job, Made | Exception]", stage: str) -> Made:
    try:
        outcome = pipe.recv()
    except (EOFError, OSError):  # the latter, too, of what was cut off in the middle
        raise _killed(stage) from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _killed(stage: str) -> StageError:
    found = "one that was killed (is there enough memory?); run again to go on from here"
    return StageError(stage, None, None, "every worker to finish", found)


@contextmanager
def _held_back(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Signals wait until the block ends; in a process that is started in it, until `_settle`.

    So none is left half started. And a terminal sends Ctrl-C to workers, too: one that is still
    importing would print where.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in a worker


def _work(pipe: "Connection[Made | Exception, Job]", done: Done, place: int) -> None:
    _settle()

    def advance(units: int) -> None:
        done[place] += units

    with suppress(EOFError, ConnectionError):  # the parent has ended
        while True:
            job = pipe.recv()
            try:
                outcome: Made | Exception = do(job, advance)
            except Exception as error:  # noqa: BLE001 - the parent raises it
                outcome = _portable(error, job)
            pipe.send(outcome)


def _settle() -> None:
    give_memory_back()
    leave_pandas_out()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _be_killed_with_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _portable(error: Exception, job: Job) -> Exception:
    """The error with where it came from; as a StageError if it is one that cannot be sent."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - of whatever its class does
        found = f"{type(error).__name__}: {error}"
        return StageError(job.stage, job.name, None, "no error", found)
    return error


def _be_killed_with_parent() -> None:
    """By the kernel, where it is Linux: a thread of ours may come too late.

    The lock is free once the parent is dead. A worker that lives on, deep in some long computation,
    could put its part into the place of one that the next run has made of another input.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _end_with_parent() -> None:
    """A parent that was killed ends nobody, and its workers would go on writing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
