"""The gate of the first look: as many clean pages pass as are meant to, short ones or long ones."""

import numpy as np
import pytest

from pipeline.training.fit import CLEAN_READ, LEAST_CLEAN, gates

N = 10_000
IS_SPUN = np.arange(N) % 2 == 0


@pytest.fixture
def scores():
    return np.random.default_rng(1).standard_normal(N).astype(np.float32)


def test_of_clean_pages_of_each_kind_the_meant_share_passes(scores):
    long = (np.arange(N) % 5 > 0).astype(np.int64)
    scores[long == 1] += 2.0
    found = gates(scores, IS_SPUN, long)
    for kind in (0, 1):
        passing = scores[~IS_SPUN & (long == kind)] >= found[kind]
        assert abs(passing.mean() - CLEAN_READ) < 0.002
    spun_higher = np.where(IS_SPUN, scores + 9, scores)
    assert (gates(spun_higher, IS_SPUN, long) == found).all(), "what is spun does not move it"


def test_where_few_are_clean_the_gate_is_that_of_all(scores):
    long = np.ones(N, dtype=np.int64)
    long[1 : 2 * LEAST_CLEAN - 1 : 2] = 0  # clean ones, one too few
    scores[long == 0] -= 5.0
    short, other = gates(scores, IS_SPUN, long)
    assert short == np.quantile(scores[~IS_SPUN], 1 - CLEAN_READ)
    assert other > short
