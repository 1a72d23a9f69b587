"""Decompression: damage is always told, and never costs what stands before it."""

import gzip
import io
import json
import zlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import (
    BLOCK_BYTES,
    BlockStream,
    DamagedError,
    blocks,
    gunzip,
    unzstd,
)
from pipeline.records import Record, Reject
from pipeline.stages.ingest import ingest

TEXTS = [f"第{i}条，" + chr(0x4E00 + i * 7) * (i % 50 + 1) for i in range(1500)]
LINES = [json.dumps({"text": text}).encode() + b"\n" for text in TEXTS]
GZIP = gzip.compress(b"".join(LINES), mtime=0)


def zstd(pieces: list[bytes]) -> bytes:
    """One frame, of a block for each piece."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for piece in pieces:
            stream.write(piece)
            stream.flush()
    return bytes(sink.getvalue().to_pybytes())


ONE_FRAME = zstd(LINES)
FRAMES = [zstd(LINES[i : i + 100]) for i in range(0, 1500, 100)]


def read(name: str, data: bytes) -> tuple[list[Record], list[Reject]]:
    items = list(ingest(name, io.BytesIO(data), Config()))
    records = [item for item in items if isinstance(item, Record)]
    rejects = [item for item in items if isinstance(item, Reject)]
    assert items == [*records, *rejects]
    assert [record.raw for record in records] == TEXTS[: len(records)]
    return records, rejects


@settings(deadline=None)
@given(st.integers(1, len(GZIP) - 1))
def test_gzip_cut_anywhere_keeps_all_that_can_be_decompressed(cut: int) -> None:
    records, [reject] = read("a.jsonl.gz", GZIP[:cut])
    assert len(records) == zlib.decompressobj(wbits=31).decompress(GZIP[:cut]).count(b"\n")
    assert reject.record is None
    assert reject.reason == "truncated"


@settings(deadline=None)
@given(st.integers(1, len(b"".join(FRAMES)) - 1))
def test_zstd_cut_anywhere_keeps_the_whole_frames(cut: int) -> None:
    ends = [sum(map(len, FRAMES[: i + 1])) for i in range(len(FRAMES))]
    records, rejects = read("a.jsonl.zst", b"".join(FRAMES)[:cut])
    assert len(records) >= 100 * sum(end <= cut for end in ends)
    if cut not in ends:  # between two frames nothing tells that more should come
        assert [reject.reason for reject in rejects] == ["truncated"]


def test_zstd_loses_no_block_before_the_damage() -> None:
    records, [reject] = read("a.jsonl.zst", ONE_FRAME[:-1])
    assert reject.reason == "truncated"
    assert len(records) == len(LINES)


def test_zstd_that_cannot_be_read_again_still_tells_the_damage() -> None:
    stream = unzstd(BlockStream([ONE_FRAME[:-1]]))  # type: ignore[arg-type]
    parts: list[bytes] = []
    with pytest.raises(DamagedError, match="Truncated"):
        parts.extend(blocks(stream))
    content = b"".join(parts)
    assert b"".join(LINES).startswith(content)
    assert len(content) > len(b"".join(LINES)) - 5000


@settings(deadline=None)
@given(st.integers(0, len(GZIP) - 1), st.integers(1, 255))
def test_gzip_with_any_byte_changed_is_told_or_harmless(where: int, change: int) -> None:
    data = bytearray(GZIP)
    data[where] ^= change
    items = list(ingest("a.jsonl.gz", io.BytesIO(bytes(data)), Config()))
    rejected = any(isinstance(item, Reject) for item in items)
    assert rejected or [item.raw for item in items if isinstance(item, Record)] == TEXTS


@pytest.mark.parametrize(("name", "data"), [("a.txt.gz", GZIP), ("a.txt.zst", ONE_FRAME)])
@settings(deadline=None)
@given(share=st.floats(0.01, 0.99))
def test_a_text_cut_short_is_no_document(name: str, data: bytes, share: float) -> None:
    [reject] = ingest(name, io.BytesIO(data[: int(len(data) * share)]), Config())
    assert isinstance(reject, Reject)
    assert reject.reason == "truncated"


def test_members_and_frames_follow_one_another() -> None:
    assert gunzip(io.BytesIO(GZIP + GZIP)).read(BLOCK_BYTES)
    assert b"".join(blocks(gunzip(io.BytesIO(GZIP + GZIP + b"\0" * 9)))) == b"".join(LINES) * 2
    assert b"".join(blocks(unzstd(io.BytesIO(b"".join(FRAMES))))) == b"".join(LINES)


def test_a_bomb_is_read_in_pieces() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert max(map(len, blocks(gunzip(io.BytesIO(bomb))))) <= BLOCK_BYTES
    [reject] = ingest("a.jsonl.gz", io.BytesIO(bomb), Config()._replace(max_document_chars=1000))
    assert isinstance(reject, Reject)
    assert reject.reason == "too_large"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9)), st.integers(1, 9))
def test_a_block_stream_is_its_blocks(pieces: list[bytes], size: int) -> None:
    assert b"".join(blocks(BlockStream(pieces), size)) == b"".join(pieces)  # type: ignore[arg-type]
    assert BlockStream(pieces).read() == b"".join(pieces)
    assert io.BufferedReader(BlockStream(pieces)).read() == b"".join(pieces)
