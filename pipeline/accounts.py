"""Counts what jobs have made: read back from the parts."""

from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.parquet import opened, rows_by_reason
from pipeline.storage import REJECTS, Part
from pipeline.tally import SPUN, Tally

DOCUMENTS = ("", "documents")
"""Folders, in a stage's directory, whose rows are documents."""


def counted(directory: Path, parts: Iterable[Part]) -> Tally:
    """What finished parts of one stage hold, by their own columns: a millisecond each."""
    return reduce(Tally.plus, (_of_part(directory, part) for part in parts), Tally())


def _of_part(directory: Path, part: Part) -> Tally:
    folder = part.name.rpartition("/")[0]
    if folder in (REJECTS, "rejects"):
        return Tally(rejects=rows_by_reason(directory / part.name) if part.rows else {})
    if folder not in DOCUMENTS:
        return Tally()
    with opened(directory / part.name) as file:
        names = file.schema_arrow.names
        spun = _spun(file) if "spun_probability" in names else None
        size = _text_bytes(file.metadata) if "raw" in names else 0
    return Tally(part.rows, spun, text_bytes=size)


def _spun(file: pq.ParquetFile) -> int:
    column = file.read(columns=["spun_probability"], use_threads=False)["spun_probability"]
    return pc.sum(pc.greater_equal(column, pa.scalar(np.float32(SPUN)))).as_py() or 0


def _text_bytes(metadata: pq.FileMetaData) -> int:
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    return sum(
        group.column(at).total_uncompressed_size
        for group in groups
        for at in range(group.num_columns)
        if group.column(at).path_in_schema == "raw"
    )
