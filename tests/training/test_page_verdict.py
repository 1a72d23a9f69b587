"""The verdict on pages, and which of them it is learned from."""

import numpy as np

from pipeline.training.fit import CLEAN_PAGE_WEIGHT, LEAST_SEEN, page_verdict
from pipeline.training.pages import Page
from pipeline.training.spinner import Substitution

SPUN, CLEAN = Page("", [Substitution(0, 1, "甲")]), Page("", [])


def rows(rng, n, evidence):
    """``n`` pages whose six kinds of evidence are about so strong."""
    return np.column_stack([evidence + rng.normal(0, 0.3, (n, 6)), np.ones(n)])


def material(n=200):
    rng = np.random.default_rng(1)
    table = np.concatenate([rows(rng, n, 1.0), rows(rng, n, 0.0)])
    return table, [SPUN] * n + [CLEAN] * n, np.repeat([LEAST_SEEN, 0], n)


def test_what_looks_spun_is_called_spun_and_no_evidence_speaks_against_it():
    table, pages, seen = material()
    weights = page_verdict(table, pages, seen)
    assert (weights[:6] >= 0).all()
    odds = table @ weights
    assert (odds[seen > 0] > 0).mean() > 0.9
    assert (odds[seen == 0] < 0).mean() > 1 - 1 / CLEAN_PAGE_WEIGHT


def test_pages_of_which_nothing_is_seen_or_on_which_the_tagger_is_silent_do_not_count():
    table, pages, seen = material()
    weights = page_verdict(table, pages, seen)
    more = np.concatenate([table, np.zeros((60, 7)), np.full((60, 7), 5.0)])
    unseen = [0] * 30 + [LEAST_SEEN - 1] * 30 + [-1] * 60
    again = page_verdict(more, [*pages, *[SPUN] * 60, *[CLEAN] * 60], np.append(seen, unseen))
    assert np.allclose(again, weights)
