"""What the scorer looks at: one row of features for every site, without and with its document.

Probabilities are natural logarithms, so a difference of two is a log ratio in nats.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.model.arrays import Bools, Doubles, Flags, Floats, Ints
from pipeline.model.channel import LISTED, MAX_LENGTH, N_FAMILIES, Channel
from pipeline.model.odds import probability
from pipeline.model.posterior import Posterior
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
    "prior",  # of the best candidate, in the channel
    "lists",  # how many lists know it
)
REGAINED_FEATURES = (
    # The same of the candidate that is best where the other likely substitutions are undone:
    "gain",
    "gain_inside",
    "gain_margin",
    "gain_total",
    "before",
    "after",
    "rival_gain",
    "prior",
    "lists",
    "regained",  # its gain there, less the best gain as the text stands
    "beside",  # whether another one was undone within `sites.CONTEXT`
)
TAG_FEATURES = (
    "inside",  # mean over the site's characters of what the tagger says, log odds
    "inside_lowest",
    "inside_before",  # of the character before
    "inside_behind",
    "begin",  # that the site's first character begins a span
    "begin_within",  # highest of its other characters
    "begin_behind",  # that the character behind it begins one
    "inserted",
)
DOCUMENT_FEATURES = (
    # Of the other surfaces of the document, each by its likeliest site of the round before:
    "others_density",  # sum of their chances, per 100 characters
    "others_top",  # mean of the ten best of them
    "others_sure",  # log(1 + number of them above one half)
    "family_share",  # share of all suspicion against others that falls on one family of spinners
    "others_repeat",  # the share whose surface stands twice or more: some tools fire each line
    # once, some wherever they can
    "others_original",  # the share whose original still stands elsewhere
    "others_listed",  # the share that a list knows
    "document_length",  # log
    "same_count",  # log(1 + other sites where the same surface stands)
    "same_mean",  # their mean chance; occurrences that were not worth judging count as none
    "same_best",  # the highest of their log odds, or -8
    "own",  # the site's log odds in the round before
    "rate",  # log odds of substitution that the other sites give this one
    "spun",  # log odds that the document is spun, at most 20 either way
    "tagged",  # mean chance of a character of the document to be inside, by the tagger
)


ODD = -8.5
"""Log probability of a character below which the glance looks at what stands there, and the reading
tries all originals whatever the tagger says: 5% of the characters of clean pages, and more than
half of the substitutions of simulated ones have one. Where the reading tried only what the tagger
suspects, it found 12% of the substitutions that no list holds, with this 20%."""

VERY_ODD = -10.5
"""The same for originals that no list suggests, of which there are many more: of 1.6% of the
characters of clean pages. With -9.5 the glance costs a third more and lets through no more."""


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


def occurrences(document: Ints, term: Ints, n_terms: int) -> Ints:
    """All occurrences of all terms, as `count` wants them."""
    return np.sort(document * n_terms + term)


def count(occurrences: Ints, document: Ints, term: Ints, n_terms: int) -> Ints:
    """How often each term occurs in its document."""
    wanted = document * n_terms + term
    return np.searchsorted(occurrences, wanted, "right") - np.searchsorted(
        occurrences, wanted, "left"
    )


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
    level = _means(batch, [log_probs])[:, 0]
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
        found.prior[chosen],
        np.bitwise_count(channel.family[found.pair[chosen]] & LISTED),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def regained_features(
    channel: Channel, sites: Sites, found: Candidates, best: Best, gain: Floats, beside: Bools
) -> Floats:
    """Shape ``(sites, len(REGAINED_FEATURES))``; ``gain`` is that of each site's best candidate as
    the text stands.
    """
    chosen = best.candidate
    own = found.gain[chosen]
    columns = [
        own,
        found.gain_inside[chosen],
        best.margin,
        best.total,
        sites.before / channel.length[sites.term],
        sites.after,
        _rival(sites, own),
        found.prior[chosen],
        np.bitwise_count(channel.family[found.pair[chosen]] & LISTED),
        own - gain,
        beside,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def mean_inside(tags: Floats, start: Ints, end: Ints) -> Doubles:
    """Mean over each span of the tagger's log odds that a character is inside a substitution."""
    total = np.append(0.0, np.cumsum(tags[:, 0], dtype=np.float64))
    return np.asarray((total[end] - total[start]) / (end - start))


def tag_features(sites: Sites, tags: Floats) -> Floats:
    """Shape ``(sites, len(TAG_FEATURES))``; ``tags`` has a row for each character of the batch."""
    inside, begin, inserted = tags.T
    steps = np.arange(MAX_LENGTH)
    at = np.minimum(sites.start[:, None] + steps, sites.end[:, None] - 1)
    own = inside[at]
    later = np.where(
        (steps > 0) & (sites.start[:, None] + steps < sites.end[:, None]), begin[at], -20
    )
    columns = [
        mean_inside(tags, sites.start, sites.end),
        own.min(axis=1),
        inside[sites.start - 1],
        inside[sites.end],
        begin[sites.start],
        later.max(axis=1),
        begin[sites.end],
        inserted[at].max(axis=1),
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


def document_features(
    batch: Batch,
    sites: Sites,
    surface_count: Ints,
    original_count: Ints,
    family: Flags,
    odds: Floats,
    tags: Floats,
    posterior: Posterior,
) -> Floats:
    """Shape ``(sites, len(DOCUMENT_FEATURES))``; every site is judged by the others only.

    ``family`` and ``odds``, of the round before, belong to the best candidate of each site.
    """
    p = probability(odds)
    length = np.maximum(1, batch.ends - batch.starts)
    group = by_surface(sites)
    top = likeliest(group, odds)
    marks = surface_count > 1, original_count > 0, family & LISTED > 0
    columns = [
        *(
            column[group]
            for column in _of_others(
                sites.document[top], p[top], length, family[top], [mark[top] for mark in marks]
            )
        ),
        np.log(length[sites.document]),
        *_same_surface(group, p, odds, surface_count),
        odds,
        posterior.prior,
        np.clip(posterior.spun, -20, 20)[sites.document],
        tagged(batch, tags)[sites.document],
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def by_surface(sites: Sites) -> Ints:
    """Of each site the number of its surface in its document: those of one number are the same word
    again.
    """
    key = sites.document * (int(sites.term.max(initial=0)) + 1) + sites.term
    return np.asarray(np.unique(key, return_inverse=True)[1])


def likeliest(group: Ints, odds: Floats) -> Ints:
    """The likeliest site of each group. It speaks for its surface: a directory of firms says the
    same odd word thirty times, and that is one odd word.
    """
    order = np.lexsort((-odds, group))
    return order[np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 1))]


def _of_others(
    document: Ints, p: Doubles, length: Ints, family: Flags, marks: Sequence[Bools]
) -> list[Doubles | Floats]:
    """What the other surfaces of its document say to each; the columns `others_density` to
    `others_sure`, `family_share`, and the shares of the marked ones.
    """
    n = len(length)
    others = np.bincount(document, p, n)[document] - p
    sure = np.bincount(document, p > 0.5, n)[document] - (p > 0.5)
    return [
        100.0 * others / length[document],
        _top_of_others(document, p, n, 10),
        np.log1p(sure),
        _family_share(document, p, n, family, others),
        *(_share_of_others(document, p, n, others, marked) for marked in marks),
    ]


def tagged(batch: Batch, tags: Floats) -> Doubles:
    """Mean chance of a character of each document to be inside a span, by the tagger."""
    return _means(batch, [probability(tags[:, 0])])[:, 0]


def apart(sites: Sites, odds: Floats, size: int) -> Bools:
    """The sites that do not overlap a likelier one: they may count as independent witnesses."""
    highest = np.full(size, -np.inf, dtype=np.float32)
    for step in range(MAX_LENGTH):
        inside = sites.start + step < sites.end
        np.maximum.at(highest, sites.start[inside] + step, odds[inside])
    top = np.ones(len(odds), dtype=np.bool_)
    for step in range(MAX_LENGTH):
        at = np.minimum(sites.start + step, sites.end - 1)
        top &= highest[at] <= odds
    return top


def _share_of_others(document: Ints, p: Doubles, n: int, others: Doubles, marked: Bools) -> Doubles:
    """Of the suspicion against the other sites, the share that falls on marked ones."""
    mass: Doubles = np.bincount(document, p * marked, n)[document] - p * marked
    return mass / (others + 0.5)


def _same_surface(
    group: Ints, p: Doubles, odds: Floats, surface_count: Ints
) -> tuple[Doubles, Doubles, Doubles]:
    """What the other occurrences of the same surface in the document say: many tools replace every
    occurrence of a word, others one alone.
    """
    count = np.bincount(group)[group] - 1
    mean = (np.bincount(group, p)[group] - p) / np.maximum(1, surface_count - 1)
    order = np.lexsort((-odds, group))
    first = np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 1))
    top = order[first]
    second = (
        np.where(np.bincount(group) > 1, odds[order[np.minimum(first + 1, len(order) - 1)]], -8.0)
        if len(order)
        else np.zeros(0)
    )
    own_top = np.zeros(len(p), dtype=np.bool_)
    own_top[top] = True
    best = np.where(count > 0, np.where(own_top, second[group], odds[top][group]), -8.0)
    return np.log1p(count), mean, best


def _family_share(document: Ints, p: Doubles, n: int, family: Flags, others: Doubles) -> Doubles:
    """Of the suspicion against the other sites, the largest share that one of the site's families
    explains: a page is spun by one tool, and its list is then seen all over it.
    """
    best = np.zeros(len(p))
    for bit in range(N_FAMILIES):
        member = (family >> np.uint16(bit)) & np.uint16(1) > 0
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


def text_features(batch: Batch, log_probs: Floats, unigrams: Floats) -> Doubles:
    """What the language model says of each text, whatever words are in it; shape ``(texts, 9)``.

    Mean log probability; shares of improbable characters, of characters less probable here than
    anywhere, and of islands, before which an improbable character may stand: two characters that
    belong together and to nothing beside them, as a word does that a tool put in; log length.
    """
    cohesion = log_probs - unigrams[batch.ids]
    island = np.zeros(len(log_probs), dtype=np.bool_)
    island[:-2] = (cohesion[:-2] < 0.0) & (cohesion[1:-1] > 2.5) & (cohesion[2:] < 0.5)
    wide = island.copy()
    wide[:-2] &= log_probs[:-2] < ODD
    marks: list[Floats | Bools] = [
        log_probs,
        *(log_probs < limit for limit in (-7.0, -9.0, -11.0)),
        *(cohesion < limit for limit in (0.0, -2.0)),
        island,
        wide,
    ]
    length = np.log(np.maximum(1, batch.ends - batch.starts))
    return np.concatenate([_means(batch, marks), length[:, None]], axis=1)


def _means(batch: Batch, marks: Sequence[Doubles | Floats | Bools]) -> Doubles:
    """Mean of each mark over each text, shape ``(texts, len(marks))``; of an empty text 0."""
    length = batch.ends - batch.starts
    edges = np.stack([batch.starts, batch.ends], axis=1).reshape(-1)
    sums = [np.add.reduceat(mark, edges, dtype=np.float32)[::2] for mark in marks]
    share = np.where(length > 0, 1.0 / np.maximum(1, length), 0.0)
    means: Doubles = np.stack(sums, axis=1) * share[:, None]
    return means


def page_features(document: Ints, p: Doubles, length: Ints) -> Doubles:
    """What the verdict on whole documents rests on, shape ``(documents, 5)``; the last is constant.

    ``p`` holds the chances of the sites, ``document`` whose they are.
    """
    n = len(length)
    density = 100.0 * np.bincount(document, p, n) / np.maximum(1, length)
    order = np.lexsort((-p, document))
    rank = np.arange(len(p)) - np.searchsorted(document[order], document[order])
    ten, three = (
        np.bincount(document[order][rank < k], p[order][rank < k], n) / k for k in (10, 3)
    )
    sure = np.log1p(np.bincount(document, p > 0.5, n))
    return np.stack([np.log(0.02 + density), ten, sure, three, np.ones(n)], axis=1)
