"""How much of a document is spun, and by which family of spinners: what makes it one model.

A document is clean, or it is spun at one of RATES by a tool that knows the pairs of one family, or
any. Given rate and family every site is substituted or not independently, so the posterior over the
few dozen cells is an exact sum. Each site then has as its prior what the *other* sites say: one odd
word is noise in a clean page, and near certain in a page with fifty.
"""

from typing import NamedTuple

import numpy as np

from pipeline.model.arrays import Bools, Doubles, Flags, Floats, Ints
from pipeline.model.channel import N_FAMILIES

RATES = (0.003, 0.01, 0.03, 0.08, 0.2, 0.4)
"""Chance that a site of the tool's family is substituted. Sites are those that looked odd enough to
be weighed, so the range is wider than that of the share of characters replaced (2% to over 20%)."""

OUTSIDE = 0.1
"""Rate of sites outside of the family, of the rate inside: no family is known entirely."""

ANY = N_FAMILIES
"""The family that knows every pair."""

CELLS = [(rate, family) for family in range(N_FAMILIES + 1) for rate in RATES]
_RATES = np.array(RATES)

MOST = 6.0
"""Nats that one site may say about its document: more is never certain enough on strange text."""


class Posterior(NamedTuple):
    """What the documents of a batch look like, given all their sites."""

    prior: Floats
    """Of each site, the log odds that it is substituted as the other sites have it."""
    spun: Doubles
    """Of each document, the log odds that it is spun."""
    cells: Doubles
    """Posterior of each cell, clean last, shape ``(documents, len(CELLS) + 1)``."""


def infer(
    document: Ints, family: Flags, evidence: Floats, counted: Bools, n: int, log_prior: Doubles
) -> Posterior:
    """Exact posterior for ``n`` documents, whose sites come in order.

    ``evidence`` is the log likelihood ratio of each site, substituted against not, nats. Only
    ``counted`` sites speak for their document: of overlapping ones, one. ``log_prior`` belongs to
    CELLS, and last to clean; shape ``(len(CELLS) + 1,)``.

    A site says one thing to the tools of one rate that know its pair, and another to those that do
    not. So it is rates that are counted with, and families only added up.
    """
    member = _member(family)
    within, without = (_says(evidence, rate) for rate in (_RATES, _RATES * OUTSIDE))
    first = np.searchsorted(document, np.arange(n + 1))
    total = np.zeros((n, N_FAMILIES + 1, len(RATES)))
    logs = [np.log(says) * counted[:, None] for says in (within, without)]
    for one in np.flatnonzero(np.diff(first)).tolist():
        rows = slice(first[one], first[one + 1])
        total[one] = member[rows].T @ (logs[0][rows] - logs[1][rows]) + logs[1][rows].sum(axis=0)
    joint = np.concatenate([total.reshape(n, -1), np.zeros((n, 1))], axis=1) + log_prior

    level = joint.max(axis=1, keepdims=True)
    mass = np.exp(joint - level)
    of_cells = mass[:, :-1].reshape(total.shape)
    known, unknown = np.empty_like(within), np.empty_like(within)
    for one in np.flatnonzero(np.diff(first)).tolist():
        rows = slice(first[one], first[one + 1])
        known[rows] = member[rows] @ of_cells[one]
        unknown[rows] = of_cells[one].sum(axis=0) - known[rows]
    # What the others say is what all say without what the site itself has said.
    mute = ~counted[:, None]
    known /= np.where(mute, 1.0, within)
    unknown = np.maximum(unknown, 0.0) / np.where(mute, 1.0, without)
    likely = known @ _RATES + unknown @ (_RATES * OUTSIDE)
    whole = (known + unknown).sum(axis=1) + mass[document, -1]
    chance = likely / whole
    prior = np.log(chance + 1e-9) - np.log1p(-np.minimum(chance, 0.999))
    spun = np.logaddexp.reduce(joint[:, :-1], axis=1) - joint[:, -1]
    return Posterior(prior.astype(np.float32), spun, _normalised(joint))


def fitted(found: list[tuple[Ints, Flags, Floats, Bools, int]], rounds: int = 6) -> Doubles:
    """The prior of the cells, by expectation maximisation over batches of pages."""
    log_prior = np.full(len(CELLS) + 1, -np.log(2 * len(CELLS)))
    log_prior[-1] = np.log(0.5)
    for _ in range(rounds):
        mass = np.full(len(CELLS) + 1, 0.5)
        for batch in found:
            mass += infer(*batch, log_prior).cells.sum(axis=0)
        log_prior = np.log(mass / mass.sum())
    return log_prior


def _member(family: Flags) -> Doubles:
    """1 where the site's pair belongs to the family, ANY last; ``(sites, N_FAMILIES + 1)``."""
    bits = np.arange(N_FAMILIES, dtype=np.uint16)
    member = np.ones((len(family), N_FAMILIES + 1))
    member[:, :N_FAMILIES] = (family[:, None] >> bits) & np.uint16(1)
    return member


def _says(evidence: Floats, rates: Doubles) -> Doubles:
    """How much likelier each site is at each of the rates than on a clean page."""
    ratio = np.expm1(np.clip(evidence, -MOST, MOST).astype(np.float64))
    said: Doubles = 1 + ratio[:, None] * rates
    return said


def _normalised(log_weights: Doubles) -> Doubles:
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    shares: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return shares
