"""The whole of `make train`, on a corpus that these tests make up."""

import json
import random
from pathlib import Path

import pytest

from pipeline.annotation import answers
from pipeline.annotation.answers import Answer, id_of
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


def _places(folders, name):
    return folders / "corpus", folders / "lexica", folders / name


@pytest.fixture(scope="module")
def model(folders):
    build(*_places(folders, "model"), SETTINGS)
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
    written = {"observed.tsv", "own_pairs.tsv"}
    assert set(card["made_from"]) == {"texts.jsonl", "spinner_pairs.tsv", *written}


def test_the_same_seed_gives_the_same_model(folders, model):
    build(folders / "corpus", folders / "lexica", folders / "again", SETTINGS)
    names = sorted(path.name for path in model.iterdir())
    assert names == sorted(path.name for path in (folders / "again").iterdir())
    for name in set(names) - {"card.json"}:
        assert (model / name).read_bytes() == (folders / "again" / name).read_bytes(), name


def _answers(path, surface, original, answer, sentences):
    """A file in which somebody has judged ``surface`` in each of the sentences."""
    found = []
    for number, sentence in enumerate(sentences):
        before, _, after = sentence.partition(surface)
        id_ = id_of(f"{number:04x}", len(before), len(before) + len(surface), surface, original)
        word = "" if answer == "no" else original
        found.append(
            Answer(id_, "a", before, surface, after, original, 0.5, "uncertain", answer, word)
        )
    answers.write(path, found)


def test_what_people_said_is_learned(folders, model):
    """意识 is a substitute in the list; here people say that in one place it is right, and that
    平实 stands for 认识, which no list holds.
    """
    right = [f"{who}的意识到了新水平,工作取得了进展。" for who in WHO] * 3
    wrong = [f"{who}平实到问题的严重性,大家都很满意。" for who in WHO] * 3
    _answers(folders / "no.jsonl", "意识", "认识", "no", right)
    _answers(folders / "other.jsonl", "平实", "认识", "other", wrong)
    both = answers.read(folders / "no.jsonl") + [
        one._replace(id="ff" + one.id) for one in answers.read(folders / "other.jsonl")
    ]
    disputed = both[0]._replace(id=id_of("ee", 1, 3, "意识", "认识"), disputed="yes")
    answers.write(folders / "answers.jsonl", [*both, disputed])
    build(*_places(folders, "told"), SETTINGS, folders / "answers.jsonl")

    def most(name, text, surface):
        flags = flag(text, Config(model=str(folders / name), keep_probability=0.0))
        return max((f.probability for f in flags if f.surface == surface), default=0.0)

    spun = "村民意识到问题的严重性,大家都很有意。学生决定了实际的难题,事情有了果实。" * 2
    assert most("told", right[0], "意识") < most("model", right[0], "意识")
    assert most("told", wrong[0] * 2, "平实") > most("model", wrong[0] * 2, "平实")
    assert most("told", spun, "意识") > most("told", right[0], "意识"), "elsewhere it is odd"
    card = json.loads((folders / "told" / "card.json").read_text(encoding="utf-8"))
    assert set(card["annotations"]) == {"answers.jsonl"}
    works = [path for path in folders.glob("told.work-*") if path.is_dir()]
    assert len(works) == 1
    assert works[0].name.rpartition("-")[2] in {p.name[-12:] for p in folders.glob("model.work-*")}


def test_new_answers_do_not_train_anew_what_takes_hours(folders, model):
    """The work directory is that of a training without answers, and with others."""
    work = next(folders.glob("model.work-*"))
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir() if path.is_file()}
    _answers(folders / "few.jsonl", "意识", "认识", "no", ["他有这个意识。"])
    build(*_places(folders, "model"), SETTINGS, folders / "few.jsonl")
    after = {path.name: path.stat().st_mtime_ns for path in work.iterdir() if path.is_file()}
    assert before == after


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
