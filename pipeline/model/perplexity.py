"""How usual the language model finds a text."""

import numpy as np

from pipeline.model.alphabet import BOUNDARY, SPACE
from pipeline.model.arrays import Floats
from pipeline.model.sites import Batch
from pipeline.spans import Loss

STEPS = 1024
"""Of `Loss`, to a nat. The model's own are 64, and 32 for back-off weights."""


def losses(batch: Batch, log_probs: Floats) -> list[Loss]:
    """Of each text."""
    counted = (batch.ids != BOUNDARY) & (batch.ids != SPACE)
    steps = np.where(counted, np.rint(log_probs * -STEPS), 0).astype(np.int64)
    sums = [np.append(0, np.cumsum(of)) for of in (steps, counted)]
    columns = [(total[batch.ends] - total[batch.starts]).tolist() for total in sums]
    return [Loss(*pair) for pair in zip(*columns, strict=True)]


def perplexity(loss: Loss) -> float | None:
    """Per character that is not white space: exp of the mean loss. None for a text without any.

    Medians for text that the shipped model has not seen: broadcast news 15, web news 29, a
    newspaper's sentences 51, self-media on health 82, essays and novels 90, classical prose 222.

    >>> perplexity(Loss(2048, 2)), perplexity(Loss(0, 0))
    (2.718281828459045, None)
    """
    if not loss.characters:
        return None
    return float(np.exp(loss.steps / STEPS / loss.characters))
