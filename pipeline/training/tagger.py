"""Fitting the tagger: stochastic gradients by hand, in numpy, on text spun as it goes.

What is fitted is a network of single precision; what ships is the same in whole steps
(`Network.in_steps`), whose range is that of the last texts of the training.

No framework: the network is five layers, and what trains on any machine with the project's own
packages can be trained again by anyone. Two threads share each step, and their sums are added in
order, so a seed gives the same weights every time.
"""

import logging
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.model import ngrams as language
from pipeline.model import tagger as shipped
from pipeline.model.arrays import Floats, Ids, Ints, Levels
from pipeline.model.ngrams import NgramModel
from pipeline.model.tagger import (
    DILATIONS,
    GAP,
    HEADS,
    HIDDEN,
    LEVELS,
    MOST_HIDDEN,
    MOST_LAST,
    MOST_SIGNED,
    MOST_WEIGHT,
    PAIR_BITS,
    PAIR_WIDTH,
    WIDTH,
    Head,
    Steps,
    Tagger,
    Vectors,
    neighbourhood,
    pair_slots,
    surprises,
)
from pipeline.training.pages import Page, cut, spun
from pipeline.training.tools import Sources

log = logging.getLogger(__name__)

ROW = 512
ROWS_PER_STEP = 32
THREADS = 2
SPUN_SHARE = 0.7
"""Of the training pages. Clean ones teach little that the clean parts of spun ones do not."""
RATE, TABLE_RATE = 2e-3, 0.1
"""Largest step of Adam for the layers and of Adagrad for the vectors; both fall to nothing along a
quarter cosine."""
DECAYS = (0.9, 0.999)
HEAD_WEIGHTS = np.array([1.0, 0.3, 0.3], dtype=np.float32)
BLOCK_TEXTS = 1000

Labels = npt.NDArray[np.uint8]
"""Shape ``(characters, heads)``."""


ROOM = 1.25
"""Of what a step size has room for, over the largest value that was seen."""
LEAST = 1e-3
"""The smallest range of a column: one that is always zero has steps, too."""


class Layer(NamedTuple):
    """``x + relu([x before, x, x behind] @ wide + bias) @ narrow + shift``."""

    wide: Floats
    bias: Floats
    narrow: Floats
    shift: Floats


class Network(NamedTuple):
    """What `Tagger` is, before it is put into steps."""

    chars: Floats
    """Vector of each character, shape ``(alphabet size, WIDTH)``."""
    before: Floats
    """Of the pair that it makes with the one before, shape ``(2**PAIR_BITS, PAIR_WIDTH)``."""
    behind: Floats
    """Of the pair that it makes with the one behind it."""
    surprise: Floats
    """Of how much it surprises the language model, shape ``(LEVELS, WIDTH)``."""
    layers: tuple[Layer, ...]
    head: Floats
    """Shape ``(WIDTH, len(HEADS))``."""
    offset: Floats

    def embedded(self, ids: Ids, surprise: Levels) -> Floats:
        before, behind = pair_slots(ids)
        vectors = self.chars[ids]
        vectors += self.surprise[surprise]
        vectors[:, :PAIR_WIDTH] += self.before[before]
        vectors[:, PAIR_WIDTH:] += self.behind[behind]
        return vectors

    def in_steps(self, text: "Text") -> Tagger:
        """The tagger that ships, with steps that are as fine as these rows let them be."""
        done = _forward(self, text)
        layers = tuple(
            _layer_in_steps(layer, view[:, WIDTH : 2 * WIDTH], hidden)
            for layer, view, hidden in zip(self.layers, done.views, done.hiddens, strict=True)
        )
        per_last = _per(MOST_LAST, done.last)
        weights, size = _columns(self.head / per_last[:, None], MOST_LAST)
        head = Head(per_last, weights.astype(np.int16), size, self.offset)
        return Tagger.of(
            _vectors(self.chars),
            _vectors(self.before),
            _vectors(self.behind),
            _vectors(self.surprise),
            layers,
            head,
        )


def _per(most: int, columns: Floats) -> Floats:
    """Steps in one of each column, if the ``most`` of them have room for the largest value."""
    largest = np.abs(columns).max(axis=0) * np.float32(ROOM)
    return np.asarray(np.float32(most) / np.maximum(largest, np.float32(LEAST)))


def _layer_in_steps(layer: Layer, x: Floats, hidden: Floats) -> shipped.Layer:
    """With steps for what its products have read."""
    per_x, per_hidden = _per(MOST_SIGNED, x), _per(MOST_HIDDEN, hidden)
    wide, wide_size = _columns(layer.wide / np.tile(per_x, 3)[:, None], MOST_WEIGHT)
    narrow, narrow_size = _columns(layer.narrow / per_hidden[:, None], MOST_WEIGHT)
    return shipped.Layer(
        per_x,
        wide.astype(np.int8),
        wide_size,
        layer.bias,
        per_hidden,
        narrow.astype(np.int8),
        narrow_size,
        layer.shift,
    )


def _columns(weights: Floats, most: int) -> tuple[Floats, Floats]:
    """Weights in whole steps, and the size of one for each column."""
    size = np.maximum(np.abs(weights).max(axis=0), np.float32(1e-9)) / np.float32(most)
    return np.rint(weights / size), size


def _vectors(table: Floats) -> Vectors:
    size = np.maximum(np.abs(table).max(axis=1), np.float32(1e-9)) / np.float32(MOST_WEIGHT)
    steps: Steps = np.rint(table / size[:, None]).astype(np.int8)
    return Vectors(steps, size)


class Text(NamedTuple):
    """What the network reads; two arrays of one shape."""

    ids: Ids
    surprise: Levels


class Block(NamedTuple):
    """Pages in one row, each ended by a boundary, and what each head should say."""

    text: Text
    labels: Labels


class Material(NamedTuple):
    """Texts, and where the language model is that says what surprises there: one that has not seen
    them. What it has seen it finds so usual that every word put in would stand out.
    """

    texts: Sequence[str]
    ngrams: Path


def train(materials: Sequence[Material], sources: Sources, n_chars: int, seed: int) -> Tagger:
    """The tagger after some ``n_chars`` characters of simulated pages. All language models have one
    alphabet.
    """
    size = language.load(materials[0].ngrams).alphabet.size
    trainer = Trainer(size, n_chars, seed)
    for block in _blocks(materials, sources, seed):
        for text, labels in _steps(block):
            trainer.step(text, labels)
            if trainer.seen >= n_chars:
                return trainer.network.in_steps(text)
    raise ValueError("no text to train on")


def block_of(pages: Iterable[Page], ngrams: NgramModel) -> Block:
    ids, labels = [], []
    for page in pages:
        own = ngrams.alphabet.ids(page.text + "\n")
        marks = np.zeros((len(own), len(HEADS)), dtype=np.uint8)
        for start, end, _ in page.truth:
            marks[start:end, 0] = 1
            marks[start, 1] = 1
        for start, end in page.inserted:
            marks[start:end, 2] = 1
        ids.append(own)
        labels.append(marks)
    row = np.concatenate(ids)
    surprise = surprises(ngrams.log_probs(row), ngrams.unigrams[0][row])
    return Block(Text(row, surprise), np.concatenate(labels))


_shared: list[Sources] = []


def _share(sources: Sources) -> None:
    _shared[:] = [sources]


def _simulated(texts: list[str], ngrams: Path, seed: int) -> Block:
    rng = random.Random(seed)
    pieces = list(cut(texts, rng))
    rng.shuffle(pieces)
    return block_of(spun(pieces, _shared[0], SPUN_SHARE, rng), language.load(ngrams))


def _blocks(materials: Sequence[Material], sources: Sources, seed: int) -> Iterator[Block]:
    """Blocks without end, each made by another process while the one before is learned from."""
    rng = random.Random(seed)
    sizes = [len(one.texts) for one in materials]
    with ProcessPoolExecutor(1, initializer=_share, initargs=(sources,)) as pool:

        def ask() -> Future[Block]:
            (one,) = rng.choices(materials, weights=sizes)
            few = len(one.texts) < BLOCK_TEXTS  # then some come twice
            chosen = (rng.choices if few else rng.sample)(one.texts, k=BLOCK_TEXTS)
            return pool.submit(_simulated, chosen, one.ngrams, rng.getrandbits(32))

        coming = [ask(), ask()]
        while True:
            yield coming.pop(0).result()
            coming.append(ask())


def _steps(block: Block) -> Iterator[tuple[Text, Labels]]:
    """Parts of ROWS_PER_STEP rows, shapes ``(rows, ROW)`` and ``(rows, ROW, heads)``."""
    size = ROW * ROWS_PER_STEP
    for start in range(0, len(block.labels) - size + 1, size):
        piece = slice(start, start + size)
        ids, surprise = block.text
        text = Text(ids[piece].reshape(-1, ROW), surprise[piece].reshape(-1, ROW))
        yield text, block.labels[piece].reshape(-1, ROW, len(HEADS))


class Trainer:
    """The weights, what the optimisers remember, and one step."""

    def __init__(self, alphabet_size: int, n_chars: int, seed: int) -> None:
        rng = np.random.default_rng(seed)

        def normal(rows: int, columns: int, scale: float) -> Floats:
            return (rng.standard_normal((rows, columns)) * scale).astype(np.float32)

        layers = tuple(
            Layer(
                normal(3 * WIDTH, HIDDEN, (2 / (3 * WIDTH)) ** 0.5),
                np.zeros(HIDDEN, dtype=np.float32),
                normal(HIDDEN, WIDTH, 0.5 * HIDDEN**-0.5),
                np.zeros(WIDTH, dtype=np.float32),
            )
            for _ in DILATIONS
        )
        self.network = Network(
            normal(alphabet_size, WIDTH, 0.3),
            normal(1 << PAIR_BITS, PAIR_WIDTH, 0.3),
            normal(1 << PAIR_BITS, PAIR_WIDTH, 0.3),
            normal(LEVELS, WIDTH, 0.3),
            layers,
            normal(WIDTH, len(HEADS), WIDTH**-0.5),
            np.full(len(HEADS), -3.0, dtype=np.float32),
        )
        self.seen = 0
        self._n_chars = n_chars
        self._steps = 0
        dense = self._dense()
        self._means = [np.zeros_like(weight) for weight in dense]
        self._squares = [np.zeros_like(weight) for weight in dense]
        self._sums = [np.full(len(t), 1e-6, dtype=np.float32) for t in self._tables()]
        self._pool = ThreadPoolExecutor(THREADS)
        self._loss = 0.0
        self._started = time.monotonic()

    def _dense(self) -> list[Floats]:
        weights = [weight for layer in self.network.layers for weight in layer]
        return [*weights, self.network.head, self.network.offset]

    def _tables(self) -> tuple[Floats, Floats, Floats, Floats]:
        own = self.network
        return own.chars, own.before, own.behind, own.surprise

    def step(self, text: Text, labels: Labels) -> None:
        parts = [
            self._pool.submit(
                gradients,
                self.network,
                Text(text.ids[i::THREADS], text.surprise[i::THREADS]),
                labels[i::THREADS],
            )
            for i in range(THREADS)
        ]
        done = [part.result() for part in parts]
        size = text.ids.size
        self._steps += 1
        self.seen += size
        pace = np.cos(np.pi / 2 * min(1.0, self.seen / self._n_chars))
        pace *= min(1.0, self._steps / min(200, 1 + self._n_chars // (10 * size)))
        dense = [sum(grads) for grads in zip(*(part.dense for part in done), strict=True)]
        self._adam(dense, float(RATE * pace))
        jobs = [
            self._pool.submit(
                _adagrad,
                table,
                sums,
                np.concatenate([part.slots[i] for part in done]),
                np.concatenate([part.tables[i] for part in done]),
                float(TABLE_RATE * pace),
            )
            for i, (table, sums) in enumerate(zip(self._tables(), self._sums, strict=True))
        ]
        for job in jobs:
            job.result()
        self._report(sum(part.loss for part in done) / len(done))

    def _adam(self, grads: list[Floats], rate: float) -> None:
        for i, (weight, grad) in enumerate(zip(self._dense(), grads, strict=True)):
            self._means[i] += (1 - DECAYS[0]) * (grad - self._means[i])
            self._squares[i] += (1 - DECAYS[1]) * (grad * grad - self._squares[i])
            ahead = self._means[i] / (1 - DECAYS[0] ** self._steps)
            size = np.sqrt(self._squares[i] / (1 - DECAYS[1] ** self._steps))
            np.subtract(weight, rate * ahead / (size + 1e-8), out=weight)

    def _report(self, loss: float) -> None:
        self._loss = loss if self._steps == 1 else 0.99 * self._loss + 0.01 * loss
        if self._steps % 100 == 0:
            speed = self.seen / (time.monotonic() - self._started)
            log.info("tagger: %d characters, loss %.4f, %.0f/s", self.seen, self._loss, speed)


class Gradients(NamedTuple):
    loss: float
    dense: list[Floats]
    """In the order of the layers' weights, then the head and its offset."""
    slots: tuple[Ints, Ints, Ints, Ints]
    """Rows of the four tables that were used."""
    tables: tuple[Floats, Floats, Floats, Floats]
    """Gradients of those rows, aligned with the slots."""


class _Pass(NamedTuple):
    """What the way forward leaves for the way back. Rows of text lie one after another, each
    followed by GAP rows of zeros, and GAP more stand at either end.
    """

    mask: Floats
    """1 for characters, 0 for gaps; shape ``(n, 1)``."""
    views: list[Floats]
    """The neighbourhoods that each layer saw."""
    hiddens: list[Floats]
    last: Floats
    """What the head saw, shape ``(n, WIDTH)``."""


def gradients(network: Network, text: Text, labels: Labels) -> Gradients:
    """Mean cross-entropy per character, all heads weighted, and its gradients.

    ``text`` has shape ``(rows, length)``, ``labels`` ``(rows, length, heads)``.
    """
    rows, length = text.ids.shape
    done = _forward(network, text)
    truth = np.zeros((rows, length + GAP, len(HEADS)), dtype=np.float32)
    truth[:, :length] = labels
    wanted = truth.reshape(-1, len(HEADS))
    scores = done.last @ network.head + network.offset
    weight = done.mask * HEAD_WEIGHTS / np.float32(rows * length)
    # softplus(s) - wanted * s is the cross-entropy of log odds s
    loss = float(((np.logaddexp(0, scores) - wanted * scores) * weight).sum())
    back = ((1 / (1 + np.exp(-scores)) - wanted) * weight).astype(np.float32)
    dense, flow = _backward(network, done, back)
    own = flow.reshape(rows, length + GAP, WIDTH)[:, :length].reshape(-1, WIDTH)
    slots = [pair_slots(row) for row in text.ids]
    return Gradients(
        loss,
        [*dense, done.last.T @ back, back.sum(axis=0)],
        (
            text.ids.reshape(-1).astype(np.int64),
            np.concatenate([before for before, _ in slots]),
            np.concatenate([behind for _, behind in slots]),
            text.surprise.reshape(-1).astype(np.int64),
        ),
        (own, own[:, :PAIR_WIDTH], own[:, PAIR_WIDTH:], own),
    )


def _forward(network: Network, text: Text) -> _Pass:
    rows, length = text.ids.shape
    inside = np.zeros((rows, length + GAP), dtype=np.float32)
    inside[:, :length] = 1
    mask = inside.reshape(-1, 1)
    n = len(mask)
    x = np.zeros((n + 2 * GAP, WIDTH), dtype=np.float32)
    inner = x[GAP : GAP + n]
    inner.reshape(rows, length + GAP, WIDTH)[:, :length] = [
        network.embedded(*row) for row in zip(*text, strict=True)
    ]
    views, hiddens = [], []
    for layer, dilation in zip(network.layers, DILATIONS, strict=True):
        view = neighbourhood(x, dilation)
        hidden = view @ layer.wide
        hidden += layer.bias
        np.maximum(hidden, 0, out=hidden)
        change = hidden @ layer.narrow
        change += layer.shift
        change *= mask
        inner += change
        views.append(view)
        hiddens.append(hidden)
    return _Pass(mask, views, hiddens, inner)


def _backward(network: Network, done: _Pass, back: Floats) -> tuple[list[Floats], Floats]:
    """Gradients of the layers' weights, in order, and of what went into the first layer."""
    n = len(done.mask)
    flow = np.zeros((n + 2 * GAP, WIDTH), dtype=np.float32)
    inner = flow[GAP : GAP + n]
    inner[:] = back @ network.head.T
    grads: list[Floats] = []
    for layer, dilation, view, hidden in reversed(
        list(zip(network.layers, DILATIONS, done.views, done.hiddens, strict=True))
    ):
        change: Floats = (inner * done.mask).astype(np.float32)
        d_hidden: Floats = change @ layer.narrow.T
        d_hidden *= hidden > 0
        own: list[Floats] = [view.T @ d_hidden, d_hidden.sum(axis=0)]
        own += [hidden.T @ change, change.sum(axis=0)]
        grads = own + grads
        d_view = d_hidden @ layer.wide.T
        for i, shift in enumerate((-dilation, 0, dilation)):
            flow[GAP + shift : GAP + shift + n] += d_view[:, i * WIDTH : (i + 1) * WIDTH]
        flow[:GAP] = 0
        flow[GAP + n :] = 0
    return grads, inner


def _adagrad(table: Floats, sums: Floats, slots: Ints, grads: Floats, rate: float) -> None:
    """One step for the rows in use; each row has one sum of squares."""
    order = np.argsort(slots, kind="stable")
    ranked = slots[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    total = np.add.reduceat(grads[order], starts, axis=0)
    rows = ranked[starts]
    sums[rows] += (total * total).mean(axis=1)
    table[rows] -= rate * total / np.sqrt(sums[rows])[:, None]
