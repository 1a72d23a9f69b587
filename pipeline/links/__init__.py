"""`make links`: documents that are copies of one another, in spite of spinning and shuffling.

Some shingles of every text are compared (`sampling`), of the text as it stands and as the detector
would restore it: so a spun page meets its original by what the tool has left alone, and by what it
has not. Those that share some (`joining`) are aligned, paragraph by paragraph (`alignment`), and
what was changed tells which of the two a tool has made (`direction`).
"""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.config import SHIPPED_MODEL
from pipeline.links.engines import Engine, start
from pipeline.links.judging import judge_group
from pipeline.links.sampling import sample_part
from pipeline.parquet import opened, writing
from pipeline.schema import LINKS
from pipeline.storage import Manifest

PART_GROUPS, GROUP_ROWS = 20, 50_000
"""Row groups of a part, rows of a group."""
WORK = "_work"
"""What is made on the way, beside the table; removed in the end."""


def find(
    corpus: Path,
    manifest: Manifest,
    target: Path,
    model: Path,
    workers: int,
    engine: str = "local",
) -> int:
    """Write the table `links` of finished tables into ``target``. Returns its rows.

    Exact copies, of which `documents` tells by `duplicate_of`, have no links of their own. Memory
    is bounded for each worker, and for the database (`engines.local.MEMORY_MB`); what is made on
    the way lies on disk, beside the table.
    """
    corpus, target = corpus.absolute(), target.absolute()
    work = target / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = [
        part.name for part in manifest.parts if part.name.startswith("documents/") and part.rows
    ]
    try:
        with start(engine, workers, work) as opened_engine:
            return _write(_links(opened_engine, corpus, names, work, model), target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _links(
    engine: Engine, corpus: Path, names: list[str], work: Path, model: Path
) -> Iterator[pa.RecordBatch]:
    if not names:
        return
    made = engine.map(partial(sample_part, corpus, work), list(enumerate(names)))
    samples, documents = zip(*made, strict=True)
    texts = engine.meet(samples, documents, [corpus / name for name in names])
    groups = [(path, number) for path in texts for number in range(_groups(path))]
    judge = partial(judge_group, work, None if model == SHIPPED_MODEL else model.absolute())
    judged = engine.map(judge, list(enumerate(groups)))
    yield from engine.ordered([path for path in judged if path])


def _groups(path: Path) -> int:
    with opened(path) as file:
        return int(file.num_row_groups)


def _write(batches: Iterable[pa.RecordBatch], target: Path) -> int:
    """The table in parts; those that an earlier run has left are removed."""
    groups = _regrouped(batches)
    rows = index = 0
    old = set(target.glob("part-*.parquet"))
    group = next(groups, None)
    while group is not None or not index:
        name = f"part-{index:05d}.parquet"
        old.discard(target / name)
        with writing(target, name, LINKS, "", GROUP_ROWS) as part:
            while group is not None and part.rows < PART_GROUPS * GROUP_ROWS:
                part.write(group)
                group = next(groups, None)
        rows += part.rows
        index += 1
    for path in old:
        path.unlink()
    return rows


def _regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, GROUP_ROWS at a time, however many an engine gives at once."""
    waiting = LINKS.empty_table()
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(LINKS)])
        while waiting.num_rows >= GROUP_ROWS:
            yield from waiting.slice(0, GROUP_ROWS).combine_chunks().to_batches()
            waiting = waiting.slice(GROUP_ROWS)
    yield from waiting.combine_chunks().to_batches()
