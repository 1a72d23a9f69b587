"""Locks for stores that have none: a file that says who writes here, and is renewed.

Who finds one that was not renewed for long takes it over. Stores do not promise that of two who
look at the same moment only one wins; so each writes, waits, and looks whose file it is.
"""

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.remote import Remote

RENEW_EVERY = 30.0
"""Seconds."""
STALE_AFTER = 300.0
"""Seconds after which a lease that nobody renewed is nobody's. Clocks may differ by a minute."""
SETTLES_IN = 1.0
"""Seconds that a store may take to show the last of several writes."""


@contextmanager
def leased(lock: Remote, holder: str) -> Iterator[None]:
    """Hold the lease until the end. ``holder`` is one line, whose first words are host and process.

    Raises BlockingIOError if another run has it.
    """
    check_free(lock)
    _write(lock, holder, time.time())
    time.sleep(SETTLES_IN)
    if _read(lock)[0] != holder:
        raise _taken(lock)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, holder, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        if _read(lock)[0] == holder:
            _write(lock, holder, 0)


def check_free(lock: Remote) -> None:
    """Raises BlockingIOError if a run has the lease."""
    holder, renewed = _read(lock)
    if time.time() - renewed < STALE_AFTER and not _is_dead(holder):
        raise _taken(lock)


def _is_dead(holder: str) -> bool:
    """Of a process on this machine we know whether it is there."""
    host, process = (*holder.split(), "", "")[:2]
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _taken(lock: Remote) -> BlockingIOError:
    return BlockingIOError(errno.EWOULDBLOCK, "in use by another run", str(lock.parent))


def _renew(lock: Remote, holder: str, ended: threading.Event) -> None:
    while not ended.wait(RENEW_EVERY):
        if _read(lock)[0] == holder:  # else somebody thought us dead: our tasks will see it
            _write(lock, holder, time.time())


def _read(lock: Remote) -> tuple[str, float]:
    """Who holds it, and when that was last said: 0 if it is free."""
    try:
        holder, renewed = lock.read_text().splitlines()
        return holder, float(renewed)
    except (FileNotFoundError, ValueError):
        return "", 0.0


def _write(lock: Remote, holder: str, renewed: float) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lease"
        path.write_text(f"{holder}\n{renewed}\n", encoding="utf-8")
        lock.send(path)
