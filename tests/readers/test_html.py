"""HTML pages: the article and nothing else, whatever the page declares, holds or forgets."""

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.readers.extraction import MAX_ATTRIBUTES, MAX_MARKUP, MAX_TAGS
from pipeline.readers.html import read_html
from pipeline.records import Record, Reject
from pipeline.schema import REASONS
from pipeline.stages.ingest import documents_batch, ingest, rejects_batch

CASES = Path(__file__).parents[1] / "cases" / "html"
SENTENCE = "昨天上午，城北的小桥终于修好了，行人和车辆都可以通过。"
PAGE = f"<title>小桥</title><body><p>{SENTENCE}<p>{SENTENCE}</p>"


def cases(name: str = "synthetic") -> list[Any]:
    lines = (CASES / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [pytest.param(case, id=case["label"]) for case in map(json.loads, lines)]


def read(data: bytes | str, **settings: Any) -> Record | Reject:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    [item] = read_html(stream, Config()._replace(**settings))
    return item


def read_record(data: bytes | str) -> Record:
    item = read(data)
    assert isinstance(item, Record), item
    return item


def reason_of(data: bytes | str, **settings: Any) -> str:
    item = read(data, **settings)
    assert isinstance(item, Reject), item
    assert item.reason in REASONS
    return item.reason


@pytest.mark.parametrize("case", cases())
def test_pages(case: dict[str, Any]) -> None:
    item, expected = read(case["input"]), case["expected"]
    if "reason" in expected:
        assert isinstance(item, Reject)
        assert (item.record, item.reason) == (None, expected["reason"])
        return
    assert isinstance(item, Record)
    fields = ("raw", "title", "date", "publisher", "author", "editor", "url")
    found = {name: getattr(item, name) for name in fields if getattr(item, name) is not None}
    assert found == expected


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("case", cases("known-failures"))
def test_known_failures(case: dict[str, Any]) -> None:
    test_pages(case)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "big5hkscs", "utf-16"])
@pytest.mark.parametrize("declared", ["utf-8", "gb2312", "big5", "iso-8859-1", "nonsense", ""])
def test_a_wrong_declaration_loses_against_the_evidence(encoding: str, declared: str) -> None:
    # Characters that the two standards share, so that each encoding can write the page.
    text = "今天天色很好，我到河上去看一看，他走了很久才回家。"
    page = f"<meta charset={declared}><title>好</title><p>{text}<p>{text}"
    item = read_record(page.encode(encoding))
    assert item.raw == f"{text}\n{text}"
    assert item.encoding == encoding


def test_gb2312_means_gb18030() -> None:
    text = "朱镕基说，这是𠮷祥的一天，大家都很高兴。"  # neither 镕 nor 𠮷 is in GB2312
    item = read_record(f"<meta charset=gb2312><p>{text}".encode("gb18030"))
    assert (item.raw, item.encoding) == (text, "gb18030")


def test_a_declaration_decides_what_the_evidence_leaves_open() -> None:
    data = "<meta charset=big5><p>一丁".encode("big5hkscs")
    assert read_record(data).raw == "一丁"


def test_a_page_that_is_broken_in_places_keeps_its_good_part() -> None:
    data = f"<p>{SENTENCE * 20}".encode("gb18030")
    item = read_record(data[:201] + b"\xff" + data[203:])
    assert 0 < item.damaged < 10
    assert "\ufffd" in item.raw
    assert item.raw.endswith(SENTENCE * 15)


def test_nuls_go_as_html_has_it() -> None:
    assert (
        read_record("<p>昨天\0，小桥\0终于修好了。" + SENTENCE).raw
        == f"昨天，小桥终于修好了。{SENTENCE}"
    )


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_file(data: bytes) -> None:
    assert reason_of(data) in ("empty_file", "no_content")


def test_a_picture_with_the_wrong_suffix() -> None:
    assert reason_of(b"\x89PNG\r\n\x1a\n" + bytes(99)) == "binary_file"


def test_a_page_beyond_the_limit() -> None:
    assert reason_of(PAGE, max_document_chars=50) == "too_large"
    assert reason_of(PAGE * 30, max_document_chars=500) == "too_large"
    assert reason_of("x" * (MAX_MARKUP + 1)) == "too_large"


HOSTILE = {
    "nested tags": "<div>" * 100_000 + SENTENCE,
    "nested emphasis": "<b>" * 100_000 + SENTENCE,
    "emphasis that every paragraph must open again": "".join(f"<b id={i}>" for i in range(1900))
    + "<p>x" * 20_000,
    "nested tables": "<table><tr><td>" * 50_000 + SENTENCE,
    "a million tags": "<i></i>" * 500_000,
    "attributes": "<p " + " ".join(f"a{i}" for i in range(100_000)) + ">",
    "attributes that hold the end of the tag": "<p "
    + " ".join(f'a{i}=">"' for i in range(100_000))
    + ">",
    "attributes hidden from a reader of comments": '<!-- <x y=" --><p '
    + " ".join(f"a{i}" for i in range(100_000))
    + '>"',
    "a huge attribute": f'<p class="{"a " * 2_000_000}">{SENTENCE}',
    "comments": "<!--" * 200_000,
    "comments that almost end": "<!--" + "-" * 2_000_000,
    "scripts": "<script>" * 200_000,
    "quotation marks": '<a b="' * 200_000,
    "signs": "<" * 2_000_000,
    "white space": "<p>" + " " * 2_000_000 + SENTENCE,
    "brackets in JSON-LD": '<script type="application/ld+json">' + "[" * 150_000 + "</script>x",
    "separators in the title": f"<title>{'a-b_ ' * 200_000}</title><p>{SENTENCE}",
    "labels": "<p>" + "来源：" * 100_000,
    "lines of labels": "<p>2020-01-01 来源：" * 20_000,
    "links": "<a href=x>今天</a>" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_take_bounded_time(name: str) -> None:
    start = time.perf_counter()
    item = read(HOSTILE[name])
    assert time.perf_counter() - start < 20  # they take up to 1 s; unbounded, minutes
    assert isinstance(item, Record) or item.reason in ("too_large", "no_content")


def test_bounds_leave_room_for_real_pages() -> None:
    rows = "".join(f"<tr><td>第{i}行，有一些内容在里面</td></tr>" for i in range(20_000))
    assert read_record(f"<table>{rows}</table>").raw.count("\n") == 19_999
    deep = read_record("<div>" * 1_500 + SENTENCE + "</div>" * 1_500 + f"<p>{SENTENCE}")
    assert deep.raw == f"{SENTENCE}\n{SENTENCE}"
    many = "".join(f" data-{i}=1" for i in range(MAX_ATTRIBUTES - 10))
    assert read_record(f"<p{many}>{SENTENCE}" + " " * 40_000).raw == SENTENCE
    script = "<script>" + "if (a<b) { c d e f g h } " * 9_000 + "</script>"  # no such tag
    assert read_record(f"{script}<p>{SENTENCE}").raw == SENTENCE
    assert MAX_TAGS > 100_000


def test_the_order_of_pages_changes_nothing() -> None:
    pages = [case.values[0]["input"] for case in cases()]
    forwards = [read(page) for page in pages]
    backwards = [read(page) for page in reversed(pages)]
    assert forwards == backwards[::-1]


TAG_NAMES = """
p div a b span table tr td ul li h1 title meta script style br form select option textarea svg math
template iframe noscript pre article nav html body head frameset link time xmp plaintext image
caption ruby x-y base
"""
TAGS = st.sampled_from(TAG_NAMES.split())
ATTRIBUTES = st.sampled_from(
    (
        *("", " class=nav", " class='article' id=main", " style='display:none'", " href=x"),
        *(" hidden", " property=og:title content='题目'", " name=author content=张三"),
        *(" type=application/ld+json", " datetime=2021-01-30T01:02:03Z", " charset=utf-16"),
        *(" rel=canonical href=http://a.cn/1", ' a="', " a='", " =", " \0"),
    )
)
TEXTS = st.text(max_size=9) | st.sampled_from(
    (
        *(SENTENCE, "首页", "2021-01-30 05:03 来源：晨报 作者：张三", "（责任编辑：李四）"),
        *("&nbsp;", "&#x110000;", "&#xd800;", "\0", "\ufdd0", "\ufdd1", "\ufeff", "<", "</"),
        *("<!--", "-->", "<![CDATA[", "]]>", "<?xml version='1.0' encoding='gb2312'?>"),
        '{"@type":"NewsArticle","datePublished":"2021-01-30"}',
    )
)
PIECES = st.one_of(
    st.builds(lambda tag, attribute: f"<{tag}{attribute}>", TAGS, ATTRIBUTES),
    TAGS.map(lambda tag: f"</{tag}>"),
    TEXTS,
)


@settings(deadline=None)
@given(
    st.lists(PIECES, max_size=30).map("".join),
    st.sampled_from(["utf-8", "gb18030", "big5hkscs", "utf-16", "utf-16-le"]),
    st.binary(max_size=4),
    st.integers(0, 10**6),
)
def test_anything_becomes_one_record_or_reject(
    page: str, encoding: str, junk: bytes, place: int
) -> None:
    data = page.encode(encoding, "replace")
    at = place % (len(data) + 1)
    [item] = ingest("a.html", io.BytesIO(data[:at] + junk + data[at:]), Config())
    if isinstance(item, Record):
        assert item.raw.strip()
        assert not {"\ufdd0", "\ufdd1"} & set(item.raw)
        assert documents_batch("a.html", [item]).num_rows == 1  # every value can be written
    else:
        assert item.reason in REASONS
        assert rejects_batch("a.html", [item]).num_rows == 1
