"""Fitting the decision: the trees of both passes, and the verdict on whole pages."""

import logging
from collections.abc import Sequence

import lightgbm
import numpy as np
import numpy.typing as npt

from pipeline.model import features
from pipeline.model.channel import MAX_LENGTH, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.scorer import Found, Judged, Scorer, find
from pipeline.model.sites import Floats, Ints
from pipeline.model.trees import Trees
from pipeline.training.pages import Page

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 100
N_TREES, N_LEAVES = 150, 31
CLEAN, SUBSTITUTED, UNCLEAR = 0, 1, 2


def fit(ngrams: NgramModel, channel: Channel, pages: Sequence[Page], seed: int) -> Scorer:
    """The scorer of a language model and a channel, fitted on pages neither has seen."""
    batches = [pages[i : i + PAGES_AT_ONCE] for i in range(0, len(pages), PAGES_AT_ONCE)]
    found = [find(ngrams, channel, [page.text for page in batch]) for batch in batches]
    labels = [_labels(one, batch) for one, batch in zip(found, batches, strict=True)]
    rows = np.concatenate([one.features for one in found])
    truth = np.concatenate(labels)
    clear = truth != UNCLEAR
    log.info("%d sites, %d substituted, %d unclear", len(truth), (truth == 1).sum(), (~clear).sum())
    fold = np.repeat(np.arange(len(found)) % 2, [len(one.features) for one in found])
    # The second pass must see first-pass odds as they will be: of pages that the trees did not see.
    odds = np.zeros(len(truth), dtype=np.float32)
    for half in (0, 1):
        trees = _boosted(rows[clear & (fold != half)], truth[clear & (fold != half)], seed)
        odds[fold == half] = trees.log_odds(rows[fold == half])
    alone = _boosted(rows[clear], truth[clear], seed)
    edges = np.cumsum([0, *(len(one.features) for one in found)])
    others = [
        features.document_features(one.batch, one.sites, odds[low:high])
        for one, low, high in zip(found, edges[:-1], edges[1:], strict=True)
    ]
    wide = np.concatenate([rows, np.concatenate(others)], axis=1)
    together = _boosted(wide[clear], truth[clear], seed)
    final = np.zeros(len(truth), dtype=np.float32)
    for half in (0, 1):
        trees = _boosted(wide[clear & (fold != half)], truth[clear & (fold != half)], seed)
        final[fold == half] = trees.log_odds(wide[fold == half])
    page = _page_weights(found, pages, final, edges)
    return Scorer(ngrams, channel, alone, together, page)


def _labels(found: Found, pages: Sequence[Page]) -> npt.NDArray[np.int8]:
    """SUBSTITUTED where a site is exactly a substitution, UNCLEAR where it only overlaps one."""
    owner = np.zeros(len(found.batch.ids), dtype=np.int64)
    spans = [(0, 0)]
    for first, page in zip(found.batch.starts, pages, strict=True):
        for start, end, _ in page.truth:
            owner[first + start : first + end] = len(spans)
            spans.append((first + start, first + end))
    bounds = np.array(spans)
    start, end = found.sites.start, found.sites.end
    touched = np.zeros(len(start), dtype=np.bool_)
    for step in range(MAX_LENGTH):
        touched |= owner[np.minimum(start + step, end - 1)] > 0
    exact = (bounds[owner[start]] == np.stack([start, end], axis=1)).all(axis=1)
    return np.where(exact, SUBSTITUTED, np.where(touched, UNCLEAR, CLEAN)).astype(np.int8)


def _boosted(rows: Floats, truth: npt.NDArray[np.int8], seed: int) -> Trees:
    settings = {
        "objective": "binary",
        "learning_rate": 0.08,
        "num_leaves": N_LEAVES,
        "min_data_in_leaf": 60,
        "lambda_l2": 5.0,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbose": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, truth), N_TREES)
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
) -> npt.NDArray[np.float64]:
    """Logistic regression of "this page was spun" on `page_features`."""
    rows = []
    for one, low, high in zip(found, edges[:-1], edges[1:], strict=True):
        probability = Judged(one, odds[low:high], odds[low:high]).probability
        counted = probability >= 0.05
        for d, (first, last) in enumerate(zip(one.batch.starts, one.batch.ends, strict=True)):
            mine = probability[counted & (one.sites.document == d)]
            rows.append(features.page_features(mine, int(last - first)))
    return _logistic(np.stack(rows), np.array([bool(page.truth) for page in pages]))


def _logistic(rows: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Weights by Newton's method, with a unit Gaussian prior that keeps separable data finite."""
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-rows @ weights))
        slope = rows.T @ (truth - p) - weights
        curve = (rows * (p * (1 - p))[:, None]).T @ rows + np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return weights
