"""The whole of `make train`, on a corpus that these tests make up."""

import json
import random
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.model import scorer
from pipeline.model.channel import LISTED
from pipeline.stages.flag import flag
from pipeline.training.build import Settings, _sides, build
from pipeline.training.corpus import Document

SETTINGS = Settings(
    ngrams=20_000,
    least_count=2,
    held_out_per_mille=400,
    unread_per_mille=100,
    tagger_chars=100_000,
    texts=250,
    stranger_ngrams=20_000,
)
WHO = ("村民", "学生", "工人", "干部", "记者", "老师")
DID = ("认识到问题的严重性", "提高了工作的水平", "解决了实际的困难", "制定了详细的计划")
THEN = ("大家都很满意", "群众的反映很好", "事情有了结果", "工作取得了进展")
PAIRS = (
    ("认识", "意识"),
    ("困难", "难题"),
    ("满意", "有意"),
    ("结果", "果实"),
    ("制定", "定制"),
    ("实际", "事实"),
    ("解决", "决定"),
    ("计划", "划定"),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    rng = random.Random(0)
    (folder / "corpus").mkdir()
    with (folder / "corpus" / "texts.jsonl").open("w", encoding="utf-8") as out:
        for i in range(400):
            lines = [f"{rng.choice(WHO)}{rng.choice(DID)},{rng.choice(THEN)}。" for _ in range(6)]
            out.write(
                json.dumps(
                    {"id": str(i), "text": "".join(lines), "source": f"{i % 3}"}, ensure_ascii=False
                )
                + "\n"
            )
    (folder / "lexica").mkdir()
    rows = [f"{original}\t{substitute}\ttest\n" for original, substitute in PAIRS]
    (folder / "lexica" / "spinner_pairs.tsv").write_text("".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(folders):
    build(folders / "corpus", folders / "lexica", folders / "model", SETTINGS)
    return folders / "model"


def test_what_was_trained_flags_what_was_spun(model):
    spun = "村民意识到问题的严重性,大家都很有意。学生决定了实际的难题,事情有了果实。" * 2
    config = Config(model=str(model))
    found = {(f.surface, f.suggestion) for f in flag(spun, config) if f.probability >= 0.5}
    assert ("意识", "认识") in found
    assert [f for f in flag("村民认识到问题的严重性。", config) if f.probability >= 0.5] == []


def test_the_card_says_what_it_was_made_from(model):
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    assert card["settings"] == SETTINGS._asdict()
    assert set(card["made_from"]) == {"texts.jsonl", "spinner_pairs.tsv"}


def test_the_same_seed_gives_the_same_model(folders, model):
    build(folders / "corpus", folders / "lexica", folders / "again", SETTINGS)
    names = sorted(path.name for path in model.iterdir())
    assert names == sorted(path.name for path in (folders / "again").iterdir())
    for name in set(names) - {"card.json"}:
        assert (model / name).read_bytes() == (folders / "again" / name).read_bytes(), name


def test_models_that_know_less_have_seen_no_text_of_their_pages_sources():
    docs = [Document(str(number), "文") for number in range(40)]
    source_of = {str(number): f"source {number % 5}" for number in range(30)}
    sides = _sides(docs, source_of)
    assert {sides[str(n)] for n in range(0, 30, 5)} == {0}
    assert {sides[str(n)] for n in range(1, 30, 5)} == {1}
    assert {sides[str(n)] for n in range(30, 40)} == {0, 1}, "without a source, by the name"


def test_an_empty_corpus_is_refused(folders, tmp_path):
    with pytest.raises(ValueError, match="no readable text"):
        build(tmp_path, folders / "lexica", tmp_path / "model", SETTINGS)


def test_a_lexicon_without_three_columns_is_refused(folders, tmp_path):
    (tmp_path / "spinner_pairs.tsv").write_text("甲\t乙\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        build(folders / "corpus", tmp_path, tmp_path / "model", SETTINGS)


def test_the_shipped_model_is_complete_and_small():
    loaded = scorer.load(Path(Config().model))
    assert len(loaded.channel.original) > 30_000
    files = Path(Config().model).iterdir()
    assert sum(path.stat().st_size for path in files) <= 60 * 2**20
    assert (loaded.channel.family & LISTED == 0).sum() > 500_000, "and what nobody has listed"
