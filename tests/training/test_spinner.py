import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.spinner import Tool, spin

LINES = {
    "分别": ["分辨"],
    "死": ["逝世"],
    "不对": ["错误"],
    "检查": ["检讨", "查看"],
    "大": ["年夜"],
}
TEXTS = st.text("分别抱怨死人不对称检查最大的,。\n", max_size=80)


def tool(mode, rate=1.0):
    return Tool(LINES, mode, rate)


@given(TEXTS, st.sampled_from(["once", "all", "random"]), st.integers(0, 99), st.floats(0, 1))
def test_undoing_the_truth_gives_the_source(text, mode, seed, rate):
    spun, truth, _ = spin(text, tool(mode, rate), random.Random(seed))
    pieces, at = [], 0
    for start, end, original in truth:
        assert spun[start:end] in LINES[original]
        pieces += [spun[at:start], original]
        at = end
    assert "".join([*pieces, spun[at:]]) == text


@given(TEXTS, st.integers(0, 99), st.integers(2, 3), st.booleans())
def test_undoing_the_truth_of_several_passes_gives_the_source(text, seed, passes, inserts):
    swaps = {**LINES, "分辨": ["分别"], "逝世": ["死去", "死"], "年夜": ["最大"]}
    chained = Tool(swaps, "random", 1.0, passes=passes, advertisements=["办证"] * inserts)
    spun, truth, inserted = spin(text, chained, random.Random(seed))
    changes = sorted([*truth, *((start, end, "") for start, end in inserted)])
    pieces, at = [], 0
    for start, end, original in changes:
        assert start >= at
        assert spun[start:end] != original
        pieces += [spun[at:start], original]
        at = end
    assert "".join([*pieces, spun[at:]]) == text
    assert all(spun[start:end] == "办证" for start, end in inserted)


def test_a_second_pass_replaces_what_the_first_wrote():
    lines = {"处理": ["处置惩罚"], "处置": ["措置"], "惩罚": ["赏罚"]}
    spun = spin("依法处理。", Tool(lines, "all", 1.0, passes=3), random.Random(1))
    assert spun.text == "依法措置赏罚。"
    assert spun.truth == [(2, 6, "处理")]


def test_replacement_is_of_raw_substrings():
    assert spin("低分别抱怨", tool("all"), random.Random(1))[0] == "低分辨抱怨"
    assert spin("信息不对称", tool("all"), random.Random(1))[0] == "信息错误称"


def test_once_fires_each_line_on_one_occurrence():
    spun, truth, _ = spin("检查" * 10, tool("once"), random.Random(2))
    assert len(truth) == 2
    assert spun.count("检讨") == spun.count("查看") == 1


def test_all_replaces_every_occurrence_by_one_substitute():
    spun, truth, _ = spin("检查," * 10, tool("all"), random.Random(2))
    assert len(truth) == 10
    assert len({spun[t.start : t.end] for t in truth}) == 1


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_the_rate_bounds_the_share_replaced(rate):
    text = "检查大不对死" * 50
    _, truth, _ = spin(text, tool("random", rate), random.Random(3))
    assert sum(len(t.original) for t in truth) <= rate * len(text) + 1


def test_the_same_seed_gives_the_same_text():
    text = "检查大不对死分别" * 20
    first, again = (spin(text, tool("random", 0.3), random.Random(5)) for _ in range(2))
    assert first == again


def test_whole_words_are_replaced_as_words():
    lines = {"分别": ["分辨"]}
    assert spin("低分别抱怨", Tool(lines, "all", 1.0), random.Random(1)).text == "低分辨抱怨"
    by_words = Tool(lines, "all", 1.0, whole_words=True)
    assert spin("不要分别抱怨", by_words, random.Random(1)).text == "不要分辨抱怨"
    assert spin("低分,别抱怨", by_words, random.Random(1)).truth == []


@given(TEXTS, st.integers(0, 99))
def test_what_was_inserted_is_known_and_stands_within_lines(text, seed):
    advertised = tool("random", 0.3)._replace(advertisements=["2018香港开码资料", "办证"])
    spun, truth, inserted = spin(text, advertised, random.Random(seed))
    for start, end in inserted:
        assert spun[start:end] in advertised.advertisements
        assert start > 0
        assert spun[start - 1] != "\n"
    spans = sorted([(t.start, t.end) for t in truth] + [tuple(i) for i in inserted])
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_paragraphs_are_shuffled_whole_and_some_ones_dropped():
    text = "\n".join(f"第{i}段一段话" for i in range(30))
    shuffled = spin(text, tool("all", 0.0)._replace(shuffles=True), random.Random(1)).text
    assert shuffled != text
    assert sorted(shuffled.split("\n")) == sorted(text.split("\n"))
    dropped = spin(text, tool("all", 0.0)._replace(drops=0.5), random.Random(1)).text
    assert 5 < dropped.count("一") < 25
    assert dropped.replace("一", "") == text.replace("一", "")
