"""Web archives: each record that should be a document is one, or a reject; damage costs itself."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.compression import BLOCK_BYTES, BlockStream
from pipeline.readers.warc import read_warc
from pipeline.records import Record, Reject
from pipeline.schema import REASONS
from pipeline.stages.ingest import documents_batch, ingest

SENTENCE = "昨天上午，城北的小桥终于修好了，行人和车辆都可以通过。"
PAGE = f"<title>小桥</title><p>{SENTENCE}</p>".encode()
OK = "HTTP/1.1 200 OK"


def record(kind: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        "WARC-Record-ID: <urn:uuid:0b5c>",
        "WARC-Target-URI: http://example.cn/1.html",
        "WARC-Date: 2020-01-01T00:00:00Z",
        *headers,
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body + b"\r\n\r\n"


def http(body: bytes, *headers: str, status: str = OK, kind: str = "text/html") -> bytes:
    lines = [status, f"Content-Type: {kind}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def response(body: bytes, *headers: str, **given: str) -> bytes:
    return record("response", http(body, *headers, **given))


def read(data: bytes, **given: Any) -> list[Record | Reject]:
    return list(read_warc(io.BytesIO(data), Config()._replace(**given)))


def summary(data: bytes, **given: Any) -> list[tuple[int | None, str]]:
    """The number of each item, and its text or its reason."""
    return [
        (item.record, item.raw if isinstance(item, Record) else item.reason)
        for item in read(data, **given)
    ]


GOOD = response(PAGE)
OTHERS = record("warcinfo", b"software: x") + record("request", b"GET / HTTP/1.1\r\n\r\n")


def test_a_page_with_what_the_record_says() -> None:
    [item] = read(OTHERS + GOOD + record("metadata", b"x: y") + record("revisit", http(b"")))
    assert isinstance(item, Record)
    assert (item.record, item.raw, item.title) == (2, SENTENCE, "小桥")
    assert (item.url, item.record_id) == ("http://example.cn/1.html", "urn:uuid:0b5c")
    assert item.date is None  # WARC-Date is the crawler's


def test_wet_is_text_as_it_is() -> None:
    text = f"首页\n{SENTENCE}\n"
    data = record("warcinfo", b"x") + record(
        "conversion", text.encode(), "Content-Type: text/plain"
    )
    assert summary(data) == [(1, text)]
    for name in ("a.warc.wet", "a.wet"):
        [item] = ingest(name, io.BytesIO(data), Config())
        assert isinstance(item, Record)
    for name in ("a.warc.wet.gz", "a.warc.gz"):
        [item] = ingest(name, io.BytesIO(gzip.compress(data)), Config())
        assert isinstance(item, Record)


def test_each_record_a_gzip_member_of_its_own() -> None:
    data = b"".join(gzip.compress(part) for part in (OTHERS, GOOD, GOOD))
    items = list(ingest("a.warc.gz", io.BytesIO(data), Config()))
    assert [item.record for item in items] == [2, 3]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (response(PAGE, status="HTTP/1.1 404 Not Found"), "not_a_page"),
        (response(b"", "Location: /", status="HTTP/1.1 301 Moved"), "not_a_page"),
        (response(b"\x89PNG\r\n\x1a\n", kind="image/png"), "not_a_page"),
        (response(b"{}", kind="application/json"), "not_a_page"),
        (record("response", b"HTTP/1.1 200 OK\r\nX: y"), "not_a_page"),
        (record("resource", b"x", "Content-Type: image/gif"), "not_a_page"),
        (response(b"<a href=/>x</a>"), "no_content"),
        (response(b" \n", kind="text/plain"), "empty_text"),
        (response(b"\x00\xff\xfe\x80" * 99, kind="text/plain"), "undecodable"),
        (response(PAGE, "Content-Encoding: zstd"), "not_a_page"),
        (response(gzip.compress(PAGE)[:-9], "Content-Encoding: gzip"), "truncated"),
        (response(brotli.compress(PAGE)[:-9], "Content-Encoding: br"), "truncated"),
        (response(b"\x1f\x8b\x08" + b"x" * 40, "Content-Encoding: gzip"), "truncated"),
        (response(b"x" * 40, "Content-Encoding: br"), "truncated"),
    ],
)
def test_what_is_no_page(data: bytes, reason: str) -> None:
    [(at, found), (_, text)] = summary(data + GOOD)
    assert (at, found) == (0, reason) or (reason == "undecodable" and found == "binary_file")
    assert text == SENTENCE


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (gzip.compress(PAGE), "Content-Encoding: gzip"),
        (zlib.compress(PAGE), "Content-Encoding: deflate"),
        (raw_deflate(PAGE), "Content-Encoding: deflate"),
        (brotli.compress(PAGE), "Content-Encoding: br"),
        (gzip.compress(brotli.compress(PAGE)), "Content-Encoding: br, gzip"),
        (PAGE, "Content-Encoding: gzip"),  # the archive has unpacked it already
        (PAGE, "Transfer-Encoding: chunked"),  # the same
        (chunked(PAGE, 7), "Transfer-Encoding: chunked"),
        (chunked(gzip.compress(PAGE), 20), "Transfer-Encoding: chunked\r\nContent-Encoding: gzip"),
        (PAGE, "content-ENCODING: identity"),
    ],
)
def test_transfer_and_content_encodings(body: bytes, header: str) -> None:
    assert summary(response(body, header)) == [(0, SENTENCE)]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_bombs_are_bounded(encoding: str) -> None:
    zeros = b"0" * (100 << 20)
    pack = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": lambda data: brotli.compress(data, quality=1),
    }[encoding]
    data = response(pack(zeros), f"Content-Encoding: {encoding}") + GOOD
    del zeros
    tracemalloc.start()
    found = summary(data, max_document_chars=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(0, "decompression_bomb"), (1, SENTENCE)]
    assert peak < 8 << 20


@pytest.mark.parametrize("status", ["HTTP/1.0 200", "HTTP/2 200", "HTTP/1.1 200 OK fine"])
def test_versions_of_http(status: str) -> None:
    assert summary(response(PAGE, status=status)) == [(0, SENTENCE)]


@pytest.mark.parametrize("status", ["HTTP/1.1", "HTTP/2 204", "HTTP/1.1 OK 200", "HTTP/1.1 2000"])
def test_no_success(status: str) -> None:
    assert summary(response(PAGE, status=status)) == [(0, "not_a_page")]


def test_the_charset_of_the_server_is_a_hint() -> None:
    [item] = read(response("<p>一丁".encode("big5hkscs"), kind="text/html; charset=Big5"))
    assert isinstance(item, Record)
    assert (item.raw, item.encoding) == ("一丁", "big5hkscs")
    [item] = read(response(PAGE, kind="text/html; charset=gb2312"))
    assert isinstance(item, Record)
    assert (item.raw, item.encoding) == (SENTENCE, "utf-8")


def test_text_and_resources() -> None:
    data = response(SENTENCE.encode("gb18030"), kind="text/plain; charset=gbk")
    data += record("resource", PAGE, "Content-Type: text/html")
    data += response(b"<!DOCTYPE html>" + PAGE, kind="")
    assert summary(data) == [(0, SENTENCE), (1, SENTENCE), (2, SENTENCE)]


@given(st.integers(1, len(OTHERS + GOOD * 2) - 5))
def test_a_cut_anywhere_keeps_what_precedes_it(cut: int) -> None:
    ends = [len(OTHERS) + n * len(GOOD) for n in (0, 1)]
    *kept, last = summary((OTHERS + GOOD * 2)[:cut]) or [(0, "")]
    whole = sum(cut >= end - 4 for end in ends[1:])  # two line ends close a record
    good = [(2 + n, SENTENCE) for n in range(whole)]
    if last[1] in ("truncated", "unreadable"):  # "WAR" begins no record
        assert kept == good
    else:
        assert [*kept, last] == good or cut in range(len(OTHERS) + 1)


def test_a_cut_is_told_once() -> None:
    assert summary((GOOD * 2)[:-20]) == [(0, SENTENCE), (1, "truncated")]
    packed = gzip.compress(GOOD) + gzip.compress(GOOD)
    items = list(ingest("a.warc.gz", io.BytesIO(packed[:-20]), Config()))
    assert [getattr(item, "reason", "") for item in items] == ["", "truncated"]


@pytest.mark.parametrize(
    "broken",
    [
        b"no record at all\r\n" * 3,
        record("response", http(PAGE)).replace(b"Content-Length: ", b"Content-Length: -"),
        record("response", http(PAGE)).replace(b"Content-Length: ", b"Content-Lenght: "),
        record("response", http(PAGE), length=10**20),
        b"WARC/1.0\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"WARC/1.0\r\nx: " + b"y" * 500_000 + b"\r\n\r\n",
    ],
)
def test_reading_goes_on_after_a_broken_record(broken: bytes) -> None:
    assert summary(GOOD + broken + GOOD) == [(0, SENTENCE), (1, "unreadable"), (2, SENTENCE)]


def test_a_wrong_length_costs_no_other_record_than_its_own() -> None:
    short = record("response", http(PAGE), length=60)
    found = summary(short + GOOD)
    assert found[-1] == (len(found) - 1, SENTENCE)


def test_no_archive() -> None:
    assert summary(b"hello\r\n") == [(0, "unreadable")]
    assert summary(b"") == []
    [item] = ingest("a.warc", io.BytesIO(OTHERS), Config())
    assert isinstance(item, Reject)
    assert item.reason == "empty_file"


def test_a_record_beyond_the_limit_is_skipped() -> None:
    huge = record("conversion", b"x" * 500_000)
    assert summary(huge + GOOD, max_document_chars=1000) == [(0, "too_large"), (1, SENTENCE)]
    text = record("conversion", b"x" * 1001)
    assert summary(text + GOOD, max_document_chars=1000) == [(0, "too_large"), (1, SENTENCE)]


def test_memory_does_not_depend_on_the_size_of_the_archive() -> None:
    image = response(b"x" * BLOCK_BYTES, kind="image/png")

    def content() -> Iterator[bytes]:
        for _ in range(60):
            yield image
            yield GOOD

    tracemalloc.start()
    stream: Any = BlockStream(content())
    kept = sum(isinstance(item, Record) for item in read_warc(stream, Config()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept == 60
    assert peak < 12 * BLOCK_BYTES


LENGTHS = st.sampled_from(["{}", "{}", "{}", "9{}", "-{}", "1{}", ""])
BODIES = st.sampled_from([http(PAGE), PAGE, http(chunked(PAGE, 9), "Transfer-Encoding: chunked")])
KINDS = st.sampled_from(["response", "resource", "conversion", "request", "revisit", "x", ""])
HEADERS = st.sampled_from(["Content-Type: text/html", "X: \xff", " folded", ":", "WARC-Type: x"])


@st.composite
def records(draw: st.DrawFn) -> bytes:
    body = draw(BODIES | st.binary(max_size=30))
    whole = record(draw(KINDS), body, draw(HEADERS))
    return whole.replace(
        b"Content-Length: %d" % len(body),
        b"Content-Length: " + draw(LENGTHS).format(len(body)).encode(),
    )


@settings(deadline=None)
@given(
    st.lists(records(), max_size=5).map(b"".join),
    st.binary(max_size=5),
    st.integers(0, 10**6),
    st.integers(0, 10**6) | st.none(),
)
def test_anything_becomes_records_and_rejects(
    data: bytes, junk: bytes, place: int, cut: int | None
) -> None:
    at = place % (len(data) + 1)
    data = data[:at] + junk + data[at:]
    if cut is not None:
        data = data[: cut % (len(data) + 1)]
    items = list(ingest("a.warc", io.BytesIO(data), Config()))
    numbers = [item.record for item in items if item.record is not None]
    assert numbers == sorted(set(numbers))
    documents_batch("a.warc", [item for item in items if isinstance(item, Record)])
    assert {item.reason for item in items if isinstance(item, Reject)} <= set(REASONS)
