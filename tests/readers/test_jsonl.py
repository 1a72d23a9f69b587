"""JSON lines: one bad line costs itself alone, and no line costs the memory."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import BLOCK_BYTES, BlockStream
from pipeline.readers.jsonl import read_jsonl
from pipeline.readers.lines import ASCII_HEAD_BYTES, HEAD_BYTES
from pipeline.records import Record, Reject
from tests.readers.streams import in_pieces

LIMIT = 1_000_000

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("text"), inner),
    max_leaves=8,
)
any_record = st.fixed_dictionaries(
    {"text": st.text(min_size=1).filter(lambda text: not text.isspace())},
    optional=dict.fromkeys(("id", "url", "title", "date", "other"), any_json),
)


def read(data: bytes, limit: int = LIMIT) -> list[Record | Reject]:
    return list(read_jsonl(io.BytesIO(data), Config(max_document_chars=limit)))


def to_lines(values: list[Any], *, ascii_only: bool) -> bytes:
    return "".join(json.dumps(v, ensure_ascii=ascii_only) + "\n" for v in values).encode()


@pytest.mark.parametrize("ascii_only", [True, False])
@settings(deadline=None)
@given(values=st.lists(any_json | any_record, min_size=1))
def test_each_line_is_a_record_or_a_reject(ascii_only: bool, values: list[Any]) -> None:
    items = read(to_lines(values, ascii_only=ascii_only))
    assert [item.record for item in items] == list(range(len(values)))


@pytest.mark.parametrize("ascii_only", [True, False])
@settings(deadline=None)
@given(values=st.lists(any_record, min_size=1))
def test_texts_come_out_as_they_went_in(ascii_only: bool, values: list[dict[str, Any]]) -> None:
    items = read(to_lines(values, ascii_only=ascii_only))
    assert [item.raw for item in items if isinstance(item, Record)] == [v["text"] for v in values]
    for item, value in zip(items, values, strict=True):
        assert isinstance(item, Record)
        expected = value.get("url")
        assert item.url == expected or not isinstance(expected, str)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_leave_one_item_for_each_line_that_is_not_blank(lines: list[bytes]) -> None:
    # The mark settles the encoding, so that a line break is what it seems.
    data = b"\n".join([b"\xef\xbb\xbf{}", *lines])
    blank = [not line.strip() for line in data.split(b"\n")]
    assert len(read(data)) == blank.count(False)


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ascii_lines", [0, 1, 30_000])
def test_encodings_with_ascii_before_the_first_that_tells(encoding: str, ascii_lines: int) -> None:
    texts = ["plain"] * ascii_lines + ["今天的天色真好，我出去走了走，看到了山和水。", "上", "丁"]
    lines = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    items = read(lines.encode(encoding))
    expected = [Record(i, text, encoding) for i, text in enumerate(texts)]
    assert items == expected


def test_the_encoding_may_show_late() -> None:
    start = b'{"text": "plain"}\n' * (2 * HEAD_BYTES // 18)
    assert HEAD_BYTES < len(start) < ASCII_HEAD_BYTES
    items = read(start + '{"text": "今天的天色真好"}\n'.encode("gb18030"))
    assert items[-1] == Record(len(items) - 1, "今天的天色真好", "gb18030")


def test_a_stretch_of_nuls_costs_its_line_alone() -> None:
    # What a crash may leave of a file that was being written.
    good = '{"text": "今天的天色真好，我出去走了走"}\n'.encode()
    items = read(good * 100 + b"\0" * 8192 + b"\n" + good * 100)
    assert [item.record for item in items if isinstance(item, Reject)] == [100]
    assert {item.encoding for item in items if isinstance(item, Record)} == {"utf-8"}


@pytest.mark.parametrize("opening", ["[", '{"text":'])
@pytest.mark.parametrize("close", [True, False])
def test_depth_is_no_bomb(opening: str, close: bool) -> None:
    end = {"[": "]", '{"text":': "}"}[opening] * 100_000 if close else ""
    bomb = opening * 100_000 + ("1" + end if close else "")
    first, second = read(f'{bomb}\n{{"text": "甲"}}\n'.encode())
    assert isinstance(first, Reject)
    assert (first.record, first.reason) == (0, "invalid_json")
    assert "nested too deeply" in first.detail
    assert second == Record(1, "甲", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_huge_line_is_skipped_in_bounded_memory(encoding: str) -> None:
    good = '{"text": "今天的天色真好"}\n'.encode(encoding)

    def content() -> Iterator[bytes]:
        yield good + '{"text": "'.encode(encoding)
        for _ in range(60):
            yield ("x" * BLOCK_BYTES).encode(encoding)
        yield '"}\n'.encode(encoding) + good

    tracemalloc.start()
    stream: Any = BlockStream(content())
    first, second, third = read_jsonl(stream, Config(max_document_chars=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * BLOCK_BYTES  # the head, which waits for more than ASCII, is the most of it
    assert first == Record(0, "今天的天色真好", encoding)
    assert isinstance(second, Reject)
    assert (second.record, second.reason) == (1, "too_large")
    assert third == Record(2, "今天的天色真好", encoding)


def test_the_limit_counts_characters() -> None:
    line = '{"text": "一二三"}'.encode()
    assert read(line, 3) == [Record(0, "一二三", "utf-8")]
    [reject] = read(line, 2)
    assert isinstance(reject, Reject)
    assert (reject.record, reject.reason) == (0, "too_large")


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 50)))
def test_short_reads_change_nothing(sizes: list[int]) -> None:
    data = '\n{"text": "甲"}\n[]\n\n{"text": "乙"}'.encode("utf-16")
    stream = in_pieces(data, sizes)
    assert list(read_jsonl(stream, Config(max_document_chars=LIMIT))) == read(data)
