import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.channel import Channel, Pair

PAIRS = {
    ("认识", "提高"): Pair(-1.0),
    ("水平", "提高"): Pair(-2.0),
    ("死", "工作的水平"): Pair(0.0),
    ("重要", "大家"): Pair(0.0),
    ("我们", "他"): Pair(0.0),
    ("我们", "他的"): Pair(-3.0),
}


@pytest.fixture(scope="module")
def channel(ngrams):
    return Channel.of_pairs(ngrams, PAIRS)


def spans(channel, matches):
    return sorted(
        (int(start), channel.terms[term])
        for start, term in zip(matches.start, matches.term, strict=True)
    )


@given(st.text("我们提高认识他的工作水平大家,\n", max_size=60))
def test_every_occurrence_of_every_term_is_found(ngrams, channel, text):
    found = channel.matches(ngrams.alphabet.ids(text))
    obvious = [
        (start, term)
        for start in range(len(text))
        for term in channel.terms
        if text.startswith(term, start)
    ]
    assert spans(channel, found) == sorted(obvious)
    assert (np.diff(found.start) >= 0).all()


def test_each_surface_has_its_originals(channel):
    number = channel.terms.index("提高")
    rows = slice(channel.pair_start[number], channel.pair_start[number + 1])
    originals = [channel.terms[i] for i in channel.original[rows]]
    assert dict(zip(originals, channel.log_prior[rows].tolist(), strict=True)) == {
        "认识": -1.0,
        "水平": -2.0,
    }


def test_only_surfaces_are_surfaces(channel):
    surfaces = {t for t, yes in zip(channel.terms, channel.is_surface, strict=True) if yes}
    assert surfaces == {surface for _, surface in PAIRS}


def test_pairs_that_cannot_be_scored_are_left_out(ngrams):
    odd = {
        ("工作", "工作"): Pair(0.0),  # itself
        ("我们", "罕"): Pair(0.0),  # not in the alphabet
        ("我们的工作很重要", "他"): Pair(0.0),  # too long
        ("我们", "大家"): Pair(0.0),
    }
    assert sorted(Channel.of_pairs(ngrams, odd).terms) == ["大家", "我们"]


def test_shared_characters_are_counted(channel):
    a, b = channel.terms.index("提高"), channel.terms.index("水平")
    whole = channel.terms.index("工作的水平")
    assert channel.shared(np.array([a, b, b]), np.array([b, whole, b])).tolist() == [0, 2, 2]


def test_a_saved_channel_finds_the_same(ngrams, channel, tmp_path):
    channel.save(tmp_path)
    again = Channel.load(tmp_path, ngrams.alphabet)
    ids = ngrams.alphabet.ids("我们提高认识,他的工作的水平很高。")
    assert spans(again, again.matches(ids)) == spans(channel, channel.matches(ids))
    assert np.array_equal(again.frequency, channel.frequency)


def test_what_only_unknown_lists_hold_is_as_if_it_were_in_none(ngrams):
    pairs = {
        ("认识", "提高"): Pair(-1.0, family=0b011, log_backoff=-5.0),
        ("水平", "提高"): Pair(-2.0, family=0b010, log_backoff=-6.0),
        ("重要", "大家"): Pair(-3.0, family=0b010),
        ("我们", "他"): Pair(-4.0, family=0, log_backoff=-4.0),
    }
    known = Channel.of_pairs(ngrams, pairs).knowing([0])
    assert dict(
        zip(known.pairs(), zip(known.log_prior, known.family, strict=True), strict=True)
    ) == {
        ("认识", "提高"): (-1.0, 0b001),
        ("水平", "提高"): (-6.0, 0),
        ("我们", "他"): (-4.0, 0),
    }
