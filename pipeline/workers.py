"""Processes that do jobs. If the work stops, whatever the reason, they end with it."""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait as wait_for_process
from multiprocessing.sharedctypes import RawArray
from types import TracebackType
from typing import Self

from pipeline.errors import StageError
from pipeline.parts import Job
from pipeline.progress import Report
from pipeline.startup import SIGNALS, leave_pandas_out
from pipeline.storage import Part

PR_SET_PDEATHSIG = 1  # of prctl(2)

_done: "ctypes.Array[ctypes.c_int64]"
"""What each worker has done, shared with the parent. Each has a place of its own and there is no
lock: a worker that is killed with one in its hand would have all the others wait for ever."""


class Workers:
    """Up to ``count`` processes, started when there is first more than one job to do."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._context = multiprocessing.get_context("spawn")  # threads and a fork do not mix
        self._done: ctypes.Array[ctypes.c_int64] = RawArray(ctypes.c_int64, count)
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is None:
            return
        self._pool.shutdown(wait=error is None, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
            process.join()

    def map(self, jobs: Sequence[Job], report: Report) -> Iterator[list[Part]]:
        """Do the jobs, the heaviest first; yield what each made, as it is finished."""
        ordered = sorted(jobs, key=lambda job: -job.weight)
        return self._here(ordered, report) if self._alone(jobs) else self._spread(ordered, report)

    def _alone(self, jobs: Sequence[Job]) -> bool:
        """Starting processes takes longer than a job that weighs nothing."""
        return self.count == 1 or sum(job.weight > 0 for job in jobs) <= 1

    @staticmethod
    def _here(jobs: Sequence[Job], report: Report) -> Iterator[list[Part]]:
        done = 0

        def advance(units: int) -> None:
            nonlocal done
            done += units
            report(done)

        for job in jobs:
            yield job.make(job, advance)

    def _spread(self, jobs: Sequence[Job], report: Report) -> Iterator[list[Part]]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count, self._context, initializer=_start, initargs=(self._done,)
            )
        self._done[:] = [0] * self.count
        with _held_back(SIGNALS):  # processes are started here, and must not be left half started
            waiting: set[Future[list[Part]]] = {self._pool.submit(_do, job) for job in jobs}
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                yield _result(future, jobs[0].stage)
            report(sum(self._done))


def _result(future: Future[list[Part]], stage: str) -> list[Part]:
    try:
        return future.result()
    except BrokenProcessPool:
        found = "one that was killed (is there enough memory?); run again to go on from here"
        raise StageError(stage, None, None, "every worker to finish", found) from None


def _start(done: "ctypes.Array[ctypes.c_int64]") -> None:
    global _done  # noqa: PLW0603 - the pool offers a worker no other place
    _done = done
    leave_pandas_out()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _be_killed_with_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def _held_back(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Signals wait until the block ends; in a process that is started in it, until `_start`.

    A terminal sends Ctrl-C to workers, too, and one that is still importing would print where.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
        wait_for_process([parent.sentinel])
        os._exit(1)


def _do(job: Job) -> list[Part]:
    # They are numbered as they are started. Two with one place would only show too little progress.
    place = int(multiprocessing.current_process().name.rpartition("-")[2]) % len(_done)

    def advance(units: int) -> None:
        _done[place] += units

    return job.make(job, advance)
