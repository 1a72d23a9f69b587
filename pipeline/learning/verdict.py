"""Whether a tool has a pair in its list, given all that was seen of it."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.learning.evidence import Counts, Evidence, rises
from pipeline.model.arrays import Bools, Doubles, Ints
from pipeline.model.channel import NOBODY, Channel
from pipeline.model.odds import probability

LEAST = 0.9
"""Probability from which on a pair is believed. Of 130 pairs that pages by tools with one list had
taught, besides what copies proved, 94 in 100 were right; from 0.8 on 91, of 162. (The weights were
fitted with models of format 5, which suspected less.)
"""

LEAST_TIMES, LEAST_DOCUMENTS = 0.5, 2
"""Of what is weighed at all."""


class Features(NamedTuple):
    """Of pairs: numbers in one, weights in another."""

    documents: Any
    """Log of the documents that hold it."""
    portion: Any
    """Log of their share of all that were read."""
    share: Any
    """Of the places where the surface stands, those where this original is expected."""
    dominance: Any
    """Share of this original among all that are expected for the surface."""
    rise_original: Any
    """Nats by which suspects write the original oftener than others: a tool takes it away."""
    gain: Any
    """Of the language model, in units of five nats."""
    prior: Any
    """Log prior in the channel that read the pages."""
    unheard: Any
    """1 if the back-off has not got it."""
    single: Any
    """1 if the surface is one character: then it is part of another, more often than not."""
    uneven: Any
    """1 if surface and original differ in length, as one in 25 of the pairs of lists does."""
    shared: Any
    """1 if they have a character in common."""
    surface_elsewhere: Any
    """Log of how often the surface stands in a million characters that nothing is suspected of."""
    spread: Any
    """Documents for each expected substitution."""
    original_elsewhere: Any
    constant: Any


WEIGHTS = Features(
    documents=0.47,
    portion=0.42,
    share=0.39,
    dominance=1.97,
    rise_original=-0.83,
    gain=2.68,
    prior=0.27,
    unheard=-2.06,
    single=-3.67,
    uneven=-2.30,
    shared=1.27,
    surface_elsewhere=0.45,
    spread=-0.30,
    original_elsewhere=-1.02,
    constant=0.53,
)
"""A logistic regression on 50,130 pairs in pages spun by tools with one list each, which the model
had forgotten: eight lists, 200 to 3,000 pages at rates of 8% to 15%, two or three rounds each; 45%
of the pairs were the tool's."""


def believed(
    channel: Channel, found: Evidence, own: Counts, elsewhere: Counts
) -> tuple[Ints, Doubles]:
    """Rows of the channel that are worth weighing, and how likely each is a tool's."""
    rise = rises(own.of_term, own.chars, elsewhere.of_term, elsewhere.chars)
    # A tool's surface stands oftener where it was at work: a word that does not is nobody's.
    rows = np.flatnonzero(
        (found.settled >= LEAST_TIMES)
        & (found.documents >= LEAST_DOCUMENTS)
        & (rise[channel.surface] > 0)
    )
    features = _features(channel, found, own, elsewhere, rise, rows)
    return rows, probability(features @ np.array(WEIGHTS))


def _features(
    channel: Channel,
    found: Evidence,
    own: Counts,
    elsewhere: Counts,
    rise: Doubles,
    rows: Ints,
) -> Doubles:
    surface, original = channel.surface, channel.original[rows]
    whole = np.bincount(surface, found.settled, len(channel.terms))
    surface = surface[rows]
    times, documents = found.settled[rows], found.documents[rows]
    million = 1e6 / max(1, elsewhere.chars)

    def one(truth: Bools) -> Doubles:
        return truth.astype(np.float64)

    columns = Features(
        documents=np.log(documents),
        portion=np.log(documents / max(1, found.read)),
        share=np.minimum(1.0, times / np.maximum(own.of_term[surface], 1)),
        dominance=times / np.maximum(whole[surface], 1e-9),
        rise_original=np.clip(rise[original], -2.0, 2.0),
        gain=np.clip(found.gain[rows], -5.0, 15.0) / 5,
        prior=channel.log_prior[rows],
        unheard=one(channel.log_backoff[rows] <= NOBODY + 1),
        single=one(channel.length[surface] == 1),
        uneven=one(channel.length[surface] != channel.length[original]),
        shared=one(channel.shared(surface, original) > 0),
        surface_elsewhere=np.log(elsewhere.of_term[surface] * million + 0.5),
        spread=documents / np.maximum(times, 1e-9),
        original_elsewhere=np.log(elsewhere.of_term[original] * million + 0.5),
        constant=np.ones(len(rows)),
    )
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
