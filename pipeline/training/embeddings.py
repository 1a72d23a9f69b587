"""Word vectors from co-occurrence, and each word's nearest neighbours.

Some tools replace words by their neighbours in a word embedding. The vectors here are the truncated
singular value decomposition of shifted positive pointwise mutual information, which finds the
neighbours that word2vec finds (Levy, Goldberg and Dagan 2015, "Improving Distributional Similarity
with Lessons Learned from Word Embeddings"; window, context smoothing and eigenvalue weighting are
theirs), and which, unlike word2vec on several threads, gives the same vectors every time.
"""

import logging
from typing import NamedTuple

import numpy as np
from scipy import sparse

from pipeline.model.arrays import Floats, Ints
from pipeline.training.words import OTHER, WordIds

log = logging.getLogger(__name__)

WINDOW = 4
"""Words on each side; one `d` words away counts 1/d."""
DIMENSIONS = 128
SMOOTHING = 0.75
"""Power of the context counts."""
LEAST_COUNT = 2
"""Pairs of words seen together less often are left out: chance, and most of the memory."""
OVERSAMPLING, ITERATIONS = 32, 3
"""Of the randomised decomposition (Halko, Martinsson and Tropp 2011, section 4.5)."""

_ROWS_AT_ONCE = 1024


class Neighbours(NamedTuple):
    """Row ``w`` belongs to word id ``w``: its nearest words, nearest first."""

    ids: WordIds
    """Shape ``(words, k)``."""
    similarity: Floats
    """Cosine; same shape."""


def vectors(ids: WordIds, n_words: int, seed: int, window: int = WINDOW) -> Floats:
    """A unit vector for each word id, shape ``(n_words, DIMENSIONS)``; zero for `OTHER`."""
    counts = _cooccurrences(ids, n_words, window)
    log.info("%d pairs of words seen together", counts.nnz)
    rows = _decomposed(_informative(counts), np.random.default_rng(seed))
    rows[OTHER] = 0
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = (rows / np.maximum(norm, 1e-9)).astype(np.float32)
    return unit


def _cooccurrences(ids: WordIds, n_words: int, window: int) -> sparse.csr_matrix:
    total = sparse.csr_matrix((n_words, n_words), dtype=np.float32)
    for distance in range(1, window + 1):
        left, right = ids[:-distance], ids[distance:]
        inside = (left != OTHER) & (right != OTHER)
        keys = left[inside].astype(np.uint32) * np.uint32(n_words) + right[inside]
        keys.sort()
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        seen = np.diff(np.append(first, len(keys)))
        often = seen >= LEAST_COUNT
        kept = keys[first[often]]
        total = total + sparse.csr_matrix(
            (
                (seen[often] / distance).astype(np.float32),
                ((kept // n_words).astype(np.int32), (kept % n_words).astype(np.int32)),
            ),
            shape=(n_words, n_words),
        )
    return (total + total.T).tocsr()


def _informative(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Positive pointwise mutual information, contexts smoothed."""
    words = np.asarray(counts.sum(axis=1)).ravel()
    contexts = words**SMOOTHING
    found = counts.tocoo()
    expected = words[found.row] * contexts[found.col] / contexts.sum()
    value = np.log(np.maximum(found.data / np.maximum(expected, 1e-9), 1e-9))
    kept = value > 0
    return sparse.csr_matrix(
        (value[kept].astype(np.float32), (found.row[kept], found.col[kept])), shape=counts.shape
    )


def _decomposed(matrix: sparse.csr_matrix, rng: np.random.Generator) -> Floats:
    """Left singular vectors, weighted by the roots of their values."""
    shape = (matrix.shape[1], min(DIMENSIONS + OVERSAMPLING, matrix.shape[1]))
    basis, _ = np.linalg.qr(matrix @ rng.standard_normal(shape, dtype=np.float32))
    for _ in range(ITERATIONS):
        basis, _ = np.linalg.qr(matrix.T @ basis)
        basis, _ = np.linalg.qr(matrix @ basis)
    small = (matrix.T @ basis).T
    left, values, _ = np.linalg.svd(small, full_matrices=False)
    found: Floats = (basis @ left[:, :DIMENSIONS]) * np.sqrt(values[:DIMENSIONS])
    return found


def nearest(unit: Floats, k: int) -> Neighbours:
    """The ``k`` nearest words of each, itself and `OTHER` left out."""
    n = len(unit)
    k = min(k, n - 2)
    ids = np.zeros((n, k), dtype=np.uint16)
    similarity = np.zeros((n, k), dtype=np.float32)
    for start in range(0, n, _ROWS_AT_ONCE):
        scores = unit[start : start + _ROWS_AT_ONCE] @ unit.T
        own = np.arange(len(scores))
        scores[own, start + own] = -1
        scores[:, OTHER] = -1
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        value = np.take_along_axis(scores, top, axis=1)
        order: Ints = np.argsort(-value, axis=1, kind="stable")
        ids[start : start + len(scores)] = np.take_along_axis(top, order, axis=1)
        similarity[start : start + len(scores)] = np.take_along_axis(value, order, axis=1)
    return Neighbours(ids, similarity)
