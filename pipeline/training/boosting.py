"""Gradient boosting of symmetric trees (`model.trees`), by histograms, in numpy.

As in CatBoost (Prokhorenkova et al. 2018, arXiv:1706.09516, section on oblivious trees) one
question is chosen for each level: the one that gains most, summed over all nodes of the level.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.model.arrays import Bools, Doubles, Floats, Ints, Labels
from pipeline.model.odds import probability
from pipeline.model.trees import Trees

BINS = 64
"""Quantiles of each column between which thresholds may lie."""
EDGE_ROWS = 100_000
"""Rows that the quantiles are taken of."""

Codes = npt.NDArray[np.uint8]


class Shape(NamedTuple):
    """How trees are grown."""

    n_trees: int = 200
    depth: int = 6
    rate: float = 0.1
    """What each tree adds of what would be best for the rows that it sees."""
    l2: float = 8.0
    """Added to the second derivatives of a leaf."""
    rows: float = 0.4
    """Share of the rows that each tree sees."""
    columns: float = 0.5
    """Share of the columns."""
    least: float = 8.0
    """Second derivatives, summed over a level's smaller side, below which nothing is asked."""


def boosted(rows: Floats, truth: Labels, weight: Floats, seed: int, shape: Shape) -> Trees:
    """Trees whose sum is the log odds that a row's ``truth`` is 1, by weighted cross-entropy."""
    rng = np.random.default_rng(seed)
    edges = _edges(rows, rng)
    codes = np.stack([np.searchsorted(e, rows[:, i]) for i, e in enumerate(edges)]).astype(np.uint8)
    target = (truth == 1).astype(np.float64)
    share = np.average(target, weights=weight) if len(target) else 0.5
    start = float(np.log((share + 1e-6) / (1 - share + 1e-6)))
    odds = np.full(len(rows), start)
    feature = np.zeros((shape.n_trees, shape.depth), dtype=np.int16)
    threshold = np.full(feature.shape, np.inf, dtype=np.float32)
    value = np.zeros((shape.n_trees, 1 << shape.depth), dtype=np.float32)
    n_columns = max(1, round(shape.columns * len(edges)))
    for tree in range(shape.n_trees):
        seen = np.flatnonzero(rng.random(len(rows)) < shape.rows)
        columns = np.sort(rng.choice(len(edges), n_columns, replace=False))
        p = probability(odds)
        slope = weight * (target - p)
        curve = weight * p * (1 - p)
        asked = _questions(codes, slope, curve, seen, columns, shape)
        leaf = np.zeros(len(rows), dtype=np.int64)
        for level, (column, code) in enumerate(asked):
            leaf = 2 * leaf + (codes[column] > code)
            feature[tree, level], threshold[tree, level] = column, edges[column][code]
        leaf <<= shape.depth - len(asked)  # the levels that ask nothing answer no
        size = 1 << shape.depth
        slopes = np.bincount(leaf[seen], slope[seen], size)
        curves = np.bincount(leaf[seen], curve[seen], size)
        value[tree] = shape.rate * slopes / (curves + shape.l2)
        odds += value[tree][leaf]
    value[0] += np.float32(start)
    return Trees(feature, threshold, value)


def _edges(rows: Floats, rng: np.random.Generator) -> list[Floats]:
    """Up to BINS - 1 thresholds of each column: values that occur."""
    few = rows if len(rows) <= EDGE_ROWS else rows[rng.choice(len(rows), EDGE_ROWS, replace=False)]
    at = np.linspace(0, 1, BINS + 1)[1:-1]
    found = []
    for column in few.T:
        values = np.unique(np.quantile(column, at, method="lower")) if len(column) else column
        found.append(values.astype(np.float32) if len(values) else np.zeros(1, np.float32))
    return found


def _questions(
    codes: Codes, slope: Doubles, curve: Doubles, seen: Ints, columns: Ints, shape: Shape
) -> list[tuple[int, int]]:
    """(column, highest code that answers no) of each level; fewer levels if nothing is gained."""
    own = codes[columns][:, seen]
    slope, curve = slope[seen], curve[seen]
    leaf = np.zeros(len(seen), dtype=np.int64)
    sums = _sums(own, leaf, slope, curve, 1)
    asked: list[tuple[int, int]] = []
    while True:
        best = _best(sums, shape)
        if best is None:
            return asked
        at, code = best
        asked.append((int(columns[at]), code))
        if len(asked) == shape.depth:
            return asked
        yes = own[at] > code
        sums = _split(own, leaf, slope, curve, yes, sums)
        leaf = 2 * leaf + yes


def _best(sums: Doubles, shape: Shape) -> tuple[int, int] | None:
    """The question of most gain; ``sums`` has shape ``(2, columns, leaves, BINS)``."""
    low = np.cumsum(sums, axis=-1)
    whole = low[..., -1:]
    high = whole - low

    def score(part: Doubles) -> Doubles:
        gain: Doubles = (part[0] ** 2 / (part[1] + shape.l2)).sum(axis=1)
        return gain

    gain = score(low) + score(high) - score(whole)
    gain[np.minimum(low[1], high[1]).sum(axis=1) < shape.least] = 0.0
    at, code = np.unravel_index(int(gain.argmax()), gain.shape)
    return (int(at), int(code)) if gain[at, code] > 1e-9 else None


def _split(
    own: Codes, leaf: Ints, slope: Doubles, curve: Doubles, yes: Bools, sums: Doubles
) -> Doubles:
    """The sums of the next level: the smaller side's are counted, the rest is what is left."""
    smaller = yes if yes.mean() <= 0.5 else ~yes
    at = np.flatnonzero(smaller)
    counted = _sums(own[:, at], leaf[at], slope[at], curve[at], sums.shape[2])
    other = sums - counted
    pair = (other, counted) if smaller is yes else (counted, other)
    return np.stack(pair, axis=3).reshape(*sums.shape[:2], 2 * sums.shape[2], BINS)


def _sums(own: Codes, leaf: Ints, slope: Doubles, curve: Doubles, leaves: int) -> Doubles:
    """First and second derivatives by column, leaf and code: ``(2, columns, leaves, BINS)``."""
    size = leaves * BINS
    base = leaf * BINS
    found = np.empty((2, len(own), size))
    for column, code in enumerate(own):
        key = base + code
        found[0, column] = np.bincount(key, slope, size)
        found[1, column] = np.bincount(key, curve, size)
    return found.reshape(2, len(own), leaves, BINS)
