"""The input formats. To add one: a file here that holds a `Reader`, and a line in this table."""

from collections.abc import Mapping

from pipeline.readers.compression import Decompressor, bunzip2, gunzip, unxz, unzstd
from pipeline.readers.delimited import read_csv, read_tsv
from pipeline.readers.html import read_html
from pipeline.readers.json_file import read_json
from pipeline.readers.jsonl import read_jsonl
from pipeline.readers.parquet import read_parquet
from pipeline.readers.txt import read_txt
from pipeline.readers.warc import read_warc
from pipeline.records import Reader, ReaderAfter

READERS: Mapping[str, Reader] = {
    **dict.fromkeys((".txt", ".text", ".md", ".srt"), read_txt),
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    **dict.fromkeys((".html", ".htm", ".xhtml", ".shtml", ".xml"), read_html),
    **dict.fromkeys((".warc", ".wet"), read_warc),
}
"""By suffix, in lower case, after the suffix of the compression is taken off."""

PASSING_OVER: Mapping[Reader, ReaderAfter] = {read_jsonl: read_jsonl, read_warc: read_warc}
"""Readers that can go on after a record, and pass over what is before it far faster than they read
it. Others read it all again: nothing else about them need be known."""

COMPRESSIONS: Mapping[str, Decompressor] = {
    ".gz": gunzip,
    ".bz2": bunzip2,
    ".xz": unxz,
    ".zst": unzstd,
}
"""By last suffix, in lower case. Each works with every reader."""

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
"""Of many files, by suffix. They are not opened: what they hold may be anything, and anywhere."""
