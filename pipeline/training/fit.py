"""Fitting the decision: the trees of every pass, the prior of the cells, the verdict on pages."""

import itertools
import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from pipeline.model import posterior
from pipeline.model.arrays import Bools, Doubles, Flags, Floats, Ints, Labels
from pipeline.model.channel import MAX_LENGTH, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.odds import probability
from pipeline.model.scorer import (
    Found,
    Glimpsed,
    Read,
    Scorer,
    document_rows,
    families,
    find,
    glance,
    glance_rows,
    in_context,
    is_long,
    tag_rows,
    tags_of,
    witnesses,
)
from pipeline.model.sites import batch_of
from pipeline.model.tagger import Tagger
from pipeline.model.trees import Trees
from pipeline.training.annotations import JudgedSite
from pipeline.training.boosting import Shape, boosted
from pipeline.training.insertion_fit import fit_insertions
from pipeline.training.logistic import logistic
from pipeline.training.pages import Page

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 100
READING = Shape(n_trees=300, rate=0.07)
"""With 150 at 0.12, F1 on known pairs is 0.834 for 0.843, and with 9,000 texts for 6,000 0.845, on
unseen ones 0.272, 0.278 and 0.290 (one fit each; the choosing half)."""
GLANCE = Shape(n_trees=80, depth=5)
"""Every site of a corpus has to pass these: small trees are fast, and they need only tell which
pages deserve a reading."""
PROCESSES = 2
FOLDS = 2
"""What one half of the batches has taught is tried on the other."""
CLEAN, SUBSTITUTED, UNCLEAR = 0, 1, 2

CLEAN_PAGE_WEIGHT = 13.0
"""Spun pages are frequent here, to have enough to learn from; of real pages about one in ten is (8
of 100 sample pages of one published corpus). So for the verdict on pages every clean one stands for
several. With three, 1.1% of clean web news were called spun; with this 0.1%, and as many of 41 real
spun pages as before."""
EVIDENCE_COLUMNS = range(6)
"""Of `scorer.document_rows`: all but the constant."""
LEAST_SEEN = 2
"""Substitutions of a page that the decision sees, from which on the verdict learns that it is spun.
Where it sees fewer the page looks like a clean one: learned from, such pages keep the verdict from
ever being sure. (With all pages of five substitutions and more, seen or not, the seed had 0.86, and
hardly any page more than 0.9.)"""

CLEAN_ASKED, CLEAN_READ = 0.15, 0.07
"""Shares of clean pages of which the tagger is asked, and which are read. By the glance alone, with
0.06, the pages were read on which 93% of the substitutions stand that a list has, and 45% of those
that no list has; with both 96% and 53%, and with 0.2 and 0.08 97% and 59%, but then clean web news
take a twelfth longer than with the glance alone (simulated pages of text that nothing was fitted
on)."""

LEAST_CLEAN = 100
"""Clean pages of a kind from which on it has gates of its own: 7% of fewer are hardly a page."""

BLINDED = 2
"""On every second page the tagger's opinion is withheld. It has learned from the same simulator as
these pages come from, and knows them better than it will know real ones: fitted without this, the
decision trusts it so much that on 41 real pages it does worse than without any tagger. The verdict
on pages is fitted on the others: where the tagger is silent, clean pages look worse than they do
to those who use the model."""
NO_OPINION = -1.6
"""Log odds just below `scorer.LEAST_INSIDE`: of such a site only listed originals are tried."""


ANNOTATED_WEIGHT = 5.0
"""What a site counts for that a person has judged, on a real page: as much as so many simulated
ones. Some hundred answers stand beside some hundred thousand sites. That the doubtful ones were
asked about does no harm: what is learned is the chance of a substitution given what is seen."""


class Readership(NamedTuple):
    """Pages, and the language model that scores them while the decision is fitted."""

    ngrams: NgramModel
    pages: Sequence[Page]


class Judged(NamedTuple):
    """Sites that people have judged, and the channel that reads them: it knows what the shipped one
    knows, but no pair that only the answers hold. Otherwise `listed` would mean `said to be right`.
    """

    channel: Channel
    sites: Sequence[JudgedSite]


class _Looking(NamedTuple):
    """What `Scorer.suspicions` goes by."""

    glance: Trees
    striking: Trees
    suspicion: Trees
    closer: Trees
    gates: Doubles


class _Reading(NamedTuple):
    """One batch of pages, read."""

    ngrams: NgramModel
    channel: Channel
    found: Found
    tags: Floats
    family: Flags
    labels: Labels
    weights: Floats


def fit(
    channel: Channel,
    known: Sequence[Channel],
    tagger: Tagger,
    readerships: Sequence[Readership],
    advertised: Sequence[Page],
    seed: int,
    judged: Judged | None = None,
) -> Scorer:
    """The scorer of a channel, a tagger and the first language model, fitted on unseen pages.

    The other models know less than the first, each to its pages: to the shipped model all kinds of
    text in ``pages`` are familiar, which those of the web are not.

    ``known`` are the channels that the fitting uses, each for some of the pages: much of what these
    were spun with is in no list there, as it will be with tools that nobody has a list for.
    ``advertised`` are clean pages with advertisers' terms (`insertion_fit.contexts`). ``judged``
    are sites of real pages: the trees of all rounds of the reading are fitted on them, too. They
    say nothing of how frequent spinning is, so the prior, the gate and the verdict on pages are
    not.
    """
    ngrams = readerships[0].ngrams
    batches = [batch for one in readerships for batch in _batches(one)]
    channels = [known[i // FOLDS % len(known)] for i in range(len(batches))]
    pages = [page for batch in batches for page in batch.pages]
    tags = [_tagged(batch, tagger) for batch in batches]
    looking = _fit_glance(channels, batches, tags, seed)
    readings = [_read(*one) for one in zip(channels, batches, tags, strict=True)]
    simulated = len(readings)
    if judged:
        readings += _judged(judged, tagger, ngrams)
    rows = np.concatenate([one.found.features for one in readings])
    truth = np.concatenate([one.labels for one in readings])
    weight = np.concatenate([one.weights for one in readings])
    sizes = [len(one.labels) for one in readings]
    fold = np.repeat(np.arange(len(readings)) % FOLDS, sizes)
    log.info(
        "%d sites, %d substituted, %d unclear",
        len(truth),
        (truth == SUBSTITUTED).sum(),
        (truth == UNCLEAR).sum(),
    )

    alone, odds = _crossed(rows, truth, weight, fold, seed, READING)
    edges = np.cumsum([0, *sizes])
    clear = np.flatnonzero(truth[: edges[simulated]] != UNCLEAR)
    share = np.average(truth[clear] == SUBSTITUTED, weights=weight[clear])
    base = float(np.log(share / (1 - share)))
    parts = [odds[low:high] for low, high in itertools.pairwise(edges)]
    seen = [
        witnesses(one.found, one.family, part, base)
        for one, part in zip(readings, parts, strict=True)
    ]
    cells = posterior.fitted(seen[:simulated])
    reads = [
        Read(one.found, one.tags, part, posterior.infer(*batch, cells), one.family)
        for one, part, batch in zip(readings, parts, seen, strict=True)
    ]

    def further(parts: list[Floats]) -> tuple[Trees, list[Floats]]:
        wide = [
            in_context(one.ngrams, one.channel, read, part)[1]
            for one, read, part in zip(readings, reads, parts, strict=True)
        ]
        trees, odds = _crossed(np.concatenate(wide), truth, weight, fold, seed, READING)
        return trees, [odds[low:high] for low, high in itertools.pairwise(edges)]

    together, parts = further(parts)
    again, parts = further(parts)
    documents = np.concatenate(
        [
            document_rows(read, probability(part))
            for read, part in list(zip(reads, parts, strict=True))[:simulated]
        ]
    )
    noticed = [_seen(*one) for one in zip(readings[:simulated], parts[:simulated], strict=True)]
    page = page_verdict(documents, pages, np.concatenate(noticed))
    return Scorer(
        ngrams,
        channel,
        tagger,
        alone=alone,
        together=together,
        again=again,
        cells=cells,
        base=base,
        page=page,
        inserted=fit_insertions(ngrams, [*readerships[0].pages, *advertised]),
        **looking._asdict(),
    )


def _batches(whole: Readership) -> list[Readership]:
    starts = range(0, len(whole.pages), PAGES_AT_ONCE)
    return [Readership(whole.ngrams, whole.pages[i : i + PAGES_AT_ONCE]) for i in starts]


def _fit_glance(
    channels: Sequence[Channel], batches: Sequence[Readership], tags: Sequence[Floats], seed: int
) -> _Looking:
    looks = [_glanced(*one) for one in zip(channels, batches, strict=True)]
    found = [one.found for one in looks]
    rows = np.concatenate([one.features for one in found])
    labels = np.concatenate([_labels(one, b.pages) for one, b in zip(found, batches, strict=True)])
    weight = np.ones(len(rows), dtype=np.float32)
    sizes = [len(one.features) for one in found]
    fold = np.repeat(np.arange(len(found)) % FOLDS, sizes)
    strikes = np.concatenate([one.is_striking for one in looks])

    glances, odds = _crossed(rows, labels, weight, fold, seed, GLANCE)
    striking, of_striking = _crossed(
        rows[strikes], labels[strikes], weight[strikes], fold[strikes], seed, GLANCE
    )
    edges = np.cumsum(sizes)[:-1]
    parts = np.split(odds, edges), np.split(of_striking, np.append(0, np.cumsum(strikes))[edges])
    seen = np.concatenate(
        [
            glance_rows(look, *map(probability, both))
            for look, *both in zip(looks, *parts, strict=True)
        ]
    )
    tagged = [tag_rows(one.batch, own) for one, own in zip(found, tags, strict=True)]
    pages = [page for batch in batches for page in batch.pages]
    is_spun = np.array([bool(page.truth) for page in pages])
    fold = np.repeat(np.arange(len(batches)) % FOLDS, [len(batch.pages) for batch in batches])
    truth, even = is_spun.astype(np.int8), np.ones(len(pages), dtype=np.float32)
    suspicion, at_sight = _crossed(seen, truth, even, fold, seed, GLANCE)
    more = np.concatenate([seen, np.concatenate(tagged)], axis=1)
    closer, looked = _crossed(more, truth, even, fold, seed, GLANCE)
    long = np.concatenate([is_long(one.batch) for one in found])
    limits = gates(at_sight, looked, is_spun, long)
    return _Looking(glances, striking, suspicion, closer, limits)


def gates(suspicion: Floats, closer: Floats, is_spun: Bools, long: Ints) -> Doubles:
    """`Scorer.gates`: what CLEAN_ASKED and CLEAN_READ of the clean pages pass, of short ones and of
    long ones, and of all where there are few of a kind.
    """
    found = []
    for kind in (0, 1):
        own = long == kind
        if (own & ~is_spun).sum() < LEAST_CLEAN:
            own = np.ones(len(own), dtype=np.bool_)
        first = np.quantile(suspicion[own & ~is_spun], 1 - CLEAN_ASKED)
        asked = own & (suspicion >= first)
        second = np.quantile(closer[asked & ~is_spun], 1 - CLEAN_READ / CLEAN_ASKED)
        passing = (asked & (closer >= second))[own & is_spun].mean()
        log.info("gates at %.2f and %.2f let %.4f of the spun pages pass", first, second, passing)
        found.append((first, second))
    return np.array(found)


def _glanced(channel: Channel, one: Readership) -> Glimpsed:
    batch = batch_of(one.ngrams, [page.text for page in one.pages])
    return glance(one.ngrams, channel, batch, one.ngrams.log_probs(batch.ids))


def _tagged(one: Readership, tagger: Tagger) -> Floats:
    batch = batch_of(one.ngrams, [page.text for page in one.pages])
    return tags_of(tagger, one.ngrams, batch, one.ngrams.log_probs(batch.ids))


def _read(known: Channel, readership: Readership, opinion: Floats) -> _Reading:
    ngrams, pages = readership
    batch = batch_of(ngrams, [page.text for page in pages])
    log_probs = ngrams.log_probs(batch.ids)
    tags = opinion.copy()
    for start, end in list(zip(batch.starts, batch.ends, strict=True))[::BLINDED]:
        tags[start:end] = NO_OPINION
    found = find(ngrams, known, batch, log_probs, tags)
    family, labels = families(known, found), _labels(found, pages)
    weights = np.ones(len(labels), dtype=np.float32)
    return _Reading(ngrams, known, found, tags, family, labels, weights)


def _judged(judged: Judged, tagger: Tagger, ngrams: NgramModel) -> list[_Reading]:
    """Pages with one site each of which something is known; all others there are UNCLEAR."""
    channel, sites = judged
    readings = []
    for first in range(0, len(sites), PAGES_AT_ONCE):
        some = sites[first : first + PAGES_AT_ONCE]
        pages = [one.page for one in some]
        batch = batch_of(ngrams, [page.text for page in pages])
        log_probs = ngrams.log_probs(batch.ids)
        tags = tags_of(tagger, ngrams, batch, log_probs)
        found = find(ngrams, channel, batch, log_probs, tags)
        meant = _labels(found, pages) == SUBSTITUTED
        said = np.where([one.substituted for one in some], SUBSTITUTED, CLEAN)
        labels = np.where(meant, said[found.sites.document], UNCLEAR).astype(np.int8)
        weights = np.full(len(labels), ANNOTATED_WEIGHT, dtype=np.float32)
        family = families(channel, found)
        readings.append(_Reading(ngrams, channel, found, tags, family, labels, weights))
        log.info("%d judged sites, %d found", len(some), meant.sum())
    return readings


def _crossed(
    rows: Floats,
    truth: Labels,
    weight: Floats,
    fold: Ints,
    seed: int,
    shape: Shape,
) -> tuple[Trees, Floats]:
    """Trees fitted on everything, and for each row the log odds of trees that have not seen it:
    what comes after them must see odds as they will be.
    """
    clear = truth != UNCLEAR
    odds = np.zeros(len(truth), dtype=np.float32)
    parts = [clear & (fold != 0), clear & (fold != 1), clear]
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [
            pool.submit(boosted, rows[seen], truth[seen], weight[seen], seed, shape)
            for seen in parts
        ]
        *halves, whole = [job.result() for job in jobs]
    for half, trees in enumerate(halves):
        odds[fold == half] = trees.log_odds(rows[fold == half])
    return whole, odds


def _seen(one: _Reading, odds: Floats) -> Ints:
    """How many substitutions of each page the decision sees; -1 of pages without the tagger's
    opinion.
    """
    batch, sites = one.found.batch, one.found.sites
    is_seen = (one.labels == SUBSTITUTED) & (odds >= 0)
    counts = np.bincount(sites.document[is_seen], minlength=len(batch.starts))
    counts[::BLINDED] = -1
    return counts


def page_verdict(rows: Doubles, pages: Sequence[Page], seen: Ints) -> Doubles:
    """Weights of `scorer.document_rows`: log odds that a page is spun.

    What is evidence of spinning must not speak against it: where it would, beside evidence that
    says nearly the same, its weight is 0.
    """
    is_spun = seen >= LEAST_SEEN
    is_clean = (seen == 0) & ~np.array([bool(page.truth) for page in pages])
    weight = np.where(is_spun, 1.0, np.where(is_clean, CLEAN_PAGE_WEIGHT, 0.0))
    rows = rows.copy()
    while True:
        weights: Doubles = logistic(rows, is_spun, weight)
        against = [column for column in EVIDENCE_COLUMNS if weights[column] < 0]
        if not against:
            return weights
        rows[:, min(against, key=lambda column: weights[column])] = 0.0  # then its weight is 0


def _labels(found: Found, pages: Sequence[Page]) -> Labels:
    """SUBSTITUTED where a site is exactly a substitution, or what comes nearest to one that no site
    is exactly; UNCLEAR where it only overlaps one.
    """
    owner = np.zeros(len(found.batch.ids), dtype=np.int64)
    spans = [(0, 0)]
    for first, page in zip(found.batch.starts, pages, strict=True):
        for start, end, _ in page.truth:
            owner[first + start : first + end] = len(spans)
            spans.append((first + start, first + end))
    bounds = np.array(spans)
    starts, ends = found.sites.start, found.sites.end
    steps = np.arange(MAX_LENGTH)
    at = np.minimum(starts[:, None] + steps, ends[:, None] - 1)
    touched = owner[at].max(axis=1) if len(at) else np.zeros(0, dtype=np.int64)
    low, high = bounds[touched, 0], bounds[touched, 1]
    common = np.minimum(ends, high) - np.maximum(starts, low)
    match = np.where(touched > 0, common / np.maximum(ends - starts, high - low), 0.0)
    best = np.zeros(len(spans))
    np.maximum.at(best, touched, match)
    good = (touched > 0) & (match == best[touched]) & (match >= 0.5)
    return np.where(good, SUBSTITUTED, np.where(touched > 0, UNCLEAR, CLEAN)).astype(np.int8)
