"""A run as a process of its own, in a session of its own, and how it is ended."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT

KILLS = ("worker", "main", "group", "SIGTERM", "SIGINT", "SIGHUP", "SIGINT group", "SIGTERM twice")
LONGEST_SECONDS = 300.0
ORPHAN_SECONDS = 20.0


def start(arguments: list[str], errors: Path) -> "subprocess.Popen[bytes]":
    with errors.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,
        )


def end(kind: str, process: "subprocess.Popen[bytes]", rng: random.Random) -> bool:
    """Do what ``kind`` says. Returns whether there was anything to do it to."""
    if process.poll() is not None:
        return False
    victim = process.pid
    if kind == "worker":
        workers = _workers(process.pid)
        if not workers:
            return False
        victim = rng.choice(workers)
    try:
        if kind == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif kind == "SIGINT group":  # as a terminal does
            os.killpg(process.pid, signal.SIGINT)
        elif kind in ("worker", "main"):
            os.kill(victim, signal.SIGKILL)
        else:
            name, _, again = kind.partition(" ")
            os.kill(process.pid, signal.Signals[name])
            if again:
                time.sleep(rng.random() / 5)
                os.kill(process.pid, signal.Signals[name])
    except ProcessLookupError:
        return False
    return True


def wait(process: "subprocess.Popen[bytes]") -> int | None:
    """Its exit status; None if it hangs, and had to be killed."""
    try:
        return process.wait(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def orphans(session: int) -> list[int]:
    """Who is left of a session, after it was given some time."""
    limit = time.monotonic() + ORPHAN_SECONDS
    while (left := _in_session(session)) and time.monotonic() < limit:
        time.sleep(0.01)
    return left


def _stat(pid: int) -> list[str]:
    """State, parent, group, session of a process; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _in_session(session: int) -> list[int]:
    stats = [(pid, stat) for pid in _processes() if (stat := _stat(pid))]
    return [pid for pid, stat in stats if stat[3] == str(session) and stat[0] != "Z"]


def _workers(parent: int) -> list[int]:
    children = [pid for pid in _processes() if (s := _stat(pid)) and s[1] == str(parent)]
    return [pid for pid in children if "spawn_main" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
