"""The channel: which surface a spinner writes for which original, for pairs nobody has listed too.

A mixture of three kinds of spinner. One goes by a word list: its lines for the original are equally
likely. One goes by an embedding: its nearest words, nearer ones more. One goes by a list we do not
have: here boosted trees say how much a pair looks like one that lists hold.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import lightgbm
import numpy as np
import numpy.typing as npt

from pipeline.model.arrays import Bools, Doubles, Floats, Ints
from pipeline.model.channel import EMBEDDING, LEARNED, MAX_LENGTH, N_LISTS, NOBODY, RELATED, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.training.embeddings import Neighbours
from pipeline.training.lexica import Observed, Pairs, Related, names_of
from pipeline.training.tools import HELD_OUT_FOLD, fold
from pipeline.training.words import Words

log = logging.getLogger(__name__)

KINDS = {"listed": 0.55, "observed": 0.1, "embedding": 0.2, "unknown": 0.15}
"""Shares of the mixture: of some hundred real pages about two thirds are by tools whose lists are
known, and the rest by embedding or by lists nobody has."""

REACHES = (1, 3, 10, 30)
"""How many nearest words a tool by embedding may choose from; which, nobody knows."""

NEAREST = 30
ORIGINALS_PER_SURFACE = 24
"""1.2 million pairs in all, 6.6 MB of the model; each costs a look-up where the tagger suspects."""

_PAIRS_AT_ONCE = 1 << 18


class Pool(NamedTuple):
    """Candidate pairs of vocabulary words, aligned arrays, sorted by (original, surface)."""

    original: Ints
    surface: Ints
    kind: npt.NDArray[np.uint8]
    """Bits: 1 a synonym, 2 an antonym."""
    rank: Floats
    """Of the surface among the original's nearest; NEAREST if further."""
    rank_back: Floats
    """Of the original among the surface's nearest."""
    similarity: Floats
    listed: Bools


def channel(
    model: NgramModel,
    words: Words,
    unit: Floats,
    neighbours: Neighbours,
    pairs: Pairs,
    observed: Observed,
    related: Related,
    seed: int,
) -> Channel:
    """Every listed pair, and for every word of the vocabulary its most likely originals."""
    number = {word: i for i, word in enumerate(words.words) if i}
    pool = _pool(words, unit, neighbours, pairs, related, number)
    log.info("%d candidate pairs, %d listed", len(pool.original), pool.listed.sum())
    likeness = _likeness(pool, words, seed)
    back_off = _back_off(pool, likeness)
    table: dict[tuple[str, str], tuple[float, int]] = {}
    flags = _flags(pool)
    for row in np.flatnonzero(_kept(pool, back_off)):
        pair = words.words[pool.original[row]], words.words[pool.surface[row]]
        table[pair] = (float(back_off[row]), int(flags[row]))
    return _assembled(model, table, pairs, observed)


def _pool(
    words: Words,
    unit: Floats,
    neighbours: Neighbours,
    pairs: Pairs,
    related: Related,
    number: Mapping[str, int],
) -> Pool:
    n = len(words.words)
    reach = min(NEAREST, neighbours.ids.shape[1])
    near = np.repeat(np.arange(n, dtype=np.int64), reach) * n
    near += neighbours.ids[:, :reach].astype(np.int64).ravel()
    rank_of = np.tile(np.arange(reach, dtype=np.float32), n)
    order = np.argsort(near, kind="stable")
    near, rank_of = near[order], rank_of[order]
    back = near % n * n + near // n
    kinds: dict[int, int] = defaultdict(int)
    for (one, other), kind in related.items():
        if one in number and other in number:
            kinds[number[one] * n + number[other]] |= kind
            kinds[number[other] * n + number[one]] |= kind
    listed = np.array(
        sorted(number[o] * n + number[s] for o, s in pairs if o in number and s in number),
        dtype=np.int64,
    )
    keys = np.unique(np.concatenate([near, back, np.array(list(kinds), np.int64), listed]))
    keys = keys[(keys // n != keys % n) & (keys // n > 0) & (keys % n > 0)]
    original, surface = keys // n, keys % n
    kind_keys = np.array(sorted(kinds), dtype=np.int64)
    kind_bits = np.array([kinds[int(key)] for key in kind_keys], dtype=np.uint8)
    return Pool(
        original,
        surface,
        _looked_up(kind_keys, kind_bits, keys, np.uint8(0)),
        _looked_up(near, rank_of, keys, np.float32(NEAREST)),
        _looked_up(near, rank_of, surface * n + original, np.float32(NEAREST)),
        _similarities(unit, original, surface),
        np.isin(keys, listed),
    )


def _looked_up(keys: Ints, values: npt.NDArray, wanted: Ints, default: np.generic) -> npt.NDArray:  # type: ignore[type-arg]
    if not len(keys):
        return np.full(len(wanted), default)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], default)


def _similarities(unit: Floats, original: Ints, surface: Ints) -> Floats:
    found = np.zeros(len(original), dtype=np.float32)
    for start in range(0, len(original), _PAIRS_AT_ONCE):
        rows = slice(start, start + _PAIRS_AT_ONCE)
        found[rows] = np.einsum("ij,ij->i", unit[original[rows]], unit[surface[rows]])
    return found


def _likeness(pool: Pool, words: Words, seed: int) -> Doubles:
    """P(a list holds the pair), fitted on originals that lists have."""
    rows = _features(pool, words)
    has_lines = np.zeros(len(words.words), dtype=np.bool_)
    has_lines[pool.original[pool.listed]] = True
    held = np.zeros(len(rows), dtype=np.bool_)
    at = np.flatnonzero(pool.listed)
    held[at] = [
        fold(words.words[pool.original[i]], words.words[pool.surface[i]]) == HELD_OUT_FOLD
        for i in at
    ]
    seen = np.flatnonzero(has_lines[pool.original] & ~held)
    if not len(seen):
        return np.zeros(len(rows))
    settings = {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 200,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "num_threads": 2,
        "verbose": -1,
    }
    data = lightgbm.Dataset(rows[seen], pool.listed[seen].astype(np.int8))
    booster = lightgbm.train(settings, data, 80)
    return np.asarray(booster.predict(rows), dtype=np.float64)


def _features(pool: Pool, words: Words) -> Floats:
    """What a pair looks like, without asking who holds it."""
    codes = np.zeros((len(words.words), MAX_LENGTH), dtype=np.int32)
    for i, word in enumerate(words.words):
        codes[i, : len(word)] = [ord(char) for char in word]
    length = (codes > 0).sum(axis=1)
    frequency = np.log1p(words.counts)
    a, b = pool.original, pool.surface
    shared = np.zeros(len(a), dtype=np.float32)
    for i in range(4):
        own = codes[a, i]
        shared += (own > 0) & (codes[b] == own[:, None]).any(axis=1)
    columns = [
        pool.similarity,
        pool.rank,
        pool.rank_back,
        pool.kind & 1,
        pool.kind & 2,
        shared,
        length[a],
        length[b],
        frequency[a],
        frequency[b],
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _back_off(pool: Pool, likeness: Doubles) -> Doubles:
    """Log prior of each pair if no list were known."""
    near = np.mean([(pool.rank < reach) / reach for reach in REACHES], axis=0)
    total = np.bincount(pool.original, likeness)[pool.original]
    unknown = likeness / (1.0 + total)
    prior = KINDS["embedding"] * near + KINDS["unknown"] * unknown
    log_prior: Doubles = np.log(np.maximum(prior, 1e-7))
    return log_prior


def _kept(pool: Pool, log_prior: Doubles) -> Bools:
    """The likeliest originals of each surface."""
    order = np.lexsort((-log_prior, pool.surface))
    ranked = pool.surface[order]
    first = np.searchsorted(ranked, ranked)
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order] = np.arange(len(order)) - first < ORIGINALS_PER_SURFACE
    return kept | pool.listed


def _flags(pool: Pool) -> Ints:
    near = np.minimum(pool.rank, pool.rank_back) < NEAREST
    flags: Ints = (near.astype(np.int64) << EMBEDDING) | (
        (pool.kind > 0).astype(np.int64) << RELATED
    )
    return flags


def _assembled(
    model: NgramModel,
    table: Mapping[tuple[str, str], tuple[float, int]],
    pairs: Pairs,
    observed: Observed,
) -> Channel:
    names = sorted(names_of(pairs))[:LEARNED]
    lines = _totals(dict.fromkeys(pairs, 1.0))
    times = _totals(observed)
    size = model.alphabet
    rows = []
    for original, surface in sorted({*table, *pairs, *observed}, key=lambda pair: pair[::-1]):
        pair = original, surface
        if max(map(len, pair)) > MAX_LENGTH or not size.knows(original + surface):
            continue
        back_off, bits = table.get(pair, (NOBODY, 0))
        prior = np.exp(back_off)
        if pair in pairs:
            prior += KINDS["listed"] / lines[original]
            bits |= sum(1 << i for i, name in enumerate(names) if name in pairs[pair])
        if pair in observed:
            prior += KINDS["observed"] * observed[pair] / times[original]
            bits |= 1 << (N_LISTS - 1)
        rows.append((surface, original, np.log(prior), bits, back_off))
    terms = sorted({term for row in rows for term in row[:2]})
    number = {term: i for i, term in enumerate(terms)}
    rows.sort(key=lambda row: (number[row[0]], row[1]))
    surface_terms, originals, priors, flags, back_offs = zip(*rows, strict=True)
    return Channel.of_arrays(
        model,
        terms,
        np.array([number[term] for term in surface_terms], dtype=np.int64),
        np.array([number[term] for term in originals], dtype=np.int64),
        np.array(priors, dtype=np.float32),
        np.array(flags, dtype=np.uint16),
        np.array(back_offs, dtype=np.float32),
    )


def _totals(weights: Mapping[tuple[str, str], float]) -> Mapping[str, float]:
    total: dict[str, float] = defaultdict(float)
    for (original, _), weight in weights.items():
        total[original] += weight
    return total
