"""The substitution channel: which surfaces a spinner may have written, and for which originals."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.model import static_table
from pipeline.model.alphabet import N_CLASSES, UNKNOWN, Alphabet
from pipeline.model.arrays import Bools, Floats, Ids, Ints, Keys, Words
from pipeline.model.ngrams import NgramModel

MAX_LENGTH = 6
"""Longest surface and original, in characters: 99.9% of the pairs of real spinners fit."""

_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_BITMAP_BITS = 20

N_FAMILIES = 32
"""Bits of `Pair.family`."""


class Pair(NamedTuple):
    """What is known of one substitution."""

    log_prior: float = 0.0
    family: int = 0
    """One bit for each family of spinners that knows it."""


class Matches(NamedTuple):
    """Every occurrence of a known term: ``ids[start : start + length]`` is term ``term``."""

    start: Ints
    term: Ints


class Channel:
    """Terms, and for those that are surfaces, the originals they may stand for.

    Pairs of surface term ``t`` are rows ``pair_start[t] : pair_start[t + 1]`` of ``original`` (a
    term number), ``log_prior`` (nats) and ``family`` (bit ``f`` is set if spinners of family ``f``
    know the pair).
    """

    def __init__(
        self,
        alphabet: Alphabet,
        terms: list[str],
        pair_start: Ints,
        original: Ints,
        log_prior: Floats,
        family: Words,
        frequency: Floats,
    ) -> None:
        self.terms = terms
        self.pair_start = pair_start
        self.original = original
        self.log_prior = log_prior
        self.family = family
        self.frequency = frequency
        self.length = np.array([len(t) for t in terms], dtype=np.int64)
        flat = alphabet.ids("".join(terms))
        starts = np.cumsum(self.length) - self.length
        columns = np.arange(MAX_LENGTH)
        inside = columns < self.length[:, None]
        self.ids = np.where(inside, flat[np.minimum(starts[:, None] + columns, len(flat) - 1)], 0)
        self._index()

    def shared(self, a: Ints, b: Ints) -> Ints:
        """How many characters of each term of ``a`` stand in the aligned term of ``b``."""
        common = np.zeros(len(a), dtype=np.int64)
        for i in range(MAX_LENGTH):
            own = self.ids[a, i]
            common += (own != 0) & (self.ids[b] == own[:, None]).any(axis=1)
        return common

    @property
    def is_surface(self) -> Bools:
        return self.pair_start[1:] > self.pair_start[:-1]

    @classmethod
    def of_pairs(cls, model: NgramModel, pairs: Mapping[tuple[str, str], Pair]) -> "Channel":
        """The channel of ``{(original, surface): what is known of the pair}``."""
        alphabet = model.alphabet
        kept = {
            (surface, original): known
            for (original, surface), known in pairs.items()
            if original != surface
            and max(len(original), len(surface)) <= MAX_LENGTH
            and (alphabet.ids(original + surface) >= N_CLASSES).all()
        }
        terms = sorted({term for pair in kept for term in pair})
        number = {term: i for i, term in enumerate(terms)}
        rows = sorted(kept)
        counts = np.bincount([number[s] for s, _ in rows], minlength=len(terms))
        return cls(
            alphabet,
            terms,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.array([number[o] for _, o in rows], dtype=np.int64),
            np.array([kept[row].log_prior for row in rows], dtype=np.float32),
            np.array([kept[row].family for row in rows], dtype=np.uint32),
            _frequencies(model, terms),
        )

    def _index(self) -> None:
        keys = np.zeros(len(self.terms), dtype=np.uint64)
        two = np.zeros(len(self.terms), dtype=np.uint64)
        for i in range(MAX_LENGTH):
            inside = self.length > i
            keys[inside] = _rolled(keys[inside], self.ids[inside, i])
            if i == 1:
                two = keys.copy()
        self._words = static_table.build(
            keys ^ self.length.astype(np.uint64), np.arange(len(self.terms), dtype=np.uint32)
        )
        self._bitmaps = np.zeros((MAX_LENGTH + 1, 1 << _BITMAP_BITS), dtype=np.bool_)
        for n in range(2, MAX_LENGTH + 1):
            self._bitmaps[n, _slot(two[self.length == n])] = True

    def matches(self, ids: Ids) -> Matches:
        """All occurrences of all terms, overlapping ones too, by start and then by length.

        Three quarters of all positions are ruled out by one look at their first two characters.
        """
        starts, terms = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        keys = _rolled(np.zeros(len(ids), dtype=np.uint64), ids)
        first_two = _slot(_rolled(keys[:-1], ids[1:]))
        for n in range(1, MAX_LENGTH + 1):
            if len(ids) < n:
                break
            at = np.arange(len(ids)) if n == 1 else np.flatnonzero(self._bitmaps[n, first_two])
            at = at[at <= len(ids) - n]
            key = np.zeros(len(at), dtype=np.uint64)
            for i in range(n):
                key = _rolled(key, ids[at + i])
            found, term = static_table.look_up(self._words, key ^ np.uint64(n))
            at, term = at[found], term[found]
            real = (term < len(self.terms)) & (
                self.length[np.minimum(term, len(self.terms) - 1)] == n
            )
            at, term = at[real], term[real]
            same = (self.ids[term, :n] == ids[at[:, None] + np.arange(n)]).all(axis=1)
            starts.append(at[same])
            terms.append(term[same].astype(np.int64))
        start, found_term = np.concatenate(starts), np.concatenate(terms)
        order = np.argsort(start, kind="stable")
        return Matches(start[order], found_term[order])

    def save(self, directory: Path) -> None:
        np.savez(
            directory / "channel.npz",
            terms=np.frombuffer("\n".join(self.terms).encode(), dtype=np.uint8),
            pair_start=self.pair_start,
            original=self.original,
            log_prior=self.log_prior,
            family=self.family,
            frequency=self.frequency,
        )

    @classmethod
    def load(cls, directory: Path, alphabet: Alphabet) -> "Channel":
        with np.load(directory / "channel.npz") as arrays:
            return cls(
                alphabet,
                arrays["terms"].tobytes().decode().split("\n"),
                arrays["pair_start"],
                arrays["original"],
                arrays["log_prior"],
                arrays["family"],
                arrays["frequency"],
            )


def _frequencies(model: NgramModel, terms: list[str]) -> Floats:
    """Log probability of each term out of any context."""
    rows = np.stack([np.pad(model.alphabet.ids(t), (1, MAX_LENGTH - len(t))) for t in terms])
    rows[:, 0] = UNKNOWN
    scores = model.log_probs(rows)
    inside = np.arange(MAX_LENGTH + 1) <= np.array([len(t) for t in terms])[:, None]
    total: Floats = np.where(inside, scores, 0)[:, 1:].sum(axis=1).astype(np.float32)
    return total


def _rolled(keys: Keys, ids: Ids) -> Keys:
    return (keys + ids + np.uint64(1)) * _MULTIPLIER


def _slot(keys: Keys) -> Ints:
    return (keys >> np.uint64(64 - _BITMAP_BITS)).astype(np.int64)
