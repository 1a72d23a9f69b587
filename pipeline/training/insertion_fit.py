"""Fitting the verdict on inserted advertisements."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.model.arrays import Doubles
from pipeline.model.insertions import FEATURES, advertised, suspects
from pipeline.model.ngrams import NgramModel
from pipeline.training.logistic import logistic
from pipeline.training.pages import Page

CONTEXTS_PER_TERM = 30
CLEAN_WEIGHT = 10.0
"""Of terms that were not inserted: where tools are at work half the terms here were, on the web as
it is most stand in sentences about them."""
REACH = 150
"""Characters kept on either side of a term."""


def contexts(texts: Iterable[str]) -> list[Page]:
    """Where advertisers' terms stand in ordinary text: news of raids on casinos, of hospitals."""
    seen: Counter[str] = Counter()
    pages = []
    for text in texts:
        for start, end in advertised(text):
            surface = re.sub("[0-9]", "0", text[start:end])
            seen[surface] += 1
            if seen[surface] <= CONTEXTS_PER_TERM:
                pages.append(Page(text[max(0, start - REACH) : end + REACH], []))
    return pages


def fit_insertions(ngrams: NgramModel, pages: Sequence[Page]) -> Doubles:
    """Weights of `insertions.FEATURES`: a suspect was inserted if it overlaps a simulated one.

    Those of `contexts` are what keeps the verdict careful.
    """
    rows, truth = [np.zeros((0, len(FEATURES)))], []
    for page in pages:
        ids = ngrams.alphabet.ids(page.text)
        for found in suspects(page.text, ids, ngrams):
            rows.append(found.evidence[None])
            truth.append(any(s < found.end and found.start < e for s, e in page.inserted))
    return logistic(np.concatenate(rows), np.array(truth, bool), np.where(truth, 1.0, CLEAN_WEIGHT))
