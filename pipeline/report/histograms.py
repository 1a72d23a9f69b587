"""Distributions of a stream of numbers, in bounded memory."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FINE = 25
"""Each bar is counted in so many slices, so that quantiles are exact to 1/25 of a bar."""


class Scale(NamedTuple):
    """What the horizontal axis of a histogram shows."""

    low: float
    high: float
    bars: int
    logarithmic: bool = False

    def position(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where values stand between the ends: 0 to 1. Beyond the ends they stand at them."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, values = np.log(low), np.log(high), np.log(np.maximum(values, low))
        return np.asarray(np.clip((values - low) / (high - low), 0, 1))

    def value(self, position: float) -> float:
        """The inverse of `position`."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** position)
        return self.low + (self.high - self.low) * position


class Histogram:
    """Counts numbers by size. The first and the last bar take what is smaller and larger.

    >>> lengths = Histogram(Scale(0, 100, 4))
    >>> lengths.add(np.array([10.0, 30.0, 30.0, 999.0]))
    >>> lengths.bars(), lengths.quantile(0.5)
    ([1, 2, 0, 1], 30.0)
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._slices = np.zeros(scale.bars * FINE, np.int64)
        self.total = 0.0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        size = len(self._slices)
        # A value on the border of two slices belongs to the upper one, whatever its last bit says.
        at = np.floor(self.scale.position(values) * size + 1e-6).astype(np.int64)
        self._slices += np.bincount(np.minimum(at, size - 1), minlength=size)
        self.total += float(values.sum())

    @property
    def count(self) -> int:
        return int(self._slices.sum())

    def bars(self) -> list[int]:
        return [int(n) for n in self._slices.reshape(-1, FINE).sum(axis=1)]

    def edges(self) -> list[float]:
        """Borders of the bars; one more than there are bars."""
        return [self.scale.value(i / self.scale.bars) for i in range(self.scale.bars + 1)]

    def quantile(self, share: float) -> float | None:
        """The lower border of the slice that holds it; None without a number."""
        if not self.count:
            return None
        reached = np.cumsum(self._slices)
        at = int(np.searchsorted(reached, share * self.count, side="left"))
        while self._slices[at] == 0:  # share 0: the first slice with anything in it
            at += 1
        return self.scale.value(at / len(self._slices))
