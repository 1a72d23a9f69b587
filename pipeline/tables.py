"""Reading the tables that a run has made."""

import os
from collections.abc import Sequence

import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa

from pipeline.errors import UsageError
from pipeline.parquet import opened
from pipeline.remote import place
from pipeline.schema import TABLES
from pipeline.stages import STAGES
from pipeline.storage import on_disk, read_manifest


def read_table(
    table: str, path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """See `pipeline.read`."""
    if table not in TABLES:
        raise UsageError(f"no table is named {table!r}: there are {', '.join(TABLES)}")
    names = TABLES[table].names
    if unknown := [name for name in columns or () if name not in names]:
        raise UsageError(f"{table} has no column {unknown[0]!r}: it has {', '.join(names)}")
    directory = place(path) / STAGES["write"].directory
    manifest = read_manifest(directory)
    if manifest is None:
        message = f"{directory} holds no finished tables: run `python -m pipeline run INPUT {path}`"
        raise UsageError(message)
    parts = []
    for part in manifest.parts:
        if part.name.startswith(f"{table}/"):
            if not on_disk(directory, part):
                message = f"{directory / part.name} is gone or changed: run the same command again"
                raise UsageError(message)
            with opened(directory / part.name) as file:
                parts.append(file.read(columns))
    rows = pa.concat_tables(parts).select(names if columns is None else list(columns))
    return rows.to_pandas(types_mapper=pd.ArrowDtype)
