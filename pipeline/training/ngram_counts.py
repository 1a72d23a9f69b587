"""Counts of every n-gram of a corpus, as sorted arrays of packed keys.

An n-gram of ids ``w1 .. wn`` is packed as the number ``w1 .. wn`` in base ``size``; so the key of
its suffix is ``key % size**(n-1)`` and that of its prefix ``key // size``.
"""

import itertools
from typing import NamedTuple

import numpy as np

from pipeline.model.alphabet import BOUNDARY, Alphabet
from pipeline.model.arrays import Ids, Ints, Keys


class NgramCounts(NamedTuple):
    """``counts[i]`` belongs to ``keys[i]``; keys are sorted and distinct."""

    keys: Keys
    counts: Ints


def as_ids(alphabet: Alphabet, texts: list[str]) -> Ids:
    """All texts in one row, one boundary before each line."""
    ids = np.concatenate([alphabet.ids("\n" + text) for text in texts])
    repeated = (ids[1:] == BOUNDARY) & (ids[:-1] == BOUNDARY)
    kept: Ids = ids[np.append(True, ~repeated)]
    return kept


def count(ids: Ids, order: int, size: int, partitions: int = 1) -> NgramCounts:
    """All n-grams of one order. A boundary may only come first or last in one.

    ``partitions`` bounds memory: that many passes, each over the n-grams whose first id falls in
    one range, all of about the same weight.
    """
    n = len(ids) - order + 1
    inside = np.ones(n, dtype=np.bool_)
    for i in range(1, order - 1):
        inside &= ids[i : i + n] != BOUNDARY
    weights = np.cumsum(np.bincount(ids[:n], minlength=size))
    edges = np.searchsorted(weights, weights[-1] * np.arange(1, partitions) / partitions)
    edges = np.unique(np.concatenate([[0], edges + 1, [size]]))
    found = []
    for low, high in itertools.pairwise(edges):
        chosen = np.flatnonzero(inside & (ids[:n] >= low) & (ids[:n] < high))
        found.append(_counted(_packed_at(ids, chosen, order, size)))
    return NgramCounts(
        np.concatenate([f.keys for f in found]), np.concatenate([f.counts for f in found])
    )


def _packed_at(ids: Ids, at: Ints, order: int, size: int) -> Keys:
    keys = ids[at].astype(np.uint64)
    for i in range(1, order):
        keys *= np.uint64(size)
        keys += ids[at + i]
    return keys


def _counted(keys: Keys) -> NgramCounts:
    keys.sort()
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    return NgramCounts(keys[first], np.diff(np.append(first, len(keys))))


def continuation(lower: NgramCounts, higher: NgramCounts, order: int, size: int) -> NgramCounts:
    """Counts of distinct left neighbours, for ``lower`` of ``order``, from those one order up.

    An n-gram that begins with a boundary has no left neighbour, and keeps its count (Chen and
    Goodman 1998, section 3.2).
    """
    suffixes = _counted(higher.keys % np.uint64(size**order))
    counts = lower.counts.copy()
    at = np.searchsorted(lower.keys, suffixes.keys)
    inner = suffixes.keys >= np.uint64(size ** (order - 1) * (BOUNDARY + 1))
    counts[at[inner]] = suffixes.counts[inner]
    return NgramCounts(lower.keys, counts)
