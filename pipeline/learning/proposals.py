"""Originals for the surfaces of a tool that the channel does not know, or not for them.

A surface that suspected pages write far oftener than others is a tool's, whatever it stands for.
What it stands for is near in meaning: the originals that the channel knows for it, and their
neighbours. The language model then tells, over all places where the surface stands, which fits.
"""

import numpy as np

from pipeline.learning.evidence import Counts, rises
from pipeline.model.arrays import Doubles, Ints
from pipeline.model.channel import Channel
from pipeline.model.ngrams import NgramModel

LEAST_RISE = 0.7
"""Nats by which suspected pages must write a surface oftener, with the doubt that few leave."""
LEAST_TIMES = 3
MOST_SURFACES = 4_000
MOST_ORIGINALS = 300
"""Of one surface: each costs a look-up wherever it stands."""
LONGER = -3.0
"""Log prior of an original that is longer or shorter than its surface, beside one as long: of the
pairs of eight lists 96 in 100 are as long. Chosen by hand, like TRIED and KNOWN_AS_OFTEN."""
TRIED = -1.5
"""Of any that the channel does not know, beside what the way to it is worth."""
KNOWN_AS_OFTEN = 0.3
"""An original is an ordinary word: unsuspected pages write it at least so often, beside the
surface. A tool puts the odd word for the common one."""


def widened(channel: Channel, model: NgramModel, own: Counts, others: Counts) -> Channel:
    """The channel with pairs to try besides its own. Terms keep their numbers."""
    rise = rises(own.of_term, own.chars, others.of_term, others.chars)
    odd = np.flatnonzero((rise >= LEAST_RISE) & (own.of_term >= LEAST_TIMES))
    odd = np.sort(odd[np.argsort(-(rise * own.of_term)[odd], kind="stable")][:MOST_SURFACES])
    first, neighbour, weight = _neighbours(channel)
    found = [
        _around(channel, term, first, neighbour, weight, others.of_term) for term in odd.tolist()
    ]
    if not found:
        return channel
    original, prior = (np.concatenate(columns) for columns in zip(*found, strict=True))
    surface = np.repeat(odd, [len(terms) for terms, _ in found])
    return channel.trying(model, original, surface, prior)


def _neighbours(channel: Channel) -> tuple[Ints, Ints, Doubles]:
    """Every term's, in either role, and their weights: those of ``t`` from ``first[t]`` on."""
    one = np.concatenate([channel.surface, channel.original])
    other = np.concatenate([channel.original, channel.surface])
    weight = np.tile(np.exp(np.maximum(channel.log_prior, channel.log_backoff)), 2).astype(float)
    order = np.lexsort((other, one))
    first = np.searchsorted(one[order], np.arange(len(channel.terms) + 1))
    return first, other[order], weight[order]


def _around(
    channel: Channel, term: int, first: Ints, neighbour: Ints, weight: Doubles, elsewhere: Ints
) -> tuple[Ints, Doubles]:
    """The nearest terms within two steps, those that are common enough to have been written, and
    their log priors.
    """
    near = slice(first[term], first[term + 1])
    steps = [(neighbour[near], weight[near])]
    for via, chance in zip(neighbour[near].tolist(), weight[near].tolist(), strict=True):
        far = slice(first[via], first[via + 1])
        steps.append((neighbour[far], weight[far] * chance))
    terms, number = np.unique(np.concatenate([t for t, _ in steps]), return_inverse=True)
    total = np.bincount(number, np.concatenate([w for _, w in steps]), len(terms))
    length = channel.length
    kept = (terms != term) & (elsewhere[terms] >= KNOWN_AS_OFTEN * elsewhere[term])
    kept &= (length[terms] > 1) | (length[term] == 1)
    terms, total = terms[kept], total[kept]
    prior = np.log(total) + TRIED + np.where(length[terms] == length[term], 0.0, LONGER)
    best = np.argsort(-prior, kind="stable")[:MOST_ORIGINALS]
    return terms[best], prior[best]
