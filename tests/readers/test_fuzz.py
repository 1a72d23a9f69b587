"""Whatever is done to a file, its reader neither raises nor loses count.

Each example takes a good file of one format, damages it before or after compression, and reads it
by way of `ingest`. `python -m tests.readers.test_fuzz SUFFIX EXAMPLES SEED` runs as many as are
wanted, and prints what it finds; each find becomes a case or a test.
"""

import bz2
import gzip
import io
import json
import lzma
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers import COMPRESSIONS
from pipeline.records import Record, Reject
from pipeline.schema import REASONS
from pipeline.stages.ingest import documents_batch, ingest

TEXTS = (
    "今天的天色真好，我出去走了走，看到了山和水。",
    '他说："没时间，不时光。"\n第二行，\t有制表符；也有|和\\。',
    "𠀀😀 plain ASCII, with commas; and more.",
    "",
    "形式主义不好，大家都知道！" * 9,
)
ROWS = [
    {"id": i, "标题": f"题{i}", "text": text, "来源": "新华网", "date": "2020-01-02"}
    for i, text in enumerate(TEXTS)
]
LIMIT = 500  # characters of a document, so that both sides of it are met with


def _quoted(cell: object) -> str:
    return '"' + str(cell).replace('"', '""') + '"'


def _table(delimiter: str) -> str:
    rows = [list(ROWS[0]), *(list(row.values()) for row in ROWS)]
    return "".join(delimiter.join(map(_quoted, row)) + "\r\n" for row in rows)


def _lines() -> str:
    return "".join(json.dumps(row, ensure_ascii=row["id"] == 1) + "\n" for row in ROWS)


def _parquet(**options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink, row_group_size=2, **options)
    return sink.getvalue()


def _encoded(text: str) -> list[bytes]:
    return [text.encode(e) for e in ("utf-8", "gb18030", "utf-16", "utf-8-sig", "utf-16-be")]


GOOD: Mapping[str, Sequence[bytes]] = {
    ".txt": _encoded("".join(TEXTS)),
    ".jsonl": _encoded(_lines()),
    ".json": [
        *_encoded(json.dumps(ROWS, ensure_ascii=False, indent=1)),
        *_encoded(json.dumps(ROWS)),
        json.dumps(ROWS[0], indent=1).encode(),
        _lines().encode(),
    ],
    ".csv": [*_encoded(_table(",")), *_encoded(_table(";")), *_encoded(_table("\t"))],
    ".tsv": [*_encoded(_table("\t")), "id\ttext\n1\t甲\n2\t乙\n".encode()],
    ".parquet": [
        _parquet(),
        _parquet(compression="none", use_dictionary=False),
        _parquet(compression="zstd", data_page_version="2.0", write_page_checksum=True),
        _parquet(compression="gzip", data_page_size=1),
    ],
}

PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}

TOKENS = (
    *(b'"', b'""', b'"\n', b',"', b"\n", b"\r", b"\0", b"{", b"}", b"[", b"]", b"\\", b"\\u"),
    *(b",", b";", b"\t", b"|", b"\xff", b"\xef\xbb\xbf", b"\xb0", b"\xd8\x00", b"PAR1", b"1e9"),
    *(b"\xff\xff\xff\xff\x0f", b"\x15\x80\x80\x80\x80\x08", b'"text":', b"\x00\x00\x00\x00"),
)


def test_every_compression_is_tried() -> None:
    assert PACK.keys() - {""} == COMPRESSIONS.keys()


Edit = tuple[str, float, float, int]


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Each edit is a kind, a place as a share of the file, another, and a number."""
    for kind, first, second, number in edits:
        a, b = sorted((int(first * len(data)), int(second * len(data))))
        if kind == "cut":
            data = data[:a]
        elif kind == "drop":
            data = data[:a] + data[min(b, a + number) :]
        elif kind == "flip" and data:
            a = min(a, len(data) - 1)
            data = data[:a] + bytes([data[a] ^ (number % 255 + 1)]) + data[a + 1 :]
        elif kind == "insert":
            data = data[:a] + TOKENS[number % len(TOKENS)] + data[a:]
        elif kind == "repeat" and len(data) < 100_000:
            data = data[:b] + data[a:b] * (number % 5) + data[b:]
        elif kind == "swap":
            data = data[b:] + data[a:b] + data[:a]
        elif kind == "noise":
            data = data[:a] + random.Random(number).randbytes(number % 40) + data[a:]
    return data


KINDS = ("cut", "drop", "flip", "flip", "flip", "insert", "insert", "repeat", "swap", "noise")
shares = st.floats(0, 1, exclude_max=True)
edit_lists = st.lists(
    st.tuples(st.sampled_from(KINDS), shares, shares, st.integers(0, 1000)), max_size=4
)


def check(name: str, data: bytes) -> list[Record | Reject]:
    config = Config(max_document_chars=LIMIT)
    items = list(ingest(name, io.BytesIO(data), config))
    assert items
    numbers = [item.record for item in items if item.record is not None]
    assert numbers == sorted(set(numbers))
    records = [item for item in items if isinstance(item, Record)]
    for record in records:
        assert 0 < len(record.raw) <= LIMIT
        assert record.damaged >= 0
        assert record.damaged == 0 or record.damaged >= record.raw.count("\ufffd") - 1
    for item in items:
        assert isinstance(item, Record) or (item.reason in REASONS and item.detail.isprintable())
    documents_batch(name, records).validate(full=True)  # all of it can be written as UTF-8
    return items


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("suffix", GOOD)
def test_a_good_file_leaves_its_rows(suffix: str, compression: str) -> None:
    for data in GOOD[suffix]:
        items = check("a" + suffix + compression, PACK[compression](data))
        if suffix not in {".txt", ".json"} and len(data) > 100:
            assert [getattr(item, "raw", "") for item in items] == list(TEXTS)


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("suffix", GOOD)
@settings(deadline=None, max_examples=40)
@given(number=st.integers(0, 100), inner=edit_lists, outer=edit_lists)
def test_a_damaged_file_raises_nothing(
    suffix: str, compression: str, number: int, inner: list[Edit], outer: list[Edit]
) -> None:
    data = edited(GOOD[suffix][number % len(GOOD[suffix])], inner)
    check("a" + suffix + compression, edited(PACK[compression](data), outer))


def run(suffix: str, examples: int, seed: int) -> int:
    """The number of examples that raised something, each of which is printed."""
    source = random.Random(seed)
    found, slowest = 0, 0.0

    def edits() -> list[Edit]:
        return [
            (source.choice(KINDS), source.random(), source.random(), source.randrange(1000))
            for _ in range(source.randrange(5))
        ]

    for _ in range(examples):
        compression = source.choice(["", "", "", "", *PACK])
        data = edited(source.choice(GOOD[suffix]), edits())
        data = PACK[compression](data)
        if compression:
            data = edited(data, edits()[:2])
        started = time.process_time()
        try:
            check("a" + suffix + compression, data)
        except Exception as error:  # noqa: BLE001 - to find any is what this is for
            found += 1
            print(suffix + compression, type(error).__name__, error, data.hex())  # noqa: T201
        slowest = max(slowest, time.process_time() - started)
    print(suffix, examples, "examples,", found, "found, slowest", round(slowest, 2), "s")  # noqa: T201
    return found


if __name__ == "__main__":
    sys.exit(bool(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
