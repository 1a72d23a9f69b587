import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import features
from pipeline.model.sites import Batch, Candidates, Sites

DOCUMENTS = st.lists(st.lists(st.floats(-6, 6), max_size=25), min_size=1, max_size=6)


def sites_of(documents):
    counts = [len(d) for d in documents]
    n = sum(counts)
    document = np.repeat(np.arange(len(documents)), counts)
    zero = np.zeros(n, dtype=np.float32)
    start = np.arange(n) * 2
    return Sites(start, start + 2, np.zeros(n, dtype=np.int64), document, zero, zero, zero)


@given(DOCUMENTS)
def test_a_site_is_judged_by_the_others_of_its_document(documents):
    odds = np.array([x for d in documents for x in d], dtype=np.float32)
    lengths = np.array([10 + len(d) for d in documents])
    ends = np.cumsum(lengths)
    batch = Batch(np.zeros(1, dtype=np.uint16), ends - lengths, ends)
    got = features.document_features(
        batch, sites_of(documents), np.zeros(len(odds), np.uint32), odds
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
                np.log(lengths[number]),
            ]
            assert np.allclose(got[row, :4], expected, atol=1e-4)
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
    got = features.counts_in_documents(
        np.array([0, 0, 1, 1, 1]),
        np.array([3, 3, 3, 4, 4]),
        np.array([0, 1, 1]),
        np.array([3, 3, 9]),
        10,
    )
    assert got.tolist() == [2, 1, 0]
