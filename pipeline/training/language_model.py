"""A pruned, interpolated Kneser-Ney model of characters, from n-gram counts to the shipped table.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques", section 3 (modified
Kneser-Ney); pruning by weighted difference after Seymore and Rosenfeld 1996.
"""

import logging
from typing import NamedTuple

import numpy as np

from pipeline.model import static_table
from pipeline.model.alphabet import Alphabet
from pipeline.model.arrays import Bools, Doubles, Ids, Ints, Keys
from pipeline.model.ngrams import (
    BACKOFF_BITS,
    MAX_LOSS,
    ORDER,
    NgramModel,
    encoded_backoff,
    encoded_log_prob,
    salted,
)
from pipeline.training.ngram_counts import NgramCounts, continuation, count

log = logging.getLogger(__name__)

CUTOFFS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}
"""n-grams rarer than this are not considered at all: singletons of three and more characters would
never survive the pruning, and are two thirds of all."""


class _Order(NamedTuple):
    """What is kept of one order, aligned arrays."""

    keys: Keys
    counts: Ints
    probs: Doubles


def train(ids: Ids, alphabet: Alphabet, budget: int, partitions: int = 8) -> NgramModel:
    """The model of a sequence of ids, holding about ``budget`` n-grams of order 2 and above."""
    size = alphabet.size
    orders: list[_Order] = []
    raw = {n: count(ids, n, size, partitions if n > 2 else 1) for n in range(1, ORDER + 1)}
    for n in range(1, ORDER + 1):
        adjusted = raw[n] if n == ORDER else continuation(raw[n], raw[n + 1], n, size)
        lower = orders[-1] if orders else None
        orders.append(_interpolated(raw[n], adjusted, n, lower, size))
        log.info("order %d: %d n-grams, %d kept so far", n, len(raw[n].keys), len(orders[-1].keys))
    del raw
    return _packed(_pruned(orders, size, budget), alphabet)


def _interpolated(
    raw: NgramCounts, adjusted: NgramCounts, n: int, lower: _Order | None, size: int
) -> _Order:
    """Probability of the last character of each n-gram that passes the cutoff."""
    discounts = _discounts(adjusted.counts)
    discount = discounts[np.minimum(adjusted.counts, 3)]
    context = adjusted.keys // np.uint64(size)
    starts = np.flatnonzero(np.concatenate([[True], context[1:] != context[:-1]]))
    total = np.add.reduceat(adjusted.counts, starts)
    freed = np.add.reduceat(discount, starts)
    lengths = np.diff(np.append(starts, len(context)))
    kept = raw.counts >= CUTOFFS[n]
    group = np.repeat(np.arange(len(starts)), lengths)[kept]
    keys = raw.keys[kept]
    if lower is None:
        below = np.full(len(keys), 1.0 / size)
    else:
        suffix = keys % np.uint64(size ** (n - 1))
        below = lower.probs[np.searchsorted(lower.keys, suffix)]
    own = (adjusted.counts[kept] - discount[kept]) / total[group]
    return _Order(keys, raw.counts[kept], own + freed[group] / total[group] * below)


def _discounts(counts: Ints) -> Doubles:
    """Discounts for counts 0, 1, 2 and 3 or more (Chen and Goodman, equation 26)."""
    n1, n2, n3, n4 = (max(1, int((counts == k).sum())) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    found = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    most = np.array([0.0, 0.95, 1.9, 2.85])  # or an n-gram seen k times could lose all of it
    allowed: Doubles = np.clip(found, 0.0, most)
    return allowed


def _pruned(orders: list[_Order], size: int, budget: int) -> list[_Order]:
    """The n-grams that say most beyond their suffix, with the prefixes and suffixes of the kept."""
    losses = [_loss(orders[i], orders[i - 1], i + 1, size) for i in range(1, ORDER)]
    flat = np.concatenate(losses)
    low = np.partition(flat, len(flat) - budget)[len(flat) - budget] if len(flat) > budget else 0.0
    while True:  # closing the set adds n-grams, so the threshold rises until all fits
        keep = _closed(orders, [loss >= low for loss in losses], size)
        held = sum(int(k.sum()) for k in keep[1:])
        log.info("threshold %.3f keeps %d n-grams", low, held)
        if held <= budget or low == 0.0:
            break
        low *= 1.05 if held < 1.2 * budget else 1.2
    return [_Order(o.keys[k], o.counts[k], o.probs[k]) for o, k in zip(orders, keep, strict=True)]


def _loss(order: _Order, lower: _Order, n: int, size: int) -> Doubles:
    suffix = order.keys % np.uint64(size ** (n - 1))
    expected = lower.probs[np.searchsorted(lower.keys, suffix)]
    loss: Doubles = np.abs(np.log(order.probs / expected)) * order.counts
    return loss


def _closed(orders: list[_Order], keep: list[Bools], size: int) -> list[Bools]:
    kept = [np.ones(len(orders[0].keys), dtype=np.bool_), *keep]
    for n in range(ORDER, 2, -1):
        keys = orders[n - 1].keys[kept[n - 1]]
        lower = orders[n - 2].keys
        for needed in (keys // np.uint64(size), keys % np.uint64(size ** (n - 1))):
            at = np.minimum(np.searchsorted(lower, needed), len(lower) - 1)
            kept[n - 2][at] = True
    return kept


def _backoffs(order: _Order, higher: _Order, n: int, size: int) -> Doubles:
    """Log weight of the shorter context, for every n-gram of an order as context."""
    context = higher.keys // np.uint64(size)
    at = np.searchsorted(order.keys, context)
    below_keys = higher.keys % np.uint64(size**n)
    below = order.probs[np.searchsorted(order.keys, below_keys)]
    left = 1.0 - np.bincount(at, higher.probs, len(order.keys))
    left_below = 1.0 - np.bincount(at, below, len(order.keys))
    weight: Doubles = np.log(np.maximum(left, 1e-4)) - np.log(np.maximum(left_below, 1e-4))
    return weight


def _packed(orders: list[_Order], alphabet: Alphabet) -> NgramModel:
    size = alphabet.size
    keys, values = [], []
    for n in range(1, ORDER + 1):
        order = orders[n - 1]
        backoff = _backoffs(order, orders[n], n, size) if n < ORDER else np.zeros(len(order.keys))
        if n == 1:
            unigrams = np.full(size, -MAX_LOSS, dtype=np.float32)
            unigram_backoffs = np.zeros(size, dtype=np.float32)
            unigrams[order.keys.astype(np.int64)] = np.log(order.probs)
            unigram_backoffs[order.keys.astype(np.int64)] = backoff
            continue
        keys.append(salted(order.keys, n))
        values.append(
            encoded_log_prob(np.log(order.probs)) << np.uint32(BACKOFF_BITS)
            | encoded_backoff(backoff)
        )
        log.info("order %d: %d n-grams in the table", n, len(order.keys))
    words = static_table.build(np.concatenate(keys), np.concatenate(values))
    return NgramModel(alphabet, np.stack([unigrams, unigram_backoffs]), words)
