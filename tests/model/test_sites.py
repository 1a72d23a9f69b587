import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import features
from pipeline.model.channel import Channel, Pair
from pipeline.model.features import (
    DOCUMENT_FEATURES,
    REGAINED_FEATURES,
    SITE_FEATURES,
    TAG_FEATURES,
)
from pipeline.model.posterior import CELLS, infer
from pipeline.model.scorer import (
    LEAST_INSIDE,
    UNTHINKABLE,
    Read,
    families,
    find,
    glance,
    in_context,
    witnesses,
)
from pipeline.model.sites import (
    CONTEXT,
    FAR_BEHIND,
    HOPELESS,
    MOST_TRIED,
    _guesses,
    _promising,
    batch_of,
    candidates,
    find_sites,
    regained,
    restored,
    some_of,
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
    read = Read(found, tags(ngrams, TEXTS), odds, seen, family)
    _, rows = in_context(ngrams, Channel.of_pairs(ngrams, PAIRS), read, odds)
    more = len(REGAINED_FEATURES) + len(DOCUMENT_FEATURES)
    assert rows.shape == (len(odds), found.features.shape[1] + more)
    assert np.isfinite(rows).all()


DENSE = {
    ("认识", "意识"): Pair(0.0),
    ("提高", "进步"): Pair(0.0),
    ("工作", "作"): Pair(0.0),
    ("死", "逝世"): Pair(0.0),
    ("害死人", "害逝世人"): Pair(0.0),
    ("不", "无法"): Pair(0.0),
}


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*"的是。\n", *(s for _, s in DENSE)]), max_size=9), max_size=4
    ),
    st.data(),
)
def test_gains_beside_restored_sites_are_those_of_the_restored_text(ngrams, pieces, data):
    """Text by text: the sites chosen are replaced in the string itself, and it is weighed anew."""
    channel = Channel.of_pairs(ngrams, DENSE)
    texts = ["".join(of_text) for of_text in pieces]
    batch = batch_of(ngrams, texts)
    log_probs = ngrams.log_probs(batch.ids)
    start, term = channel.matches(batch.ids)
    tried = channel.is_surface[term]
    start, term = start[tried], term[tried]
    sites = find_sites(batch, log_probs, start, term, channel.length[term])
    sites, found = candidates(batch, ngrams, channel, sites, hopeless=-1e9)
    chosen, until = [], 0
    for row in np.unique(found.site, return_index=True)[1].tolist():  # one candidate a site
        if sites.start[found.site[row]] >= until and data.draw(st.booleans()):
            chosen.append(row)
            until = sites.end[found.site[row]]
    again, gains, beside = regained(batch, ngrams, channel, sites, found, np.array(chosen, int))
    for number in np.flatnonzero(~beside).tolist():
        assert again.before[number] == sites.before[number]
    for row in range(len(found.site)):
        site = found.site[row]
        if not beside[site]:
            assert gains.gain[row] == found.gain[row]
            continue
        document = sites.document[site]
        first = batch.starts[document]
        text = texts[document]
        spans = [
            (sites.start[s] - first, sites.end[s] - first, channel.terms[found.original[c]])
            for c, s in ((c, found.site[c]) for c in chosen)
            if sites.document[s] == document and s != site
        ]
        low, high = sites.start[site] - first, sites.end[site] - first
        left, right = undone(text[:low], spans), undone(text[high:], spans, high)
        gain = weight(ngrams, left, channel.terms[found.original[row]], right)
        gain -= weight(ngrams, left, text[low:high], right)
        assert np.isclose(gains.gain[row], gain, atol=1e-3)


def test_sites_beside_a_restored_one_have_another_context(ngrams):
    channel = Channel.of_pairs(ngrams, DENSE)
    batch = batch_of(ngrams, ["必须进步意识。"])
    start, term = channel.matches(batch.ids)
    tried = channel.is_surface[term]
    log_probs = ngrams.log_probs(batch.ids)
    sites = find_sites(batch, log_probs, start[tried], term[tried], channel.length[term[tried]])
    sites, found = candidates(batch, ngrams, channel, sites, hopeless=-1e9)
    chosen = np.flatnonzero(sites.start[found.site] - batch.starts[0] == 2)
    whole, moved, beside = restored(batch, channel, sites, found, chosen)
    assert ngrams.alphabet.ids("必须提高意识。").tolist() == whole.ids[CONTEXT:-CONTEXT].tolist()
    assert moved.start.tolist() == sites.start.tolist()
    assert beside.tolist() == [number != found.site[chosen[0]] for number in range(len(beside))]


def undone(piece, spans, offset=0):
    """What stands between, with the originals of the spans that lie in it."""
    pieces, at = [], 0
    for start, end, original in spans:
        if offset <= start and end <= offset + len(piece):
            pieces += [piece[at : start - offset], original]
            at = end - offset
    return "".join([*pieces, piece[at:]])


def weight(ngrams, left, middle, right):
    """Log probability of ``middle`` and of the characters behind it that it has a say in."""
    batch = batch_of(ngrams, [left + middle + right])
    start = batch.starts[0] + len(left)
    return ngrams.log_probs(batch.ids)[start : start + len(middle) + CONTEXT].sum()


def test_unlisted_originals_are_tried_where_the_tagger_suspects_and_at_odd_characters(
    ngrams, monkeypatch
):
    pairs = {("认识", "意识"): Pair(0.0, family=0), ("提高", "进步"): Pair(0.0)}
    channel = Channel.of_pairs(ngrams, pairs)
    calm = tags(ngrams, TEXTS) + (LEAST_INSIDE + UNTHINKABLE) / 2
    monkeypatch.setattr(features, "ODD", -1e9)
    quiet = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm))
    assert {channel.terms[term] for term in quiet.sites.term} == {"进步"}
    loud = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm + 8))
    assert {channel.terms[term] for term in loud.sites.term} == {"进步", "意识"}
    monkeypatch.setattr(features, "ODD", 0.0)
    odd = find(ngrams, channel, *seen_with(ngrams, TEXTS, calm))
    assert {channel.terms[term] for term in odd.sites.term} == {"进步", "意识"}
    sure = tags(ngrams, TEXTS) + UNTHINKABLE - 1
    assert not len(find(ngrams, channel, *seen_with(ngrams, TEXTS, sure)).sites.term)


@given(st.lists(st.text("提高认识。\n", max_size=5), max_size=6), st.data())
def test_some_texts_of_a_batch_are_the_batch_of_those_texts(ngrams, texts, data):
    chosen = [number for number in range(len(texts)) if data.draw(st.booleans())]
    whole = batch_of(ngrams, texts)
    some, at = some_of(whole, np.array(chosen, dtype=np.int64))
    expected = batch_of(ngrams, [texts[number] for number in chosen])
    for one, other in zip(some, expected, strict=True):
        assert one.tolist() == other.tolist()
    assert (whole.ids[at] == some.ids).all()
    said, anew = ngrams.log_probs(whole.ids)[at], ngrams.log_probs(some.ids)
    assert np.array_equal(said[CONTEXT:], anew[CONTEXT:]), "of boundaries, too"


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
