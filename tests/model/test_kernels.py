"""The compiled loops beside the Python that they stand for: the same bits."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import SHIPPED_MODEL
from pipeline.model import channel, native, ngrams, scorer, sites, static_table, tagger
from pipeline.model.trees import Trees

pytestmark = pytest.mark.skipif(
    native.library is None and not shutil.which("cc"), reason="no C compiler: nothing was built"
)

SPUN = "这种情势主义害逝世人，严峻违反了初衷。大家都以为，必需进步熟悉。"
TEXTS = st.lists(
    st.one_of(
        st.text(
            "的一是了我不人在他有这个上们来到时大地为子中情势主义逝世进步，。\nA1𠀀 ", max_size=60
        ),
        st.just(SPUN),
        st.just(SPUN * 40),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def model():
    return scorer.load(SHIPPED_MODEL)


def test_where_there_is_a_compiler_the_library_is_used():
    """One that does not fit is left alone, and all below would compare Python with itself."""
    assert native.library is not None


def both(call):
    """What it returns with the library and without."""
    fast = call()
    kept, native.library = native.library, None
    try:
        return fast, call()
    finally:
        native.library = kept


def arrays(value):
    """All arrays within a nest of tuples."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from arrays(item)


def assert_same(fast, slow):
    fast, slow = list(arrays(fast)), list(arrays(slow))
    assert len(fast) == len(slow)
    assert fast
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype


@settings(deadline=None, max_examples=60)
@given(texts=TEXTS)
def test_verdicts_are_the_same_with_and_without(model, texts):
    assert_same(*both(lambda: model.judge(texts)))
    batch = scorer.batch_of(model.ngrams, [*texts, SPUN])
    log_probs = model.ngrams.log_probs(batch.ids)
    tags = scorer.tags_of(model.tagger, model.ngrams, batch, log_probs)
    seen = batch, log_probs, tags
    assert_same(*both(lambda: scorer.find(model.ngrams, model.channel, *seen)))


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 3000), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_log_probs_of_rows_of_any_width(model, rows, width, seed):
    ids = model.ngrams.alphabet.ids(SPUN)
    at = np.random.default_rng(seed).integers(0, len(ids) - 4, (rows, 1 + width // 4))
    stretches = ids[at[:, :, None] + np.arange(4)].reshape(rows, -1)[:, :width]
    assert_same(*both(lambda: model.ngrams.log_probs(stretches)))


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
def test_log_probs_across_the_edges_of_blocks(model, size):
    ids = np.resize(model.ngrams.alphabet.ids(SPUN), size)
    assert_same(*both(lambda: model.ngrams.log_probs(ids)))


@pytest.mark.parametrize("places", [None, [], [0, 3, 31, 32], range(0, 1400, 2)])
def test_matches_at_some_places(model, places):
    ids = np.resize(model.ngrams.alphabet.ids(SPUN), 1400)
    at = None if places is None else np.array(places, dtype=np.int64)
    fast, slow = both(lambda: model.channel.matches(ids, at))
    assert_same(fast, slow)
    assert len(fast.start) == 0 or places != []


@settings(deadline=None, max_examples=40)
@given(n=st.integers(0, 700), columns=st.integers(1, 100), seed=st.integers(0, 99))
def test_trees_of_any_shape(n, columns, seed):
    rng = np.random.default_rng(seed)
    depth, count = int(rng.integers(1, 9)), int(rng.integers(1, 40))
    trees = Trees(
        rng.integers(0, columns, (count, depth)).astype(np.int16),
        rng.normal(size=(count, depth)).astype(np.float32),
        rng.normal(size=(count, 1 << depth)).astype(np.float32),
    )
    rows = rng.normal(size=(n, columns)).astype(np.float32)
    rows[rng.random((n, columns)) < 0.05] = np.nan
    assert_same(*both(lambda: trees.log_odds(rows)))


needs_tag = pytest.mark.skipif(
    not native.tags_here(), reason="the processor has none of the instructions: numpy it is"
)


@needs_tag
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 31, 1023, 1024, 1025, 4000])
def test_the_tagger_adds_up_exactly(model, n):
    rng = np.random.default_rng(n)
    ids = rng.integers(0, model.ngrams.alphabet.size, n).astype(np.uint16)
    surprise = rng.integers(0, tagger.LEVELS, n).astype(np.uint8)
    assert_same(*both(lambda: model.tagger.log_odds(ids, surprise)))


@needs_tag
def test_the_tagger_of_older_processors_is_the_same(model):
    ids = np.resize(model.ngrams.alphabet.ids(SPUN), 1000)
    text = ids, np.arange(1000).astype(np.uint8)
    sizes = tagger.WIDTH, tagger.GAP, len(tagger.HEADS)
    assert_same(
        native.tag(model.tagger.compiled, *text, *sizes, narrow=True), model.tagger._window(*text)
    )


@needs_tag
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([1e-3, 1e-2, 1.0]))
def test_the_tagger_at_its_limits(seed, size):
    """Where everything is as large as it can be: no sum may leave its place."""
    rng = np.random.default_rng(seed)

    def steps(*shape, most=127):
        return rng.choice([-most, most], shape).astype(np.int16 if most > 127 else np.int8)

    def sizes(n):
        return rng.uniform(0.5, 2, n).astype(np.float32) * np.float32(size)

    width, hidden, half = tagger.WIDTH, tagger.HIDDEN, tagger.PAIR_WIDTH
    pairs = 1 << tagger.PAIR_BITS
    odd = tagger.Tagger.of(
        tagger.Vectors(steps(9, width), sizes(9)),
        *(tagger.Vectors(steps(pairs, half), sizes(pairs)) for _ in range(2)),
        tagger.Vectors(steps(tagger.LEVELS, width), sizes(tagger.LEVELS)),
        tuple(
            tagger.Layer(
                *(sizes(width), steps(3 * width, hidden), sizes(hidden), sizes(hidden)),
                *(sizes(hidden), steps(hidden, width), sizes(width), sizes(width)),
            )
            for _ in tagger.DILATIONS
        ),
        tagger.Head(sizes(width), steps(width, 3, most=2047), sizes(3), sizes(3)),
    )
    text = rng.integers(0, 9, 70).astype(np.uint16), rng.integers(0, 256, 70).astype(np.uint8)
    fast = native.tag(odd.compiled, *text, width, tagger.GAP, 3)
    assert_same(fast, odd._window(*text))
    assert_same(fast, native.tag(odd.compiled, *text, width, tagger.GAP, 3, narrow=True))


def test_a_library_of_other_arguments_is_left_alone(monkeypatch):
    monkeypatch.setattr(native, "INTERFACE", native.INTERFACE + 1)
    assert native._loaded() is None


def test_it_can_be_left_out(monkeypatch):
    monkeypatch.setenv("PIPELINE_NATIVE", "0")
    assert native._loaded() is None


def test_constants_are_those_of_python():
    """Also those that hardly any text tests, such as how many originals are tried."""
    source = (SHIPPED_MODEL.parent / "kernels.c").read_text(encoding="utf-8")
    for name, value in {
        "VALUE_BITS": static_table.VALUE_BITS,
        "ORDER": ngrams.ORDER,
        "BACKOFF_BITS": ngrams.BACKOFF_BITS,
        "MAX_LENGTH": channel.MAX_LENGTH,
        "MOST_TRIED": sites.MOST_TRIED,
        "FAR_BEHIND": f"{sites.FAR_BEHIND}f",
        "WIDTH": tagger.WIDTH,
        "HIDDEN": tagger.HIDDEN,
        "PAIR_WIDTH": tagger.PAIR_WIDTH,
        "PAIR_BITS": tagger.PAIR_BITS,
        "MOST_SIGNED": tagger.MOST_SIGNED,
        "MOST_HIDDEN": tagger.MOST_HIDDEN,
        "MOST_LAST": tagger.MOST_LAST,
        "N_HEADS": len(tagger.HEADS),
        "GAP": tagger.GAP,
        "FOUR": native.FOUR,
        "AT_ONCE": native.AT_ONCE,
    }.items():
        assert f"{name} = {value}" in source
    assert f"MOST_COLUMNS = {native.MOST_COLUMNS}" in source
    assert native.MOST_TRIED == sites.MOST_TRIED
    assert native.MAX_LENGTH == channel.MAX_LENGTH
