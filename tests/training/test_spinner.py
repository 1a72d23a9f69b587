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
    spun, truth = spin(text, tool(mode, rate), random.Random(seed))
    pieces, at = [], 0
    for start, end, original in truth:
        assert spun[start:end] in LINES[original]
        pieces += [spun[at:start], original]
        at = end
    assert "".join([*pieces, spun[at:]]) == text


def test_replacement_is_of_raw_substrings():
    assert spin("低分别抱怨", tool("all"), random.Random(1))[0] == "低分辨抱怨"
    assert spin("信息不对称", tool("all"), random.Random(1))[0] == "信息错误称"


def test_once_fires_each_line_on_one_occurrence():
    spun, truth = spin("检查" * 10, tool("once"), random.Random(2))
    assert len(truth) == 2
    assert spun.count("检讨") == spun.count("查看") == 1


def test_all_replaces_every_occurrence_by_one_substitute():
    spun, truth = spin("检查," * 10, tool("all"), random.Random(2))
    assert len(truth) == 10
    assert len({spun[t.start : t.end] for t in truth}) == 1


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_the_rate_bounds_the_share_replaced(rate):
    text = "检查大不对死" * 50
    _, truth = spin(text, tool("random", rate), random.Random(3))
    assert sum(len(t.original) for t in truth) <= rate * len(text) + 1


def test_the_same_seed_gives_the_same_text():
    text = "检查大不对死分别" * 20
    first, again = (spin(text, tool("random", 0.3), random.Random(5)) for _ in range(2))
    assert first == again
