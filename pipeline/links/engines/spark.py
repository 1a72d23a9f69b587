"""Tasks of Apache Spark, for more documents than one machine should compare.

All machines must see the folder of the tables at the same path, as they must for a run.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from pipeline.errors import StageError
from pipeline.links.engines import Item, Made
from pipeline.links.joining import GROUP_ROWS, ORDERED, STEPS, WITH_TEXTS
from pipeline.parquet import opened
from pipeline.runners import spark

STAGE = "links"
NO_MARK = "no mark"
"""The functions that are called here raise nothing that need survive Java whole."""


class Links:
    """See `engines.Engine`."""

    def __init__(self, count: int, folder: Path) -> None:
        spark.check_installed()
        self._folder = folder
        self._open = ExitStack()
        self._session, self._root = self._open.enter_context(spark.session(count))

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
        if not items:
            return []
        calls = [pickle.dumps((function, item)) for item in items]
        rows = self._session.sparkContext.parallelize(calls, len(calls))
        made: list[Made] = self._asked(lambda: rows.map(_calling(self._root)).collect())
        return made

    def meet(
        self, samples: Sequence[Path], documents: Sequence[Path], texts: Sequence[Path]
    ) -> list[Path]:
        self._see({"samples": samples, "documents": documents, "texts": texts})
        for name, query in STEPS.items():
            self._session.sql(query).createOrReplaceTempView(name)
        return self._written(WITH_TEXTS, "pairs", GROUP_ROWS)

    def ordered(self, links: Sequence[Path]) -> Iterator[pa.RecordBatch]:
        if not links:
            return
        self._see({"links": links})
        for path in self._written(ORDERED, "ordered", 0):
            with opened(path) as file:
                yield from file.iter_batches()

    def _see(self, views: Mapping[str, Sequence[Path]]) -> None:
        for name, paths in views.items():
            if missing := [path for path in paths if not path.exists()]:
                expected = f"{missing[0]}, where an executor has written it"
                raise StageError(STAGE, None, None, expected, "none: is the folder shared?")
            self._session.read.parquet(*map(str, paths)).createOrReplaceTempView(name)

    def _written(self, query: str, name: str, most_rows: int) -> list[Path]:
        """Files with the answer, in order; 0 rows is as many as there are."""
        target = self._folder / name
        writer = self._session.sql(query).write.mode("overwrite")
        self._asked(lambda: writer.option("maxRecordsPerFile", most_rows).parquet(str(target)))
        return sorted(target.glob("part-*.parquet"))

    def _asked(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:
            raise spark.raised(str(error), NO_MARK, STAGE) from error


def _calling(root: str) -> Callable[[bytes], Any]:
    """What a task does. A closure, so that it is sent as it is: see `runners.spark.finding`."""
    find_package = spark.finding(root)

    def call(sent: bytes) -> Any:
        import pickle  # noqa: PLC0415 - nothing of this module is there yet

        find_package()
        function, item = pickle.loads(sent)  # noqa: S301 - our own: see `Links.map`
        return function(item)

    return call
