"""Where jobs are done. Whichever does them, the parts are the same to the byte.

The runner plans jobs, and writes the manifest when all of them are done; what stands here only has
`Job.make` called for each, in some process, on some machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:  # `--help` waits for nothing
    from pipeline.parts import Job
    from pipeline.progress import Report
    from pipeline.tally import Made


class Workers(Protocol):
    """Those who do the jobs. What they need is started when there is first something to do."""

    count: int
    """How many jobs are done at a time, as far as this machine decides."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def map(self, jobs: "Sequence[Job]", report: "Report") -> "Iterator[Made]":
        """Do the jobs, the heaviest first; yield what they made. An error of one ends it."""


RUNNERS: Mapping[str, str] = {
    "local": "processes on this machine",
    "spark": "tasks of Apache Spark, on this machine or on a cluster",
}
"""By name: what does the jobs. Each is the class `Workers` of the module of that name, here."""


def start(engine: str, count: int) -> Workers:
    """Raises UsageError if something that the engine needs is not installed."""
    made: Workers = import_module(f"{__name__}.{engine}").Workers(count)
    return made
