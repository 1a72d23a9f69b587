"""Fitting the verdict on inserted advertisements."""

from collections.abc import Sequence

import numpy as np

from pipeline.model.arrays import Doubles
from pipeline.model.insertions import FEATURES, suspects
from pipeline.model.ngrams import NgramModel
from pipeline.model.tagger import Tagger
from pipeline.training.logistic import logistic
from pipeline.training.pages import Page


def fit_insertions(
    ngrams: NgramModel, tagger: Tagger, pages: Sequence[Page], clean_weight: float
) -> Doubles:
    """Weights of `insertions.FEATURES`: a suspect was inserted if it overlaps a simulated one."""
    rows, truth, weight = [np.zeros((0, len(FEATURES)))], [], []
    for page in pages:
        ids = ngrams.alphabet.ids(page.text)
        for found in suspects(page.text, ids, ngrams, tagger):
            rows.append(found.evidence[None])
            truth.append(any(s < found.end and found.start < e for s, e in page.inserted))
            weight.append(1.0 if page.truth else clean_weight)
    return logistic(np.concatenate(rows), np.array(truth, bool), np.array(weight, float))
