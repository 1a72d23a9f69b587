"""Processes on this machine, and a database that needs little memory.

DuckDB, for it spills what does not fit; MIT, kept by many, one wheel of 25 MB. Libraries of MinHash
hold an index of all signatures in memory, 8 GB for ten million documents, and compare whole texts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from pipeline.links.engines import Item, Made
from pipeline.links.joining import GROUP_ROWS, ORDERED, STEPS, WITH_TEXTS

MEMORY_MB = 600


class Links:
    """See `engines.Engine`."""

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        context = get_context("spawn")
        self._pool = self._open.enter_context(ProcessPoolExecutor(count, mp_context=context))
        self._db = self._open.enter_context(
            duckdb.connect(
                str(folder / "links.duckdb"),
                config={
                    "memory_limit": f"{MEMORY_MB}MB",
                    "temp_directory": str(folder / "spill"),
                    "threads": count,
                    "preserve_insertion_order": False,
                },
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def map(self, function: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
        return list(self._pool.map(function, items))

    def meet(
        self, samples: Sequence[Path], documents: Sequence[Path], texts: Sequence[Path]
    ) -> list[Path]:
        self._see({"samples": samples, "documents": documents, "texts": texts})
        for name, query in STEPS.items():
            self._db.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
        for name in ("placed", "shared"):
            self._db.execute(f"DROP TABLE {name}")
        target = self._folder / "pairs.parquet"
        self._db.sql(WITH_TEXTS).write_parquet(str(target), row_group_size=GROUP_ROWS)
        return [target]

    def ordered(self, links: Sequence[Path]) -> Iterator[pa.RecordBatch]:
        if not links:
            return iter(())
        self._see({"links": links})
        return iter(self._db.sql(ORDERED).to_arrow_reader())

    def _see(self, views: Mapping[str, Sequence[Path]]) -> None:
        for name, paths in views.items():
            self._db.read_parquet([str(path) for path in paths]).create_view(name)
