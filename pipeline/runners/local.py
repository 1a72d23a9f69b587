"""Processes that do jobs. If the work stops, whatever the reason, they end with it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_process
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Self

from pipeline.errors import StageError
from pipeline.parts import Job
from pipeline.progress import Report
from pipeline.runners.doing import do
from pipeline.startup import give_memory_back, leave_pandas_out
from pipeline.tally import Made

_done: "Synchronized[int]"
"""In a worker: what all of them have done, shared with the parent."""


class Workers:
    """Up to ``count`` processes, started when there is first more than one job to do."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._context = multiprocessing.get_context("spawn")  # threads and a fork do not mix
        self._done: Synchronized[int] = self._context.Value("q", 0)
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

    def map(self, jobs: Sequence[Job], report: Report) -> Iterator[Made]:
        """Do the jobs, the heaviest first; yield what each made, as it is finished."""
        ordered = sorted(jobs, key=lambda job: -job.weight)
        return self._here(ordered, report) if self._alone(jobs) else self._spread(ordered, report)

    def _alone(self, jobs: Sequence[Job]) -> bool:
        """Starting processes takes longer than a job that weighs nothing."""
        return self.count == 1 or sum(job.weight > 0 for job in jobs) <= 1

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
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count, self._context, initializer=_start, initargs=(self._done,)
            )
        self._done.value = 0
        waiting: set[Future[Made]] = {self._pool.submit(_do, job) for job in jobs}
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                yield _result(future, jobs[0].stage)
            report(self._done.value)


def _result(future: Future[Made], stage: str) -> Made:
    try:
        return future.result()
    except BrokenProcessPool:
        found = "one that was killed (is there enough memory?); run again to go on from here"
        raise StageError(stage, None, None, "every worker to finish", found) from None


def _start(done: "Synchronized[int]") -> None:
    global _done  # noqa: PLW0603 - the pool offers a worker no other place
    _done = done
    give_memory_back()
    leave_pandas_out()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed ends nobody, and its workers would go on writing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_process([parent.sentinel])
        os._exit(1)


def _do(job: Job) -> Made:
    def advance(units: int) -> None:
        with _done.get_lock():
            _done.value += units

    return do(job, advance)
