"""The posterior over how much of a document is spun, against the sum written out."""

import numpy as np
import pytest

from pipeline.model.channel import N_FAMILIES
from pipeline.model.posterior import ANY, CELLS, MOST, OUTSIDE, fitted, infer

EVEN = np.full(len(CELLS) + 1, -np.log(len(CELLS) + 1))


def obvious(family, evidence, log_prior):
    """Weight of every cell, clean last, one site and one cell at a time."""
    weights = [np.exp(log_prior[-1])]
    for (rate, member), prior in zip(CELLS, log_prior[:-1], strict=True):
        weight = np.exp(prior)
        for bits, nats in zip(family, evidence, strict=True):
            inside = member == ANY or bits >> member & 1
            chance = rate * (1.0 if inside else OUTSIDE)
            weight *= 1 - chance + chance * np.exp(np.clip(nats, -MOST, MOST))
        weights.append(weight)
    return np.array(weights[1:] + weights[:1])


def inferred(family, evidence, log_prior=EVEN):
    n = len(family)
    return infer(
        np.zeros(n, dtype=np.int64),
        np.array(family, dtype=np.uint16),
        np.array(evidence, dtype=np.float32),
        np.ones(n, dtype=np.bool_),
        1,
        log_prior,
    )


def test_the_cells_weigh_what_the_sum_written_out_gives():
    family, evidence = [0b1, 0b11, 0b100, 0], [2.0, -1.0, 9.0, 0.5]
    weights = obvious(family, evidence, EVEN)
    seen = inferred(family, evidence)
    assert np.allclose(seen.cells[0], weights / weights.sum())
    assert seen.spun[0] == pytest.approx(np.log(weights[:-1].sum() / weights[-1]), abs=1e-6)


def test_a_site_is_judged_by_the_others_alone():
    family = [0b1, 0b1, 0b10]
    first, second = inferred(family, [3.0, 2.0, 1.0]), inferred(family, [-3.0, 2.0, 1.0])
    assert first.prior[0] == pytest.approx(second.prior[0], abs=1e-5)
    assert first.prior[1] > second.prior[1]


def test_many_odd_words_make_each_of_them_likelier():
    few, many = inferred([1] * 2, [3.0] * 2), inferred([1] * 40, [3.0] * 40)
    assert many.prior[0] > few.prior[0] + 1
    assert many.spun[0] > 10 > few.spun[0]


def test_a_page_that_speaks_one_tools_words_suspects_them_more_than_others():
    seen = inferred([0b1] * 30 + [0b1, 0b10], [4.0] * 30 + [0.0, 0.0])
    assert seen.prior[30] > seen.prior[31]


def test_documents_do_not_see_one_another():
    both = infer(
        np.array([0, 0, 2]),
        np.array([1, 1, 2], dtype=np.uint16),
        np.array([3.0, 1.0, 2.0], dtype=np.float32),
        np.ones(3, dtype=np.bool_),
        3,
        EVEN,
    )
    assert both.spun[0] == pytest.approx(inferred([1, 1], [3.0, 1.0]).spun[0])
    assert both.spun[1] == pytest.approx(np.log(len(CELLS)))
    assert both.prior[2] == pytest.approx(inferred([2], [2.0]).prior[0])


def test_what_does_not_count_says_nothing():
    seen = infer(
        np.zeros(2, dtype=np.int64),
        np.ones(2, dtype=np.uint16),
        np.array([5.0, 5.0], dtype=np.float32),
        np.array([True, False]),
        1,
        EVEN,
    )
    assert seen.spun[0] == pytest.approx(inferred([1], [5.0]).spun[0])


def test_the_prior_is_fitted_to_how_many_documents_are_spun():
    clean = (np.zeros(4000, np.int64), np.ones(4000, np.uint16), np.full(4000, -4.0, np.float32))
    spun = (np.zeros(9, np.int64), np.ones(9, np.uint16), np.full(9, 5.0, np.float32))
    batches = [(*clean, np.ones(4000, np.bool_), 1)] * 30 + [(*spun, np.ones(9, np.bool_), 1)] * 10
    found = fitted(batches, rounds=20)
    assert np.exp(found).sum() == pytest.approx(1.0)
    assert 0.1 < 1 - np.exp(found[-1]) < 0.75
    assert N_FAMILIES == ANY
