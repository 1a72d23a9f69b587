"""Reading the tables that a run has made."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pyarrow.dataset as ds

from pipeline.errors import UsageError
from pipeline.schema import TABLES
from pipeline.stages import STAGES
from pipeline.storage import read_manifest


def read_table(
    table: str, path: str | os.PathLike[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """See `pipeline.read`."""
    if table not in TABLES:
        raise UsageError(f"no table is named {table!r}: there are {', '.join(TABLES)}")
    schema = TABLES[table]
    if unknown := [name for name in columns or () if name not in schema.names]:
        raise UsageError(f"{table} has no column {unknown[0]!r}: it has {', '.join(schema.names)}")
    directory = Path(path) / STAGES["write"].directory
    manifest = read_manifest(directory)
    if manifest is None:
        message = f"{directory} holds no finished tables: run `python -m pipeline run INPUT {path}`"
        raise UsageError(message)
    names = [part.name for part in manifest.parts if part.name.startswith(f"{table}/")]
    data = ds.dataset([str(directory / name) for name in names], schema, format="parquet")
    rows = data.to_table(columns=list(columns) if columns is not None else None)
    return rows.to_pandas(types_mapper=pd.ArrowDtype)
