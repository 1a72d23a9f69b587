"""The kernel of ingest: cases are data, and no bytes may raise or vanish."""

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers import COMPRESSIONS, READERS
from pipeline.readers.compression import BlockStream
from pipeline.records import Record, Reject
from pipeline.schema import REASONS, STAGE_COLUMNS, TABLES
from pipeline.stages.ingest import (
    doc_id,
    documents_batch,
    ingest,
    rejects_batch,
    source_of,
    suffixes,
)

CASES = Path(__file__).parents[1] / "cases" / "ingest"
SUFFIXES = [f + c for f in READERS for c in ("", *COMPRESSIONS)]


def cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.jsonl")):
        marks = [pytest.mark.xfail] if path.stem == "known-failures" else []
        for line in path.read_text("utf-8").split("\n"):
            if line:
                case = json.loads(line)
                yield pytest.param(case, id=case["label"], marks=marks)


def bytes_of(case: dict[str, Any]) -> bytes:
    if "bytes_base64" in case:
        return base64.b64decode(case["bytes_base64"])
    text: str = case["text"]
    return text.encode(case["encoding"])


def check(item: Record | Reject, expected: dict[str, Any]) -> None:
    if "reason" in expected:
        assert isinstance(item, Reject), item
        assert (item.record, item.reason) == (expected["record"], expected["reason"])
        assert expected["says"] in item.detail
    else:
        assert item == Record(**expected)


def check_reject(reject: Reject) -> None:
    assert reject.reason in REASONS
    assert reject.detail
    assert reject.detail.isprintable()
    assert len(reject.detail) <= 200


@pytest.mark.parametrize("case", list(cases()))
def test_case(case: dict[str, Any]) -> None:
    items = list(ingest(case["name"], io.BytesIO(bytes_of(case)), Config()))
    for item in items:
        if isinstance(item, Reject):
            check_reject(item)
    assert len(items) == len(case["expected"])
    for item, expected in zip(items, case["expected"], strict=True):
        check(item, expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_raise_and_none_vanish(suffix: str, data: bytes) -> None:
    items = list(ingest("a" + suffix, io.BytesIO(data), Config()))
    assert items, "a file must leave a record or a reject"
    for item in items:
        if isinstance(item, Reject):
            check_reject(item)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_error_is_a_reject(suffix: str) -> None:
    def failing(_: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    stream = BlockStream(map(failing, [0]))
    items = list(ingest("a" + suffix, stream, Config()))  # type: ignore[arg-type]
    expected = Reject(None, "unreadable", "the operating system says: Permission denied")
    assert items == [expected]


def test_a_disk_error_comes_after_the_records_before_it() -> None:
    def failing() -> Iterator[bytes]:
        yield b'{"text": "a"}\n{"text": "b"}\n{"te'
        raise OSError(5, "Input/output error")

    items = list(ingest("a.jsonl", BlockStream(failing()), Config()))  # type: ignore[arg-type]
    assert [getattr(item, "raw", None) for item in items] == ["a", "b", None]


def test_the_limit_of_the_config_holds() -> None:
    config = Config()._replace(max_document_chars=3)
    for name, text in (("a.txt", "一二三四"), ("a.jsonl", '{"text": "一二三四"}')):
        [reject] = ingest(name, io.BytesIO(text.encode()), config)
        assert isinstance(reject, Reject)
        assert reject.reason == "too_large"


def test_doc_id_never_changes() -> None:
    assert doc_id("a.txt", 0) == "5ca18ac21febfc4a1ff3"
    assert doc_id("新闻/2020.jsonl.gz", 12345) == "0caaac97c5969b98399f"
    assert doc_id("a", 11) != doc_id("a1", 1)


@settings(deadline=None)
@given(st.text(), st.integers(0, 2**62))
def test_doc_id_is_twenty_digits(source: str, record: int) -> None:
    assert len(doc_id(source, record)) == 20
    assert int(doc_id(source, record), 16) >= 0


def test_suffixes_of_odd_names() -> None:
    for source in ("", ".", ".txt", ".gz", "a.gz", "a.", "a/.txt.gz", "目录.txt/a"):
        assert suffixes(source)[0] not in READERS


def test_documents_batch() -> None:
    records = [
        Record(0, "甲", "utf-8"),
        Record(2, "乙\0", "gb18030", "7", "u", "t", "d", "p", "a", "e", 3),
    ]
    batch = documents_batch("a.jsonl", records)
    assert batch.schema.equals(STAGE_COLUMNS["ingest"], check_metadata=True)
    batch.validate(full=True)
    assert batch.to_pylist()[1] == {
        "doc_id": doc_id("a.jsonl", 2),
        "source": "a.jsonl",
        "record": 2,
        "record_id": "7",
        "url": "u",
        "encoding": "gb18030",
        "record_title": "t",
        "record_date": "d",
        "record_publisher": "p",
        "record_author": "a",
        "record_editor": "e",
        "damaged": 3,
        "raw": "乙\0",
    }
    assert documents_batch("a.jsonl", []).num_rows == 0


def test_rejects_batch() -> None:
    rejects = [Reject(None, "truncated", "x"), Reject(3, "invalid_json", "y")]
    batch = rejects_batch("a.jsonl", rejects)
    assert batch.schema.equals(TABLES["rejects"], check_metadata=True)
    batch.validate(full=True)
    assert batch.column("record").to_pylist() == [None, 3]
    assert batch.column("stage").to_pylist() == ["ingest", "ingest"]


def bytes_of_source(source: str) -> bytes:
    """The way back from `source_of`."""
    return re.sub(
        rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), source.encode()
    )


@given(st.lists(st.sampled_from([b"\\", b"x", b"5c", b"ff", b"\xff", b"a", "中".encode()])))
def test_no_two_paths_have_one_source(pieces: list[bytes]) -> None:
    path = b"".join(pieces)
    assert bytes_of_source(source_of(os.fsdecode(path))) == path


def test_a_reader_that_yields_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, ".txt", lambda *_: iter(()))  # type: ignore[arg-type]
    [reject] = ingest("a.txt", io.BytesIO(b"x"), Config())
    assert isinstance(reject, Reject)
    check_reject(reject)
