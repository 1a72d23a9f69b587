"""How usual the language model finds a text."""

from collections.abc import Sequence

import numpy as np

from pipeline.model.alphabet import BOUNDARY, SPACE
from pipeline.model.ngrams import ORDER, NgramModel

BREAK = "\n" * (ORDER - 1)
"""As much as the model looks back: what stands before it in the batch is out of sight."""
STEPS = 1024
"""To a nat. The model's own are 64, and 32 for back-off weights."""


def perplexities(model: NgramModel, texts: Sequence[str]) -> list[float | None]:
    """Per character that is not white space: exp of the mean loss. None for a text without any.

    Medians for text that the shipped model has not seen: broadcast news 15, web news 29, a
    newspaper's sentences 51, self-media on health 82, essays and novels 90, classical prose 222.
    """
    ids = model.alphabet.ids("".join(BREAK + text for text in texts))
    counted = (ids != BOUNDARY) & (ids != SPACE)
    # In whole steps, whose sum does not depend on what else is in the batch.
    loss = np.where(counted, np.rint(-model.log_probs(ids) * STEPS), 0).astype(np.int64)
    last = np.cumsum([len(BREAK) + len(text) for text in texts], dtype=np.int64) - 1
    total, size = (np.diff(np.cumsum(of)[last], prepend=0) for of in (loss, counted))
    mean = total / STEPS / np.maximum(size, 1)
    return [float(np.exp(m)) if n else None for m, n in zip(mean, size, strict=True)]
