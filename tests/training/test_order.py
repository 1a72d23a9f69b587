"""Fitting on texts whose order a reader can see."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.order import FEWEST_TEXTS, fit_order, shuffled

TEXT = "行人不再绕路，老人们在桥边下棋，孩子们在桥上跑来跑去，一直到天黑才肯回家。"


def article(n: int) -> list[str]:
    return [TEXT, "此外，" + TEXT, *(f"{at}. {TEXT}" for at in range(1, 3 + n % 3)), TEXT]


@given(st.lists(st.sampled_from("甲乙丙丁"), max_size=8), st.integers())
def test_shuffling_keeps_the_lines_and_changes_their_order(lines, seed):
    other = shuffled(lines, random.Random(seed))
    assert Counter(other) == Counter(lines)
    assert other != lines or len(set(lines)) < 3


def test_what_shuffling_makes_gets_a_positive_weight():
    weights = fit_order([article(n) for n in range(200)])
    assert weights["number:disordered"] > 1
    assert weights["number:ordered"] < 0
    assert weights["addition:first"] > 1


def test_the_same_seed_gives_the_same_weights():
    texts = [article(n) for n in range(60)]
    assert fit_order(texts, seed=3) == fit_order(texts, seed=3)


def test_what_is_rare_gets_no_weight():
    texts = [article(0) for _ in range(60)]
    texts[: FEWEST_TEXTS - 1] = [["综上所述，" + TEXT, TEXT, TEXT]] * (FEWEST_TEXTS - 1)
    assert not [name for name in fit_order(texts) if name.startswith("conclusion")]


def test_short_texts_are_left_out():
    assert fit_order([[TEXT], [TEXT, TEXT]]) == {"constant": 0.0}
