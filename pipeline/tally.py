"""What has been done, in numbers that add up: those of a job, a stage or a run.

Light to import: whoever only tells of the work needs neither Arrow nor a model.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pipeline.storage import Part

SPUN = 0.5
"""From this `spun_probability` on, a document counts as spun."""

STATUS = Path("/proc/self/status")


class Tally(NamedTuple):
    """Counts and costs. Counts are read off finished parts: so they are those of the tables."""

    documents: int = 0
    spun: int | None = None
    """Of `documents`; None where nothing has been flagged yet."""
    rejects: Mapping[str, int] = {}
    """By reason."""
    text_bytes: int = 0
    """Of `raw` as Parquet has it uncompressed: UTF-8, and some bytes for each text and page."""
    peak_bytes: int = 0
    """The most memory that the process was seen to hold, since it started."""
    seconds: float = 0.0
    """Of work, in whatever process: two at a time make two a second."""

    def plus(self, other: "Tally") -> "Tally":
        """Of both; of memory, the greater.

        >>> both = Tally(2, 1, {"empty_text": 3}).plus(Tally(1, None, {"empty_text": 1}))
        >>> both.documents, both.spun, both.rejects
        (3, 1, {'empty_text': 4})
        """
        rejects = dict(self.rejects)
        for reason, rows in other.rejects.items():
            rejects[reason] = rejects.get(reason, 0) + rows
        known = [spun for spun in (self.spun, other.spun) if spun is not None]
        return Tally(
            self.documents + other.documents,
            sum(known) if known else None,
            rejects,
            self.text_bytes + other.text_bytes,
            max(self.peak_bytes, other.peak_bytes),
            self.seconds + other.seconds,
        )

    @property
    def spun_share(self) -> float | None:
        """Of the documents, those that are spun; None where that is not known."""
        if self.spun is None or not self.documents:
            return None
        return self.spun / self.documents


class Made(NamedTuple):
    """What comes of a job: its parts and, from an engine that can tell, a tally of it.

    An engine that only learns that a job is finished leaves the tally empty: the runner then counts
    the parts itself.
    """

    parts: "list[Part]"
    tally: Tally | None = None


def peak_bytes() -> int:
    """The most memory that this process has held, in bytes (Linux: VmHWM; else what the system
    calls the maximal resident set).
    """
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource  # noqa: PLC0415 - not where it is not needed

        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return size if sys.platform == "darwin" else size << 10
