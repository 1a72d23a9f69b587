import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import features
from pipeline.model.posterior import Posterior
from pipeline.model.sites import Batch, Candidates, Sites
from pipeline.model.tagger import HEADS

DOCUMENTS = st.lists(st.lists(st.floats(-6, 6), max_size=25), min_size=1, max_size=6)


def sites_of(documents):
    counts = [len(d) for d in documents]
    n = sum(counts)
    document = np.repeat(np.arange(len(documents)), counts)
    zero = np.zeros(n, dtype=np.float32)
    start = np.arange(n) * 2
    return Sites(start, start + 2, np.arange(n), document, zero, zero, zero)


@given(DOCUMENTS)
def test_a_site_is_judged_by_the_others_of_its_document(documents):
    odds = np.array([x for d in documents for x in d], dtype=np.float32)
    lengths = np.array([10 + len(d) for d in documents])
    ends = np.cumsum(lengths)
    batch = Batch(np.zeros(1, dtype=np.uint16), ends - lengths, ends)
    once = np.ones(len(odds), dtype=np.int64)
    tags = np.zeros((ends[-1] + 1, len(HEADS)), dtype=np.float32)
    nothing = Posterior(
        np.zeros(len(odds), np.float32), np.zeros(len(documents)), np.zeros((len(documents), 1))
    )
    family = np.zeros(len(odds), np.uint16)
    got = features.document_features(
        batch, sites_of(documents), once, once, family, odds, tags, nothing
    )
    row = 0
    for number, document in enumerate(documents):
        p = 1 / (1 + np.exp(-np.array(document, dtype=np.float32).astype(float)))
        for i in range(len(document)):
            others = np.delete(p, i)
            expected = [
                100 * others.sum() / lengths[number],
                np.sort(others)[::-1][:10].sum() / 10,
                np.log1p((others > 0.5).sum()),
            ]
            assert np.allclose(got[row, :3], expected, atol=1e-4)
            row += 1


def test_the_best_candidate_is_the_one_with_most_gain_and_prior():
    found = Candidates(
        np.array([0, 0, 1]),
        np.array([8, 9, 9]),
        np.array([5, 6, 7]),
        np.array([0.0, 2.0, 0.0], dtype=np.float32),
        np.array([3.0, 2.0, -1.0], dtype=np.float32),
        np.zeros(3, dtype=np.float32),
    )
    best = features.best_candidates(found, 2)
    assert best.candidate.tolist() == [1, 2]
    assert np.allclose(best.share, [1 / (1 + np.e), np.e / (1 + np.e), 1.0])
    assert np.allclose(best.margin, [1.0, 10.0])


def test_occurrences_are_counted_by_document():
    found = features.occurrences(np.array([0, 0, 1, 1, 1]), np.array([3, 3, 3, 4, 4]), 10)
    got = features.count(found, np.array([0, 1, 1]), np.array([3, 3, 9]), 10)
    assert got.tolist() == [2, 1, 0]


def test_of_overlapping_sites_the_likelier_one_is_a_witness():
    zero = np.zeros(3, dtype=np.float32)
    number = np.zeros(3, dtype=np.int64)
    sites = Sites(np.array([0, 1, 5]), np.array([2, 3, 7]), number, number, zero, zero, zero)
    assert features.apart(sites, np.array([1.0, 2.0, -3.0], np.float32), 8).tolist() == [
        False,
        True,
        True,
    ]


def test_a_word_that_is_said_thirty_times_is_one_odd_word():
    document = [2.0, *[1.0, 3.0, 2.0] * 10]
    sites = sites_of([document])._replace(term=np.array([7, *[4] * 30]))
    group = features.by_surface(sites)
    odds = np.array(document, dtype=np.float32)
    assert sorted(features.likeliest(group, odds).tolist()) == [0, 2]
    batch = Batch(np.zeros(1, dtype=np.uint16), np.array([0]), np.array([100]))
    many = np.full(31, 30)
    tags = np.zeros((101, len(HEADS)), dtype=np.float32)
    nothing = Posterior(np.zeros(31, np.float32), np.zeros(1), np.zeros((1, 1)))
    none = np.zeros(31, np.uint16)
    got = features.document_features(batch, sites, many, many, none, odds, tags, nothing)
    first, others = got[0], got[1:]
    assert np.allclose(first[0], 1 / (1 + np.exp(-3.0)), atol=1e-4)
    assert np.allclose(others[:, 0], 1 / (1 + np.exp(-2.0)), atol=1e-4)


def test_the_same_surface_elsewhere_counts_and_the_site_itself_does_not():
    sites = sites_of([[0.0, 0.0, 0.0]])._replace(term=np.array([4, 4, 9]))
    odds = np.array([2.0, -1.0, 0.5], dtype=np.float32)
    p = 1 / (1 + np.exp(-odds.astype(float)))
    group = features.by_surface(sites)
    count, mean, best = features._same_surface(group, p, odds, np.array([3, 3, 1]))
    assert np.allclose(np.expm1(count), [1, 1, 0])
    assert np.allclose(mean, [p[1] / 2, p[0] / 2, 0])  # a third occurrence was not worth judging
    assert best.tolist() == [-1.0, 2.0, -8.0]
