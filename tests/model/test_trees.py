import numpy as np
import pytest

from pipeline.model.trees import Trees

DEPTH = 3


@pytest.fixture(scope="module")
def trees():
    rng = np.random.default_rng(0)
    return Trees(
        rng.integers(0, 4, (20, DEPTH)).astype(np.int16),
        rng.normal(size=(20, DEPTH)).astype(np.float32),
        rng.normal(size=(20, 1 << DEPTH)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).normal(size=(20_000, 4)).astype(np.float32)


def written_out(trees, row):
    """One row, one tree, one question at a time."""
    total = np.float32(0)
    for features, thresholds, values in zip(*trees, strict=True):
        leaf = 0
        for feature, threshold in zip(features, thresholds, strict=True):
            leaf = 2 * leaf + int(row[feature] > threshold)
        total += values[leaf]
    return total


def test_every_row_gets_the_sum_of_its_leaves(trees, rows):
    got = trees.log_odds(rows)
    for at in (0, 1, 8191, 8192, 19_999):
        assert got[at] == written_out(trees, rows[at])


def test_a_value_at_the_threshold_answers_no(trees):
    row = np.full((1, 4), trees.threshold[0, 0], dtype=np.float32)
    assert trees.log_odds(row)[0] == written_out(trees, row[0])


def test_no_rows_give_no_scores(trees):
    assert trees.log_odds(np.zeros((0, 4), dtype=np.float32)).shape == (0,)


def test_saved_trees_give_the_same_scores(trees, rows, tmp_path):
    trees.save(tmp_path / "trees.npz")
    assert np.array_equal(Trees.load(tmp_path / "trees.npz").log_odds(rows), trees.log_odds(rows))
