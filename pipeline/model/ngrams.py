"""The character language model: log probabilities for millions of positions at once.

A pruned five-gram back-off model in one `static_table`. Arrays of ids may have any shape; n-grams
run along the last axis, and every row should begin with a `BOUNDARY` or with enough context.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.model import static_table
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
_CHUNK = 1 << 15
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

    def log_probs(self, ids: Ids) -> Floats:
        """Log probability of each id given up to four before it in its row; shape of ``ids``."""
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

    def _scored(self, ids: Ids) -> Floats:
        size = np.uint64(self.alphabet.size)
        wide = ids.astype(np.uint64)
        scores: Floats = self.unigrams[0][ids]
        backoff = self.unigrams[1][ids]
        known = np.ones(ids.shape, dtype=np.bool_)
        keys = wide
        power = np.uint64(1)
        for n in range(2, ORDER + 1):
            if ids.shape[-1] < n:
                break
            power *= size
            keys = keys[..., :-1] * size + wide[..., n - 1 :]
            found, entry = static_table.look_up(self._words, salted(keys, n))
            found &= known[..., 1:]  # its suffix
            found &= known[..., :-1]  # and its prefix are kept too, or it is a false match
            backed = scores[..., n - 1 :] + np.where(known[..., :-1], backoff[..., :-1], 0)
            own = self._loss_of[(entry >> np.uint32(BACKOFF_BITS)) & _LOSS_MASK]
            scores[..., n - 1 :] = np.where(found, own, backed)
            backoff = self._backoff_of[entry & _BACKOFF_MASK]
            known = found
        return scores

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
