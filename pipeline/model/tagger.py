"""A small convolutional network that reads a page and says where words seem out of place.

It knows no list: it has seen simulated spinning, and judges each character by the thirty around it.
So it sees what no list holds, and it is one opinion among several. Plain matrix products, in the
same order for the same text whatever else is judged, so the same numbers come out.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.model.arrays import Floats, Ids, Ints

DILATIONS = (1, 2, 4, 8, 16)
"""Of the layers: each character sees 31 on either side."""
GAP = max(DILATIONS)
"""Zero rows round every window, so that no window sees its neighbour."""
SIGHT = sum(DILATIONS)

HEADS = ("inside", "begin", "inserted")
"""What the outputs say of a character: in a substituted span, the first of one, in an inserted
string; log odds."""

WIDTH = 64
PAIR_WIDTH = WIDTH // 2
"""The pair that a character makes with the one before adds to the first half of its vector, the
pair with the one behind to the second. Tables are cheap to read; it is the layers that cost."""
PAIR_BITS = 17
"""Pairs of neighbouring characters share 2**17 vectors by hash: 4 MB a table as it ships."""

WINDOWS = (64, 128, 256, 384, 512, 768, 1024)
"""Lengths of windows; a longer text is read in several that overlap by SIGHT on either side."""

_MULTIPLIER = np.uint32(0x9E3779B1)


class Layer(NamedTuple):
    """``x + relu([x before, x, x behind] @ wide + bias) @ narrow + shift``."""

    wide: Floats
    bias: Floats
    narrow: Floats
    shift: Floats


class Tagger(NamedTuple):
    chars: Floats
    """Vector of each character, shape ``(alphabet size, WIDTH)``."""
    before: Floats
    """Of the pair that it makes with the one before, shape ``(2**PAIR_BITS, PAIR_WIDTH)``."""
    behind: Floats
    """Of the pair that it makes with the one behind it."""
    layers: tuple[Layer, ...]
    head: Floats
    """Shape ``(WIDTH, len(HEADS))``."""
    offset: Floats

    def log_odds(self, ids: Ids) -> Floats:
        """What every head says of every character of one text, shape ``(len(ids), len(HEADS))``."""
        scores = np.zeros((len(ids), len(HEADS)), dtype=np.float32)
        for start, end, low, high in windows(len(ids)):
            size = next((n for n in WINDOWS if n >= end - start), end - start)
            scores[low:high] = self._window(ids[start:end], size)[low - start : high - start]
        return scores

    def _window(self, ids: Ids, size: int) -> Floats:
        """Scores of ``ids``. The products are of ``size`` rows, for what is added to a sum in which
        order depends on it; behind the text all is zero, as behind a row in training.
        """
        x = np.zeros((size + 2 * GAP, WIDTH), dtype=np.float32)
        inner = x[GAP : GAP + size]
        end = GAP + len(ids)
        x[GAP:end] = self.embedded(ids)
        view, hidden, change = (
            np.empty((size, n), dtype=np.float32)
            for n in (3 * WIDTH, self.layers[0].wide.shape[1], WIDTH)
        )
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            np.matmul(neighbourhood(x, dilation, view), layer.wide, out=hidden)
            hidden += layer.bias
            np.maximum(hidden, 0, out=hidden)
            np.matmul(hidden, layer.narrow, out=change)
            change += layer.shift
            inner += change
            x[end:] = 0
        scores: Floats = inner @ self.head + self.offset
        return scores

    def embedded(self, ids: Ids) -> Floats:
        before, behind = pair_slots(ids)
        vectors = self.chars[ids]
        vectors[:, :PAIR_WIDTH] += self.before[before]
        vectors[:, PAIR_WIDTH:] += self.behind[behind]
        return vectors

    def save(self, path: Path) -> None:
        """Vectors in steps of 1/127 of their largest entry, the rest in half precision."""
        arrays: dict[str, Any] = {"head": self.head, "offset": self.offset}
        for name in ("chars", "before", "behind"):
            table = getattr(self, name)
            scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / 127
            arrays[name] = np.rint(table / scale).astype(np.int8)
            arrays[f"{name}_scale"] = scale.astype(np.float16)
        for i, layer in enumerate(self.layers):
            for field, value in layer._asdict().items():
                arrays[f"{field}_{i}"] = value.astype(np.float16)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Tagger":
        with np.load(path) as arrays:
            chars, before, behind = (
                arrays[name].astype(np.float32) * arrays[f"{name}_scale"].astype(np.float32)
                for name in ("chars", "before", "behind")
            )
            layers = tuple(
                Layer(*(arrays[f"{field}_{i}"].astype(np.float32) for field in Layer._fields))
                for i in range(len(DILATIONS))
            )
            return cls(chars, before, behind, layers, arrays["head"], arrays["offset"])


def neighbourhood(x: Floats, dilation: int, view: Floats | None = None) -> Floats:
    """Each row beside those ``dilation`` before and behind, the outer GAP rows left out; written
    into ``view`` if there is one.
    """
    n = len(x) - 2 * GAP
    rows = [x[GAP + shift : GAP + shift + n] for shift in (-dilation, 0, dilation)]
    return np.concatenate(rows, axis=1, out=view)


def pair_slots(ids: Ids) -> tuple[Ints, Ints]:
    """For each character, the vectors of the pairs it makes with the one before and behind."""
    wide = np.concatenate([[0], ids, [0]]).astype(np.uint32)
    slots = ((wide[:-1] * np.uint32(7919) + wide[1:]) * _MULTIPLIER) >> np.uint32(32 - PAIR_BITS)
    return slots[:-1].astype(np.int64), slots[1:].astype(np.int64)


def windows(n: int) -> list[tuple[int, int, int, int]]:
    """How to read ``n`` characters: (start, end) of each window, and which part of it counts."""
    size = WINDOWS[-1]
    found = []
    low = 0
    while low < n:
        start = max(0, low - SIGHT)
        end = min(n, start + size)
        high = n if end == n else end - SIGHT
        found.append((start, end, low, high))
        low = high
    return found
