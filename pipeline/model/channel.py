"""The substitution channel: which surfaces a spinner may have written, and for which originals."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.model import native, static_table
from pipeline.model.alphabet import N_CLASSES, UNKNOWN, Alphabet
from pipeline.model.arrays import Bools, Flags, Floats, Ids, Ints, Keys
from pipeline.model.ngrams import NgramModel

MAX_LENGTH = 6
"""Longest surface and original, in characters: 99.9% of the pairs of real spinners fit."""

_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_BITMAP_BITS = 20

N_FAMILIES = 16
"""Bits of `Pair.family`."""

N_LISTS = 14
"""The first so many bits are word lists of real spinners, or pairs seen on real pages."""
LEARNED = 12
"""The bit of pairs that a corpus has taught (`learning`)."""
EMBEDDING, RELATED = 14, 15
"""The bits of pairs that are near in an embedding, and of synonyms and antonyms."""

LISTED = np.uint16((1 << N_LISTS) - 1)
NOBODY = -30.0
"""Log prior of a pair that only a list would suggest, where that list is left out."""


class Pair(NamedTuple):
    """What is known of one substitution."""

    log_prior: float = 0.0
    """log P(a spinner writes this surface | it replaces this original), nats."""
    family: int = 1
    """One bit for each family of spinners that knows it."""
    log_backoff: float = NOBODY
    """The same if no list were known."""


class Matches(NamedTuple):
    """Every occurrence of a known term: ``ids[start : start + length]`` is term ``term``."""

    start: Ints
    term: Ints


class Channel:
    """Terms, and for those that are surfaces, the originals they may stand for.

    Pairs of surface term ``t`` are rows ``pair_start[t] : pair_start[t + 1]`` of ``original`` (a
    term number) and of the arrays named like the fields of `Pair`. ``has_listed`` says of each term
    whether a list gives it as the substitute of anything.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        terms: list[str],
        pair_start: Ints,
        original: Ints,
        log_prior: Floats,
        family: Flags,
        log_backoff: Floats,
        frequency: Floats,
    ) -> None:
        self.alphabet = alphabet
        self.terms = terms
        self.pair_start = pair_start
        self.original = original
        self.log_prior = log_prior
        self.family = family
        self.log_backoff = log_backoff
        self.frequency = frequency
        self.length = np.array([len(t) for t in terms], dtype=np.int64)
        flat = alphabet.ids("".join(terms))
        starts = np.cumsum(self.length) - self.length
        columns = np.arange(MAX_LENGTH)
        inside = columns < self.length[:, None]
        self.is_listed = family & LISTED > 0
        listed = np.append(0, np.cumsum(self.is_listed))
        self.has_listed = listed[pair_start[1:]] > listed[pair_start[:-1]]
        self.ids = np.where(inside, flat[np.minimum(starts[:, None] + columns, len(flat) - 1)], 0)
        self.last = self.ids[np.arange(len(terms)), self.length - 1]
        self._index()

    def shared(self, a: Ints, b: Ints) -> Ints:
        """How many characters of each term of ``a`` stand in the aligned term of ``b``."""
        common = np.zeros(len(a), dtype=np.int64)
        for i in range(MAX_LENGTH):
            own = self.ids[a, i]
            common += (own != 0) & (self.ids[b] == own[:, None]).any(axis=1)
        return common

    @cached_property
    def terms_column(self) -> pa.StringArray:
        """The terms as an Arrow column, which hands out thousands of them at once."""
        return pa.array(self.terms, pa.string())

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
        return cls.of_arrays(
            model,
            terms,
            np.array([number[s] for s, _ in rows], dtype=np.int64),
            np.array([number[o] for _, o in rows], dtype=np.int64),
            np.array([kept[row].log_prior for row in rows], dtype=np.float32),
            np.array([kept[row].family for row in rows], dtype=np.uint16),
            np.array([kept[row].log_backoff for row in rows], dtype=np.float32),
        )

    @classmethod
    def of_arrays(
        cls,
        model: NgramModel,
        terms: list[str],
        surface: Ints,
        original: Ints,
        log_prior: Floats,
        family: Flags,
        log_backoff: Floats,
    ) -> "Channel":
        """The channel of aligned arrays, one entry a pair, sorted by surface."""
        counts = np.bincount(surface, minlength=len(terms))
        return cls(
            model.alphabet,
            terms,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            original,
            log_prior,
            family,
            log_backoff,
            _frequencies(model, terms),
        )

    def taught(self, model: NgramModel, learned: Mapping[tuple[str, str], float]) -> "Channel":
        """The channel that knows more: ``{(original, surface): log prior}`` of pairs as of a list.

        What was known of a pair is kept: the prior of one that is known is that of both together.
        Pairs with a character outside of the alphabet, or longer than MAX_LENGTH, are left out.
        """
        new = Channel.of_pairs(
            model, {pair: Pair(prior, 1 << LEARNED) for pair, prior in learned.items()}
        )
        terms = sorted({*self.terms, *new.terms})
        number = {term: at for at, term in enumerate(terms)}
        columns = [
            (of[one.surface], of[one.original], one.log_prior, one.family, one.log_backoff)
            for one in (self, new)
            for of in [np.array([number[term] for term in one.terms], dtype=np.int64)]
        ]
        return Channel.of_arrays(model, terms, *_merged(*columns))

    def trying(
        self, model: NgramModel, original: Ints, surface: Ints, log_prior: Floats
    ) -> "Channel":
        """The channel with more pairs of its own terms, of which no list knows anything."""
        nothing = np.zeros(len(original), dtype=self.family.dtype)
        nobody = np.full(len(original), NOBODY, dtype=np.float32)
        own = (self.surface, self.original, self.log_prior, self.family, self.log_backoff)
        more = (surface, original, log_prior.astype(np.float32), nothing, nobody)
        return Channel.of_arrays(model, self.terms, *_merged(own, more))

    def restricted(self, kept: Bools) -> "Channel":
        """The channel of some of the pairs: those whose entry in ``kept`` is true."""
        return self._with(kept, self.log_prior, self.family)

    def forgetting(self, unlisted: Bools) -> "Channel":
        """The channel as if no list had held the pairs of ``unlisted``."""
        return self._listed_as(np.where(unlisted, self.family & ~LISTED, self.family))

    def knowing(self, lists: Iterable[int]) -> "Channel":
        """The channel as if there were only the lists of these bits."""
        others = int(LISTED) & ~sum(1 << bit for bit in lists)
        return self._listed_as(self.family & np.uint16(~others & 0xFFFF))

    def _listed_as(self, family: Flags) -> "Channel":
        """The channel with these families: some pairs may be in no list any more."""
        unlisted = self.is_listed & (family & LISTED == 0)
        log_prior = np.where(unlisted, self.log_backoff, self.log_prior).astype(np.float32)
        return self._with(log_prior > NOBODY, log_prior, family.astype(np.uint16))

    def _with(self, kept: Bools, log_prior: Floats, family: Flags) -> "Channel":
        surface = self.surface[kept]
        used = np.zeros(len(self.terms), dtype=np.bool_)
        used[surface] = True
        used[self.original[kept]] = True
        number = np.cumsum(used) - 1
        counts = np.bincount(number[surface], minlength=int(used.sum()))
        return Channel(
            self.alphabet,
            [term for term, use in zip(self.terms, used, strict=True) if use],
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            number[self.original[kept]],
            log_prior[kept],
            family[kept],
            self.log_backoff[kept],
            self.frequency[used],
        )

    @property
    def surface(self) -> Ints:
        """Term of each pair's surface."""
        return np.repeat(np.arange(len(self.terms)), np.diff(self.pair_start))

    def pairs(self) -> list[tuple[str, str]]:
        """(original, surface) of every pair, in order."""
        return self.pairs_at(np.arange(len(self.original)))

    def pairs_at(self, rows: Ints) -> list[tuple[str, str]]:
        """(original, surface) of some pairs."""
        surface = np.searchsorted(self.pair_start, rows, side="right") - 1
        return [
            (self.terms[o], self.terms[s])
            for o, s in zip(self.original[rows].tolist(), surface.tolist(), strict=True)
        ]

    @cached_property
    def listed_pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset(self.pairs_at(np.flatnonzero(self.is_listed)))

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
        bits = np.uint8(1) << np.arange(MAX_LENGTH + 1, dtype=np.uint8)
        self.held = native.Held(
            native.Channel,
            {
                "words": static_table.for_native(self._words),
                "lengths_of": bits @ self._bitmaps.view(np.uint8),
                "n_terms": len(self.terms),
                "length": self.length,
                "ids": np.ascontiguousarray(self.ids),
                "last": np.ascontiguousarray(self.last),
                "frequency": np.ascontiguousarray(self.frequency, dtype=np.float32),
                "pair_start": np.ascontiguousarray(self.pair_start, dtype=np.int64),
                "original": np.ascontiguousarray(self.original, dtype=np.int64),
                "log_prior": np.ascontiguousarray(self.log_prior, dtype=np.float32),
                "is_listed": np.ascontiguousarray(self.is_listed),
            },
        )

    def matches(self, ids: Ids, places: Ints | None = None) -> Matches:
        """All occurrences of all terms, overlapping ones too, by start and then by length; or those
        that start at one of ``places``, which are in order.

        Three quarters of all positions are ruled out by one look at their first two characters.
        """
        none = np.zeros(0, dtype=np.int64)
        if not self.terms or not len(ids):
            return Matches(none, none)
        if native.library is not None:
            return Matches(*native.matches(self.held, ids, places))
        every = np.arange(len(ids)) if places is None else places
        starts, terms = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        keys = _rolled(np.zeros(len(ids), dtype=np.uint64), ids)
        two = np.minimum(every, len(ids) - 2)
        first_two = _slot(_rolled(keys[two], ids[two + 1]))
        for n in range(1, MAX_LENGTH + 1):
            if len(ids) < n:
                break
            at = every if n == 1 else every[self._bitmaps[n, first_two]]
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
        np.savez_compressed(
            directory / "channel.npz",
            terms=np.frombuffer("\n".join(self.terms).encode(), dtype=np.uint8),
            pair_start=self.pair_start.astype(np.uint32),
            original=self.original.astype(np.uint32),
            log_prior=self.log_prior.astype(np.float16),
            family=self.family,
            log_backoff=self.log_backoff.astype(np.float16),
            frequency=self.frequency,
        )

    @classmethod
    def load(cls, directory: Path, alphabet: Alphabet) -> "Channel":
        with np.load(directory / "channel.npz") as arrays:
            return cls(
                alphabet,
                arrays["terms"].tobytes().decode().split("\n"),
                arrays["pair_start"].astype(np.int64),
                arrays["original"].astype(np.int64),
                arrays["log_prior"].astype(np.float32),
                arrays["family"],
                arrays["log_backoff"].astype(np.float32),
                arrays["frequency"],
            )


_Pairs = tuple[Ints, Ints, Floats, Flags, Floats]
"""Surface and original, terms; log prior, family, log prior of the back-off."""


def _merged(one: _Pairs, other: _Pairs) -> _Pairs:
    """Pairs of both, sorted; those that both have, once."""
    surface = np.concatenate([one[0], other[0]])
    original = np.concatenate([one[1], other[1]])
    log_prior = np.concatenate([one[2], other[2]])
    family = np.concatenate([one[3], other[3]])
    log_backoff = np.concatenate([one[4], other[4]])
    order = np.lexsort((original, surface))
    surface, original = surface[order], original[order]
    is_new = (surface[1:] != surface[:-1]) | (original[1:] != original[:-1])
    first = np.flatnonzero(np.append(True, is_new)[: len(surface)])
    return (
        surface[first],
        original[first],
        np.logaddexp.reduceat(log_prior[order], first),
        np.bitwise_or.reduceat(family[order], first),
        np.maximum.reduceat(log_backoff[order], first),
    )


def _frequencies(model: NgramModel, terms: list[str]) -> Floats:
    """Log probability of each term out of any context."""
    if not terms:
        return np.zeros(0, dtype=np.float32)
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
