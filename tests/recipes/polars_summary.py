"""Polars: the same, lazily: only the columns and row groups that are needed are read."""

# ruff: noqa: T201 - it shows what it finds

import sys

import polars as pl

output = sys.argv[1]
documents = pl.scan_parquet(f"{output}/corpus/documents/*.parquet")
flags = pl.scan_parquet(f"{output}/corpus/flags/*.parquet")

spun = (pl.col("spun_probability") >= 0.5).sum().alias("spun")
print(documents.group_by("source").agg(pl.len().alias("documents"), spun).sort("source").collect())
print(
    flags.filter(pl.col("probability") >= 0.9)
    .group_by("surface", "suggestion")
    .agg(pl.len().alias("flags"), pl.col("doc_id").n_unique().alias("documents"))
    .sort("flags", "surface", descending=[True, False])
    .head(10)
    .collect()
)
