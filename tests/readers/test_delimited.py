"""CSV and TSV: what any program wrote comes back, and a stray quote costs its row alone."""

import csv
import io
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import BLOCK_BYTES, BlockStream
from pipeline.readers.delimited import DELIMITERS, MOST_CELLS, read_csv, read_tsv
from pipeline.records import Record, Reject
from tests.readers.streams import in_pieces

# A carriage return alone is a line end to nobody but very old Macs; `csv` would not quote it.
cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))
texts = cells.map("正".__add__)
tables = st.lists(st.tuples(cells, texts, cells), min_size=1)


def read(data: bytes | str, limit: int = 1_000_000, **settings: Any) -> list[Record | Reject]:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return list(read_csv(stream, Config(max_document_chars=limit, **settings)))


def raws(items: list[Record | Reject]) -> list[str]:
    return [item.raw if isinstance(item, Record) else item.reason for item in items]


def written(rows: list[Any], delimiter: str, end: str, quoting: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", DELIMITERS)
@settings(deadline=None)
@given(rows=tables, end=st.sampled_from(["\n", "\r\n"]), quote_all=st.booleans())
def test_what_csv_wrote_comes_back(
    delimiter: str, encoding: str, rows: list[Any], end: str, quote_all: bool
) -> None:
    header = ("id", "正文", "title")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    data = written([header, *rows], delimiter, end, quoting).encode(encoding)
    for reader in (read_csv, read_tsv):
        assert list(reader(io.BytesIO(data), Config())) == [
            Record(i, text, encoding, number or None, title=title or None)
            for i, (number, text, title) in enumerate(rows)
        ]


@settings(deadline=None)
@given(st.lists(texts, min_size=1))
@example(["正,文;甲|乙\t"])
def test_a_table_of_one_column_has_no_delimiter(rows: list[str]) -> None:
    data = written([["text"], *([row] for row in rows)], ",", "\n", csv.QUOTE_MINIMAL)
    assert raws(read(data)) == rows


def test_in_one_column_a_line_is_a_row_as_it_stands() -> None:
    assert raws(read("content\n今天，天气, 好\n甲;乙\n")) == ["今天，天气, 好", "甲;乙"]


ROWS = [f"{i},第{i}行，{'很长' * i}\n" for i in range(30)]


@settings(deadline=None)
@given(st.integers(0, 29), st.booleans())
def test_a_stray_quote_costs_its_row_alone(broken: int, others_quoted: bool) -> None:
    rows = [row.replace(",", ',"')[:-1] + '"\n' if others_quoted else row for row in ROWS]
    rows[broken] = f'{broken},"第\n'
    items = read("id,text\n" + "".join(rows))
    assert [item.record for item in items] == list(range(30))
    rejected = [item for item in items if isinstance(item, Reject)]
    assert [(item.record, item.reason) for item in rejected] == [(broken, "bad_row")]
    assert "none closes it" in rejected[0].detail


def test_a_quote_is_given_up_after_as_much_as_a_document_may_have() -> None:
    line = "7," + "甲" * 98 + "\n"
    data = 'id,text\n0,"甲\n' + line * 3000
    first, *others = read(data, 1000)
    assert isinstance(first, Reject)
    assert "within" in first.detail
    assert raws(others) == ["甲" * 98] * 3000


def test_time_is_linear_in_stray_quotes() -> None:
    def seconds(lines: int) -> float:
        started = time.process_time()
        items = read("id,text\n" + 'x,"a\n' * lines, 10**9)
        assert len(items) == lines
        return time.process_time() - started

    # Each would look for its end through all that follow; twice the lines would take four times.
    assert seconds(40_000) < 20 * max(seconds(10_000), 0.05)
    assert seconds(40_000) < 20


def test_quotes_that_open_where_others_close() -> None:
    # Each line closes a cell and opens another, and the last is never closed: one row, given up
    # for its cells, or at the end.
    short, long = ('id,text\n1,"a\n' + 'x","y\n' * count for count in (100, 2 * MOST_CELLS))
    assert raws(read(short)) == ["bad_row"]
    assert raws(read(long + "\n2,甲\n"))[0] == "bad_row"
    assert len(read(long)) < 5


def test_a_short_row_is_believed_if_its_text_is_whole() -> None:
    items = read('id,text,x,y\n1,甲,b\n2,"乙"\n3,丙\n4\n5,丁,,,,\n6,戊,,,z,w\n')
    assert raws(items) == ["甲", "乙", "bad_row", "bad_row", "丁", "bad_row"]


def test_the_best_of_several_columns() -> None:
    items = read("摘要,Content,TEXT\na,b,c\nd,e,\n")
    assert raws(items) == ["c", "e"]
    assert raws(read("摘要,Content\na,b\n", text_field="摘要")) == ["a"]


@pytest.mark.parametrize("data", ["1,2\n3,4\n", "标题;摘要\n甲;乙\n"])
def test_without_a_header_the_file_is_one_reject_that_says_what_to_do(data: str) -> None:
    [reject] = read(data)
    assert isinstance(reject, Reject)
    assert (reject.record, reject.reason) == (None, "missing_text")
    assert "--set text_field=NAME" in reject.detail
    assert data[0] in reject.detail


def test_excel() -> None:
    table = '序号\t正文\r\n1\t今天的天色真好，我出去走了走\r\n2\t"甲\n乙"\r\n'
    expected = ["今天的天色真好，我出去走了走", "甲\n乙"]
    for encoding in ("utf-16", "gb18030", "utf-8-sig"):
        assert raws(read(table.encode(encoding))) == expected
    assert raws(read("sep=;\r\nid;text\r\n1;a,b\r\n")) == ["a,b"]


def test_the_line_ends_of_old_macs() -> None:
    assert raws(read("id,text\r1,甲\r2,乙\r")) == ["甲", "乙"]


def test_many_write_tabs_and_quote_nothing() -> None:
    data = 'id\ttext\n1\t"甲"是字\n2\t"乙\n3\t丙\n4\t丁\n'.encode()
    assert raws(list(read_tsv(io.BytesIO(data), Config()))) == ['"甲"是字', '"乙', "丙", "丁"]


def test_quotes_that_seem_to_close_another_row() -> None:
    # Nothing tells them from a cell of two lines.
    data = 'id\ttext\n1\t"甲\n2\t乙"\n3\t丙\n'.encode()
    assert raws(list(read_tsv(io.BytesIO(data), Config()))) == ["甲\n2\t乙", "丙"]


def test_a_few_wrong_bytes_are_counted() -> None:
    text = "今天的天色真好，我出去走了走"
    for encoding in ("utf-8", "gb18030"):
        good = f"id,text\n1,{text}\n2,{text * 3}".encode(encoding)
        first, second = read(good + b"\xff\xff" + "好\n".encode(encoding))
        assert first == Record(0, text, encoding, "1")
        assert second == Record(1, text * 3 + "\ufffd好", encoding, "2", damaged=2)


def test_nuls_are_wrong_bytes() -> None:
    [record] = read("id,text\n1,今天的天色真好\0\0，我出去走了走\n")
    assert record == Record(0, "今天的天色真好\ufffd，我出去走了走", "utf-8", "1", damaged=2)


def test_wrong_units_of_utf_16_are_two_bytes_each() -> None:
    # Found by fuzzing: NULs were counted as if the file were in UTF-8.
    text = "今天的天色真好，我出去走了走，看到了山和水。" * 2
    for wrong in (bytes(4), b"\x00\xd8\x01\xd8", b"\x00\xd8\x00\x00"):
        data = f"id,text\n1,{text}".encode("utf-16") + wrong + "好\n".encode("utf-16-le")
        assert read(data) == [Record(0, text + "\ufffd好", "utf-16", "1", damaged=4)]


def test_more_cells_than_any_table_has() -> None:
    first, second = read("id,text\n" + "," * 2 * MOST_CELLS + "\n1,甲\n")
    assert raws([first, second]) == ["bad_row", "甲"]


@pytest.mark.parametrize("start", ["x,", 'x,"'])
def test_a_huge_row_is_skipped_in_bounded_memory(start: str) -> None:
    def content() -> Iterator[bytes]:
        yield "id,text\n1,今天的天色真好\n".encode() + start.encode()
        for _ in range(60):
            yield b"x" * BLOCK_BYTES
        yield "\n2,今天的天色真好\n".encode()

    tracemalloc.start()
    stream: Any = BlockStream(content())
    items = list(read_csv(stream, Config(max_document_chars=1000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * BLOCK_BYTES
    assert raws(items) == ["今天的天色真好", "too_large", "今天的天色真好"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", " ", "正"])))
def test_any_quoting_leaves_rows_in_order(pieces: list[str]) -> None:
    items = read("id,text\n" + "".join(pieces))
    numbers = [item.record for item in items if item.record is not None]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= "".join(pieces).count("\n") + 1


@settings(deadline=None)
@given(st.lists(st.integers(1, 50)))
def test_short_reads_change_nothing(sizes: list[int]) -> None:
    data = 'id,text\n1,"甲\n乙"\n2,丙\n3,"丁\n'.encode("utf-16")
    stream = in_pieces(data, sizes)
    assert list(read_csv(stream, Config())) == read(data)
