import numpy as np
import pytest

from pipeline.model.channel import Channel, Pair
from pipeline.model.features import DOCUMENT_FEATURES, SITE_FEATURES, document_features
from pipeline.model.scorer import find

PAIRS = {
    ("认识", "意识"): Pair(0.0),
    ("提高", "进步"): Pair(0.0),
    ("死", "逝世"): Pair(0.0),
    ("重要", "主要"): Pair(0.0),
}
TEXTS = ["我们意识到问题的严重性。", "必须进步认识,形式主义害逝世人。", "", "工作很主要。"]


@pytest.fixture(scope="module")
def found(ngrams):
    return find(ngrams, Channel.of_pairs(ngrams, PAIRS), TEXTS)


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
    channel = Channel.of_pairs(ngrams, PAIRS)
    alone = [find(ngrams, channel, [text]).features for text in TEXTS]
    assert np.allclose(np.concatenate(alone), found.features, atol=1e-4)


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"], ["我们的工作"]])
def test_texts_without_sites_are_no_trouble(ngrams, texts):
    assert len(find(ngrams, Channel.of_pairs(ngrams, PAIRS), texts).features) == 0


def test_features_are_those_that_are_named(found):
    assert found.features.shape[1] == len(SITE_FEATURES)
    names = np.zeros(len(found.sites.start), dtype=np.uint32)
    odds = np.zeros(len(names), dtype=np.float32)
    others = document_features(found.batch, found.sites, names, odds)
    assert others.shape == (len(names), len(DOCUMENT_FEATURES))
