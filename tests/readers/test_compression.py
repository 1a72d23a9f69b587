"""Decompression: damage is always told, and never costs what stands before it."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers import compression
from pipeline.readers.compression import (
    BLOCK_BYTES,
    MOST_RATIOS,
    BlockStream,
    DamagedError,
    Decompressor,
    blocks,
    bunzip2,
    gunzip,
    unxz,
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
CONTENT = b"".join(LINES)
KINDS: dict[str, tuple[Decompressor, Callable[[bytes], bytes]]] = {
    "gzip": (gunzip, lambda data: gzip.compress(data, mtime=0)),
    "bzip2": (bunzip2, lambda data: bz2.compress(data, 1)),
    "xz": (unxz, lambda data: lzma.compress(data, preset=0)),
    "zstd": (unzstd, lambda data: zstd([data])),
}
SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
PACKED = {kind: pack(CONTENT) for kind, (_, pack) in KINDS.items()}
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


@pytest.mark.parametrize("kind", KINDS)
def test_content_comes_back_whole(kind: str) -> None:
    unpack, pack = KINDS[kind]
    assert b"".join(blocks(unpack(io.BytesIO(PACKED[kind])))) == CONTENT
    assert b"".join(blocks(unpack(io.BytesIO(PACKED[kind] * 3)))) == CONTENT * 3
    assert b"".join(blocks(unpack(io.BytesIO(pack(b""))))) == b""
    assert b"".join(blocks(unpack(io.BytesIO(b"")))) == b""
    in_bytes = (PACKED[kind][i : i + 1] for i in range(len(PACKED[kind])))
    assert b"".join(blocks(unpack(BlockStream(in_bytes)))) == CONTENT  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bzip2", "xz"])
@settings(deadline=None, max_examples=50)
@given(share=st.floats(0.001, 0.999))
def test_cut_anywhere_the_whole_blocks_are_kept(kind: str, share: float) -> None:
    cut = int(share * len(PACKED[kind]))
    decoder = {"bzip2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}[kind]()
    expected = decoder.decompress(PACKED[kind][:cut])
    records, [reject] = read("a.jsonl" + SUFFIXES[kind], PACKED[kind][:cut])
    assert len(records) == expected.count(b"\n")
    assert reject.reason == "truncated"


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=50)
@given(share=st.floats(0, 0.9999), change=st.integers(1, 255))
def test_any_byte_changed_is_told_or_harmless(kind: str, share: float, change: int) -> None:
    data = bytearray(PACKED[kind])
    data[int(share * len(data))] ^= change
    items = list(ingest("a.jsonl" + SUFFIXES[kind], io.BytesIO(bytes(data)), Config()))
    rejected = any(isinstance(item, Reject) for item in items)
    # zstd carries no checksum unless its writer was asked for one.
    assert rejected or kind == "zstd" or [getattr(item, "raw", "") for item in items] == TEXTS


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_padding_is_no_damage(kind: str) -> None:
    unpack, _ = KINDS[kind]
    padded = PACKED[kind] + bytes(200_000) + PACKED[kind] + bytes(4)
    assert b"".join(blocks(unpack(io.BytesIO(padded)))) == CONTENT * 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", [b"garbage", b"\x1f", b"BZh", b"\xfd7z", b"PK\x03\x04"])
def test_what_follows_and_is_none_of_it_is_told(kind: str, rest: bytes) -> None:
    records, [reject] = read("a.jsonl" + SUFFIXES[kind], PACKED[kind] + rest)
    assert len(records) == len(TEXTS)
    assert reject.reason == "truncated"


FREE_MIB = 4
BOMB_MIB = 12


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb is told after 4 MiB, to save time."""
    monkeypatch.setattr(compression, "FREE_BYTES", FREE_MIB << 20)


def bomb(kind: str) -> bytes:
    pieces = [b"\0" * (1 << 20)] * BOMB_MIB
    if kind == "gzip":
        return gzip.compress(b"".join(pieces), 9)
    if kind == "zstd":
        return zstd(pieces)
    return KINDS[kind][1](b"".join(pieces))


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_not_followed_to_its_end(kind: str) -> None:
    unpack, _ = KINDS[kind]
    packed = bomb(kind)
    assert len(packed) * MOST_RATIOS[kind] < BOMB_MIB << 20
    served = 0
    tracemalloc.start()
    found = blocks(unpack(io.BytesIO(packed)))
    with pytest.raises(DamagedError, match="over"):  # noqa: PT012 - which block it comes after
        while True:
            served += len(next(found))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (FREE_MIB - 1) << 20 <= served < BOMB_MIB << 20
    assert peak < 8 * BLOCK_BYTES


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_costs_one_reject(kind: str) -> None:
    name = "a.jsonl" + SUFFIXES[kind]
    items = list(ingest(name, io.BytesIO(bomb(kind)), Config(max_document_chars=1000)))
    assert [item.reason for item in items if isinstance(item, Reject)][-1] == "decompression_bomb"
    assert len(items) <= 2


@pytest.mark.usefixtures("soon")
def test_dull_text_is_no_bomb() -> None:
    page = "对不起，您访问的页面不存在或已被删除。" * 8
    lines = [json.dumps({"id": i, "text": page}, ensure_ascii=False) for i in range(13_000)]
    content = "\n".join(lines).encode()
    assert len(content) > FREE_MIB << 20
    for kind, (unpack, pack) in KINDS.items():
        packed = pack(content)
        assert sum(map(len, blocks(unpack(io.BytesIO(packed))))) == len(content), kind


def test_xz_that_asks_for_too_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 20}]
    packed = lzma.compress(b'{"text": "x"}', filters=filters)
    [reject] = ingest("a.jsonl.xz", io.BytesIO(packed), Config())
    assert isinstance(reject, Reject)
    assert reject.reason == "decompression_bomb"
    assert "memory" in reject.detail


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9)), st.integers(1, 9))
def test_a_block_stream_is_its_blocks(pieces: list[bytes], size: int) -> None:
    assert b"".join(blocks(BlockStream(pieces), size)) == b"".join(pieces)  # type: ignore[arg-type]
    assert BlockStream(pieces).read() == b"".join(pieces)
    assert io.BufferedReader(BlockStream(pieces)).read() == b"".join(pieces)
