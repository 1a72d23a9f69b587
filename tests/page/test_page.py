"""Pages written by hand, and the time that hostile ones take."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.page import read_page
from pipeline.page.dates import read_date
from pipeline.rules.white_space import white_space
from pipeline.schema import ROLES

CASES = Path(__file__).parents[1] / "cases" / "page"
SEED = next((Path(__file__).parents[2] / "seeds").glob("000_*.txt"))


def cases():
    for path in sorted(CASES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            marks = [pytest.mark.xfail(reason=case["comment"])] * (path.stem == "known-failures")
            yield pytest.param(case, id=f"{path.stem}: {case['label']}", marks=marks)


@pytest.mark.parametrize("case", [*cases()])
def test_case(case):
    page = read_page(case["input"])
    found = page._asdict() | {
        "roles": [line.role for line in page.lines],
        "published_at": page.published_at and page.published_at.isoformat(),
    }
    assert {name: found[name] for name in case["expected"]} == case["expected"]


def test_the_seed():
    page = read_page(white_space(SEED.read_text(encoding="utf-8")).text)
    assert page[:5] == (
        "基层干部吐槽:扶贫评选太密集 情势主义害逝世人 基层干",
        datetime(2021, 1, 30, 5, 3),
        "《经济参考报》",
        None,
        "张岩",
    )


@pytest.mark.parametrize("text", ["", "甲", "甲\n\n乙", "\n甲\n", "来源：晨报\n\n编辑：张岩"])
def test_lines_are_those_with_content(text):
    lines = read_page(text).lines
    assert [text[line.start : line.end] for line in lines] == [
        one for one in text.split("\n") if one
    ]
    assert {line.role for line in lines} <= set(ROLES)


def test_values_are_bounded():
    page = read_page("小桥修好了\n来源：" + "甲" * 65 + "\n作者：" + "乙" * 64)
    assert (page.publisher, page.author) == (None, "乙" * 64)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-01-30 05:03", datetime(2021, 1, 30, 5, 3)),
        ("2021-1-30 5:03:07", datetime(2021, 1, 30, 5, 3, 7)),
        ("2021/1/30", datetime(2021, 1, 30)),
        ("2021.01.30", datetime(2021, 1, 30)),
        ("2021年1月30日", datetime(2021, 1, 30)),
        ("2021年01月30日05时03分", datetime(2021, 1, 30, 5, 3)),
        ("2021年1月30日 星期六 05：03", datetime(2021, 1, 30, 5, 3)),
        ("2021年1月30日（星期六）05:03", datetime(2021, 1, 30, 5, 3)),
        ("2021年1月30日下午3:05", datetime(2021, 1, 30, 15, 5)),
        ("2021 年 1 月 30 日", datetime(2021, 1, 30)),
        ("2021-01-30T05:03:22+08:00", datetime(2021, 1, 30, 5, 3, 22)),
        ("2021-01-30T05:03:22.123Z", datetime(2021, 1, 30, 5, 3, 22)),
        ("20210130", datetime(2021, 1, 30)),
        ("二〇二一年一月三十日", datetime(2021, 1, 30)),
        ("二零二一年十二月三十一日", datetime(2021, 12, 31)),
        ("二○二一年十月二十日", datetime(2021, 10, 20)),
        ("一九九八年二月十一日", datetime(1998, 2, 11)),
        ("1月30日", None),
        ("2021年1月", None),
        ("2021-02-30", None),
        ("2021-01-30 25:00", None),
        ("2021-13-01", None),
        ("12021-01-30", None),
        ("2021-01-301", None),
        ("202101301", None),
        ("二〇二一年一二月三十日", None),
        ("21-01-30", None),
        ("1821-01-30", None),
        ("2021年1月30号", datetime(2021, 1, 30)),
        ("2021年1月30日凌晨12:05", datetime(2021, 1, 30, 0, 5)),
        ("2021年1月30日中午1:05", datetime(2021, 1, 30, 13, 5)),
        ("2021-01-30 12:05 AM", datetime(2021, 1, 30, 0, 5)),
        ("20210130050307", datetime(2021, 1, 30, 5, 3, 7)),
        ("民国110年1月30日", datetime(2021, 1, 30)),
        ("民國110-01-30 05:03", datetime(2021, 1, 30, 5, 3)),
        ("Jan 30, 2021", datetime(2021, 1, 30)),
        ("January 30th, 2021 5:03 pm", datetime(2021, 1, 30, 17, 3)),
        ("Sat, 30 Jan 2021 05:03:22 +0800", datetime(2021, 1, 30, 5, 3, 22)),
        ("9/17/2004 5:54:13 AM", datetime(2004, 9, 17, 5, 54, 13)),
        ("17/9/2004", datetime(2004, 9, 17)),
        ("1611954180", datetime(2021, 1, 30, 5, 3)),  # 2021-01-29T21:03Z
        ("1611954180123", datetime(2021, 1, 30, 5, 3)),
        ("1611954180.25", datetime(2021, 1, 30, 5, 3)),
        ("7/5/2005", None),  # of May or of July
        ("13812345678", None),  # a telephone number
        ("May 2021", None),
        ("农历正月初一", None),
        ("二〇二一年十二月廿三", None),
        ("昨天 05:03", None),
        ("3小时前", None),
        ("", None),
    ],
)
def test_dates(text, expected):
    assert read_date(text) == expected


HOSTILE = [
    *(
        "来源：",
        "：",
        " ",
        "来源：：：：\n",
        "来 源",
        "(",
        "（责任编辑：",
        "(责任编辑：张)",
        "【】",
        "> ",
        "《",
    ),
    *(
        "记者 张三 ",
        "记者张三、",
        "2021-01-30 ",
        "2021",
        "一",
        "年月日",
        "《报",
        "a\n",
        "二〇二一年一",
    ),
    *("评论\n", "相关阅读\n", "首页\n", "首页\n体育\n", "首页 | ", "新闻体育", "> > ", "12:05\n"),
    *(
        "发布时间：\n",
        "第一、\n",
        "一、",
        "开码资料 ",
        "微信：a",
        "责任编辑：\n标题\n",
        "《",
        "30 Jan ",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_is_linear_in_hostile_text(unit):
    # 1 M characters take up to 2 s, in one line as in many; backtracking would take hours.
    start = time.process_time()
    read_page(unit * (1_000_000 // len(unit)))
    read_page("\n".join([(unit * 80)[:79].replace("\n", "")] * 2_000))
    assert time.process_time() - start < 30


DATED = st.text("〇零○一二三四五六七八九十廿年月日时分上下午星期:：-/. 0129２０", max_size=40)
LABELLED = st.sampled_from(
    ["来源：", "责任编辑:", "发布日期：", "作者 ", "记者：", "", "\n", "原标题 "]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(LABELLED, DATED), max_size=6))
def test_no_arrangement_of_labels_and_numerals_is_too_odd(pieces: list[tuple[str, str]]) -> None:
    text = "".join(label + date for label, date in pieces)
    page = read_page(text)
    assert [text[line.start : line.end] for line in page.lines] == [
        line for line in text.split("\n") if line
    ]
    assert {line.role for line in page.lines} <= set(ROLES)


@pytest.mark.parametrize(
    "text", ["二〇二一年十十月一日", "二〇二一年一月十十日", "一○○○年十月一日"]
)
def test_what_no_calendar_has_is_no_date(text: str) -> None:
    assert read_page(f"标题\n{text}\n正文在这里。").published_at is None
