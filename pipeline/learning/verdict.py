"""Whether a tool has a pair in its list, given all that was seen of it."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.learning.evidence import Counts, Evidence, rises
from pipeline.model.arrays import Bools, Doubles, Ints
from pipeline.model.channel import NOBODY, Channel
from pipeline.model.odds import probability

LEAST = 0.85
"""Probability from which on a pair is believed. With it some 96 in 100 of the believed ones are
right, each list judged by weights that were fitted on the others; of the largest list 92."""

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
    documents=0.45,
    portion=0.53,
    share=0.88,
    dominance=0.94,
    rise_original=-0.69,
    gain=2.63,
    prior=0.27,
    unheard=-1.88,
    single=-3.41,
    uneven=-2.32,
    shared=1.34,
    surface_elsewhere=0.50,
    spread=-0.41,
    original_elsewhere=-1.08,
    constant=1.76,
)
"""A logistic regression on 74,018 pairs in pages spun by tools with one list each, which the model
had forgotten: eight lists, 200 to 3,000 pages at rates of 8% to 15%, two or three rounds each; 38%
of the pairs were the tool's."""


def believed(
    channel: Channel, found: Evidence, own: Counts, elsewhere: Counts
) -> tuple[Ints, Doubles]:
    """Rows of the channel that are worth weighing, and how likely each is a tool's."""
    rows = np.flatnonzero((found.settled >= LEAST_TIMES) & (found.documents >= LEAST_DOCUMENTS))
    return rows, probability(_features(channel, found, own, elsewhere, rows) @ np.array(WEIGHTS))


def _features(
    channel: Channel, found: Evidence, own: Counts, elsewhere: Counts, rows: Ints
) -> Doubles:
    surface, original = channel.surface, channel.original[rows]
    whole = np.bincount(surface, found.settled, len(channel.terms))
    surface = surface[rows]
    times, documents = found.settled[rows], found.documents[rows]
    rise = rises(own.of_term, own.chars, elsewhere.of_term, elsewhere.chars)
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
