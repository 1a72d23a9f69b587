"""Fitting the verdict on shuffled paragraphs: texts as they are, and the same texts shuffled."""

import random
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.model.arrays import Doubles
from pipeline.page.order import FEWEST_LINES, features
from pipeline.training.logistic import logistic

CONSTANT = "constant"
FEWEST_TEXTS = 40
"""Texts in which a feature must stand to get a weight."""
DECIMALS = 3


def shuffled(lines: Sequence[str], rng: random.Random) -> list[str]:
    """The lines in another order than they are in, if there is any.

    >>> shuffled(["甲", "乙"], random.Random(1))
    ['乙', '甲']
    """
    other = list(lines)
    for _ in range(20):
        rng.shuffle(other)
        if other != list(lines):
            break
    return other


def fit_order(texts: Iterable[Sequence[str]], seed: int = 0) -> dict[str, float]:
    """Weights for `page.order.features`, from texts given as their paragraphs in order.

    Each text counts once as it is and once shuffled, so that the constant supposes even odds; texts
    of fewer than three paragraphs say nothing.
    """
    rng = random.Random(seed)
    found = [
        (features(lines), features(shuffled(lines, rng)))
        for lines in texts
        if len(lines) >= FEWEST_LINES
    ]
    seen: dict[str, int] = {}
    for pair in found:
        for name in {*pair[0], *pair[1]}:
            seen[name] = seen.get(name, 0) + 1
    names = sorted(name for name, count in seen.items() if count >= FEWEST_TEXTS)
    column = {name: at for at, name in enumerate([CONSTANT, *names])}
    rows: Doubles = np.zeros((2 * len(found), len(column)))
    rows[:, 0] = 1.0
    for at, one in enumerate(one for pair in found for one in pair):
        for name, count in one.items():
            if name in column:
                rows[at, column[name]] = count
    truth = np.arange(len(rows)) % 2 == 1
    weights = logistic(rows, truth, np.ones(len(rows)))
    return {name: round(float(weights[at]), DECIMALS) for name, at in column.items()}
