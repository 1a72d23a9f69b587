"""The tagger's gradients against differences, its training, its windows, its file."""

import numpy as np
import pytest

from pipeline.model import ngrams as language
from pipeline.model import tagger as model
from pipeline.model.alphabet import Alphabet
from pipeline.model.tagger import GAP, HEADS, LEVELS, SIGHT, Tagger, surprises, windows
from pipeline.training import language_model
from pipeline.training.ngram_counts import as_ids
from pipeline.training.pages import Page
from pipeline.training.spinner import Insertion, Substitution
from pipeline.training.tagger import Material, Text, Trainer, _forward, block_of, gradients, train
from pipeline.training.tools import Sources

CHARS = "我们认识到问题的严重性必须提高意进步大家都很满足"
ALPHABET = Alphabet(CHARS)


@pytest.fixture
def fresh():
    trainer = Trainer(ALPHABET.size, 10_000, seed=3)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (3, 40, len(HEADS))).astype(np.uint8)
    return trainer.network, _random_text(rng, (3, 40)), labels


def _random_text(rng, shape):
    return Text(
        rng.integers(6, ALPHABET.size, shape).astype(np.uint16),
        rng.integers(0, LEVELS, shape).astype(np.uint8),
    )


@pytest.fixture(scope="module")
def ngrams(tmp_path_factory):
    """Where a language model is that has seen two sentences."""
    folder = tmp_path_factory.mktemp("ngrams")
    seen = ["我们认识到问题的严重性。", "大家都很满意。必须提高。"] * 9
    language_model.train(as_ids(ALPHABET, seen), ALPHABET, 10**5, partitions=2).save(folder)
    return folder


@pytest.mark.parametrize("layer", range(5))
@pytest.mark.parametrize("field", range(4))
def test_gradients_of_the_layers_are_those_that_differences_give(fresh, layer, field):
    network, text, labels = fresh
    grad = gradients(network, text, labels).dense[4 * layer + field]
    weight = network.layers[layer][field]
    at = np.unravel_index(np.abs(grad).argmax(), grad.shape)
    assert grad[at] == pytest.approx(_difference(network, text, labels, weight, at), rel=0.03)


@pytest.mark.parametrize("table", range(4))
def test_gradients_of_the_vectors_are_those_that_differences_give(fresh, table):
    network, text, labels = fresh
    found = gradients(network, text, labels)
    vectors = (network.chars, network.before, network.behind, network.surprise)[table]
    total = np.zeros_like(vectors)
    np.add.at(total, found.slots[table], found.tables[table])
    at = np.unravel_index(np.abs(total).argmax(), total.shape)
    assert total[at] == pytest.approx(_difference(network, text, labels, vectors, at), rel=0.03)


def _difference(network, text, labels, weight, at, step=4e-3):
    own = weight[at]
    losses = []
    for value in (own + step, own - step):
        weight[at] = value
        losses.append(gradients(network, text, labels).loss)
    weight[at] = own
    return (losses[0] - losses[1]) / (2 * step)


def test_training_learns_what_was_replaced(ngrams):
    texts = ["我们认识到问题的严重性。大家都很满意。必须提高。" * 4] * 40
    pairs = {("认识", "意识"): frozenset({"a"}), ("提高", "进步"): frozenset({"a"})}
    materials = [Material(texts, ngrams)]
    taught = train(materials, Sources(pairs, {}, {}), n_chars=400_000, seed=1)
    clean, spun = (
        taught.log_odds(*block_of([Page(text, [])], language.load(ngrams)).text)
        for text in ("我们认识到问题的严重性。", "我们意识到问题的严重性。")
    )
    assert spun[2:4, 0].min() > clean[2:4, 0].max() + 2


def test_what_surprises_is_a_level_of_both_losses():
    found = surprises(np.array([0, -20, -3.5, -3.5], np.float32), np.float32([-9.5, -20, -9, -2]))
    assert found.tolist() == [15, 15 * 16 + 4, 6 * 16 + 11, 6 * 16 + 2]
    assert found.max() < LEVELS


def test_a_block_marks_what_was_done(ngrams):
    page = Page("我们意识到问题", [Substitution(2, 4, "认识")], [Insertion(5, 7)])
    block = block_of([page], language.load(ngrams))
    assert block.text.surprise[2] > block.text.surprise[1]
    assert block.labels[:, 0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert block.labels[:, 1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert block.labels[:, 2].tolist() == [0, 0, 0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("n", [0, 1, 63, 64, 511, 512, 513, 3000])
def test_windows_cover_every_character_once_with_sight_on_both_sides(n):
    found = windows(n)
    assert [at for _, _, low, high in found for at in range(low, high)] == list(range(n))
    for start, end, low, high in found:
        assert low - start >= min(SIGHT, low)
        assert end - high >= min(SIGHT, n - high)
        assert end - start <= model.WINDOW


def test_a_long_text_is_read_as_one_window_would_read_it(fresh, monkeypatch):
    network, some, _ = fresh
    tagger = network.in_steps(some)
    long = _random_text(np.random.default_rng(1), 2500)
    cut = tagger.log_odds(*long)
    monkeypatch.setattr(model, "WINDOW", 2500)
    assert np.array_equal(tagger.log_odds(*long), cut)
    assert max(model.DILATIONS) <= GAP


def test_in_steps_it_says_nearly_the_same(fresh):
    network, some, _ = fresh
    tagger = network.in_steps(some)
    first = Text(some.ids[:1], some.surprise[:1])
    read = tagger.log_odds(first.ids[0], first.surprise[0])
    meant = (_forward(network, first).last @ network.head + network.offset)[: len(read)]
    np.testing.assert_allclose(read, meant, atol=0.15)
    assert np.abs(read - read.mean()).max() > 1


def test_what_is_saved_judges_the_same(fresh, tmp_path):
    network, some, _ = fresh
    tagger = network.in_steps(some)
    tagger.save(tmp_path / "tagger.npz")
    again = Tagger.load(tmp_path / "tagger.npz")
    row = some.ids[0], some.surprise[0]
    assert np.array_equal(again.log_odds(*row), tagger.log_odds(*row))


def test_the_same_seed_gives_the_same_weights(ngrams):
    texts = ["我们认识到问题的严重性。" * 8] * 30
    sources = Sources({("认识", "意识"): frozenset({"a"})}, {}, {})
    first, second = (train([Material(texts, ngrams)], sources, 40_000, seed=4) for _ in range(2))
    for one, other in zip(first.layers, second.layers, strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a == b).all()
