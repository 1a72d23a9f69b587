"""From log odds to probabilities."""

import numpy as np

from pipeline.model.arrays import Doubles, Floats


def probability(log_odds: Doubles | Floats | float) -> Doubles:
    """The logistic function.

    >>> float(probability(0.0))
    0.5
    """
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float64))))
