"""The substitution channel: which surfaces a spinner may have written, and for which originals."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.model import static_table
from pipeline.model.alphabet import N_CLASSES, UNKNOWN, Alphabet, Ids
from pipeline.model.ngrams import NgramModel

MAX_LENGTH = 6
"""Longest surface and original, in characters: 99.9% of the pairs of real spinners fit."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_BITMAP_BITS = 20


class Matches(NamedTuple):
    """Every occurrence of a known term: ``ids[start : start + length]`` is term ``term``."""

    start: npt.NDArray[np.int64]
    term: Ints


class Channel:
    """Terms, and for those that are surfaces, the originals they may stand for.

    Pairs of surface term ``t`` are rows ``pair_start[t] : pair_start[t + 1]`` of ``original`` (a term
    number) and ``log_prior`` (nats).
    """

    def __init__(
        self,
        alphabet: Alphabet,
        terms: list[str],
        pair_start: Ints,
        original: Ints,
        log_prior: Floats,
        frequency: Floats,
    ) -> None:
        self.terms = terms
        self.pair_start = pair_start
        self.original = original
        self.log_prior = log_prior
        self.frequency = frequency
        self.length = np.array([len(t) for t in terms], dtype=np.int32)
        flat = alphabet.ids("".join(terms))
        starts = np.cumsum(self.length) - self.length
        columns = np.arange(MAX_LENGTH)
        inside = columns < self.length[:, None]
        self.ids = np.where(inside, flat[np.minimum(starts[:, None] + columns, len(flat) - 1)], 0)
        self._index()

    def shared(self, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> Ints:
        """How many characters of each term of ``a`` stand in the aligned term of ``b``."""
        common = np.zeros(len(a), dtype=np.int32)
        for i in range(MAX_LENGTH):
            own = self.ids[a, i]
            common += (own != 0) & (self.ids[b] == own[:, None]).any(axis=1)
        return common

    @property
    def is_surface(self) -> npt.NDArray[np.bool_]:
        return self.pair_start[1:] > self.pair_start[:-1]

    @classmethod
    def of_pairs(
        cls, model: NgramModel, pairs: Mapping[tuple[str, str], float]
    ) -> "Channel":
        """The channel of ``{(original, surface): log prior}``."""
        alphabet = model.alphabet
        kept = {
            (surface, original): prior
            for (original, surface), prior in pairs.items()
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
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            np.array([number[o] for _, o in rows], dtype=np.int32),
            np.array([kept[row] for row in rows], dtype=np.float32),
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
        """All occurrences of all terms, overlapping ones too, by start and then by length."""
        starts, terms = [], []
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
            real = (term < len(self.terms)) & (self.length[np.minimum(term, len(self.terms) - 1)] == n)
            at, term = at[real], term[real]
            same = (self.ids[term, :n] == ids[at[:, None] + np.arange(n)]).all(axis=1)
            starts.append(at[same])
            terms.append(term[same])
        start, found_term = np.concatenate(starts), np.concatenate(terms).astype(np.int32)
        order = np.argsort(start, kind="stable")
        return Matches(start[order], found_term[order])

    def save(self, directory: Path) -> None:
        np.savez(
            directory / "channel.npz",
            terms=np.frombuffer("\n".join(self.terms).encode(), dtype=np.uint8),
            pair_start=self.pair_start,
            original=self.original,
            log_prior=self.log_prior,
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
                arrays["frequency"],
            )


def _frequencies(model: NgramModel, terms: list[str]) -> Floats:
    """Log probability of each term out of any context."""
    rows = np.stack([np.pad(model.alphabet.ids(t), (1, MAX_LENGTH - len(t))) for t in terms])
    rows[:, 0] = UNKNOWN
    scores = model.log_probs(rows)
    inside = np.arange(MAX_LENGTH + 1) <= np.array([len(t) for t in terms])[:, None]
    return np.where(inside, scores, 0)[:, 1:].sum(axis=1).astype(np.float32)


def _rolled(keys: static_table.Keys, ids: Ids) -> static_table.Keys:
    return (keys + ids + np.uint64(1)) * _MULTIPLIER


def _slot(keys: static_table.Keys) -> npt.NDArray[np.int64]:
    return (keys >> np.uint64(64 - _BITMAP_BITS)).astype(np.int64)
