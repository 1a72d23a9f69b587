from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.ngram_counts import continuation, count

SIZE = 7
SEQUENCES = st.lists(st.integers(0, SIZE - 1), min_size=5, max_size=60).map(lambda x: [0, *x])


def obvious(ids, order):
    grams = (tuple(ids[i : i + order]) for i in range(len(ids) - order + 1))
    return Counter(g for g in grams if 0 not in g[1:-1])


def unpacked(key, order):
    return tuple(int(key) // SIZE ** (order - 1 - i) % SIZE for i in range(order))


@given(SEQUENCES, st.integers(1, 5), st.integers(1, 4))
def test_counts_are_those_of_the_obvious_version(ids, order, partitions):
    got = count(np.array(ids, dtype=np.uint16), order, SIZE, partitions)
    table = {unpacked(k, order): int(n) for k, n in zip(got.keys, got.counts, strict=True)}
    assert table == dict(obvious(ids, order))
    assert (np.diff(got.keys.astype(np.int64)) > 0).all()


@given(SEQUENCES, st.integers(1, 4))
def test_continuation_counts_distinct_left_neighbours(ids, order):
    array = np.array(ids, dtype=np.uint16)
    lower, higher = count(array, order, SIZE), count(array, order + 1, SIZE)
    got = continuation(lower, higher, order, SIZE)
    for key, n in zip(got.keys, got.counts, strict=True):
        gram = unpacked(key, order)
        left = {g for g in obvious(ids, order + 1) if g[1:] == gram}
        if gram[0] != 0 and left:
            assert n == len(left)
        if gram[0] == 0:
            assert n == obvious(ids, order)[gram]
