import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import features
from pipeline.model.channel import Channel, Pair
from pipeline.model.features import DOCUMENT_FEATURES, SITE_FEATURES, TAG_FEATURES
from pipeline.model.posterior import CELLS, infer
from pipeline.model.scorer import Read, families, find, glance, in_context, witnesses
from pipeline.model.sites import (
    FAR_BEHIND,
    HOPELESS,
    MOST_TRIED,
    _guesses,
    _promising,
    batch_of,
    candidates,
    find_sites,
)
from pipeline.model.tagger import HEADS

PAIRS = {
    ("认识", "意识"): Pair(0.0),
    ("提高", "进步"): Pair(0.0),
    ("死", "逝世"): Pair(0.0),
    ("重要", "主要"): Pair(0.0),
}
STEPS = st.integers(-240, 40).map(lambda eighths: eighths / 8)
TEXTS = ["我们意识到问题的严重性。", "必须进步认识,形式主义害逝世人。", "", "工作很主要。"]


def tags(ngrams, texts):
    return np.zeros((len(batch_of(ngrams, texts).ids), len(HEADS)), dtype=np.float32)


def seen_with(ngrams, texts, tags):
    """What `find` goes by."""
    batch = batch_of(ngrams, texts)
    return batch, ngrams.log_probs(batch.ids), tags


def sought(ngrams, texts, pairs=PAIRS):
    seen = seen_with(ngrams, texts, tags(ngrams, texts))
    return find(ngrams, Channel.of_pairs(ngrams, pairs), *seen)


@pytest.fixture(scope="module")
def found(ngrams):
    return sought(ngrams, TEXTS)


def test_sites_are_where_the_surfaces_stand(ngrams, found):
    sites = found.sites
    first = found.batch.starts[sites.document]
    got = [
        TEXTS[d][start:end]
        for d, start, end in zip(
            sites.document, sites.start - first, sites.end - first, strict=True
        )
    ]
    assert sorted(got) == ["主要", "意识", "进步", "逝世"]


def test_the_gain_is_the_difference_of_the_whole_texts_probabilities(ngrams, found):
    """The window holds everything that the replacement can change, so nothing is lost by it."""
    sites, channel = found.sites, Channel.of_pairs(ngrams, PAIRS)
    for row, site in enumerate(found.candidates.site):
        d = sites.document[site]
        first = found.batch.starts[d]
        start, end = sites.start[site] - first, sites.end[site] - first
        original = channel.terms[found.candidates.original[row]]
        before, after = (
            ngrams.log_probs(ngrams.alphabet.ids("\n" + text + "\n\n\n\n"))[1:].sum()
            for text in (TEXTS[d], TEXTS[d][:start] + original + TEXTS[d][end:])
        )
        assert found.candidates.gain[row] == pytest.approx(after - before, abs=1e-3)


def test_a_batch_is_judged_as_its_texts_are_alone(ngrams, found):
    alone = [sought(ngrams, [text]).features for text in TEXTS]
    assert np.allclose(np.concatenate(alone), found.features, atol=1e-4)


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"], ["我们的工作"]])
def test_texts_without_sites_are_no_trouble(ngrams, texts):
    assert len(sought(ngrams, texts).features) == 0


def test_features_are_those_that_are_named(ngrams, found):
    assert found.features.shape[1] == len(SITE_FEATURES) + len(TAG_FEATURES)
    odds = np.zeros(len(found.sites.start), dtype=np.float32)
    family = families(Channel.of_pairs(ngrams, PAIRS), found)
    even = np.full(len(CELLS) + 1, -np.log(len(CELLS) + 1))
    seen = infer(*witnesses(found, family, odds, 0.0), even)
    rows = in_context(Read(found, tags(ngrams, TEXTS), odds, seen, family), odds)
    assert rows.shape == (len(odds), found.features.shape[1] + len(DOCUMENT_FEATURES))
    assert np.isfinite(rows).all()


def test_unlisted_originals_are_tried_where_the_tagger_suspects_and_at_odd_characters(
    ngrams, monkeypatch
):
    pairs = {("认识", "意识"): Pair(0.0, family=0), ("提高", "进步"): Pair(0.0)}
    channel = Channel.of_pairs(ngrams, pairs)
    calm = tags(ngrams, TEXTS) - 8
    monkeypatch.setattr(features, "ODD", -1e9)
    quiet = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm))
    assert {channel.terms[term] for term in quiet.sites.term} == {"进步"}
    loud = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm + 8))
    assert {channel.terms[term] for term in loud.sites.term} == {"进步", "意识"}
    monkeypatch.setattr(features, "ODD", 0.0)
    odd = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm))
    assert {channel.terms[term] for term in odd.sites.term} == {"进步", "意识"}


def test_a_glance_sees_no_more_than_a_reading(ngrams, found):
    batch = batch_of(ngrams, TEXTS)
    known = Channel.of_pairs(ngrams, PAIRS)
    seen = glance(ngrams, known, batch, ngrams.log_probs(batch.ids))
    assert set(seen.found.sites.start.tolist()) <= set(found.sites.start.tolist())
    assert seen.of_text.shape == (len(TEXTS), 9)
    assert np.isfinite(seen.of_text).all()


def test_a_glance_tries_unlisted_originals_where_characters_are_striking(ngrams, monkeypatch):
    pairs = {("认识", "意识"): Pair(0.0, family=0), ("提高", "进步"): Pair(0.0)}
    channel = Channel.of_pairs(ngrams, pairs)
    batch = batch_of(ngrams, TEXTS)
    log_probs = ngrams.log_probs(batch.ids)

    def surfaces():
        seen = glance(ngrams, channel, batch, log_probs)
        terms = [channel.terms[term] for term in seen.found.sites.term]
        return set(terms), {t for t, yes in zip(terms, seen.is_striking, strict=True) if yes}

    monkeypatch.setattr(features, "ODD", 0.0)
    monkeypatch.setattr(features, "VERY_ODD", -1e9)
    assert surfaces() == ({"进步"}, set())
    monkeypatch.setattr(features, "VERY_ODD", 0.0)
    assert surfaces() == ({"进步", "意识"}, {"进步", "意识"})


@settings(deadline=None)
@given(st.lists(st.lists(STEPS, min_size=1, max_size=12), max_size=8))
def test_the_best_guesses_of_each_site_are_weighed(guesses):
    site = np.repeat(np.arange(len(guesses)), [len(own) for own in guesses])
    guess = np.array([g for own in guesses for g in own], dtype=np.float32)
    hopeful, kept = _promising(site, guess, len(guesses), HOPELESS)
    for number, own in enumerate(guesses):
        mine = guess[site == number]
        assert hopeful[number] == (mine.max() >= HOPELESS)
        expected = np.sort(mine[mine >= mine.max() - FAR_BEHIND])[::-1][:MOST_TRIED]
        chosen = np.sort(mine[kept[site == number]])[::-1]
        assert chosen.tolist() == (expected.tolist() if hopeful[number] else []), own


def test_a_guess_is_the_gain_where_pairs_are_all_that_is_known(ngrams):
    """With contexts of one character the guess is off by what longer n-grams say, no more."""
    channel = Channel.of_pairs(ngrams, PAIRS)
    batch = batch_of(ngrams, TEXTS)
    log_probs = ngrams.log_probs(batch.ids)
    start, term = channel.matches(batch.ids)
    at = channel.is_surface[term]
    sites = find_sites(batch, log_probs, start[at], term[at], channel.length[term[at]])
    _, found = candidates(batch, ngrams, channel, sites)
    guess = _guesses(batch, ngrams, channel, sites, found.site, found.original)
    assert np.sign(guess).tolist() == np.sign(found.gain).tolist()
