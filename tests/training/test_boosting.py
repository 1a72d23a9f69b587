"""Boosting of symmetric trees: against trees written out, and on what it ought to learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.training import boosting
from pipeline.training.boosting import Shape, boosted

SMALL = Shape(n_trees=30, depth=4, rate=0.3, rows=0.8, columns=1.0)


def sample(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 4)).astype(np.float32)
    truth = (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0).astype(np.int8)
    return rows, truth, np.ones(n, dtype=np.float32)


def loss(odds, truth):
    return float(np.mean(np.logaddexp(0, odds) - truth * odds))


def test_what_no_single_column_tells_is_learned():
    trees = boosted(*sample(), seed=1, shape=SMALL)
    rows, truth, _ = sample(seed=9)
    assert loss(trees.log_odds(rows), truth) < 0.4 < loss(np.zeros(len(truth)), truth)


def test_the_same_seed_gives_the_same_trees_and_another_other_ones():
    first, again, other = (boosted(*sample(), seed=seed, shape=SMALL) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.value, other.value)


def test_log_odds_are_calibrated_by_weight():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 2)).astype(np.float32)
    truth = (rng.random(4000) < 0.2).astype(np.int8)
    weight = np.where(truth == 1, 4.0, 1.0).astype(np.float32)
    odds = boosted(rows, truth, weight, 1, Shape(n_trees=1, depth=1, rate=0.0)).log_odds(rows)
    assert odds == pytest.approx(np.log(4 * truth.sum() / (truth == 0).sum()), abs=1e-3)


@pytest.mark.parametrize("truth", [0, 1])
def test_rows_of_one_kind_make_no_questions(truth):
    rows, _, weight = sample(200)
    trees = boosted(rows, np.full(200, truth, np.int8), weight, 1, SMALL)
    assert np.isfinite(trees.log_odds(rows)).all()
    assert (trees.log_odds(rows) > 3).all() == bool(truth)


def test_a_column_that_never_changes_is_not_asked_about():
    rows, truth, weight = sample()
    rows[:, 3] = 7.0
    trees = boosted(rows, truth, weight, 1, SMALL)
    asked = np.isfinite(trees.threshold) & (trees.feature == 3)
    assert not asked.any()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_the_sums_of_a_split_are_those_counted_afresh(seed, n):
    rng = np.random.default_rng(seed)
    own = rng.integers(0, boosting.BINS, (3, n)).astype(np.uint8)
    leaf = rng.integers(0, 2, n)
    slope, curve = rng.normal(size=n), rng.random(n)
    yes = rng.random(n) < rng.random()
    sums = boosting._sums(own, leaf, slope, curve, 2)
    split = boosting._split(own, leaf, slope, curve, yes, sums)
    assert np.allclose(split, boosting._sums(own, 2 * leaf + yes, slope, curve, 4))
