"""Plain text: the whole file, or one reject."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import BLOCK_BYTES, BlockStream
from pipeline.readers.txt import read_txt
from pipeline.records import Record, Reject

# What follows the word cannot look like a signature, a mark or white space alone.
any_text = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map("正文".__add__)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@settings(deadline=None)
@given(text=any_text)
def test_any_text_is_kept_to_the_letter(encoding: str, text: str) -> None:
    stream = io.BytesIO(text.encode(encoding))
    assert list(read_txt(stream, Config(max_document_chars=len(text)))) == [
        Record(0, text, encoding)
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\u3000\n\n"])
def test_line_ends_are_kept(encoding: str, end: str) -> None:
    text = f"今天的天气真好，我{end}出去走了走，看到了山和水。{end}".replace("气", "色")
    stream = io.BytesIO(text.encode(encoding))
    assert list(read_txt(stream, Config(max_document_chars=1000))) == [Record(0, text, encoding)]


def test_the_limit_counts_characters() -> None:
    data = ("𠀀" * 10).encode()
    assert list(read_txt(io.BytesIO(data), Config(max_document_chars=10))) == [
        Record(0, "𠀀" * 10, "utf-8")
    ]
    [reject] = read_txt(io.BytesIO(data), Config(max_document_chars=9))
    assert isinstance(reject, Reject)
    assert (reject.record, reject.reason) == (None, "too_large")
    assert "more than 9 characters" in reject.detail


def test_a_huge_file_is_not_read() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += BLOCK_BYTES
            yield b"x" * BLOCK_BYTES

    [reject] = read_txt(BlockStream(endless()), Config(max_document_chars=1000))  # type: ignore[arg-type]
    assert isinstance(reject, Reject)
    assert reject.reason == "too_large"
    assert taken == BLOCK_BYTES


def test_short_reads_are_put_together() -> None:
    parts = "正文不断".encode()
    stream = BlockStream(bytes([byte]) for byte in parts)
    assert list(read_txt(stream, Config(max_document_chars=9))) == [Record(0, "正文不断", "utf-8")]  # type: ignore[arg-type]
