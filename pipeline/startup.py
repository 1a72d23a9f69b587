"""What a process of ours does before anything else."""

import ctypes
import io
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.abc import MetaPathFinder
from types import FrameType

STOPPING_SECONDS = 3.0
"""Whoever is told to stop, and told again within that time, is stopping already."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Variables that say how many threads may share a matrix product."""


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError("left out of this process: see pipeline/startup.py")


def stop_when_told() -> None:
    """Answer the signals that ask a process to end with KeyboardInterrupt, so with one line.

    What is ignored, as `nohup` has it with SIGHUP, stays so.
    """
    last = float("-inf")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        # A second one would break off what the first has begun: ending workers, tidying up.
        if now - last > STOPPING_SECONDS:
            last = now
            raise KeyboardInterrupt

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def stop_listening() -> None:
    """What is done is done: a signal must not break off how Python ends, nor change its status."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def open_streams() -> None:
    """Have all three streams: what was closed by `2>&-` leads nowhere. Print in any locale.

    A closed descriptor would go to the next file to be opened: a part that warnings are written to.
    """
    for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)  # a worker, too, has it
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def one_thread_each() -> None:
    """Matrix products on the thread that asks for them: the workers are the parallelism, and a sum
    that is split among threads may be rounded otherwise. Before numpy is imported.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def give_memory_back() -> None:
    """Have what was freed given back to the system: after one document of 50 MB a process would
    keep three times as much for good. Before pyarrow is imported.

    Arrow's own allocator keeps what it once had; the system's maps large blocks one by one, if it
    is told to go on doing so (glibc raises the limit with the first that is freed).
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with suppress(OSError, AttributeError):  # another C library than glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, 4 * LARGE_BYTES)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BYTES = 4 << 20
"""Blocks from this size on are mapped one by one: larger than what ordinary batches need often."""


def leave_pandas_out() -> None:
    """Save 1.6 s: pyarrow imports pandas to see whether an array is one of pandas' own.

    Only for a process that runs one command and ends. It does without, as if pandas were absent.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas())
