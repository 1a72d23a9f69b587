"""`make bench`: what each stage and the whole cost, beside jieba, OpenCC and a plain copying job.

Machines differ and are shared, so the figures to compare are ratios: everything is measured on the
same texts in the same run, in CPU time, several times over in turns, and the least of each counts.
Ratios are to `jieba.lcut`: 3 means three times as fast.

Two workers are measured against one as a user runs them, by the clock, from the start of the
process to its end, on enough text that starting them does not decide (`Settings.copies`). Where
others use the machine that figure says little: look at the load beside it.
"""

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jieba
import pyarrow as pa
import pyarrow.parquet as pq
from opencc import OpenCC

from pipeline import runner
from pipeline.config import Config
from pipeline.errors import StageError
from pipeline.hanzi import count_han
from pipeline.model.native import library
from pipeline.parts import new_columns, table_rows, with_copies
from pipeline.records import Record
from pipeline.stages import STAGES, load
from pipeline.storage import write_json
from pipeline.training.corpus import documents
from pipeline.training.lexica import Pairs
from pipeline.training.spinner import spin
from pipeline.training.tools import list_tool

RESULT = "bench.json"
ONE, TWO = "one worker", "two workers"
DEFAULT_CONFIG = Config()
LEAST_HAN = 0.3
"""Share of Han characters that the plain copying job asks for, as filters for Chinese do."""


class Settings(NamedTuple):
    """How much is measured."""

    chars: int = 3_000_000
    """Of ordinary text, of which `spun_share` of the documents are spun: enough that what every run
    costs, whatever its input (0.1 s), does not decide."""
    spun_share: float = 0.05
    spun_chars: int = 500_000
    """Of text that is all spun."""
    repeats: int = 3
    copies: int = 12
    """Of the ordinary text, for one worker and two: 105 MB, a file for each copy. Enough that what
    one process does alone, starting and writing the report, does not decide."""
    seed: int = 1


DEFAULTS = Settings()


class Figure(NamedTuple):
    """One measurement."""

    text: str
    """Which text: `5% spun` or `all spun`."""
    what: str
    seconds: float
    """CPU time; of `two workers` and `one worker`, wall-clock time."""
    mb_per_second: float
    """Of UTF-8."""
    ratio: float
    """To `jieba.lcut` of the same text in the same run."""
    peak_mb: float | None = None
    """The most memory of any process that did the work, in 10^6 bytes; None: not measured alone."""


class Host(NamedTuple):
    """Where and when it was measured."""

    date: str
    """In UTC."""
    host: str
    """System and architecture."""
    cpus: int
    load: float | None
    """Processes that wanted to run in the minute before; None where the system does not tell."""
    native: bool
    """Whether the compiled loops were there (`model.native`)."""
    versions: dict[str, str]
    """Of Python, and of the packages that do much of the work."""


PACKAGES = ("jieba", "numpy", "opencc", "pyarrow")


def bench(
    corpus: Path, pairs: Pairs, config: Config, settings: Settings = DEFAULTS
) -> list[Figure]:
    """Measure everything on documents of ``corpus``, spun with tools that have ``pairs``."""
    rng = random.Random(settings.seed)
    ordinary = list(_until(settings.chars, _texts(corpus)))
    share = settings.spun_share
    mixed = [_spun(text, pairs, rng) if rng.random() < share else text for text in ordinary]
    spun = [_spun(text, pairs, rng) for text in _until(settings.spun_chars, iter(ordinary))]
    named = {f"{share:.0%} spun": mixed, "all spun": spun}
    figures = [
        figure
        for name, texts in named.items()
        for figure in _measured(name, texts, config, settings.repeats)
    ]
    name, texts = next(iter(named.items()))
    return [*figures, *_two_workers(name, texts, settings.copies, config, figures[0])]


def host() -> Host:
    """The machine that we run on, now."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    return Host(
        datetime.now(UTC).isoformat(timespec="seconds"),
        f"{platform.system()} {platform.machine()}",
        os.cpu_count() or 1,
        load,
        library is not None,
        {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    )


def save(figures: Sequence[Figure], folder: Path) -> Path:
    """Write the fields of `Host`, and under `figures` those of each `Figure`. Returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [figure._asdict() for figure in figures]
    write_json(folder / RESULT, host()._asdict() | {"figures": found})
    return folder / RESULT


def table(figures: Sequence[Figure]) -> str:
    """For people to read."""
    head = f"{'text':<10}{'what':<24}{'seconds':>9}{'MB/s':>9}{'x jieba.lcut':>14}{'peak MB':>9}"
    lines = [
        f"{f.text:<10}{f.what:<24}{f.seconds:>9.2f}{f.mb_per_second:>9.2f}{f.ratio:>14.2f}"
        + (f"{f.peak_mb:>9.0f}" if f.peak_mb else "")
        for f in figures
    ]
    seconds = {f.what: f.seconds for f in figures}
    if ONE in seconds and TWO in seconds:
        lines.append(f"two workers are {seconds[ONE] / seconds[TWO]:.2f} times as fast as one")
    return "\n".join([head, *lines])


def _texts(corpus: Path) -> Iterator[str]:
    return (document.text for document in documents(corpus))


def _until(chars: int, texts: Iterator[str]) -> Iterator[str]:
    """As many texts as hold so many characters."""
    for text in texts:
        yield text
        chars -= len(text)
        if chars <= 0:
            return


def _spun(text: str, pairs: Pairs, rng: random.Random) -> str:
    return spin(text, list_tool(pairs, rng), rng).text


def _measured(name: str, texts: list[str], config: Config, repeats: int) -> list[Figure]:
    with TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        _write_jsonl(source, texts)
        jobs = _jobs(texts, source, Path(folder), config)
        least = dict.fromkeys(jobs, float("inf"))
        for _ in range(repeats):
            for what, job in jobs.items():
                least[what] = min(least[what], _cpu_seconds(job))
    size = sum(len(text.encode()) for text in texts) / 1e6
    yardstick = least["jieba.lcut"]
    return [
        Figure(name, what, seconds, size / seconds, yardstick / seconds)
        for what, seconds in least.items()
    ]


def _jobs(
    texts: list[str], source: Path, folder: Path, config: Config
) -> dict[str, Callable[[], object]]:
    """By name, `jieba.lcut` first. What is loaded once is loaded here."""
    jieba.initialize()
    converter = OpenCC("t2s")
    batches = _batches_before_each_stage(texts, config)
    return {
        "jieba.lcut": lambda: [jieba.lcut(text) for text in texts],
        "OpenCC t2s": lambda: [converter.convert(text) for text in texts],
        "read, filter, write": partial(_copy, source, folder / "copy.parquet"),
        "ingest": partial(_ingest, source, config),
        **{
            name: partial(new_columns, name, batch, config)
            for name, batch in batches.items()
            if name != "write"
        },
        "write": partial(_write, batches["write"], folder / "tables", config),
        "all stages": partial(_all_stages, source, folder / "out", config, 1),
    }


def _batches_before_each_stage(texts: list[str], config: Config) -> dict[str, pa.RecordBatch]:
    batch = load("ingest").documents_batch(
        "texts.jsonl", [Record(at, text, "utf-8") for at, text in enumerate(texts)]
    )
    before = {}
    for name in islice(STAGES, 1, None):
        before[name] = batch
        if name != "write":
            columns = new_columns(name, batch, config)
            schema = pa.schema([*batch.schema, *columns.schema])
            batch = pa.record_batch([*batch.columns, *columns.columns], schema=schema)
    return before


def _ingest(source: Path, config: Config) -> pa.RecordBatch:
    with source.open("rb") as stream:
        records = list(load("ingest").ingest(source.name, stream, config))
    return load("ingest").documents_batch(source.name, records)


def _write(batch: pa.RecordBatch, folder: Path, config: Config) -> None:
    folder.mkdir(exist_ok=True)
    for name, rows in table_rows(with_copies(batch, {}), config).items():
        pq.write_table(pa.table(rows), folder / f"{name}.parquet", compression="zstd")


def _copy(source: Path, target: Path) -> None:
    """What a job does that only filters: parse, look at the text, write Parquet."""
    with source.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    kept = [row for row in rows if count_han(row["text"]) >= LEAST_HAN * len(row["text"])]
    pq.write_table(pa.Table.from_pylist(kept), target, compression="zstd")


def _all_stages(source: Path, output: Path, config: Config, workers: int) -> None:
    shutil.rmtree(output, ignore_errors=True)
    runner.run(source, output, config, workers)


def _two_workers(
    name: str, texts: list[str], copies: int, config: Config, yardstick: Figure
) -> Iterator[Figure]:
    """Wall-clock time: the workers' start is part of it, and the report that a run ends with."""
    size = 0.0
    with TemporaryDirectory() as folder:
        source, output = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        for copy in range(copies):
            own = [f"{copy} {at}\n{text}" for at, text in enumerate(texts)]  # no two are the same
            size += sum(len(text.encode()) for text in own) / 1e6
            _write_jsonl(source / f"{copy}.jsonl", own)
        for what, workers in ((ONE, 1), (TWO, 2)):
            shutil.rmtree(output, ignore_errors=True)
            started = time.monotonic()
            told = _told_by_a_run(source, output, config, workers)
            seconds = time.monotonic() - started
            rate = size / seconds
            peak = max(told["peak_worker_bytes"], told["peak_parent_bytes"]) / 1e6
            yield Figure(name, what, seconds, rate, rate / yardstick.mb_per_second, peak)


def _told_by_a_run(source: Path, output: Path, config: Config, workers: int) -> dict[str, Any]:
    """A run in a process of its own, and what it says at its end (`progress.FIELDS`)."""
    command = [sys.executable, "-m", "pipeline", "run", str(source), str(output), "--log-json"]
    command += ["--workers", str(workers), "--model", config.model]
    for name, value in config._asdict().items():
        if name != "model" and value != getattr(DEFAULT_CONFIG, name):
            command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    told: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    if done.returncode:
        raise StageError("bench", None, None, "a run", told["message"])
    return told


def _write_jsonl(path: Path, texts: list[str]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)


def _cpu_seconds(job: Callable[[], object]) -> float:
    started = time.process_time()
    job()
    return time.process_time() - started
