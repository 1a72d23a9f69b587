import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import ngrams as module
from pipeline.model import static_table
from pipeline.training import language_model
from pipeline.training.ngram_counts import as_ids
from tests.model.conftest import TEXTS

ROUNDING = 0.12
"""Four back-off weights in steps of 1/32 nat, each wrong by half a step at most, and a little."""


def test_probabilities_after_any_context_sum_to_one(ngrams):
    size = ngrams.alphabet.size
    for context in ("\n我们提", "高认识。", "工作的水", "\n大家", "问题严水"):
        ids = ngrams.alphabet.ids(context)
        rows = np.concatenate(
            [np.tile(ids, (size, 1)), np.arange(size, dtype=np.uint16)[:, None]], axis=1
        )
        total = np.exp(ngrams.log_probs(rows)[:, -1].astype(float)).sum()
        assert abs(total - 1) < ROUNDING, context


def test_text_that_was_seen_is_more_probable_than_text_that_was_not(ngrams):
    seen, unseen = (
        ngrams.log_probs(ngrams.alphabet.ids("\n" + text)).sum()
        for text in ("必须提高认识。", "必须题死他初。")
    )
    assert seen > unseen + 5


def test_seen_ngrams_have_their_interpolated_probability(ngrams):
    ids = ngrams.alphabet.ids("\n形式主义害死人")
    assert (ngrams.log_probs(ids)[3:] > np.log(0.3)).all()


def _written_out(ngrams, context, char):
    """Katz back-off, one n-gram at a time."""

    def entry(ids):
        size = ngrams.alphabet.size
        key = np.uint64(sum(int(i) * size**power for power, i in enumerate(reversed(ids))))
        found, word = static_table.look_up(
            ngrams._words, module.salted(np.array([key]), np.uint64(len(ids)))
        )
        return (found[0], ngrams._own(word)[0], ngrams._backoff_of[word[0] & np.uint32(255)])

    def kept(ids):
        return len(ids) == 1 or (entry(ids)[0] and kept(ids[1:]) and kept(ids[:-1]))

    if not context:
        return ngrams.unigrams[0][char]
    if kept([*context, char]):
        return entry([*context, char])[1]
    weight = ngrams.unigrams[1][context[0]] if len(context) == 1 else entry(context)[2]
    return (weight if kept(context) else 0) + _written_out(ngrams, context[1:], char)


@settings(deadline=None, max_examples=50)
@given(st.text("".join(sorted(set("".join(TEXTS)))), min_size=1, max_size=12))
def test_scores_are_those_of_back_off_written_out(ngrams, text):
    ids = ngrams.alphabet.ids("\n" + text)
    expected = [
        _written_out(ngrams, ids[max(0, at - 4) : at].tolist(), int(ids[at]))
        for at in range(len(ids))
    ]
    assert np.allclose(ngrams.log_probs(ids), expected, atol=1e-4)
    rows = np.stack([ids, ids[::-1]])
    assert np.allclose(ngrams.log_probs(rows)[0], expected, atol=1e-4)
    assert np.array_equal(ngrams.log_probs(rows)[1], ngrams.log_probs(ids[::-1]))


def test_pairs_score_as_rows_of_two(ngrams):
    ids = ngrams.alphabet.ids("".join(TEXTS))
    rows = np.stack([ids[:-1], ids[1:]], axis=1)
    assert np.allclose(ngrams.pair_log_probs(ids[:-1], ids[1:]), ngrams.log_probs(rows)[:, 1])


@settings(deadline=None)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.integers(0, 30))
def test_a_window_scores_as_it_does_in_the_whole_text(ngrams, texts, at):
    ids = ngrams.alphabet.ids("\n" + "\n".join(texts))
    whole = ngrams.log_probs(ids)
    at = min(at, len(ids) - 6)
    window = ngrams.log_probs(ids[None, at : at + 6])[0]
    assert np.allclose(window[4:], whole[at + 4 : at + 6])


def test_long_rows_are_scored_across_chunks_as_in_one(ngrams, monkeypatch):
    ids = ngrams.alphabet.ids("\n" + "\n".join(TEXTS))
    whole = ngrams.log_probs(ids)
    monkeypatch.setattr(module, "_CHUNK", 17)
    assert np.array_equal(ngrams.log_probs(ids), whole)


def test_a_saved_model_gives_the_same_scores(ngrams, tmp_path):
    ngrams.save(tmp_path)
    ids = ngrams.alphabet.ids("\n我们的工作很重要。")
    assert np.array_equal(module.load(tmp_path).log_probs(ids), ngrams.log_probs(ids))


def test_pruning_keeps_to_its_budget_and_stays_a_distribution(ngrams):
    ids = as_ids(ngrams.alphabet, TEXTS)
    small = language_model.train(ids, ngrams.alphabet, budget=60, partitions=1)
    size = ngrams.alphabet.size
    rows = np.concatenate(
        [
            np.tile(ngrams.alphabet.ids("\n提高认"), (size, 1)),
            np.arange(size, dtype=np.uint16)[:, None],
        ],
        axis=1,
    )
    assert abs(np.exp(small.log_probs(rows)[:, -1].astype(float)).sum() - 1) < ROUNDING
