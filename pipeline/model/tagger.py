"""A small convolutional network that reads a page and says where words seem out of place.

It knows no list: it has seen simulated spinning, and judges each character by the thirty around it,
and by how much each of them surprises the language model. So it sees what no list holds, and it is
one opinion among several.

What is multiplied is whole numbers, of seven bits and a sign at most. So every sum is exact, in
whatever order it is added up: the tagger says the same on every machine, and with the compiled
loops or without. And processors do four times as many such products at once as those of single
precision. Rounded to so few steps the network says what it said before to within 0.05 in log odds
(root mean square over the beginnings of 41 real spun pages, each head; at most 0.45).
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.model import native
from pipeline.model.arrays import Doubles, Floats, Ids, Ints, Levels

DILATIONS = (1, 2, 4, 8, 16)
"""Of the layers: each character sees 31 on either side."""
GAP = max(DILATIONS)
"""Zero rows round every window, so that no window sees its neighbour."""
SIGHT = sum(DILATIONS) + 1
"""And what the outermost of those makes of the one beyond it, as a pair."""

HEADS = ("inside", "begin", "inserted")
"""What the outputs say of a character: in a substituted span, the first of one, in an inserted
string; log odds."""

WIDTH = 64
HIDDEN = 64
PAIR_WIDTH = WIDTH // 2
"""The pair that a character makes with the one before adds to the first half of its vector, the
pair with the one behind to the second. Tables are cheap to read; it is the layers that cost."""
PAIR_BITS = 17
"""Pairs of neighbouring characters share 2**17 vectors by hash: 4 MB a table."""

LIKELY = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12.5], dtype=np.float32)
"""Edges between the levels of a character's loss, nats; half of all characters have less than 2."""
FITTING = np.array([-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=np.float32)
"""Edges between the levels of what a character gains by those before it, nats."""
LEVELS = (len(LIKELY) + 1) * (len(FITTING) + 1)

MOST_SIGNED, MOST_HIDDEN, MOST_WEIGHT = 63, 127, 127
"""The largest steps of what a layer reads, of what is between its two products, and of a weight.
Two products of the largest must fit 16 bits with their sum (2 * 127 * 127), for that is what
processors have an instruction for (`pmaddubsw`); what is read is moved up by 63 for it."""
MOST_LAST = 2047
"""Of what the head reads, and of its weights: 64 products fit 32 bits."""

WINDOW = 1024
"""Characters read at once; a longer text in windows that overlap by SIGHT on either side."""

_MULTIPLIER = np.uint32(0x9E3779B1)

Steps = npt.NDArray[np.int8]
"""Whole numbers of steps: what they stand for is as many times a size."""


class Vectors(NamedTuple):
    """A table of vectors: each row is so many ``steps`` of its ``size``."""

    steps: Steps
    size: Floats
    """Shape ``(rows,)``."""

    def rows(self, at: Ids | Ints | Levels) -> Floats:
        return self.steps[at].astype(np.float32) * self.size[at, None]


class Layer(NamedTuple):
    """``x + relu([x before, x, x behind] @ wide + bias) @ narrow + shift``, in steps.

    Sizes belong to columns: those of what is read are worked into the rows of the weights.
    """

    per_x: Floats
    """Steps of `x` in one, for each of its WIDTH columns."""
    wide: Steps
    """Shape ``(3 * WIDTH, HIDDEN)``."""
    wide_size: Floats
    bias: Floats
    per_hidden: Floats
    narrow: Steps
    """Shape ``(HIDDEN, WIDTH)``."""
    narrow_size: Floats
    shift: Floats


class Head(NamedTuple):
    per_x: Floats
    weights: npt.NDArray[np.int16]
    """Shape ``(WIDTH, len(HEADS))``."""
    size: Floats
    offset: Floats


class Tagger(NamedTuple):
    chars: Vectors
    """Of each character, WIDTH steps."""
    before: Vectors
    """Of the pair that it makes with the one before, ``2**PAIR_BITS`` of PAIR_WIDTH steps."""
    behind: Vectors
    """Of the pair that it makes with the one behind it."""
    surprise: Vectors
    """Of how much it surprises the language model, LEVELS of WIDTH steps."""
    layers: tuple[Layer, ...]
    head: Head
    compiled: native.Held | None
    """The same for `kernels.c`, where the processor has what it takes."""

    def log_odds(self, ids: Ids, surprise: Levels) -> Floats:
        """What every head says of every character of one text, shape ``(len(ids), len(HEADS))``.

        ``surprise`` is what `surprises` says of the same characters.
        """
        scores = np.zeros((len(ids), len(HEADS)), dtype=np.float32)
        for start, end, low, high in windows(len(ids)):
            window = ids[start:end], surprise[start:end]
            if self.compiled is not None and native.library is not None:
                read = native.tag(self.compiled, *window, WIDTH, GAP, len(HEADS))
            else:
                read = self._window(*window)
            scores[low:high] = read[low - start : high - start]
        return scores

    def _window(self, ids: Ids, surprise: Levels) -> Floats:
        n = len(ids)
        steps = np.zeros((n + 2 * GAP, WIDTH), dtype=np.float32)
        x = self.embedded(ids, surprise)
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            steps[GAP : GAP + n] = in_steps(x, layer.per_x, -MOST_SIGNED, MOST_SIGNED)
            hidden = product(neighbourhood(steps, dilation), layer.wide) * layer.wide_size
            hidden = in_steps(hidden + layer.bias, layer.per_hidden, 0, MOST_HIDDEN)
            x += product(hidden, layer.narrow) * layer.narrow_size + layer.shift
        last = in_steps(x, self.head.per_x, -MOST_LAST, MOST_LAST).astype(np.float64)
        total = (last @ self.head.weights.astype(np.float64)).astype(np.float32)
        return total * self.head.size + self.head.offset

    def embedded(self, ids: Ids, surprise: Levels) -> Floats:
        before, behind = pair_slots(ids)
        vectors = self.chars.rows(ids)
        vectors += self.surprise.rows(surprise)
        vectors[:, :PAIR_WIDTH] += self.before.rows(before)
        vectors[:, PAIR_WIDTH:] += self.behind.rows(behind)
        return vectors

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {}
        for name in (*_TABLES, "head"):
            arrays |= {f"{name}.{of}": v for of, v in getattr(self, name)._asdict().items()}
        for i, layer in enumerate(self.layers):
            arrays |= {f"layer{i}.{of}": value for of, value in layer._asdict().items()}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Tagger":
        with np.load(path) as arrays:
            return cls.of(
                _fields(Vectors, arrays, "chars"),
                _fields(Vectors, arrays, "before"),
                _fields(Vectors, arrays, "behind"),
                _fields(Vectors, arrays, "surprise"),
                tuple(_fields(Layer, arrays, f"layer{i}") for i in range(len(DILATIONS))),
                _fields(Head, arrays, "head"),
            )

    @classmethod
    def of(
        cls,
        chars: Vectors,
        before: Vectors,
        behind: Vectors,
        surprise: Vectors,
        layers: tuple[Layer, ...],
        head: Head,
    ) -> "Tagger":
        tables = chars, before, behind, surprise
        compiled = _compiled(tables, layers, head) if native.tags_here() else None
        return cls(*tables, layers, head, compiled)


_TABLES = ("chars", "before", "behind", "surprise")


def _compiled(tables: Sequence[Vectors], layers: Sequence[Layer], head: Head) -> native.Held:
    held = [_compiled_layer(*of) for of in zip(layers, DILATIONS, strict=True)]
    rows = (native.Layer * len(held))(*(of.struct for of in held))  # type: ignore[misc]
    fields = {
        **{name: table.steps for name, table in zip(_TABLES, tables, strict=True)},
        **{f"{name}_size": table.size for name, table in zip(_TABLES, tables, strict=True)},
        "n_layers": len(held),
        "layers": ctypes.addressof(rows),
        "per_last": head.per_x,
        "head": np.ascontiguousarray(head.weights.T),
        "head_size": head.size,
        "head_offset": head.offset,
    }
    return native.Held(native.Tagger, fields, keeping=(rows, held))


def _compiled_layer(layer: Layer, dilation: int) -> native.Held:
    fields = {
        **layer._asdict(),
        "dilation": dilation,
        "wide": native.grouped(layer.wide),
        "narrow": native.grouped(layer.narrow),
        # What a layer reads is moved up, to be positive: of each sum, what that adds is taken away.
        "wide_start": -MOST_SIGNED * layer.wide.sum(axis=0, dtype=np.int32),
    }
    return native.Held(native.Layer, fields)


def _fields(kind: Any, arrays: Any, name: str) -> Any:
    return kind(*(arrays[f"{name}.{field}"] for field in kind._fields))


def in_steps(values: Floats, per: Floats, low: int, high: int) -> Floats:
    """Values as whole numbers of steps, of which there are ``per`` in one; halves go to even."""
    steps: Floats = np.rint(np.clip(values * per, low, high))
    return steps


def product(steps: Floats, weights: Steps) -> Floats:
    """Exact: a sum of 192 products of such whole numbers is far below 2**24."""
    return steps @ weights.astype(np.float32)


def neighbourhood(x: Floats, dilation: int) -> Floats:
    """Each row beside those ``dilation`` before and behind, the outer GAP rows left out."""
    n = len(x) - 2 * GAP
    rows = [x[GAP + shift : GAP + shift + n] for shift in (-dilation, 0, dilation)]
    return np.concatenate(rows, axis=1)


def surprises(log_probs: Floats | Doubles, alone: Floats) -> Levels:
    """How much each character surprises the language model: a number below LEVELS, made of what it
    costs where it stands and of how much less that is than its cost out of context.
    """
    likely = np.searchsorted(LIKELY, -log_probs)
    fitting = np.searchsorted(FITTING, log_probs - alone)
    return (likely * (len(FITTING) + 1) + fitting).astype(np.uint8)


def pair_slots(ids: Ids) -> tuple[Ints, Ints]:
    """For each character, the vectors of the pairs it makes with the one before and behind."""
    wide = np.concatenate([[0], ids, [0]]).astype(np.uint32)
    slots = ((wide[:-1] * np.uint32(7919) + wide[1:]) * _MULTIPLIER) >> np.uint32(32 - PAIR_BITS)
    return slots[:-1].astype(np.int64), slots[1:].astype(np.int64)


def windows(n: int) -> list[tuple[int, int, int, int]]:
    """How to read ``n`` characters: (start, end) of each window, and which part of it counts."""
    found = []
    low = 0
    while low < n:
        start = max(0, low - SIGHT)
        end = min(n, start + WINDOW)
        high = n if end == n else end - SIGHT
        found.append((start, end, low, high))
        low = high
    return found
