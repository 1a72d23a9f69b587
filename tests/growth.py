"""How time, memory and disk grow with the input: a run of each size, measured from outside.

    python -m tests.growth CORPUS LEXICA --sizes 1 10 100 --workers 2 --folder DIR

CORPUS is what `pipeline.training.corpus` reads. The input is one jsonl file of so many MB (10^6
bytes), the same every time: documents of the corpus in turns, 5% of them spun, each with its number
put in front, so that no two have one text; and one document of 50 MB (a tenth of the input, where
that is less). Memory is what /proc says of every process of the run (Linux only), five times a
second, and what the run itself tells with `--log-json`.
"""

# ruff: noqa: T201 - a command prints
import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.stages import STAGES
from pipeline.training.corpus import documents
from pipeline.training.lexica import PAIRS_FILE, read_pairs
from pipeline.training.spinner import spin
from pipeline.training.tools import list_tool

POOL_CHARS = 4_000_000
"""Of different text, which is then used again."""
SPUN_SHARE = 0.05
LONG_BYTES = 50_000_000
LONG_SHARE = 0.1
SAMPLES_A_SECOND = 5
SEED = 1


class Grown(NamedTuple):
    """One run."""

    megabytes: float
    summary: dict[str, Any]
    """What the run says at its end: `progress.FIELDS`."""
    peak_worker_bytes: int
    peak_parent_bytes: int
    disk_bytes: dict[str, int]
    """By stage."""


def pool(corpus: Path, lexica: Path) -> list[str]:
    """Different texts, of which some are spun."""
    rng, pairs = random.Random(SEED), read_pairs(lexica / PAIRS_FILE)
    texts, chars = [], 0
    for document in documents(corpus):
        is_spun = rng.random() < SPUN_SHARE
        text = document.text
        texts.append(spin(text, list_tool(pairs, rng), rng).text if is_spun else text)
        chars += len(text)
        if chars >= POOL_CHARS:
            break
    return texts


def records(texts: list[str], size: int) -> Iterator[str]:
    """Lines of a jsonl file of about so many bytes; the long document is in the middle."""
    long, written, n = min(LONG_BYTES, int(size * LONG_SHARE)), 0, 0
    turns = cycle(texts)
    while written < size:
        if long and written >= size // 2:
            text, held = f"{n}号长篇。", 0
            pieces = [text]
            while held < long:
                pieces.append(next(turns))
                held += len(pieces[-1].encode())
            text, long = "\n".join(pieces), 0
        else:
            text = f"{n}号文件。\n{next(turns)}"
        line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
        written += len(line.encode())
        n += 1
        yield line


def memory(process: int) -> dict[int, int]:
    """Bytes that a process and its descendants hold now, by process."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, waiting = {}, [process]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[one] = pages * 4096
    return found


def grown(source: Path, output: Path, workers: int) -> Grown:
    """Run it, and look on."""
    command = [sys.executable, "-m", "pipeline", "run", source, output, "--workers", str(workers)]
    peaks = {"parent": 0, "worker": 0}
    with subprocess.Popen(
        [*command, "--log-json"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:

        def look() -> None:
            while process.poll() is None:
                for one, size in memory(process.pid).items():
                    who = "parent" if one == process.pid else "worker"
                    peaks[who] = max(peaks[who], size)
                time.sleep(1 / SAMPLES_A_SECOND)

        thread = threading.Thread(target=look)
        thread.start()
        assert process.stderr is not None
        events = [json.loads(line) for line in process.stderr]
        thread.join()
    if process.returncode:
        raise SystemExit(events[-1].get("message", "it failed"))
    disk = {
        stage: sum(f.stat().st_size for f in (output / at.directory).rglob("*") if f.is_file())
        for stage, at in STAGES.items()
    }
    size = source.stat().st_size / 1e6
    return Grown(size, events[-1], peaks["worker"], peaks["parent"], disk)


def row(one: Grown) -> str:
    """For people to read."""
    stages = one.summary["stage_seconds"]
    mb = one.megabytes
    cells = [
        f"{mb:>8.1f}",
        *(f"{seconds / mb:>9.3f}" for seconds in stages.values()),
        f"{one.summary['seconds'] / mb:>8.3f}",
        f"{one.summary['worker_seconds'] / mb:>8.3f}",
        f"{one.peak_worker_bytes / 1e6:>8.0f}",
        f"{one.peak_parent_bytes / 1e6:>8.0f}",
        *(f"{size / 1e6 / mb:>9.3f}" for size in one.disk_bytes.values()),
    ]
    return " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("lexica", type=Path)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 10, 100], help="in MB")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True, help="for inputs and outputs")
    args = parser.parse_args()
    texts = pool(args.corpus, args.lexica)
    args.folder.mkdir(parents=True, exist_ok=True)
    stages = [*STAGES, "report"]
    head = ["MB".rjust(8), *(name[:9].rjust(9) for name in stages), "all s/MB", "work/MB".rjust(8)]
    head += ["worker".rjust(8), "parent".rjust(8), *(f"{name[:6]}/MB".rjust(9) for name in STAGES)]
    print(f"{args.workers} workers; seconds a MB; peak MB of memory; MB on disk a MB")
    print(" ".join(head), flush=True)
    done = []
    for size in args.sizes:
        source = args.folder / f"{size:g}.jsonl"
        with source.open("w", encoding="utf-8") as lines:
            lines.writelines(records(texts, int(size * 1e6)))
        done.append(grown(source, args.folder / f"{size:g}", args.workers))
        print(row(done[-1]), flush=True)
    found = [one._asdict() for one in done]
    (args.folder / "growth.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
