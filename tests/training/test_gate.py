"""The gates: as many clean pages pass each as are meant to, short ones or long ones."""

import numpy as np
import pytest

from pipeline.training.fit import CLEAN_ASKED, CLEAN_READ, LEAST_CLEAN, gates

N = 20_000
IS_SPUN = np.arange(N) % 2 == 0


@pytest.fixture
def scores():
    """Suspicion at first sight, and after a closer look: they agree in part."""
    first, noise = np.random.default_rng(1).standard_normal((2, N)).astype(np.float32)
    return first, first + noise


def test_of_clean_pages_of_each_kind_the_meant_shares_pass(scores):
    suspicion, closer = scores
    long = (np.arange(N) % 5 > 0).astype(np.int64)
    suspicion[long == 1] += 2.0
    closer[long == 1] -= 1.0
    found = gates(suspicion, closer, IS_SPUN, long)
    for kind in (0, 1):
        own = ~IS_SPUN & (long == kind)
        asked = suspicion[own] >= found[kind, 0]
        assert abs(asked.mean() - CLEAN_ASKED) < 0.002
        assert abs((asked & (closer[own] >= found[kind, 1])).mean() - CLEAN_READ) < 0.002
    higher = (np.where(IS_SPUN, score + 9, score) for score in scores)
    assert (gates(*higher, IS_SPUN, long) == found).all(), "what is spun does not move them"


def test_where_few_are_clean_the_gates_are_those_of_all(scores):
    suspicion, closer = scores
    long = np.ones(N, dtype=np.int64)
    long[1 : 2 * LEAST_CLEAN - 1 : 2] = 0  # clean ones, one too few
    suspicion[long == 0] -= 5.0
    short, other = gates(suspicion, closer, IS_SPUN, long)
    assert short[0] == np.quantile(suspicion[~IS_SPUN], 1 - CLEAN_ASKED)
    assert other[0] > short[0]
