"""What speaks for shuffled paragraphs, what speaks against it, and what it costs."""

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import lexicon
from pipeline.page import read_page
from pipeline.page.order import BINS, CLASSES, SERIES, features, shuffled_score, weights
from pipeline.rules.white_space import white_space

SEED = next((Path(__file__).parents[2] / "seeds").glob("000_*.txt"))
STEPS = (
    *("ordered", "disordered", "next", "back", "jumps", "same", "restarts", "starts"),
    "starts late",
)
TEXT = "行人不再绕路，老人们在桥边下棋，孩子们在桥上跑来跑去，一直到天黑才肯回家。"
ARTICLE = [
    "近日，河边的小桥修好了，" + TEXT,
    "第一，桥面宽了，两辆车可以并行。" + TEXT,
    "第二，栏杆高了，孩子们不会掉下去。" + TEXT,
    "第三，桥头有了路灯，晚上也可以走。" + TEXT,
    "此外，村里还在桥边种了树。" + TEXT,
    "总之，大家都很高兴。",
]


def test_the_seed_is_shuffled():
    page = read_page(white_space(SEED.read_text(encoding="utf-8")).text)
    assert page.shuffled > 0.9


def test_an_article_in_order_is_not():
    assert shuffled_score(ARTICLE) < 0.01


def test_an_article_turned_round_is():
    assert shuffled_score(ARTICLE[::-1]) > 0.9


def test_the_order_that_was_written_scores_lowest_or_nearly():
    scores = sorted(shuffled_score(order) for order in itertools.permutations(ARTICLE))
    assert scores.index(shuffled_score(ARTICLE)) < len(scores) // 50


@pytest.mark.parametrize("opening", ["此外，", "但是，", "因此，", "据悉，", "综上所述，"])
def test_openings_that_need_something_before_them(opening):
    plain = [TEXT] * 6
    assert shuffled_score([opening + TEXT, *plain]) > 3 * shuffled_score([TEXT, *plain])


@pytest.mark.parametrize(
    ("numerals", "feature"),
    [
        (["第一、", "第二、", "第三、"], "point:ordered"),
        (["第三、", "第二、", "第一、"], "point:disordered"),
        (["其二，", "其一，"], "point:back"),
        (["一是", "三是", "二是"], "point:jumps"),
        (["二、", "三、"], "section:starts late"),
        (["（一）", "（二）", "（一）", "（二）"], "item:restarts"),
        (["1. ", "2. ", "10. "], "number:jumps"),
        (["①", "③", "②"], "number:disordered"),
        (["第十条", "第十一条"], "article:next"),
        (["第十二章 ", "第九章 "], "section:back"),
        (["首先，", "其次，", "再次，"], "point:ordered"),
        (["情况二：", "情况一："], "point:disordered"),
    ],
)
def test_numerals(numerals, feature):
    assert features([numeral + TEXT for numeral in numerals])[feature] >= 1


@pytest.mark.parametrize(
    "line", ["3.5米高的桥", "第一次见到他", "一天早上，天很冷。", "2021年，桥修好了。", "一、"]
)
def test_no_series_or_a_short_one(line):
    assert not [name for name in features([TEXT, line, TEXT]) if "order" in name]


def test_a_credit_above_a_paragraph_is_out_of_place():
    assert features([TEXT, "义务编辑：张岩", TEXT * 2])["credit:above text"] == 1


@pytest.mark.parametrize("lines", [[], ["甲"], ["此外，乙。", "甲。"]])
def test_two_paragraphs_say_nothing(lines):
    assert shuffled_score(lines) == 0.0


def test_a_text_without_evidence_is_not_called_shuffled():
    assert shuffled_score([TEXT] * 8) < 0.1


def test_weights_are_of_features_that_exist():
    places = {
        f"{kind}:{where}" for kind in {*CLASSES.values(), "heading", "colon"} for where in BINS
    }
    steps = {f"{series}:{step}" for series in SERIES.values() for step in STEPS}
    others = {name for name in weights() if name.startswith(("length ", "date:", "quote:"))}
    others |= {f"dateline:{where}" for where in BINS} | {"constant", "credit:above text"}
    others |= {f"{shape}:twice" for shape in ("heading", "colon", "credit")}
    assert set(weights()) <= places | steps | others


def test_cues_are_of_classes_with_weights():
    known = {name.partition(":")[0] for name in weights()}
    assert {kind for _, kind in lexicon.entries("paragraph_cues")} <= known


LINE = st.text("第一二三十、，。：:（）()12.①其此外但是编辑“日电 ", max_size=24)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, max_size=12))
def test_any_lines_have_a_score(lines: list[str]) -> None:
    assert 0.0 <= shuffled_score(lines) <= 1.0


@pytest.mark.parametrize("unit", ["第一、", "一", "1.", "（", "此外", "日电", "消息", "\u3000"])
def test_time_is_bounded(unit):
    start = time.process_time()
    shuffled_score([unit * 40] * 1_000_000)
    shuffled_score([unit * 300_000] * 3)
    assert time.process_time() - start < 5
