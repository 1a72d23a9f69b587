import lightgbm
import numpy as np
import pytest

from pipeline.model.trees import Trees
from pipeline.training.fit import flattened


@pytest.fixture(scope="module")
def booster():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 4)).astype(np.float32)
    truth = rows[:, 0] * rows[:, 1] + rows[:, 2] > 0
    settings = {"objective": "binary", "verbose": -1, "max_depth": 5, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(rows, truth), 20), rows


def test_flattened_trees_say_what_the_booster_says(booster):
    model, rows = booster
    trees = flattened(model.dump_model()["tree_info"])
    assert np.allclose(trees.log_odds(rows), model.predict(rows, raw_score=True), atol=1e-4)


def test_no_rows_give_no_scores(booster):
    trees = flattened(booster[0].dump_model()["tree_info"])
    assert trees.log_odds(np.zeros((0, 4), dtype=np.float32)).shape == (0,)


def test_saved_trees_give_the_same_scores(booster, tmp_path):
    model, rows = booster
    trees = flattened(model.dump_model()["tree_info"])
    trees.save(tmp_path / "trees.npz")
    assert np.array_equal(Trees.load(tmp_path / "trees.npz").log_odds(rows), trees.log_odds(rows))
