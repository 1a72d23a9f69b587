"""Memory, time and disk against the size of the input: `python -m tests.growth --help`.

Not collected by pytest: ten gigabytes take the better part of an hour. It makes a JSON-lines file
of the size asked for, has `python -m pipeline run` clean it, and looks at every process meanwhile.
"""

# ruff: noqa: T201 - it prints
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.stages import STAGES
from pipeline.training.corpus import documents
from pipeline.training.lexica import PAIRS_FILE, read_pairs
from pipeline.training.spinner import spin
from pipeline.training.tools import list_tool

BASE_CHARS = 4_000_000
"""Of different text; beyond it texts come again, each time with another number at the end."""
ONE_IN = 20
"""Documents that are spun."""
GIANT_BYTES = 50_000_000
EVERY = 0.25
"""Seconds between two looks at the processes."""
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def size(text: str) -> int:
    found = re.fullmatch(r"(\d+)(|KB|MB|GB)", text.upper())
    if not found:
        raise argparse.ArgumentTypeError("must be a number of bytes, such as 100MB")
    return int(found[1]) * UNITS[found[2]]


def base_texts(corpus: Path, lexica: Path) -> list[str]:
    pairs, rng = read_pairs(lexica / PAIRS_FILE), random.Random(1)
    texts: list[str] = []
    held = 0
    for document in documents(corpus):
        text = document.text
        if len(texts) % ONE_IN == 0:
            text = spin(text, list_tool(pairs, rng), rng).text
        texts.append(text)
        held += len(text)
        if held >= BASE_CHARS:
            break
    return texts


def lines(texts: list[str], n_bytes: int) -> Iterator[bytes]:
    """One document of GIANT_BYTES, as soon as that is at most half of it all; then the others."""
    written = number = 0
    escaped = [json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in texts]
    if n_bytes >= 2 * GIANT_BYTES:
        body = rb"\n".join(escaped)
        giant = (body * (1 + GIANT_BYTES // len(body)))[:GIANT_BYTES].decode("utf-8", "ignore")
        line = b'{"text": "' + giant.rstrip("\\").encode() + b'"}\n'
        written += len(line)
        yield line
    while written < n_bytes:
        line = b'{"text": "%s\\n\xe6\x96\x87\xe5\x8f\xb7%d"}\n' % (
            escaped[number % len(escaped)],
            number,
        )
        number += 1
        written += len(line)
        yield line


def resident(pid: int) -> dict[int, int]:
    """Resident bytes of a process and of all below it."""
    found = {}
    waiting = [pid]
    while waiting:
        at = waiting.pop()
        try:
            status = Path(f"/proc/{at}/status").read_text(encoding="utf-8")
            waiting += map(
                int, Path(f"/proc/{at}/task/{at}/children").read_text(encoding="utf-8").split()
            )
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rss := re.search(r"VmRSS:\s+(\d+) kB", status):
            found[at] = int(rss[1]) * 1024
    return found


def measured(source: Path, output: Path, workers: int) -> dict[str, object]:
    command = [sys.executable, "-m", "pipeline", "run", str(source), str(output)]
    started, cpu = time.monotonic(), os.times()
    with (output.parent / "growth.log").open("w") as log:
        run = subprocess.Popen([*command, "--workers", str(workers)], stdout=log, stderr=log)
        peaks: dict[int, int] = {}
        while run.poll() is None:
            for pid, rss in resident(run.pid).items():
                peaks[pid] = max(rss, peaks.get(pid, 0))
            time.sleep(EVERY)
    seconds, after = time.monotonic() - started, os.times()
    if run.returncode:
        sys.exit(f"the run failed with {run.returncode}: see {output.parent / 'growth.log'}")
    n_bytes = source.stat().st_size
    spent = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    of_stage = {
        name: sum(f.stat().st_size for f in (output / stage.directory).rglob("*") if f.is_file())
        for name, stage in STAGES.items()
    }
    parent = peaks.pop(run.pid)
    return {
        "bytes": n_bytes,
        "workers": workers,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(spent, 1),
        "cpu_seconds_per_mb": round(spent / n_bytes * 1e6, 3),
        "mb_per_second": round(n_bytes / seconds / 1e6, 2),
        "parent_mb": round(parent / 1e6),
        "largest_worker_mb": round(max(peaks.values(), default=0) / 1e6),
        "disk": {name: round(n / n_bytes, 3) for name, n in of_stage.items()},
        "stages": (output.parent / "growth.log").read_text(encoding="utf-8").splitlines(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("corpus", type=Path, help="ordinary text, as `make train` takes it")
    parser.add_argument("lexica", type=Path, help="a folder of word lists")
    parser.add_argument("--bytes", type=size, nargs="+", default=[10**6, 10**7, 10**8])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True, help="an empty one, for all of it")
    args = parser.parse_args()
    texts = base_texts(args.corpus, args.lexica)
    for n_bytes in args.bytes:
        folder = args.folder / str(n_bytes)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source = folder / "input" / "texts.jsonl"
        source.parent.mkdir()
        with source.open("wb") as file:
            file.writelines(lines(texts, n_bytes))
        row = measured(source, folder / "output", args.workers)
        print(json.dumps({k: v for k, v in row.items() if k != "stages"}))
        for line in row["stages"]:  # type: ignore[attr-defined]
            print("   ", line, file=sys.stderr)
        with (args.folder / "growth.jsonl").open("a") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if n_bytes > 10**8:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
