"""A read-only map from 64-bit keys to small integers, a flat array of 32-bit words.

A three-wise binary fuse table (Graf and Lemire 2022, "Binary Fuse Filters", arXiv:2201.01174) that
holds values besides fingerprints (a Bloomier filter): the exclusive or of three words is the entry
of a key. A look-up is three gathers and no branch, so numpy does millions at once; a key that was
never put in is taken for one that was with probability 2**-FINGERPRINT_BITS.
"""

from typing import NamedTuple

import numpy as np

from pipeline.model import native
from pipeline.model.arrays import Bools, Ints, Keys, Words

FINGERPRINT_BITS = 14
VALUE_BITS = 32 - FINGERPRINT_BITS
VALUE_MASK = np.uint32((1 << VALUE_BITS) - 1)

_OVERHEAD = 1.125
"""Words per key that a three-wise fuse graph needs to be solvable (same paper, section 3)."""


def _mixed(keys: Keys) -> Keys:
    """Finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit moves every bit."""
    h = keys + np.uint64(0x9E3779B97F4A7C15)
    h ^= h >> np.uint64(30)
    h *= np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(27)
    h *= np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    return h


class _Shape(NamedTuple):
    segment_bits: int
    segments: int

    @property
    def words(self) -> int:
        return (self.segments + 2) << self.segment_bits

    @classmethod
    def of(cls, n_words: int) -> "_Shape":
        bits = _segment_bits(n_words)
        return cls(bits, (n_words >> bits) - 2)


def _segment_bits(n_words: int) -> int:
    return max(2, int(np.log(max(n_words, 4)) / np.log(3.33) + 2.0))


def _places(h: Keys, shape: _Shape) -> tuple[Ints, Ints, Ints]:
    """The three words of each hash: in three neighbouring segments."""
    mask = np.uint64((1 << shape.segment_bits) - 1)
    span = np.uint64(shape.segments << shape.segment_bits)
    first = ((h >> np.uint64(32)) * span) >> np.uint64(32)
    step = np.uint64(1 << shape.segment_bits)
    second = (first + step) ^ ((h >> np.uint64(18)) & mask)
    third = (first + step + step) ^ (h & mask)
    return first.view(np.int64), second.view(np.int64), third.view(np.int64)


def _fingerprint(h: Keys) -> Words:
    return ((h >> np.uint64(7)) ^ (h >> np.uint64(41))).astype(np.uint32) << np.uint32(VALUE_BITS)


def look_up(words: Words, keys: Keys) -> tuple[Bools, Words]:
    """Whether each key is in the table, and its value (rubbish where it is not)."""
    h = _mixed(keys)
    a, b, c = _places(h, _Shape.of(len(words)))
    entry = words.take(a)
    entry ^= words.take(b)
    entry ^= words.take(c)
    entry ^= _fingerprint(h)
    return entry <= VALUE_MASK, entry


def for_native(words: Words) -> native.Table:
    """What `kernels.c` has to know of a table. The caller keeps ``words``."""
    shape = _Shape.of(len(words))
    return native.Table(native.address(words), shape.segment_bits, shape.segments)


def build(keys: Keys, values: Words) -> Words:
    """The table of distinct ``keys``.

    Raises ValueError if a value is too large or a key repeats.
    """
    if len(values) and values.max() > VALUE_MASK:
        raise ValueError(f"a value exceeds {VALUE_MASK}")
    h = _mixed(keys)
    n_words = int(len(keys) * _OVERHEAD) + 64
    for _ in range(20):
        shape = _shape_for(n_words)
        order = _peeled(h, shape)
        if order is not None:
            return _filled(h, values, shape, order)
        n_words = int(n_words * 1.02) + 64
    raise ValueError("no solvable table: are the keys distinct?")


def _shape_for(n_words: int) -> _Shape:
    bits = _segment_bits(n_words)
    while True:
        shape = _Shape(bits, max(1, -(-n_words >> bits) - 2 + 1))
        if _Shape.of(shape.words) == shape:
            return shape
        n_words += 1 << bits
        bits = _segment_bits(n_words)


def _peeled(h: Keys, shape: _Shape) -> list[tuple[Ints, Ints]] | None:
    """Rounds of (key number, word that it alone still uses); None if the graph has a core."""
    places = np.stack(_places(h, shape))
    degree = np.bincount(places.ravel(), minlength=shape.words)
    numbers = np.arange(len(h))
    owner = np.zeros(shape.words, dtype=np.int64)  # exclusive or of the keys that use the word
    for row in places:
        np.bitwise_xor.at(owner, row, numbers)
    order = []
    left = len(h)
    free = np.flatnonzero(degree == 1)
    while len(free):
        key, first = np.unique(owner[free], return_index=True)
        order.append((key, free[first]))
        left -= len(key)
        touched = places[:, key].ravel()
        np.subtract.at(degree, touched, 1)
        np.bitwise_xor.at(owner, touched, np.tile(key, 3))
        free = np.unique(touched[degree[touched] == 1])
    return order if left == 0 else None


def _filled(h: Keys, values: Words, shape: _Shape, order: list[tuple[Ints, Ints]]) -> Words:
    words = np.zeros(shape.words, dtype=np.uint32)
    for key, word in reversed(order):
        a, b, c = _places(h[key], shape)
        entry = values[key] ^ _fingerprint(h[key])
        words[word] = 0
        words[word] = entry ^ words[a] ^ words[b] ^ words[c]
    return words
