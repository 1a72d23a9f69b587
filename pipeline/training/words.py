"""Texts as sequences of words, and the vocabulary that the embeddings cover."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import NamedTuple

import jieba
import numpy as np
import numpy.typing as npt

from pipeline.hanzi import HAN

WordIds = npt.NDArray[np.uint16]

OTHER = 0
"""The id of every word that the vocabulary leaves out."""

MAX_WORDS = 50_000
"""So that two word ids fit 32 bits, and sorting pairs of them is fast."""

LEAST_WORD_COUNT = 20
"""A word's neighbours are noise if it was hardly seen. A choice, not a measurement."""

MAX_WORD_CHARS = 4

_TEXTS_AT_ONCE = 400


class Words(NamedTuple):
    """The vocabulary, most frequent first, and the corpus in its ids, `OTHER` between texts."""

    words: list[str]
    """Word of each id; that of `OTHER` is the empty string."""
    counts: npt.NDArray[np.int64]
    ids: WordIds


def segmented(text: str) -> list[str]:
    """Words by the dictionary alone: without the hidden Markov model nothing is made up.

    >>> segmented("他们正在开会")
    ['他们', '正在', '开会']
    """
    words: list[str] = jieba.lcut(text, HMM=False)
    return words


def read_words(texts: Iterable[str], workers: int | None = None) -> Words:
    """Segment texts on all cores and keep the words that are frequent enough."""
    jieba.setLogLevel("WARNING")
    numbers: dict[str, int] = {}
    pieces = []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for words, ids in pool.map(_segmented_batch, _batches(texts)):
            own = np.array([numbers.setdefault(w, len(numbers)) for w in words], dtype=np.int32)
            pieces.append(own[ids])
    flat = np.concatenate(pieces) if pieces else np.zeros(0, np.int32)
    return _restricted(list(numbers), flat)


def _batches(texts: Iterable[str]) -> Iterable[list[str]]:
    source = iter(texts)
    while batch := list(islice(source, _TEXTS_AT_ONCE)):
        yield batch


def _segmented_batch(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The distinct words of a batch, and the batch as indices of them; "" ends every text."""
    numbers: dict[str, int] = {"": 0}
    ids = []
    for text in texts:
        ids += [numbers.setdefault(word, len(numbers)) for word in segmented(text)]
        ids.append(0)
    return list(numbers), np.array(ids, dtype=np.int32)


def _restricted(words: list[str], flat: npt.NDArray[np.int32]) -> Words:
    counts = Counter(dict(enumerate(np.bincount(flat, minlength=len(words)).tolist())))
    ranked = sorted(
        (i for i, n in counts.items() if n >= LEAST_WORD_COUNT and _is_word(words[i])),
        key=lambda i: (-counts[i], words[i]),
    )[: MAX_WORDS - 1]
    number = np.zeros(len(words), dtype=np.uint16)
    number[ranked] = np.arange(1, len(ranked) + 1)
    return Words(
        ["", *(words[i] for i in ranked)],
        np.array([0, *(counts[i] for i in ranked)], dtype=np.int64),
        number[flat],
    )


def _is_word(word: str) -> bool:
    return len(word) <= MAX_WORD_CHARS and HAN.fullmatch(word) is not None
