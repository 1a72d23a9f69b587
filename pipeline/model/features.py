"""What the scorer looks at: one row of features for every site, without and with its document.

Probabilities are natural logarithms, so a difference of two is a log ratio in nats.
"""

from typing import NamedTuple

import numpy as np

from pipeline.model.arrays import Doubles, Floats, Ints, Words
from pipeline.model.channel import N_FAMILIES, Channel
from pipeline.model.odds import probability
from pipeline.model.sites import Batch, Candidates, Sites

SITE_FEATURES = (
    "gain",  # of the best candidate
    "gain_inside",  # the part of it made by the site's own characters
    "gain_margin",  # over the next best candidate
    "gain_total",  # log sum over candidates, with their priors
    "candidates",  # log number
    "surface_length",
    "original_length",
    "shared",  # characters that both have
    "before",  # per character
    "after",  # per character
    "lowest",
    "left_cohesion",  # pointwise mutual information of the first character and what precedes it
    "right_cohesion",  # of the character behind and the last
    "surface_frequency",  # log probability of the surface out of context
    "original_frequency",
    "surface_count",  # log(1 + occurrences in this document)
    "original_count",
    "rival_gain",  # best gain of an overlapping site
    "document_level",  # mean log probability of a character of this document
)
DOCUMENT_FEATURES = (
    "others_density",  # sum of the other sites' first-pass probabilities, per 100 characters
    "others_top",  # mean of the ten best of them
    "others_sure",  # log(1 + number of them above one half)
    "document_length",  # log
    "family_share",  # share of all suspicion against others that falls on one family of spinners
    "own",  # the site's first-pass log odds
)


class Best(NamedTuple):
    """The best candidate of each site, and the distribution over all of them."""

    candidate: Ints
    """Row in `Candidates`."""
    total: Floats
    """log sum of exp(gain + prior) over the site's candidates."""
    share: Floats
    """Each candidate's share of that sum: P(original | substituted); aligned with candidates."""
    margin: Floats


def best_candidates(found: Candidates, n_sites: int) -> Best:
    """Sites without candidates do not exist, so every site has a best one."""
    score = (found.gain + found.prior).astype(np.float64)
    starts = np.searchsorted(found.site, np.arange(n_sites))
    top = np.maximum.reduceat(score, starts)
    weight = np.exp(score - top[found.site])
    total = np.add.reduceat(weight, starts)
    order = np.lexsort((-score, found.site))
    best = order[starts]
    lonely = np.diff(np.append(starts, len(score))) == 1
    second = score[order[np.minimum(starts + 1, len(score) - 1)]]
    margin = np.where(lonely, 10.0, np.minimum(score[best] - second, 10.0))
    return Best(
        best,
        (top + np.log(total)).astype(np.float32),
        (weight / total[found.site]).astype(np.float32),
        margin.astype(np.float32),
    )


def counts_in_documents(
    document: Ints, term: Ints, wanted_document: Ints, wanted_term: Ints, n_terms: int
) -> Ints:
    """How often each wanted term occurs in its document, given all occurrences."""
    codes = np.sort(document * n_terms + term)
    wanted = wanted_document * n_terms + wanted_term
    return np.searchsorted(codes, wanted, "right") - np.searchsorted(codes, wanted, "left")


def site_features(
    batch: Batch,
    log_probs: Floats,
    unigrams: Floats,
    channel: Channel,
    sites: Sites,
    found: Candidates,
    best: Best,
    surface_count: Ints,
    original_count: Ints,
) -> Floats:
    """Shape ``(sites, len(SITE_FEATURES))``."""
    chosen = best.candidate
    original = found.original[chosen]
    length = channel.length[sites.term]
    first, behind = sites.start, sites.end
    total = np.concatenate([[0.0], np.cumsum(log_probs, dtype=np.float64)])
    level = (total[batch.ends] - total[batch.starts]) / np.maximum(1, batch.ends - batch.starts)
    columns = [
        found.gain[chosen],
        found.gain_inside[chosen],
        best.margin,
        best.total,
        np.log(np.bincount(found.site, minlength=len(first))),
        length,
        channel.length[original],
        channel.shared(sites.term, original),
        sites.before / length,
        sites.after,
        sites.lowest,
        log_probs[first] - unigrams[batch.ids[first]],
        log_probs[behind] - unigrams[batch.ids[behind]],
        channel.frequency[sites.term],
        channel.frequency[original],
        np.log1p(surface_count),
        np.log1p(original_count),
        _rival(sites, found.gain[chosen]),
        level[sites.document],
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _rival(sites: Sites, gain: Floats) -> Floats:
    """Best gain of another site that overlaps; -20 without one. Sites are sorted by start."""
    rival = np.full(len(gain), -20.0, dtype=np.float32)
    for step in range(1, 8):  # at most a dozen sites overlap one, and few more than three
        if step >= len(gain):
            break
        meet = sites.start[step:] < sites.end[:-step]
        rival[:-step] = np.where(meet, np.maximum(rival[:-step], gain[step:]), rival[:-step])
        rival[step:] = np.where(meet, np.maximum(rival[step:], gain[:-step]), rival[step:])
    return rival


def document_features(batch: Batch, sites: Sites, family: Words, odds: Floats) -> Floats:
    """Shape ``(sites, len(DOCUMENT_FEATURES))``; every site is judged by the others only.

    ``family`` and ``odds`` (of the first pass) belong to the best candidate of each site.
    """
    p = probability(odds)
    n = len(batch.starts)
    length = np.maximum(1, batch.ends - batch.starts)
    others = np.bincount(sites.document, p, n)[sites.document] - p
    sure = np.bincount(sites.document, p > 0.5, n)[sites.document] - (p > 0.5)
    columns = [
        100.0 * others / length[sites.document],
        _top_of_others(sites.document, p, n, 10),
        np.log1p(sure),
        np.log(length[sites.document]),
        _family_share(sites.document, p, n, family, others),
        odds,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _family_share(document: Ints, p: Doubles, n: int, family: Words, others: Doubles) -> Doubles:
    """Of the suspicion against the other sites, the largest share that one of the site's families
    explains: a page is spun by one tool, and its list is then seen all over it.
    """
    best = np.zeros(len(p))
    for bit in range(N_FAMILIES):
        member = (family >> np.uint32(bit)) & np.uint32(1) > 0
        if member.any():
            mass = np.bincount(document, p * member, n)[document] - p * member
            best = np.where(member, np.maximum(best, mass), best)
    return best / (others + 0.5)


def _top_of_others(document: Ints, p: Doubles, n: int, k: int) -> Floats:
    order = np.lexsort((-p, document))
    starts = np.searchsorted(document[order], np.arange(n))
    rank = np.arange(len(p)) - starts[document[order]]
    in_top = rank < k + 1
    sums = np.bincount(document[order][in_top], p[order][in_top], n)
    own = np.zeros(len(p), dtype=np.bool_)
    own[order] = in_top
    kth = np.zeros(n)
    last = rank == k
    kth[document[order][last]] = p[order][last]
    mine = np.where(own, p, kth[document])
    return ((sums[document] - mine) / k).astype(np.float32)


def page_features(probabilities: Floats, n_chars: int) -> Doubles:
    """What the verdict on a whole document rests on, shape ``(5,)``; the last is constant."""
    p = np.sort(probabilities.astype(np.float64))[::-1]
    density = 100.0 * p.sum() / max(1, n_chars)
    return np.array(
        [np.log(0.02 + density), p[:10].sum() / 10, np.log1p((p > 0.5).sum()), p[:3].sum() / 3, 1.0]
    )
