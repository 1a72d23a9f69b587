"""Logistic regression, for the few verdicts that rest on a handful of numbers."""

import numpy as np

from pipeline.model.arrays import Bools, Doubles
from pipeline.model.odds import probability


def logistic(rows: Doubles, truth: Bools, weight: Doubles) -> Doubles:
    """Weights by Newton's method, with a unit Gaussian prior that keeps separable data finite."""
    found = np.zeros(rows.shape[1])
    for _ in range(50):
        p = probability(rows @ found)
        slope = rows.T @ (weight * (truth - p)) - found
        curve = (rows * (weight * p * (1 - p))[:, None]).T @ rows + np.eye(len(found))
        found += np.linalg.solve(curve, slope)
    return found
