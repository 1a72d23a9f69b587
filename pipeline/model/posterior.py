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

MOST = 6.0
"""Nats that one site may say about its document: more is never certain enough on strange text."""

_SITES_AT_ONCE = 1 << 11


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
    """
    total = np.zeros((n, len(CELLS) + 1))
    for rows in _chunks(len(document)):
        terms = _terms(family[rows], evidence[rows]) * counted[rows, None]
        here, first = np.unique(document[rows], return_index=True)
        total[here, :-1] += np.add.reduceat(terms, first, dtype=np.float64)
    joint = total + log_prior
    prior = np.zeros(len(document), dtype=np.float32)
    level = joint.max(axis=1, keepdims=True)
    near = (joint - level).astype(np.float32)
    for rows in _chunks(len(document)):
        terms = _terms(family[rows], evidence[rows]) * counted[rows, None]
        others = near[document[rows]]
        others[:, :-1] -= terms
        weight = np.exp(others - others.max(axis=1, keepdims=True))
        chance = (weight[:, :-1] * _chances(family[rows])).sum(axis=1) / weight.sum(axis=1)
        prior[rows] = np.log(chance + 1e-9) - np.log1p(-np.minimum(chance, 0.999))
    spun = np.logaddexp.reduce(joint[:, :-1], axis=1) - joint[:, -1]
    return Posterior(prior, spun, _normalised(joint))


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


def _chunks(n: int) -> list[slice]:
    return [slice(i, min(n, i + _SITES_AT_ONCE)) for i in range(0, n, _SITES_AT_ONCE)]


def _chances(family: Flags) -> Floats:
    """Rate at which each site is substituted by the tool of each cell; ``(sites, cells)``."""
    rates = np.array([rate for rate, _ in CELLS], dtype=np.float32)
    return np.where(_member(family), rates, rates * np.float32(OUTSIDE))


def _member(family: Flags) -> Bools:
    """Whether the site's pair belongs to the cell's family; ``(sites, cells)``."""
    bits = np.arange(N_FAMILIES, dtype=np.uint16)
    member = np.ones((len(family), N_FAMILIES + 1), dtype=np.bool_)
    member[:, :N_FAMILIES] = (family[:, None] >> bits) & np.uint16(1)
    return np.repeat(member, len(RATES), axis=1)


def _terms(family: Flags, evidence: Floats) -> Floats:
    """Log of what each site says for each cell, against clean: of each rate there are but two."""
    rates = np.array(RATES, dtype=np.float32)
    ratio = np.expm1(np.clip(evidence, -MOST, MOST))[:, None]
    within, without = (
        np.tile(np.log1p(share * rates * ratio), N_FAMILIES + 1)
        for share in (np.float32(1), np.float32(OUTSIDE))
    )
    return np.where(_member(family), within, without)


def _normalised(log_weights: Doubles) -> Doubles:
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    shares: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return shares
