"""A channel that a corpus has taught."""

import numpy as np
import pytest

from pipeline.model.channel import EMBEDDING, LEARNED, Channel, Pair

BASE = {
    ("认识", "意识"): Pair(-1.0, 0b1, -5.0),
    ("提高", "进步"): Pair(-2.0, 1 << EMBEDDING, -2.0),
}


@pytest.fixture
def channel(ngrams):
    return Channel.of_pairs(ngrams, BASE)


def known(channel):
    return {
        pair: (prior, family)
        for pair, prior, family in zip(
            channel.pairs(), channel.log_prior.tolist(), channel.family.tolist(), strict=True
        )
    }


def test_a_new_pair_is_as_if_a_list_had_it(ngrams, channel):
    taught = channel.taught(ngrams, {("严重", "很重"): -0.7})
    assert known(taught)["严重", "很重"] == (pytest.approx(-0.7), 1 << LEARNED)
    assert {pair: known(taught)[pair] for pair in BASE} == known(channel)
    assert ("严重", "很重") in taught.listed_pairs


def test_of_a_known_pair_both_are_kept(ngrams, channel):
    taught = channel.taught(ngrams, {("提高", "进步"): -0.7})
    prior, family = known(taught)["提高", "进步"]
    assert prior == pytest.approx(np.logaddexp(-2.0, -0.7))
    assert family == 1 << EMBEDDING | 1 << LEARNED
    assert len(taught.original) == len(BASE)


def test_terms_are_found_in_a_text(ngrams, channel):
    taught = channel.taught(ngrams, {("严重", "很重"): -0.7, ("工作", "作"): -1.0})
    ids = ngrams.alphabet.ids("意识很重进步")
    found = taught.matches(ids)
    assert [taught.terms[term] for term in found.term] == ["意识", "很重", "进步"]
    assert taught.pairs() == sorted(taught.pairs(), key=lambda pair: pair[::-1])


def test_what_the_alphabet_lacks_is_left_out(ngrams, channel):
    assert known(channel.taught(ngrams, {("龘", "意识"): -1.0})) == known(channel)
    assert known(channel.taught(ngrams, {})) == known(channel)
