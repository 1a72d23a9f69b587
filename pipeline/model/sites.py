"""Where a surface of the channel stands, and what each original in its place would gain.

A *site* is one occurrence of a surface; a *candidate* is one original for one site. All arrays of
sites are aligned with one another, and so are all arrays of candidates.
"""

from typing import NamedTuple

import numpy as np

from pipeline.model import native
from pipeline.model.arrays import Bools, Floats, Ids, Ints
from pipeline.model.channel import MAX_LENGTH, Channel
from pipeline.model.ngrams import ORDER, NgramModel

CONTEXT = ORDER - 1
"""Characters after a site whose probability depends on what stands in it."""


LEAST_TOTAL = -4.0
"""Log sum over a site's originals of exp(gain + prior) below which it is not judged, in nats."""


MOST_TRIED = 6
"""Originals of a site that are weighed in its whole context. Ranked by pairs of characters alone,
the one that the context prefers is among the first 6 of them at 98.4% of the sites of 41 real spun
pages; among the first 12 at 99.7%, at twice the cost."""
FAR_BEHIND = 10.0
"""Nats that an original may be behind the best one and still be weighed."""
HOPELESS = -7.0
"""Best guess of a site, nats, below which it is not weighed: of the sites of those pages that would
have been worth judging 99% have a better one, and of those with a likely original all but 0.1%."""


class Batch(NamedTuple):
    """Texts as one row of ids: document ``d`` is ``ids[starts[d] : ends[d]]``."""

    ids: Ids
    starts: Ints
    ends: Ints


class Sites(NamedTuple):
    start: Ints
    end: Ints
    term: Ints
    document: Ints
    before: Floats
    """Log probability of the site itself as it stands, summed."""
    after: Floats
    """Log probability of the CONTEXT characters behind it, summed."""
    lowest: Floats
    """Lowest log probability of one character among all those."""

    def take(self, rows: Bools) -> "Sites":
        return Sites(
            self.start[rows],
            self.end[rows],
            self.term[rows],
            self.document[rows],
            self.before[rows],
            self.after[rows],
            self.lowest[rows],
        )


class Candidates(NamedTuple):
    site: Ints
    pair: Ints
    """Row of the channel's arrays of pairs."""
    original: Ints
    prior: Floats
    gain: Floats
    """log P(site and context with the original) - log P(as they stand), nats."""
    gain_inside: Floats
    """The part of the gain that the site's own characters make."""

    def take(self, rows: Bools) -> "Candidates":
        return Candidates(
            self.site[rows],
            self.pair[rows],
            self.original[rows],
            self.prior[rows],
            self.gain[rows],
            self.gain_inside[rows],
        )


def batch_of(model: NgramModel, texts: list[str]) -> Batch:
    """One row of ids. CONTEXT boundaries round each text keep it from seeing its neighbours."""
    between = "\n" * CONTEXT
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    starts = np.cumsum(lengths + CONTEXT) - lengths
    ids = model.alphabet.ids("".join([between, *(text + between for text in texts)]))
    return Batch(ids, starts, starts + lengths)


def some_of(batch: Batch, texts: Ints) -> tuple[Batch, Ints]:
    """The batch of some of the texts, in order, and where its ids stand in the whole one: each text
    with the boundary behind it, of which something was said in the light of that text.
    """
    starts, ends = batch.starts[texts], batch.ends[texts]
    spans = zip(starts.tolist(), (ends + CONTEXT).tolist(), strict=True)
    at = np.concatenate([np.arange(CONTEXT), *(np.arange(*span) for span in spans)])
    lengths = ends - starts
    first = np.cumsum(lengths + CONTEXT) - lengths
    return Batch(batch.ids[at], first, first + lengths), at


def in_parts(batch: Batch, most: int) -> tuple[Batch, Ints]:
    """The same ids with every text in equal parts of at most so many characters; and the number of
    the first part of each text.
    """
    lengths = batch.ends - batch.starts
    counts = np.maximum(1, -(-lengths // most))
    size = np.repeat(-(-lengths // counts), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(len(size)) - np.repeat(first, counts)
    starts, last = np.repeat(batch.starts, counts), np.repeat(batch.ends, counts)
    return Batch(
        batch.ids,
        np.minimum(starts + number * size, last),
        np.minimum(starts + (number + 1) * size, last),
    ), first


def find_sites(batch: Batch, log_probs: Floats, starts: Ints, terms: Ints, lengths: Ints) -> Sites:
    ends = starts + lengths
    padded = np.concatenate([log_probs, np.zeros(MAX_LENGTH + CONTEXT, np.float32)])
    before, after = (np.zeros(len(starts), dtype=np.float32) for _ in range(2))
    lowest = padded[starts]
    for step in range(MAX_LENGTH):
        own = np.where(starts + step < ends, padded[starts + step], 0)
        before += own
        np.minimum(lowest, own, out=lowest)
    for step in range(CONTEXT):
        behind = padded[ends + step]
        after += behind
        np.minimum(lowest, behind, out=lowest)
    document = np.searchsorted(batch.starts, starts, side="right") - 1
    return Sites(starts, ends, terms, document, before, after, lowest)


def candidates(
    batch: Batch,
    model: NgramModel,
    channel: Channel,
    sites: Sites,
    suspected: Bools | None = None,
    hopeless: float = HOPELESS,
) -> tuple[Sites, Candidates]:
    """The sites for which some original may be likely, and those originals with their gains; of
    sites that are not ``suspected`` originals that a list gives. Every site must have one to begin
    with.
    """
    hopeful, site, pair = promising(batch, model, channel, sites, suspected, hopeless)
    sites = sites.take(hopeful)
    original = channel.original[pair].astype(np.int64)
    inside, behind = _in_place(batch, model, channel, sites, site, original)
    gain_inside = inside - sites.before[site]
    gain = gain_inside + behind - sites.after[site]
    return sites, Candidates(site, pair, original, channel.log_prior[pair], gain, gain_inside)


def restored(
    batch: Batch, channel: Channel, sites: Sites, candidates: Candidates, chosen: Ints
) -> tuple[Batch, Sites, Bools]:
    """The batch with some candidates' originals in the place of what stands there, and all sites
    where they are then. The ``chosen`` ones are in order, and their sites do not overlap.

    The last array tells of each site whether its context is another for it: whether another site
    within CONTEXT was restored. Of what overlaps a restored site there is no telling, and so not.
    """
    n = len(batch.ids)
    own = candidates.site[chosen]
    start, end, original = sites.start[own], sites.end[own], candidates.original[chosen]
    length = channel.length[original]
    moved = np.zeros(n + 1, dtype=np.int64)
    moved[end] = length - (end - start)
    shift = np.cumsum(moved)
    ids = np.empty(n + shift[-1], dtype=batch.ids.dtype)
    owner = np.full(n, -1, dtype=np.int64)
    for step in range(MAX_LENGTH):
        inside = start + step < end
        owner[start[inside] + step] = own[inside]
        put = step < length
        ids[(start + shift[start])[put] + step] = channel.ids[original[put], step]
    left = np.flatnonzero(owner < 0)
    ids[left + shift[left]] = batch.ids[left]
    moved_sites = sites._replace(
        start=sites.start + shift[sites.start], end=sites.end + shift[sites.end]
    )
    steps = np.minimum(sites.start[:, None] + np.arange(MAX_LENGTH), sites.end[:, None] - 1)
    over = owner[steps]
    apart = ((over < 0) | (over == np.arange(len(over))[:, None])).all(axis=1)
    before = np.append(0, np.cumsum(owner >= 0))
    low, high = np.maximum(sites.start - CONTEXT, 0), np.minimum(sites.end + CONTEXT, n)
    beside = before[high] - before[low] - (before[sites.end] - before[sites.start])
    whole = Batch(ids, batch.starts + shift[batch.starts], batch.ends + shift[batch.ends])
    return whole, moved_sites, apart & (beside > 0)


def regained(
    batch: Batch,
    model: NgramModel,
    channel: Channel,
    sites: Sites,
    candidates: Candidates,
    chosen: Ints,
) -> tuple[Sites, Candidates, Bools]:
    """All sites and candidates, with what they gain where the ``chosen`` candidates are restored
    beside them, and which sites have such a one beside them (`restored`).

    A word that was put in makes its neighbours improbable, too: of 应用法度 either looks odd, until
    程序 stands there.
    """
    whole, moved, beside = restored(batch, channel, sites, candidates, chosen)
    rows = np.flatnonzero(beside)
    before, after = sites.before.copy(), sites.after.copy()
    before[rows], after[rows] = _in_place(whole, model, channel, moved, rows, sites.term[rows])
    of = np.flatnonzero(beside[candidates.site])
    site = candidates.site[of]
    inside, behind = _in_place(whole, model, channel, moved, site, candidates.original[of])
    gain, gain_inside = candidates.gain.copy(), candidates.gain_inside.copy()
    gain_inside[of] = inside - before[site]
    gain[of] = gain_inside[of] + behind - after[site]
    return (
        sites._replace(before=before, after=after),
        candidates._replace(gain=gain, gain_inside=gain_inside),
        beside,
    )


def promising(
    batch: Batch,
    model: NgramModel,
    channel: Channel,
    sites: Sites,
    suspected: Bools | None = None,
    hopeless: float = HOPELESS,
) -> tuple[Bools, Ints, Ints]:
    """Which sites are hopeful, and of those the originals that are worth weighing in their whole
    context: number of the site among the hopeful ones, and pair.
    """
    if native.library is not None:
        spans = (sites.start, sites.end, sites.term)
        return native.promising(model.held, channel.held, batch.ids, spans, suspected, hopeless)
    first = channel.pair_start[sites.term].astype(np.int64)
    counts = channel.pair_start[sites.term + 1] - first
    site = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(site)) - np.repeat(np.cumsum(counts) - counts, counts)
    pair = first[site] + within
    if suspected is not None:
        kept: Bools = suspected[site] | channel.is_listed[pair]
        site, pair = site[kept], pair[kept]
    original = channel.original[pair].astype(np.int64)
    guess = _guesses(batch, model, channel, sites, site, original) + channel.log_prior[pair]
    hopeful, kept = _promising(site, guess, len(counts), hopeless)
    return hopeful, (np.cumsum(hopeful) - 1)[site[kept]], pair[kept]


def _guesses(
    batch: Batch, model: NgramModel, channel: Channel, sites: Sites, site: Ints, original: Ints
) -> Floats:
    """Each candidate's gain as far as pairs of characters tell: a tenth of the look-ups."""
    own = sites.term
    before, behind = batch.ids[sites.start - 1], batch.ids[sites.end]
    last = channel.last
    unigrams = model.unigrams[0]

    def joints(before: Ids, term: Ints, behind: Ids) -> Floats:
        first = channel.ids[term, 0]
        left = model.pair_log_probs(before, first) - unigrams[first]
        right = model.pair_log_probs(last[term], behind)
        joint: Floats = left + right + channel.frequency[term]
        return joint

    stands = joints(before, own, behind)
    return joints(before[site], original, behind[site]) - stands[site]


def _promising(site: Ints, guess: Floats, n: int, hopeless: float) -> tuple[Bools, Bools]:
    """Which of ``n`` sites are not hopeless; of each of those the MOST_TRIED candidates of the best
    guesses, if they are not far behind.
    """
    starts = np.searchsorted(site, np.arange(n))
    best = np.maximum.reduceat(guess, starts) if n else guess
    hopeful = best >= hopeless
    kept = (guess >= best[site] - FAR_BEHIND) & hopeful[site]
    rows = np.flatnonzero(kept)
    order = rows[np.lexsort((best[site[rows]] - guess[rows], site[rows]))]
    first = np.cumsum(np.bincount(site[order], minlength=n))[site[order]]
    first -= np.bincount(site[order], minlength=n)[site[order]]
    kept[order[np.arange(len(order)) - first >= MOST_TRIED]] = False
    return hopeful, kept


def worth_judging(sites: Sites, found: Candidates) -> tuple[Sites, Candidates]:
    """The sites, with their candidates, whose originals together gain LEAST_TOTAL or more."""
    starts = np.searchsorted(found.site, np.arange(len(sites.start)))
    score = found.gain + found.prior
    total = np.logaddexp.reduceat(score, starts) if len(starts) else score
    kept = total >= LEAST_TOTAL
    number = np.cumsum(kept) - 1
    left = found.take(kept[found.site])
    return sites.take(kept), left._replace(site=number[left.site])


def _in_place(
    batch: Batch, model: NgramModel, channel: Channel, sites: Sites, site: Ints, term: Ints
) -> tuple[Floats, Floats]:
    """Log probability of each term in the place of its site, and of the CONTEXT characters behind
    it.
    """
    inside, behind = (np.zeros(len(site), dtype=np.float32) for _ in range(2))
    lengths = channel.length[term]
    for n in range(1, MAX_LENGTH + 1):
        rows = np.flatnonzero(lengths == n)
        if len(rows):
            start, end = sites.start[site[rows]], sites.end[site[rows]]
            inside[rows], behind[rows] = _windows(
                batch, model, start, end, channel.ids[term[rows]], n
            )
    return inside, behind


def _windows(
    batch: Batch, model: NgramModel, starts: Ints, ends: Ints, originals: Ids, n: int
) -> tuple[Floats, Floats]:
    """Log probability of each original in its place, and of the CONTEXT characters behind it.

    The ``originals`` are of ``n`` characters, in rows of MAX_LENGTH.
    """
    if native.library is not None:
        return native.windows(model.held, batch.ids, starts, ends, originals, n)
    left = np.maximum(starts[:, None] + np.arange(-CONTEXT, 0), 0)
    right = ends[:, None] + np.arange(CONTEXT)
    rows = np.concatenate([batch.ids[left], originals[:, :n], batch.ids[right]], axis=1)
    scores = model.log_probs(rows)[:, CONTEXT:]
    return scores[:, :n].sum(axis=1), scores[:, n:].sum(axis=1)
