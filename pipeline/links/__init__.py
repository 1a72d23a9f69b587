"""`make links`: documents that are copies of one another, in spite of spinning and shuffling.

Some shingles of every text are compared (`sampling`), of the text as it stands and as the detector
would restore it: so a spun page meets its original by what the tool has left alone, and by what it
has not. Those that share some (`joining`) are aligned, paragraph by paragraph (`alignment`), and
what was changed tells which of the two a tool has made (`direction`).
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from pipeline.links import joining
from pipeline.links.judging import judge_group
from pipeline.links.sampling import sample_part
from pipeline.parquet import opened, writing
from pipeline.schema import LINKS
from pipeline.storage import Manifest

PART_ROWS, GROUP_ROWS = 1_000_000, 50_000
WORK = "_work"
"""What is made on the way, beside the table; removed in the end."""


def find(corpus: Path, manifest: Manifest, target: Path, model: Path, workers: int) -> int:
    """Write the table `links` of finished tables into ``target``. Returns its rows.

    Exact copies, of which `documents` tells by `duplicate_of`, have no links of their own. Memory
    is bounded for each worker, and for the database (`joining.MEMORY_MB`); what is made on the way
    lies on disk, beside the table.
    """
    work = target / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        return _find(corpus, manifest, target, model, workers)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _find(corpus: Path, manifest: Manifest, target: Path, model: Path, workers: int) -> int:
    work = target / WORK
    names = [
        part.name for part in manifest.parts if part.name.startswith("documents/") and part.rows
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = list(pool.map(partial(sample_part, corpus, work), range(len(names)), names))
        samples, documents = zip(*made, strict=True) if made else ((), ())
        with joining.database(work, workers) as db:
            texts = work / "texts.parquet"
            groups = 0
            if made and joining.meet(db, samples, documents):
                joining.write_texts(db, [corpus / name for name in names], texts)
                groups = _groups(texts)
            judged = pool.map(partial(judge_group, texts, work, model), range(groups))
            return _write(joining.ordered(db, [path for path in judged if path]), target)


def _groups(path: Path) -> int:
    with opened(path) as file:
        return int(file.num_row_groups)


def _write(batches: Iterator[pa.RecordBatch], target: Path) -> int:
    """The table in parts; those that an earlier run has left are removed."""
    rows = index = 0
    old = set(target.glob("part-*.parquet"))
    batch = next(batches, None)
    while batch is not None or not index:
        name = f"part-{index:05d}.parquet"
        old.discard(target / name)
        with writing(target, name, LINKS, "", GROUP_ROWS) as part:
            while batch is not None and part.rows < PART_ROWS:
                part.write(batch.cast(LINKS))
                batch = next(batches, None)
        rows += part.rows
        index += 1
    for path in old:
        path.unlink()
    return rows
