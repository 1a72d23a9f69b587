"""JSON that is no JSON lines: cut into its objects in bounded memory, however it is laid out."""

import io
import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import BLOCK_BYTES, BlockStream
from pipeline.readers.json_file import read_json
from pipeline.readers.jsonl import MOST_VALUES, read_jsonl
from pipeline.records import Record, Reject
from tests.readers.streams import in_pieces

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("text"), inner),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(st.text() | st.just("text"), any_json), min_size=1)


def read(data: bytes | str, limit: int = 1_000_000) -> list[Record | Reject]:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return list(read_json(stream, Config(max_document_chars=limit)))


def bare(items: list[Record | Reject]) -> list[Any]:
    """Without what tells a line from an object."""
    return [item[:2] if isinstance(item, Reject) else item for item in items]


@settings(deadline=None, max_examples=30)
@given(objects, st.booleans(), st.sampled_from([None, 0, 1]))
def test_an_array_reads_as_json_lines(
    values: list[Any], ascii_only: bool, indent: int | None
) -> None:
    lines = "".join(json.dumps(v, ensure_ascii=ascii_only) + "\n" for v in values)
    expected = bare(list(read_jsonl(io.BytesIO(lines.encode()), Config())))
    array = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    in_a_row = "\n".join(json.dumps(v, ensure_ascii=ascii_only, indent=indent) for v in values)
    for text in (array, in_a_row, lines, "\ufeff" + array, f"\n {array} \n"):
        items = read(text)
        assert bare(
            [i._replace(encoding="utf-8") if isinstance(i, Record) else i for i in items]
        ) == (expected)


@settings(deadline=None)
@given(st.lists(st.integers(1, 20)), st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_short_reads_change_nothing(sizes: list[int], encoding: str) -> None:
    first = '{"text": "今天的\\"天\\\\色真好，我]}出去了\\\\"}'
    text = f'[{first},\n {{"id": [1, {{"a": "}}"}}], "text": "乙"}}, 7]'
    data = text.encode(encoding)
    stream = in_pieces(data, sizes)
    assert list(read_json(stream, Config())) == read(data)


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "utf-16", "utf-16-be", "utf-8-sig"])
def test_encodings_whose_bytes_look_like_brackets(encoding: str) -> None:
    # In GB18030 the second byte of 儅 is a backslash, of 亄 a bracket; in Big5 that of 許.
    texts = ["這個問題正常，檢查之後沒有時間再說。許功蓋", "形式主義不好，大家都知道！"]
    items = read(
        json.dumps([{"text": text} for text in texts], ensure_ascii=False).encode(encoding)
    )
    assert items == [Record(i, text, encoding) for i, text in enumerate(texts)]


def test_wrong_bytes_cost_their_object_at_most() -> None:
    text = "今天的天色真好，我出去走了走，看到了山和水。"
    for encoding in ("utf-8", "gb18030"):
        good = f'{{"text": "{text}"}}'.encode(encoding)
        hurt = f'{{"text": "{text}'.encode(encoding) + b"\xff\xff" + '好"}'.encode(encoding)
        lost = b'{"text": "\xff\xff\xff"}'
        items = read(b"[" + b", ".join([good, hurt, lost, good]) + b"]")
        assert items[0] == Record(0, text, encoding)
        assert items[1] == Record(1, text + "\ufffd好", encoding, damaged=2)
        assert bare([items[2]]) == [(2, "undecodable")]
        assert items[3] == Record(3, text, encoding)


def test_an_object_that_is_no_json_costs_itself() -> None:
    items = read('[{"text": "甲"}, {text: 1}, {"text": "乙"} x, {"text": "丙"}]')
    assert [(i.record, getattr(i, "reason", "")) for i in items] == [
        *((0, ""), (1, "invalid_json"), (2, ""), (3, "invalid_json"), (4, "")),
    ]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ('[{"text": "甲"}', ["", "invalid_json"]),
        ('[{"text": "甲"}, {"te', ["", "invalid_json", "invalid_json"]),
        ('{"text": "甲"', ["invalid_json"]),
        ('{"text": "甲"}]', ["", "invalid_json"]),
        ("[]", ["empty_file"]),
        (" \n", ["empty_file"]),
        ('"甲"', ["not_an_object"]),
        ("[[]]", ["not_an_object"]),
        ('{"data": [{"text": "甲"}]}', ["missing_text"]),
    ],
)
def test_what_is_cut_or_no_object_is_told(text: str, reasons: list[str]) -> None:
    assert [getattr(item, "reason", "") for item in read(text)] == reasons


def test_a_huge_object_is_skipped_in_bounded_memory() -> None:
    def content() -> Iterator[bytes]:
        yield '[{"text": "甲"}, {"text": "'.encode()
        for _ in range(60):
            yield b"x" * BLOCK_BYTES
        yield '"}, {"text": "乙"}]'.encode()

    tracemalloc.start()
    stream: Any = BlockStream(content())
    first, second, third = read_json(stream, Config(max_document_chars=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * BLOCK_BYTES
    assert (first, third) == (Record(0, "甲", "utf-8"), Record(2, "乙", "utf-8"))
    assert bare([second]) == [(1, "too_large")]


@pytest.mark.parametrize("reader", [read_json, read_jsonl])
def test_values_by_the_million_are_not_made(reader: Any) -> None:
    bomb = b'{"text": "\xe7\x94\xb2", "x": [' + b"0," * (MOST_VALUES + 10) + b"0]}\n"
    text = "1,2" * MOST_VALUES  # in a document, on the other hand, a comma costs nothing
    good = json.dumps({"text": text}).encode() + b"\n"
    tracemalloc.start()
    first, second = reader(io.BytesIO(bomb + good), Config())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bare([first]) == [(0, "too_large")]
    assert isinstance(second, Record)
    assert second.raw == text
    assert peak < 60 << 20


@pytest.mark.parametrize("reader", [read_json, read_jsonl])
def test_long_keys_and_numbers(reader: Any) -> None:
    key, digits = "k" * 10_000_000, "9" * 1_000_000
    lines = [f'{{"{key}": 1}}', f'{{"text": "甲", "n": {digits}, "{key}": "x"}}']
    first, second = reader(io.BytesIO("\n".join([*lines, ""]).encode()), Config())
    assert isinstance(first, Reject)
    assert first.reason == "missing_text"
    assert len(first.detail) < 300
    assert second == Record(1, "甲", "utf-8")


def test_a_million_brackets_take_seconds() -> None:
    # What was before each was cut out to see whether it is blank.
    started = time.process_time()
    assert bare(read("[" * 1_000_000)) == [(0, "invalid_json"), (1, "invalid_json")]
    assert time.process_time() - started < 10
