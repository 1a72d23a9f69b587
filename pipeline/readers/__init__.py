"""The input formats. To add one: a file here that holds a `Reader`, and a line in this table."""

from collections.abc import Mapping

from pipeline.readers.compression import Decompressor, bunzip2, gunzip, unxz, unzstd
from pipeline.readers.delimited import read_csv, read_tsv
from pipeline.readers.jsonl import read_jsonl
from pipeline.readers.parquet import read_parquet
from pipeline.readers.txt import read_txt
from pipeline.records import Reader

READERS: Mapping[str, Reader] = {
    ".txt": read_txt,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
"""By suffix, in lower case, after the suffix of the compression is taken off."""

COMPRESSIONS: Mapping[str, Decompressor] = {
    ".gz": gunzip,
    ".bz2": bunzip2,
    ".xz": unxz,
    ".zst": unzstd,
}
"""By last suffix, in lower case. Each works with every reader."""
