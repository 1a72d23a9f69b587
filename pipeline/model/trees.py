"""Gradient-boosted decision trees as flat arrays, evaluated over many rows at once."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Trees(NamedTuple):
    """``n_trees`` trees of ``n_nodes`` slots each, as ``(n_trees, n_nodes)`` arrays.

    A row goes to `left` where its `feature` is at most `threshold`, else to `right`. A leaf points
    to itself, so that every row may take `depth` steps.
    """

    feature: npt.NDArray[np.int16]
    threshold: Floats
    left: npt.NDArray[np.int16]
    right: npt.NDArray[np.int16]
    value: Floats
    depth: int

    def log_odds(self, rows: Floats) -> Floats:
        """Sum of the trees' leaves for each row, shape ``(len(rows),)``."""
        score = np.zeros(len(rows), dtype=np.float32)
        columns = np.ascontiguousarray(rows.T)
        every = np.arange(len(rows))
        for tree in range(len(self.feature)):
            node = np.zeros(len(rows), dtype=np.int16)
            feature, threshold = self.feature[tree], self.threshold[tree]
            for _ in range(self.depth):
                high = columns[feature[node], every] > threshold[node]
                node = np.where(high, self.right[tree][node], self.left[tree][node])
            score += self.value[tree][node]
        return score

    def save(self, path: Path) -> None:
        np.savez(path, **self._asdict())

    @classmethod
    def load(cls, path: Path) -> "Trees":
        with np.load(path) as arrays:
            fields = {name: arrays[name] for name in cls._fields}
        return cls(**{**fields, "depth": int(fields["depth"])})
