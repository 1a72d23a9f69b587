"""Fitting the decision: the trees of both passes, and the verdict on whole pages."""

import logging
from collections.abc import Sequence

import lightgbm
import numpy as np

from pipeline.config import Config
from pipeline.model import features
from pipeline.model.arrays import Bools, Doubles, Floats, Ints, Labels
from pipeline.model.channel import MAX_LENGTH, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.odds import probability
from pipeline.model.scorer import Found, Scorer, families, find
from pipeline.model.trees import Trees
from pipeline.training.pages import Page

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 100
N_TREES, N_LEAVES, MAX_DEPTH = 150, 31, 7
N_THREADS = 2
CLEAN, SUBSTITUTED, UNCLEAR = 0, 1, 2

CLEAN_WEIGHT = 5.0
"""Half of the pages are spun, to have enough to learn from; of real pages about one in ten is (8 of
100 sample pages of one published corpus). So every clean page stands for several."""


def fit(ngrams: NgramModel, channel: Channel, pages: Sequence[Page], seed: int) -> Scorer:
    """The scorer of a language model and a channel, fitted on pages neither has seen."""
    batches = [pages[i : i + PAGES_AT_ONCE] for i in range(0, len(pages), PAGES_AT_ONCE)]
    found = [find(ngrams, channel, [page.text for page in batch]) for batch in batches]
    labels = [_labels(one, batch) for one, batch in zip(found, batches, strict=True)]
    rows = np.concatenate([one.features for one in found])
    truth = np.concatenate(labels)
    clear = truth != UNCLEAR
    weight = np.concatenate(
        [_weights(one, batch) for one, batch in zip(found, batches, strict=True)]
    )
    log.info(
        "%d sites, %d substituted, %d unclear",
        len(truth),
        (truth == SUBSTITUTED).sum(),
        (~clear).sum(),
    )
    fold = np.repeat(np.arange(len(found)) % 2, [len(one.features) for one in found])
    # The second pass must see first-pass odds as they will be: of pages that the trees did not see.
    odds = np.zeros(len(truth), dtype=np.float32)
    for half in (0, 1):
        seen = clear & (fold != half)
        trees = _boosted(rows[seen], truth[seen], weight[seen], seed)
        odds[fold == half] = trees.log_odds(rows[fold == half])
    alone = _boosted(rows[clear], truth[clear], weight[clear], seed)
    edges = np.cumsum([0, *(len(one.features) for one in found)])
    others = [
        features.document_features(one.batch, one.sites, families(channel, one), odds[low:high])
        for one, low, high in zip(found, edges[:-1], edges[1:], strict=True)
    ]
    wide = np.concatenate([rows, np.concatenate(others)], axis=1)
    together = _boosted(wide[clear], truth[clear], weight[clear], seed)
    final = np.zeros(len(truth), dtype=np.float32)
    for half in (0, 1):
        seen = clear & (fold != half)
        trees = _boosted(wide[seen], truth[seen], weight[seen], seed)
        final[fold == half] = trees.log_odds(wide[fold == half])
    page = _page_weights(found, pages, final, edges)
    return Scorer(ngrams, channel, alone, together, page)


def _labels(found: Found, pages: Sequence[Page]) -> Labels:
    """SUBSTITUTED where a site is exactly a substitution, UNCLEAR where it only overlaps one."""
    owner = np.zeros(len(found.batch.ids), dtype=np.int64)
    spans = [(0, 0)]
    for first, page in zip(found.batch.starts, pages, strict=True):
        for start, end, _ in page.truth:
            owner[first + start : first + end] = len(spans)
            spans.append((first + start, first + end))
    bounds = np.array(spans)
    starts, ends = found.sites.start, found.sites.end
    touched = np.zeros(len(starts), dtype=np.bool_)
    for step in range(MAX_LENGTH):
        touched |= owner[np.minimum(starts + step, ends - 1)] > 0
    exact = (bounds[owner[starts]] == np.stack([starts, ends], axis=1)).all(axis=1)
    return np.where(exact, SUBSTITUTED, np.where(touched, UNCLEAR, CLEAN)).astype(np.int8)


def _weights(found: Found, pages: Sequence[Page]) -> Floats:
    """What each site counts for."""
    of_page = np.array([1.0 if page.truth else CLEAN_WEIGHT for page in pages], dtype=np.float32)
    return of_page[found.sites.document]


def _boosted(rows: Floats, truth: Labels, weight: Floats, seed: int) -> Trees:
    settings = {
        "objective": "binary",
        "learning_rate": 0.08,
        "num_leaves": N_LEAVES,
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
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, truth, weight=weight), N_TREES)
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


def _page_weights(
    found: Sequence[Found], pages: Sequence[Page], odds: Floats, edges: Ints
) -> Doubles:
    """Logistic regression of "this page was spun" on `page_features`."""
    rows = []
    for one, low, high in zip(found, edges[:-1], edges[1:], strict=True):
        chance = probability(odds[low:high]).astype(np.float32)
        counted = chance >= Config().keep_probability
        for d, (first, last) in enumerate(zip(one.batch.starts, one.batch.ends, strict=True)):
            mine = chance[counted & (one.sites.document == d)]
            rows.append(features.page_features(mine, int(last - first)))
    truth = np.array([bool(page.truth) for page in pages])
    return _logistic(np.stack(rows), truth, np.where(truth, 1.0, CLEAN_WEIGHT))


def _logistic(rows: Doubles, truth: Bools, weight: Doubles) -> Doubles:
    """Weights by Newton's method, with a unit Gaussian prior that keeps separable data finite."""
    found = np.zeros(rows.shape[1])
    for _ in range(50):
        p = probability(rows @ found)
        slope = rows.T @ (weight * (truth - p)) - found
        curve = (rows * (weight * p * (1 - p))[:, None]).T @ rows + np.eye(len(found))
        found += np.linalg.solve(curve, slope)
    return found
