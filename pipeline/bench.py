"""`make bench`: what each stage and the whole cost, beside jieba, OpenCC and a plain copying job.

Machines differ and are shared, so the figures to compare are ratios: everything is measured on the
same texts in the same run, in CPU time, several times over in turns, and the least of each counts.
Ratios are to `jieba.lcut`: 3 means three times as fast.
"""

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import jieba
import pyarrow as pa
import pyarrow.parquet as pq
from opencc import OpenCC

from pipeline import runner
from pipeline.config import Config
from pipeline.hanzi import count_han
from pipeline.parts import new_columns, table_rows, with_copies
from pipeline.records import Record
from pipeline.stages import STAGES, load
from pipeline.storage import write_json
from pipeline.training.corpus import documents
from pipeline.training.lexica import Pairs
from pipeline.training.spinner import spin
from pipeline.training.tools import list_tool

RESULT = "bench.json"
LEAST_HAN = 0.3
"""Share of Han characters that the plain copying job asks for, as filters for Chinese do."""


class Settings(NamedTuple):
    """How much is measured."""

    chars: int = 1_000_000
    """Of ordinary text, of which `spun_share` of the documents are spun."""
    spun_share: float = 0.05
    spun_chars: int = 100_000
    """Of text that is all spun."""
    repeats: int = 3
    copies: int = 4
    """For the measurement of two workers, each has more to do than to start."""
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
    return [*figures, *_two_workers(name, texts * settings.copies, config, figures[0])]


def save(figures: Sequence[Figure], folder: Path) -> Path:
    """Write them as a list of objects. Returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULT, [figure._asdict() for figure in figures])
    return folder / RESULT


def table(figures: Sequence[Figure]) -> str:
    """For people to read."""
    lines = [f"{'text':<10}{'what':<24}{'seconds':>9}{'MB/s':>9}{'x jieba.lcut':>14}"]
    lines += [
        f"{f.text:<10}{f.what:<24}{f.seconds:>9.2f}{f.mb_per_second:>9.2f}{f.ratio:>14.2f}"
        for f in figures
    ]
    return "\n".join(lines)


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
    name: str, texts: list[str], config: Config, yardstick: Figure
) -> Iterator[Figure]:
    """Wall-clock time: the workers' start is part of it."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    with TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        _write_jsonl(source, texts)
        for what, workers in (("one worker", 1), ("two workers", 2)):
            started = time.monotonic()
            _all_stages(source, Path(folder) / "out", config, workers)
            seconds = time.monotonic() - started
            yield Figure(
                name, what, seconds, size / seconds, size / seconds / yardstick.mb_per_second
            )


def _write_jsonl(path: Path, texts: list[str]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)


def _cpu_seconds(job: Callable[[], object]) -> float:
    started = time.process_time()
    job()
    return time.process_time() - started
