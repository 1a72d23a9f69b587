"""Shingles: the same wherever they are, one in so many, marks passed over."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.links.sampling import MOST_CHARS, ONE_IN, SHINGLE, sampled

TEXTS = st.text("春夏秋冬东西南北风雨雷电abc12", min_size=40, max_size=200)


@given(TEXTS, TEXTS, TEXTS)
def test_what_a_text_has_is_found_in_any_other_around_it(before, text, behind):
    assert set(sampled(text).tolist()) <= set(sampled(before + text + behind).tolist())


@given(TEXTS)
def test_marks_and_white_space_do_not_matter(text):
    spaced = "，\n".join(text)
    assert sampled(spaced).tolist() == sampled(text).tolist()


def test_one_in_so_many_is_kept():
    rng = np.random.default_rng(1)
    text = "".join(map(chr, rng.integers(0x4E00, 0x9000, 80_000).tolist()))
    assert abs(len(sampled(text)) * ONE_IN / len(text) - 1) < 0.05


def test_what_is_too_short_has_none_and_the_end_of_what_is_too_long_is_not_looked_at():
    assert len(sampled("太短" * (SHINGLE // 2 - 1))) == 0
    rng = np.random.default_rng(2)
    end = "".join(map(chr, rng.integers(0x4E00, 0x9000, 1000).tolist()))
    assert not np.isin(sampled(end), sampled("长" * MOST_CHARS + end)).any()
