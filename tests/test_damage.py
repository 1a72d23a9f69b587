"""Bytes that are wrong in places: what is good is kept, what is wrong is counted."""

import difflib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.damage import BLOCK_BYTES, TWO_BYTE_CODECS, decode_damaged
from tests.test_encodings import BY_ENCODING

ENCODINGS = [*BY_ENCODING, "cp950"]


def text_in(encoding: str) -> str:
    return BY_ENCODING["big5hkscs" if encoding == "cp950" else encoding]


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"a\xff\xfeb\xffc", "utf-8", ("a\ufffdb\ufffdc", 3)),
        (b"a\0b", "utf-8", ("a\ufffdb", 1)),
        (b"a\0\xff\0b", "utf-8", ("a\ufffdb", 3)),
        (b"\xed\xa0\x80", "utf-8", ("\ufffd", 3)),  # half of a pair
        (b"\xef\xbb\xbfa\xff", "utf-8-sig", ("a\ufffd", 1)),
        (b"\xff\xfea\0\0\xd8b\0", "utf-16", ("a\ufffdb", 2)),
        (b"\xfe\xff\0a\xd8\0\0b", "utf-16", ("a\ufffdb", 2)),
        (b"a\0\0\0b\0", "utf-16-le", ("a\ufffdb", 2)),
        (b"a\0b", "utf-16-le", ("a\ufffd", 1)),
        ("文a".encode("utf-32-le") + b"\0\0\x11", "utf-32-le", ("文a\ufffd", 3)),
        ("中文".encode("gb18030")[:-1], "gb18030", ("中\ufffd", 1)),
        (b"\xd6\xd0\n\xd6\n\xce\xc4", "gb18030", ("中\n\ufffd\n文", 1)),
        ("中文𠀀".encode("gb18030") + b"\xff", "gb18030", ("中文𠀀\ufffd", 1)),
        ("中文".encode("big5") + b"\xff\n", "big5hkscs", ("中文\ufffd\n", 1)),
        (b"", "gb18030", ("", 0)),
    ],
)
def test_examples(data: bytes, encoding: str, expected: tuple[str, int]) -> None:
    assert decode_damaged(data, encoding) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_nothing_raises_and_good_bytes_are_decoded(encoding: str, data: bytes) -> None:
    text, damaged = decode_damaged(data, encoding)
    assert 0 <= damaged <= len(data)
    assert "\0" not in text
    assert "\ufffd\ufffd" not in text or encoding != "utf-8" or b"\xef\xbf\xbd" in data
    text.encode()  # no half of a pair is left
    if damaged == 0:
        assert text == data.decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["lost", "added", "changed"])
def test_one_byte_costs_a_few_characters(encoding: str, kind: str) -> None:
    text, lost = text_in(encoding), []
    draw = random.Random(7)
    for _ in range(40):
        data = bytearray(text.encode(encoding))
        at = draw.randrange(10, len(data) - 10)
        data[at : at + (kind != "added")] = b"" if kind == "lost" else draw.randbytes(1)
        found, _ = decode_damaged(bytes(data), encoding)
        same = difflib.SequenceMatcher(None, text, found, autojunk=False).get_matching_blocks()
        lost.append(len(text) - sum(block.size for block in same))
    # A decoder that goes on at the next byte loses 48 in GB18030 and 50 in UTF-16, on average.
    assert sum(lost) / len(lost) < 3
    assert max(lost) <= 12


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le"])
def test_the_likeliest_reading_goes_on_over_the_edge_of_a_block(encoding: str) -> None:
    text = (text_in(encoding) * 800).replace("\n", "").replace(" ", "")
    data = bytearray(text.encode(encoding))
    assert len(data) > 2 * BLOCK_BYTES
    del data[99]
    found, damaged = decode_damaged(bytes(data), encoding)
    assert damaged == 1
    assert abs(len(found) - len(text)) <= 3
    assert found[200:] == text[len(text) - len(found) + 200 :]


@pytest.mark.parametrize("encoding", sorted({*ENCODINGS, *TWO_BYTE_CODECS}))
def test_noise_is_read_in_linear_time(encoding: str) -> None:
    data = random.Random(1).randbytes(300_001)
    start = time.process_time()
    decode_damaged(data, encoding)
    assert time.process_time() - start < 10  # up to 0.7 s
