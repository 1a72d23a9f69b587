"""The whole lesson: pages by a tool whose list the model has forgotten, among others."""

import json
import random
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.config import SHIPPED_MODEL, Config
from pipeline.detectors.substitution import judge_with
from pipeline.learning import guard, learn, output
from pipeline.learning.corpus import Document, split
from pipeline.learning.evidence import rises
from pipeline.model import scorer
from tests.learning.pages import LINES, page, spun

PAGES = 40


def documents(seed: int = 1) -> list[Document]:
    rng = random.Random(seed)
    found = [Document(f"{at:03d}", page(rng), 0.0) for at in range(3 * PAGES)]
    return [*found, *(Document(f"s{at:03d}", spun(page(rng)), 0.9) for at in range(PAGES))]


@pytest.fixture(scope="module")
def forgetful():
    """The shipped model, as if it had never heard of the tool's words."""
    surfaces = set(LINES.values())
    return scorer.load(SHIPPED_MODEL).forgetting(lambda _, surface: surface in surfaces)


@pytest.fixture(scope="module")
def half_forgetful(tmp_path_factory):
    """Where the shipped model lies, as if it had never heard of every second of them."""
    surfaces = set(list(LINES.values())[::2])
    folder = tmp_path_factory.mktemp("half") / "model"
    known = scorer.load(SHIPPED_MODEL).forgetting(lambda _, surface: surface in surfaces)
    known.save(folder, {})
    return str(folder)


@pytest.fixture(scope="module")
def lesson(forgetful):
    return learn(forgetful, split(documents()), Config())


def test_what_is_learned_is_what_the_tool_writes(lesson):
    right = {pair for pair in lesson.pairs if LINES.get(pair[0]) == pair[1]}
    assert len(right) >= len(LINES) // 3
    assert len(right) >= 0.7 * len(lesson.pairs)
    assert all(one.confidence >= 0.8 and one.documents >= 2 for one in lesson.pairs.values())


def test_the_taught_model_finds_more_on_a_fresh_page_and_no_more_on_a_clean_one(forgetful, lesson):
    rng = random.Random(99)
    pages = [page(rng) for _ in range(20)]

    def flags(model, texts):
        return sum(
            flag.probability >= 0.5
            for verdict in judge_with(model, texts, Config())
            for flag in verdict.flags
        )

    work = [spun(text) for text in pages]
    assert flags(lesson.scorer, work) > flags(forgetful, work) + 20
    assert flags(lesson.scorer, pages) <= flags(forgetful, pages)


def test_rounds_go_on_while_what_is_kept_apart_becomes_likelier(lesson):
    likelihood = [one.likelihood for one in lesson.rounds[:-1]]
    assert likelihood == sorted(likelihood)
    assert len(lesson.rounds) >= 2


def test_the_same_documents_in_another_order_teach_the_same(forgetful, lesson, tmp_path):
    again = learn(forgetful, split(documents()[::-1]), Config())
    assert again.pairs == lesson.pairs
    assert np.array_equal(again.scorer.channel.log_prior, lesson.scorer.channel.log_prior)
    first, second = tmp_path / "first", tmp_path / "second"
    for one, folder in ((lesson, first), (again, second)):
        output.write(one, SHIPPED_MODEL, {"tables": "hash"}, folder)
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(files) > 10
    assert [(second / name).read_bytes() == (first / name).read_bytes() for name in files] == [
        True
    ] * len(files)


def test_pages_of_one_tool_are_a_family(lesson):
    assert len(lesson.families) == 1
    ids = [lesson.suspects[at].doc_id for at in lesson.families[0].documents]
    assert len(ids) >= PAGES // 2
    assert all(one.startswith("s") for one in ids)


def test_without_suspects_nothing_is_learned(forgetful):
    clean = [one for one in documents() if not one.spun]
    found = learn(forgetful, split(clean), Config())
    assert not found.pairs
    assert found.scorer is forgetful


def test_what_is_left_can_be_loaded_and_read(lesson, tmp_path):
    output.write(lesson, SHIPPED_MODEL, {"tables": "hash"}, tmp_path / "learned")
    again = scorer.load(tmp_path / "learned" / output.MODEL)
    text = spun(page(random.Random(7)))
    first, second = (judge_with(one, [text], Config())[0] for one in (again, lesson.scorer))
    assert [f.surface for f in first.flags] == [f.surface for f in second.flags]
    report = (tmp_path / "learned" / output.REPORT).read_text(encoding="utf-8")
    assert f"{len(lesson.pairs)} pairs" in report
    assert all(f"`{surface}`" in report for _, surface in lesson.pairs)


def test_pairs_that_raise_flags_on_clean_pages_are_told_the_worst_first():
    before = guard.Flags(1000, Counter({("a", "b"): 2}))
    after = guard.Flags(1000, Counter({("a", "b"): 3, ("c", "d"): 4, ("e", "f"): 1}))
    learned = {("c", "d"), ("e", "f")}
    assert guard.guilty(before, after, learned) == {("c", "d"), ("e", "f")}
    assert guard.guilty(before, after._replace(chars=3000), learned) == {("c", "d")}
    assert guard.guilty(after, after, learned) == set()


def test_a_rise_is_what_numbers_leave_no_doubt_of():
    own, others = np.array([1, 40, 5, 0]), np.array([1, 10, 50, 0])
    rise = rises(own, 1000, others, 1000)
    assert rise[1] > 0.9
    assert rise[2] < -1
    assert rise[0] == rise[3] == 0


def test_the_command_learns_from_finished_tables_and_a_run_can_use_it(
    half_forgetful, tmp_path, capsys
):
    lines = [json.dumps({"text": one.text}, ensure_ascii=False) for one in documents()]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = str(tmp_path / "out")
    assert main(["learn", out]) == 2
    assert "holds no finished tables" in capsys.readouterr().err
    model = ["--model", half_forgetful]
    assert main(["run", str(tmp_path / "in.jsonl"), out, "--workers", "1", *model]) == 0
    assert main(["learn", out, *model]) == 0
    learned = tmp_path / "out" / "learned"
    assert f"--model {learned / 'model'}` uses them" in capsys.readouterr().out
    pairs = pq.read_table(learned / "pairs.parquet").to_pylist()
    assert all(not row["kept"] or row["examples"] for row in pairs)
    card = json.loads((learned / "model" / "card.json").read_text(encoding="utf-8"))
    assert card["learned_from"]["pairs"] == sum(row["kept"] for row in pairs)
    text = tmp_path / "one.txt"
    text.write_text(documents()[-1].text, encoding="utf-8")
    assert main(["run", str(text), str(tmp_path / "few"), "--workers", "1"]) == 0
    assert main(["learn", str(tmp_path / "few")]) == 0
    assert "nothing learned from 1 suspected documents" in capsys.readouterr().out
    again = ["run", str(text), str(tmp_path / "again"), "--model", str(learned / "model")]
    assert main([*again, "--workers", "1"]) == 0
