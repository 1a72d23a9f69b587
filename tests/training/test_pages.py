import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.model.ngrams import load
from pipeline.training.pages import LONGEST, SHORTEST, cut, levelled, spun
from pipeline.training.tools import FOLDS, Sources, fold

TEXTS = st.lists(st.integers(0, 3 * LONGEST).map(lambda n: ("天气很好。\n" * n)[:n]), max_size=6)


@given(TEXTS, st.integers(0, 99))
def test_pages_are_of_the_promised_length(texts, seed):
    pages = list(cut(texts, random.Random(seed)))
    assert all(SHORTEST <= len(page) <= 2 * LONGEST for page in pages)
    lost = sum(map(len, texts)) - sum(map(len, pages))
    assert lost <= SHORTEST + sum(text.count("\n") for text in texts)


def test_longer_texts_are_chosen_oftener():
    short, long = "今天天气很好。" * 7, "今天天气很好。" * 112
    texts = [short] * 500 + [long] * 500
    chosen = levelled(texts, load(Path(Config().model)), 100, 1)
    assert len(chosen) == 100
    assert 0.55 < chosen.count(long) / 100 < 0.75, "twice as often: 784 characters for 49"


def test_about_the_asked_share_is_spun_and_the_rest_is_as_it_was():
    pairs = {("天气", "气候"): frozenset({"a"}), ("很好", "不错"): frozenset({"a", "b"})}
    texts = ["今天天气很好,我们去公园。" * 10] * 400
    pages = list(spun(texts, Sources(pairs, {}, {}), 0.5, random.Random(1)))
    clean = [page for page in pages if not page.truth and not page.inserted]
    assert {page.text for page in clean} == {texts[0]}
    assert 0.35 < len(clean) / len(pages) < 0.75


def test_a_fold_is_left_out_of_every_source():
    pairs = {(a, b): frozenset({"x"}) for a in "甲乙丙丁" for b in "子丑寅卯辰"}
    others = {a: list("子丑寅卯辰") for a in "甲乙丙丁"}
    for number in range(FOLDS):
        left = Sources(pairs, others, others).without_fold(number)
        seen = {
            *left.pairs,
            *((a, b) for a in others for b in left.neighbours[a] + left.related[a]),
        }
        assert all(fold(*pair) != number for pair in seen)
        assert {pair for pair in pairs if fold(*pair) != number} == seen
