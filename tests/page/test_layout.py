"""What the neighbours of a line make of it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.layout import furnish, is_row, opens_list

TEXT = "行人不再绕路，老人们在桥边下棋，孩子们在桥上跑来跑去，一直到天黑才肯回家。"
LINE = st.sampled_from(
    [
        "首页",
        "体育",
        "登录",
        "评论",
        "甲 05:03",
        "相关阅读",
        "大桥修好了",
        "河边 (01/28 14:07)",
        TEXT,
    ]
)
ROLE = st.sampled_from(["body", "boilerplate", "metadata", "injected"])


@given(st.lists(st.tuples(LINE, ROLE), max_size=40))
def test_only_what_was_body_becomes_boilerplate(page):
    lines, roles = [line for line, _ in page], [role for _, role in page]
    found = furnish(lines, roles)
    assert len(found) == len(roles)
    at_comments = next((n for n, line in enumerate(lines) if line == "评论"), len(lines))
    changed = [n for n, (old, new) in enumerate(zip(roles, found, strict=True)) if old != new]
    assert all(found[n] == "boilerplate" for n in changed)
    assert all(roles[n] == "body" for n in changed if n < at_comments)


@given(st.lists(st.tuples(LINE, ROLE), max_size=40))
def test_paragraphs_stay_above_a_foot(page):
    # The last paragraph of a page is body, unless readers wrote it.
    page = [(line, role) for line, role in page if line not in ("评论", TEXT)]
    page.append((TEXT * 2, "body"))
    assert furnish([line for line, _ in page], [role for _, role in page])[-1] == "body"


@pytest.mark.parametrize(
    "line",
    [
        "首页 | 新闻 | 体育 | 财经",
        "[新闻] [体育] [娱乐] [财经]",
        "搜狐首页 - 新闻 - 体育 - 娱乐 - 财经",
        "首页 资讯 音乐 图片 网址",
        "国内国际社会财经体育",
        "关于我们 · 联系我们 · 广告服务 · 网站地图",
    ],
)
def test_rows(line):
    assert is_row(line)


@pytest.mark.parametrize(
    "line",
    [
        "张三 - 李四 - 王五 - 赵六 - 钱七",
        "他读新闻、看体育、听音乐、学历史。",
        "体育 教育",
        "新闻体育",
        "社会教育与学校教育的关系",
        "首页 | 新闻 | 体育 | 财经。",
        "首页 | " * 200,
        "",
    ],
)
def test_no_rows(line):
    assert not is_row(line)


@pytest.mark.parametrize(
    "line",
    ["相关阅读", "【相关新闻】", "热门文章TOP10", "点击排行 更多>>", "猜你喜欢：", "相干浏览"],
)
def test_headings_of_lists(line):
    assert opens_list(line)


@pytest.mark.parametrize("line", ["相关阅读材料", "他最新的文章", "更多", "", ">>>>>", "热门" * 30])
def test_no_headings_of_lists(line):
    assert not opens_list(line)


@pytest.mark.parametrize(
    "unit",
    [
        ["相关阅读"],
        ["首页", "甲乙"],
        ["评论", "05:03"],
        ["相关阅读", "甲", "乙", TEXT],
        ["甲"],
        [TEXT],
    ],
)
def test_time_is_linear_in_the_lines(unit):
    def seconds(n: int) -> float:
        lines = (unit * n)[:n]
        start = time.process_time()
        furnish(lines, ["boilerplate" if line == "首页" else "body" for line in lines])
        return time.process_time() - start

    seconds(1_000)
    # Quadratic time would take a hundred times as long, or more.
    assert seconds(100_000) < 40 * max(seconds(10_000), 0.005)
