"""Fitting the decision: the trees of every pass, the prior of the cells, the verdict on pages."""

import itertools
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import lightgbm
import numpy as np

from pipeline.model import posterior
from pipeline.model.arrays import Bools, Doubles, Flags, Floats, Ints, Labels
from pipeline.model.channel import LISTED, MAX_LENGTH, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.odds import probability
from pipeline.model.scorer import (
    Found,
    Read,
    Scorer,
    document_rows,
    families,
    find,
    glance,
    glance_rows,
    in_context,
    tags_of,
    witnesses,
)
from pipeline.model.sites import batch_of
from pipeline.model.tagger import Tagger
from pipeline.model.trees import Trees
from pipeline.training.insertion_fit import fit_insertions
from pipeline.training.logistic import logistic
from pipeline.training.pages import Page

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 100
N_TREES, N_LEAVES, MAX_DEPTH = 150, 31, 7
N_GLANCE_TREES, GLANCE_LEAVES = 40, 15
"""Of the glance, which every site of a corpus has to pass: small trees are fast, and it need only
tell which pages deserve a reading."""
N_THREADS = 2
CLEAN, SUBSTITUTED, UNCLEAR = 0, 1, 2

CLEAN_WEIGHT = 3.0
"""Spun pages are frequent here, to have enough to learn from; of real pages about one in ten is (8
of 100 sample pages of one published corpus). So every clean page stands for several."""

CLEAN_READ = 0.02
"""Share of clean pages that the gate lets through to the reading."""


BLINDED = 2
"""On every second page the tagger's opinion is withheld. It has learned from the same simulator as
these pages come from, and knows them better than it will know real ones: fitted without this, the
decision trusts it so much that on 41 real pages it does worse than without any tagger."""
NO_OPINION = -1.6
"""Log odds just below `scorer.LEAST_INSIDE`: of such a site only listed originals are tried."""


class _Reading(NamedTuple):
    """One batch of pages, read."""

    pages: Sequence[Page]
    found: Found
    tags: Floats
    family: Flags
    labels: Labels


def fit(
    ngrams: NgramModel,
    channel: Channel,
    known: Channel,
    tagger: Tagger,
    pages: Sequence[Page],
    advertised: Sequence[Page],
    seed: int,
) -> Scorer:
    """The scorer of a language model, a channel and a tagger, fitted on pages none has seen.

    ``known`` is the channel that the fitting uses: some of what the pages were spun with is not in
    its lists, as it will be with tools that nobody has a list for. ``advertised`` are clean pages
    with advertisers' terms (`insertion_fit.contexts`).
    """
    batches = [pages[i : i + PAGES_AT_ONCE] for i in range(0, len(pages), PAGES_AT_ONCE)]
    first, suspicion, gate = _fit_glance(ngrams, known, batches, seed)
    readings = [_read(ngrams, known, tagger, batch) for batch in batches]
    rows = np.concatenate([one.found.features for one in readings])
    truth = np.concatenate([one.labels for one in readings])
    weight = np.concatenate([_weights(one.found, one.pages) for one in readings])
    sizes = [len(one.labels) for one in readings]
    fold = np.repeat(np.arange(len(readings)) % 2, sizes)
    log.info(
        "%d sites, %d substituted, %d unclear",
        len(truth),
        (truth == SUBSTITUTED).sum(),
        (truth == UNCLEAR).sum(),
    )

    def boosted(rows: Floats) -> tuple[Trees, Floats]:
        def make(rows: Floats, truth: Labels, weight: Floats) -> Trees:
            return _boosted(rows, truth, weight, seed)

        return _crossed(rows, truth, weight, fold, make)

    alone, odds = boosted(rows)
    clear = truth != UNCLEAR
    share = np.average(truth[clear] == SUBSTITUTED, weights=weight[clear])
    base = float(np.log(share / (1 - share)))
    edges = np.cumsum([0, *sizes])
    parts = [odds[low:high] for low, high in itertools.pairwise(edges)]
    seen = [
        witnesses(one.found, one.family, part, base)
        for one, part in zip(readings, parts, strict=True)
    ]
    cells = posterior.fitted(seen)
    reads = [
        Read(one.found, one.tags, part, posterior.infer(*batch, cells), one.family)
        for one, part, batch in zip(readings, parts, seen, strict=True)
    ]

    def further(parts: list[Floats]) -> tuple[Trees, list[Floats]]:
        wide = [in_context(read, part) for read, part in zip(reads, parts, strict=True)]
        trees, odds = boosted(np.concatenate(wide))
        return trees, [odds[low:high] for low, high in itertools.pairwise(edges)]

    together, parts = further(parts)
    again, parts = further(parts)
    documents = np.concatenate(
        [document_rows(read, probability(part)) for read, part in zip(reads, parts, strict=True)]
    )
    page = logistic(documents, *_verdicts(pages))
    return Scorer(
        ngrams,
        channel,
        tagger,
        first,
        suspicion,
        alone,
        together,
        again,
        cells,
        base,
        gate,
        page,
        fit_insertions(ngrams, [*pages, *advertised]),
    )


def _fit_glance(
    ngrams: NgramModel, known: Channel, batches: Sequence[Sequence[Page]], seed: int
) -> tuple[Trees, Trees, float]:
    """The trees of the first look, the weights that make them a suspicion, and the gate."""
    listed = known.restricted(known.family & LISTED > 0)
    looks = [glance(ngrams, listed, [page.text for page in batch]) for batch in batches]
    found = [one for one, _ in looks]
    rows = np.concatenate([one.features for one in found])
    labels = [_labels(one, batch) for one, batch in zip(found, batches, strict=True)]
    weight = np.concatenate([_weights(one, b) for one, b in zip(found, batches, strict=True)])
    sizes = [len(one.features) for one in found]
    fold = np.repeat(np.arange(len(found)) % 2, sizes)

    def make(rows: Floats, truth: Labels, weight: Floats) -> Trees:
        return _boosted(rows, truth, weight, seed, N_GLANCE_TREES, GLANCE_LEAVES)

    trees, odds = _crossed(rows, np.concatenate(labels), weight, fold, make)
    edges = np.cumsum([0, *sizes])
    documents = np.concatenate(
        [
            glance_rows(one, probability(odds[low:high]), of_text)
            for (one, of_text), low, high in zip(looks, edges[:-1], edges[1:], strict=True)
        ]
    )
    pages = [page for batch in batches for page in batch]
    is_spun, counted = _verdicts(pages)
    fold = np.repeat(np.arange(len(batches)) % 2, [len(batch) for batch in batches])
    suspicion, scores = _crossed(
        documents, is_spun.astype(np.int8), counted.astype(np.float32), fold, make
    )
    gate = float(np.quantile(scores[~is_spun], 1 - CLEAN_READ))
    passing = (scores[is_spun] >= gate).mean()
    log.info("the gate at %.2f lets %.4f of the spun pages through", gate, passing)
    return trees, suspicion, gate


def _read(ngrams: NgramModel, known: Channel, tagger: Tagger, pages: Sequence[Page]) -> _Reading:
    texts = [page.text for page in pages]
    batch = batch_of(ngrams, texts)
    tags = tags_of(tagger, batch)
    for start, end in list(zip(batch.starts, batch.ends, strict=True))[::BLINDED]:
        tags[start:end] = NO_OPINION
    found = find(ngrams, known, texts, tags)
    return _Reading(pages, found, tags, families(known, found), _labels(found, pages))


def _crossed(
    rows: Floats,
    truth: Labels,
    weight: Floats,
    fold: Ints,
    make: Callable[[Floats, Labels, Floats], Trees],
) -> tuple[Trees, Floats]:
    """Trees fitted on everything, and for each row the log odds of trees that have not seen it:
    what comes after them must see odds as they will be.
    """
    clear = truth != UNCLEAR
    odds = np.zeros(len(truth), dtype=np.float32)
    for half in (0, 1):
        seen = clear & (fold != half)
        trees = make(rows[seen], truth[seen], weight[seen])
        odds[fold == half] = trees.log_odds(rows[fold == half])
    return make(rows[clear], truth[clear], weight[clear]), odds


def _verdicts(pages: Sequence[Page]) -> tuple[Bools, Doubles]:
    """Whether each page was spun, and what it counts for."""
    is_spun = np.array([bool(page.truth) for page in pages])
    return is_spun, np.where(is_spun, 1.0, CLEAN_WEIGHT)


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


def _weights(found: Found, pages: Sequence[Page]) -> Floats:
    """What each site counts for."""
    of_page = np.array([1.0 if page.truth else CLEAN_WEIGHT for page in pages], dtype=np.float32)
    return of_page[found.sites.document]


def _boosted(
    rows: Floats,
    truth: Labels,
    weight: Floats,
    seed: int,
    n_trees: int = N_TREES,
    n_leaves: int = N_LEAVES,
) -> Trees:
    settings = {
        "objective": "binary",
        "learning_rate": 0.08,
        "num_leaves": n_leaves,
        "max_depth": MAX_DEPTH,
        "min_data_in_leaf": 60,
        "lambda_l2": 5.0,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "num_threads": N_THREADS,
        "verbose": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, truth, weight=weight), n_trees)
    return flattened(booster.dump_model()["tree_info"])


def flattened(forest: list[dict[str, object]]) -> Trees:
    """LightGBM's nested trees as arrays."""
    tables = [_nodes(tree["tree_structure"]) for tree in forest]
    shape = (len(tables), max(len(table) for table in tables))
    feature, left, right = (np.zeros(shape, dtype=np.int16) for _ in range(3))
    threshold, value = (np.zeros(shape, dtype=np.float32) for _ in range(2))
    for i, table in enumerate(tables):
        n = len(table)
        feature[i, :n], threshold[i, :n], left[i, :n], right[i, :n], value[i, :n] = zip(
            *table, strict=True
        )
    return Trees(feature, threshold, left, right, value, max(map(_depth, tables)))


def _nodes(root: object) -> list[tuple[int, float, int, int, float]]:
    """(feature, threshold, left, right, value) of every node, parents first."""
    table: list[tuple[int, float, int, int, float]] = []

    def add(node: dict[str, object]) -> int:
        at = len(table)
        if "leaf_value" in node:
            table.append((0, np.inf, at, at, float(str(node["leaf_value"]))))
            return at
        table.append((0, 0.0, 0, 0, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])  # type: ignore[arg-type]
        split = int(str(node["split_feature"]))
        table[at] = (split, float(str(node["threshold"])), left, right, 0.0)
        return at

    add(root)  # type: ignore[arg-type]
    return table


def _depth(table: list[tuple[int, float, int, int, float]]) -> int:
    depth = [0] * len(table)
    for at, (_, _, left, right, _) in enumerate(table):
        for child in {left, right} - {at}:
            depth[child] = depth[at] + 1
    return max(depth)
