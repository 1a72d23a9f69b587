import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import SHIPPED_MODEL
from pipeline.model import scorer
from pipeline.model.sites import batch_of, in_parts

TEXT = "这种情势主义害逝世人,严峻违反了初衷。"


@pytest.fixture
def model():
    return scorer.load(SHIPPED_MODEL)


def test_probability_is_that_of_the_second_pass(model):
    judged = model.judge([TEXT, "今天天气很好。"])
    assert np.allclose(judged.probability, 1 / (1 + np.exp(-judged.log_odds)), atol=1e-6)


def test_a_long_text_is_as_suspicious_as_its_parts_are_on_average(model):
    texts = [TEXT * 200, "", TEXT]
    batch = batch_of(model.ngrams, texts)
    parts, first = in_parts(batch, scorer.AT_SIGHT)
    sizes = parts.ends - parts.starts
    assert sizes.max() <= scorer.AT_SIGHT
    assert np.add.reduceat(sizes, first).tolist() == [len(text) for text in texts]
    assert (parts.starts[first] == batch.starts).all()
    assert (parts.starts[1:] >= parts.ends[:-1]).all()
    log_probs = model.ngrams.log_probs(batch.ids)
    tags = scorer.tags_of(model.tagger, model.ngrams, batch, log_probs)
    seen = model.glance_at(batch, log_probs)
    assert np.array_equal(seen, model.glance_at(parts, log_probs))
    own, found = (model.closer_look(of, seen, tags) for of in (parts, batch))
    assert np.allclose(found, [own[: first[1]].mean(), own[first[1]], own[first[2]]])


def test_what_the_tagger_makes_of_a_text_is_its_own(model):
    """Whatever stands beside it, and however often it says the same."""
    texts = ["今天天气很好。", "", TEXT, TEXT * 3]

    def rows(texts):
        batch = batch_of(model.ngrams, texts)
        log_probs = model.ngrams.log_probs(batch.ids)
        tags = scorer.tags_of(model.tagger, model.ngrams, batch, log_probs)
        return scorer.tag_rows(batch, tags)

    together = rows(texts)
    assert np.isfinite(together).all()
    assert np.array_equal(together, np.concatenate([rows([text]) for text in texts]))
    once, thrice = np.expm1(together[2:, 2])  # words that surely begin a substitution
    assert 0 < once <= thrice < 2 * once, "of those that stand three times, one"


def test_a_saved_model_judges_alike_and_leaves_no_draft(model, tmp_path):
    model.save(tmp_path / "model", {})
    again = scorer.load(tmp_path / "model").judge([TEXT])
    assert np.array_equal(again.log_odds, model.judge([TEXT]).log_odds)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_a_killed_training_left_is_not_taken_over(model, tmp_path):
    (tmp_path / "model.tmp").mkdir()
    (tmp_path / "model.tmp" / "stale.npy").write_bytes(b"?")
    model.save(tmp_path / "model", {})
    assert not (tmp_path / "model" / "stale.npy").exists()


def test_figures_of_an_older_model_do_not_stay(model, tmp_path):
    model.save(tmp_path / "model", {})
    (tmp_path / "model" / "card.md").write_text("0.99", encoding="utf-8")
    model.save(tmp_path / "model", {})
    assert not (tmp_path / "model" / "card.md").exists()


def test_a_process_that_reads_the_old_model_keeps_it(model, tmp_path):
    model.save(tmp_path / "model", {})
    scorer.load.cache_clear()
    old = scorer.load(tmp_path / "model")
    before = old.judge([TEXT]).log_odds
    model.save(tmp_path / "model", {})
    assert np.array_equal(old.judge([TEXT]).log_odds, before)


def test_a_model_of_another_version_is_refused_with_advice(tmp_path):
    shutil.copytree(SHIPPED_MODEL, tmp_path / "model")
    card = tmp_path / "model" / "card.json"
    content = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**content, "format": -1}), encoding="utf-8")
    with pytest.raises(ValueError, match="make train"):
        scorer.load(Path(tmp_path / "model"))


def test_a_short_text_has_gates_of_its_own_and_must_pass_both(model):
    short, long = TEXT[: scorer.SHORT - 1], TEXT * (1 + scorer.SHORT // len(TEXT))
    assert scorer.is_long(batch_of(model.ngrams, [short, long])).tolist() == [0, 1]
    closed, open_ = np.inf, -np.inf
    for gates, read in (
        (((closed, open_), (open_, open_)), [1]),
        (((open_, closed), (open_, open_)), [1]),
        (((open_, open_), (closed, open_)), [0]),
        (((open_, open_), (open_, closed)), [0]),
        (((open_, open_), (open_, open_)), [0, 1]),
    ):
        judged = model._replace(gates=np.array(gates)).judge([short, long])
        assert judged.text.tolist() == read


def test_a_page_is_read_as_it_would_be_by_itself(model):
    """Whatever stands beside it in the batch, read or not."""
    texts = ["今天天气很好。", TEXT * 4, "", "明天也很好。" * 30, TEXT * 5]
    judged = model.judge(texts)
    assert {1, 4} <= set(judged.text.tolist()) < set(range(5))
    for number, text in enumerate(judged.text.tolist()):
        own = judged.log_odds[judged.read.found.sites.document == number]
        assert np.array_equal(own, model.judge([texts[text]]).log_odds)
    assert (judged.spun[[0, 2, 3]] < judged.spun[[1, 4]].min()).all()
