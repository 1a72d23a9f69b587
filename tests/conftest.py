"""What several test files need: small inputs, and ways to look at what a run left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd  # noqa: F401 - now, or a command called in this process would leave it out
import pytest

from pipeline.stages import STAGES

ROOT = Path(__file__).parent.parent
VOLATILE = {".lock", "_files.json"}  # a lock, and the times at which the input files changed

SENTENCES = (
    "基层干部吐槽扶贫评选太密集,情势主义害逝世人。",
    "一些基层干部呐喊,检查太多,严峻挫伤了他们的踊跃性。",
    "2021年1月30日,记者在北京报道了这件事情!",
    "他问道:“为什么会这样?”没有人回答。",
)


def write_texts(folder: Path, count: int, chars: int = 200) -> Path:
    """Folders of plain text files of about so many characters, all different."""
    for i in range(count):
        path = folder / f"{i % 3}" / f"{i:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines, size = [f"第{i}篇"], 0
        while size < chars:
            lines.append(SENTENCES[(i + len(lines)) % len(SENTENCES)])
            size += len(lines[-1])
        path.write_text("\n".join(lines), encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder that must not depend on when or how it was made."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name not in VOLATILE
    }


def stamps(output: Path) -> dict[str, tuple[int, int]]:
    """Identity and time of every part: both change if it is written again, equal or not."""
    return {
        path.relative_to(output).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in output.rglob("part-*.parquet")
    }


def made_again(before: dict[str, tuple[int, int]], output: Path) -> dict[str, set[str]]:
    """By stage, the names of the parts that are not those of before."""
    after = stamps(output)
    directories = {stage.directory: name for name, stage in STAGES.items()}
    changed: dict[str, set[str]] = {}
    for path, stamp in after.items():
        if before.get(path) != stamp:
            directory, _, name = path.partition("/")
            changed.setdefault(directories[directory], set()).add(name)
    return changed


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_texts(tmp_path / "in", 6)


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli() -> Cli:
    """Run `python -m pipeline` as a user does."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            **options,
        )

    return call


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Whoever starts the tests in the background, or with `nohup`, has signals ignored, and what is
    started from here would ignore them too.
    """
    default = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in default if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, default[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
