"""What suspected pages say of every pair that the channel tries, summed up over all of them.

One page proves little: that 进步 stands where 提高 would fit better happens to good writers. That
it does so on twenty pages where all else is odd, and far oftener than elsewhere, does not.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.model.arrays import Doubles, Ints
from pipeline.model.channel import Channel
from pipeline.model.odds import probability
from pipeline.model.scorer import Scorer
from pipeline.model.sites import batch_of

BATCH_CHARS = 200_000

SUPPORT = 0.25
"""Least probability of a pair at a site for its document to count as one that holds it."""

ROUNDS = 8
"""Of settling which original each surface stands for: nothing moves after five or six."""


class Counts(NamedTuple):
    """Of the terms of a channel in some texts."""

    of_term: Ints
    """Occurrences."""
    chars: int


class Evidence(NamedTuple):
    """Of the pairs of a channel, aligned with them, in some texts that were read."""

    expected: Doubles
    """How many substitutions, by the probabilities of the sites."""
    settled: Doubles
    """The same if each surface stands for as few originals as explain all of its sites."""
    tried: Ints
    """Sites at which the original was weighed at all."""
    documents: Ints
    """In which one site or more is at SUPPORT."""
    gain: Doubles
    """Nats that the language model gains by the original, on average over `settled`."""
    read: int
    """Texts."""


def counted(channel: Channel, scorer: Scorer, texts: Sequence[str]) -> Counts:
    total = np.zeros(len(channel.terms), dtype=np.int64)
    chars = 0
    for batch in batches(texts):
        ids = batch_of(scorer.ngrams, batch).ids
        total += np.bincount(channel.matches(ids).term, minlength=len(total))
        chars += sum(map(len, batch))
    return Counts(total, chars)


class Sites(NamedTuple):
    """Candidates of sites, aligned: number of the site, its probability, pair, and gain."""

    site: Ints
    p: Doubles
    pair: Ints
    gain: Doubles
    share: Doubles
    document: Ints


def weighed(channel: Channel, found: Sites, texts: int) -> Evidence:
    """What the sites of so many texts say together."""
    n = len(channel.original)
    chance = found.p * found.share
    settled = _settled(found, channel)
    strong = chance >= SUPPORT
    held = np.unique(found.document[strong] * n + found.pair[strong])
    total = np.asarray(np.bincount(found.pair, settled, n), dtype=np.float64)
    gain = np.bincount(found.pair, settled * found.gain, n)
    expected = np.asarray(np.bincount(found.pair, chance, n), dtype=np.float64)
    return Evidence(
        expected,
        total,
        np.bincount(found.pair, minlength=n),
        np.bincount(held % n, minlength=n),
        gain / np.maximum(total, 1e-9),
        texts,
    )


def read_sites(scorer: Scorer, texts: Sequence[str]) -> tuple[Sites, Doubles]:
    """All sites of all texts, each text read, whatever the first look says; and of each text the
    log odds of the generative model that it is spun.
    """
    parts: list[Sites] = []
    spun: list[Doubles] = []
    sites = documents = 0
    for batch in batches(texts):
        read, log_odds = scorer.decide(scorer.read(batch))
        found = read.found
        of = found.candidates
        p = probability(log_odds)
        parts.append(
            Sites(
                of.site + sites,
                p[of.site],
                of.pair,
                of.gain.astype(np.float64),
                found.best.share.astype(np.float64),
                found.sites.document[of.site] + documents,
            )
        )
        spun.append(read.posterior.spun)
        sites += len(p)
        documents += len(batch)
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        empty = np.zeros(0)
        return Sites(none, empty, none, empty, empty, none), empty
    return Sites(*map(np.concatenate, zip(*parts, strict=True))), np.concatenate(spun)


def _settled(found: Sites, channel: Channel) -> Doubles:
    """Of each candidate the chance that its original stood there, given what stands at all other
    sites of the surface: expectation maximisation over which originals a surface is written for.
    """
    n = len(channel.original)
    surface = np.repeat(np.arange(len(channel.terms)), np.diff(channel.pair_start))
    size = int(found.site.max(initial=-1)) + 1
    likely = np.exp(np.clip(found.gain, -30.0, 30.0))
    chance = found.p * found.share
    for _ in range(ROUNDS):
        of_pair = np.bincount(found.pair, chance, n)
        whole = np.bincount(surface, of_pair, len(channel.terms))
        habit = of_pair / np.maximum(whole[surface], 1e-9)
        weight = habit[found.pair] * likely
        total = np.bincount(found.site, weight, size)
        chance = found.p * weight / np.maximum(total[found.site], 1e-30)
    return chance


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    held = 0
    for text in texts:
        batch.append(text)
        held += len(text)
        if held >= BATCH_CHARS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def rises(own: Ints, chars: int, others: Ints, other_chars: int) -> Doubles:
    """Log ratio of the rates of terms in two corpora, with as much doubt as their numbers leave:
    the lower end of an interval of one standard deviation, 0 within it.

    Rates of rare events: the variance of the log of a count ``n`` is about ``1 / n``.
    """
    a, b = own + 0.5, others + 0.5
    ratio = np.log(a / max(1, chars)) - np.log(b / max(1, other_chars))
    doubt = np.sqrt(1 / a + 1 / b)
    found: Doubles = np.sign(ratio) * np.maximum(0.0, np.abs(ratio) - doubt)
    return found
