"""The input formats. To add one: a file here that holds a `Reader`, and a line in this table."""

from collections.abc import Mapping

from pipeline.readers.compression import Decompressor, gunzip, unzstd
from pipeline.readers.html import read_html
from pipeline.readers.jsonl import read_jsonl
from pipeline.readers.txt import read_txt
from pipeline.readers.warc import read_warc
from pipeline.records import Reader

READERS: Mapping[str, Reader] = {
    ".txt": read_txt,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    **dict.fromkeys((".html", ".htm", ".xhtml", ".shtml"), read_html),
    **dict.fromkeys((".warc", ".wet"), read_warc),
}
"""By suffix, in lower case, after the suffix of the compression is taken off."""

COMPRESSIONS: Mapping[str, Decompressor] = {
    ".gz": gunzip,
    ".zst": unzstd,
}
"""By last suffix, in lower case. Each works with every reader."""
