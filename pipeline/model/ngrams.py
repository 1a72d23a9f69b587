"""The character language model: log probabilities for millions of positions at once.

A pruned five-gram back-off model in one `static_table`. Arrays of ids may have any shape; n-grams
run along the last axis, and every row should begin with a `BOUNDARY` or with enough context.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.model import native, static_table
from pipeline.model.alphabet import Alphabet
from pipeline.model.arrays import Doubles, Floats, Ids, Keys, Words

ORDER = 5

LOG_PROB_BITS, BACKOFF_BITS = 10, 8
MAX_LOSS = 16.0
"""Log probabilities are kept in steps of MAX_LOSS / 2**10 = 1/64 nat, from 0 down to -16."""
BACKOFF_RANGE = (-6.0, 2.0)
"""Back-off weights are kept in steps of 8 / 2**8 = 1/32 nat. A pruned model has some above zero."""

_SALTS = [np.uint64(0), *(np.uint64(0xA0761D6478BD642F * n & (2**64 - 1)) for n in range(1, 6))]
_LOSS_MASK = np.uint32((1 << LOG_PROB_BITS) - 1)
_BACKOFF_MASK = np.uint32((1 << BACKOFF_BITS) - 1)
_CHUNK = 1 << 14
"""Positions looked up at once: the temporary arrays, some 12 of 8 bytes, stay in a 2 MB cache."""


def salted(keys: Keys, order: int) -> Keys:
    """Keys of one order, kept apart from the same numbers in another order."""
    return keys ^ _SALTS[order]


def encoded_log_prob(values: Doubles) -> Words:
    steps = (1 << LOG_PROB_BITS) - 1
    return np.clip(np.rint(-values * (1 << LOG_PROB_BITS) / MAX_LOSS), 0, steps).astype(np.uint32)


def encoded_backoff(values: Doubles) -> Words:
    low, high = BACKOFF_RANGE
    steps = (1 << BACKOFF_BITS) - 1
    return np.clip(np.rint((values - low) / (high - low) * steps), 0, steps).astype(np.uint32)


class NgramModel:
    """``log_probs`` gives log P(character | the four before it), natural logarithm."""

    def __init__(self, alphabet: Alphabet, unigrams: Floats, words: Words) -> None:
        self.alphabet = alphabet
        self.unigrams = unigrams
        self._words = words
        low, high = BACKOFF_RANGE
        steps = 1 << BACKOFF_BITS
        self._backoff_of = np.linspace(low, high, steps, dtype=np.float32)
        self._loss_of = (np.arange(1 << LOG_PROB_BITS) * (-MAX_LOSS / (1 << LOG_PROB_BITS))).astype(
            np.float32
        )
        self.held = native.Held(
            native.Ngrams,
            {
                "table": static_table.for_native(words),
                "size": alphabet.size,
                "salts": np.array(_SALTS, dtype=np.uint64),
                "log_prob": np.ascontiguousarray(unigrams[0], dtype=np.float32),
                "back_off": np.ascontiguousarray(unigrams[1], dtype=np.float32),
                "loss_of": self._loss_of,
                "backoff_of": self._backoff_of,
            },
        )

    def log_probs(self, ids: Ids) -> Floats:
        """Log probability of each id given up to four before it in its row; shape of ``ids``."""
        if native.library is not None:
            return native.log_probs(self.held, ids)
        if ids.ndim == 1:
            return self._long_row(ids)
        rows = max(1, _CHUNK // ids.shape[-1])
        if len(ids) <= rows:
            return self._scored(ids)
        parts = [self._scored(ids[i : i + rows]) for i in range(0, len(ids), rows)]
        return np.concatenate(parts)

    def _long_row(self, ids: Ids) -> Floats:
        parts = []
        for start in range(0, len(ids), _CHUNK):
            before = max(0, start - (ORDER - 1))
            scored = self._scored(ids[None, before : start + _CHUNK])[0]
            parts.append(scored[start - before :])
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def pair_log_probs(self, first: Ids, second: Ids) -> Floats:
        """Log probability of each of ``second`` given the one of ``first`` before it alone."""
        keys = first.astype(np.uint64) * np.uint64(self.alphabet.size) + second
        found, entry = static_table.look_up(self._words, salted(keys, 2))
        backed = self.unigrams[0][second] + self.unigrams[1][first]
        scores: Floats = np.where(found, self._own(entry), backed)
        return scores

    def _own(self, entry: Words) -> Floats:
        """The log probabilities in entries of the table."""
        own: Floats = self._loss_of[(entry >> np.uint32(BACKOFF_BITS)) & _LOSS_MASK]
        return own

    def _scored(self, ids: Ids) -> Floats:
        """The n-grams of each order are looked up only where prefix and suffix were found: both are
        kept with every n-gram, so that what is found without them is a false match.
        """
        size = np.uint64(self.alphabet.size)
        width = ids.shape[-1]
        flat = ids.reshape(-1)
        scores: Floats = self.unigrams[0][flat]
        if width < 2 or not len(flat):
            return scores.reshape(ids.shape)
        wide = flat.astype(np.uint64)
        keys = np.empty_like(wide)
        np.multiply(wide[:-1], size, out=keys[1:])
        keys[1:] += wide[1:]
        keys[0] = 0
        known, entry = static_table.look_up(self._words, salted(keys, 2))
        before = np.zeros_like(scores)
        before[1:] = self.unigrams[1][flat[:-1]]
        for start in (known, before):
            start[::width] = 0  # a row does not see the one before
        scores = np.where(known, self._own(entry), scores + before)
        backoff = self._backoff_of[entry & _BACKOFF_MASK]
        for n in range(3, min(ORDER, width) + 1):
            end = np.flatnonzero(known[:-1]) + 1
            if width < len(flat):
                end = end[end % width >= n - 1]
            scores[end] += backoff[end - 1]
            end = end[known[end]]
            own = keys[end - 1] * size + wide[end]
            found, entry = static_table.look_up(self._words, salted(own, n))
            end, own, entry = end[found], own[found], entry[found]
            scores[end] = self._own(entry)
            known = np.zeros_like(known)
            known[end] = True
            backoff[end] = self._backoff_of[entry & _BACKOFF_MASK]
            keys[end] = own
        return scores.reshape(ids.shape)

    def save(self, directory: Path) -> None:
        """Write the model's three files into ``directory``."""
        (directory / "alphabet.txt").write_text(self.alphabet.chars, encoding="utf-8")
        np.save(directory / "unigrams.npy", self.unigrams)
        np.save(directory / "ngrams.npy", self._words)


@lru_cache(maxsize=2)
def load(directory: Path) -> NgramModel:
    """The model saved in ``directory``. Its table is memory-mapped: all workers share it."""
    chars = (directory / "alphabet.txt").read_text(encoding="utf-8")
    unigrams = np.load(directory / "unigrams.npy")
    words = np.asarray(np.load(directory / "ngrams.npy", mmap_mode="r"))  # a plain view: faster
    return NgramModel(Alphabet(chars), unigrams, words)
