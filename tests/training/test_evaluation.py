"""`make evaluate` with the shipped model, on a corpus that these tests make up."""

import csv
import json
import random
import shutil
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.training.evaluation import Settings, aligned, as_tsv, evaluate
from pipeline.training.metrics import Row, Span, cells
from pipeline.training.model_card import MATERIALS, card_markdown
from pipeline.training.tools import fold
from pipeline.training.trials import (
    HELD_OUT_FOLD,
    annotated,
    list_tools,
    of_list,
    pages_of_length,
    spun,
    texts_by_source,
    unseen,
    unseen_related,
    word_tools,
)

WORDS = (
    ("形式", "情势", "syn"),
    ("积极", "踊跃", "syn"),
    ("制度", "轨制", "syn"),
    ("发生", "产生", "syn"),
    ("困难", "艰苦", "syn"),
    ("批评", "批驳", "syn"),
    ("正常", "畸形", "ant"),
    ("准备", "预备", "syn"),
    ("范围", "范畴", "syn"),
    ("结构", "构造", "syn"),
)
PAIRS = {(original, surface): frozenset("ab") for original, surface, _ in WORDS}
SENTENCES = (
    "形式主义害死人,必须坚决纠正。",
    "他们积极参加各项活动,受到群众欢迎。",
    "要建立健全各项规章制度,加强监督检查。",
    "这起事故发生在昨天晚上,没有人员伤亡。",
    "他们克服了许多困难,按时完成了任务。",
    "会议对有关单位进行了通报批评。",
    "目前当地的生产生活秩序已经恢复正常。",
    "各项准备工作已经就绪,大会即将召开。",
    "这项工作将在全国范围内展开。",
    "要进一步优化产业结构,提高经济效益。",
)
SETTINGS = Settings(pages_per_list=10, clean_pages=10, pages_per_length=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    rng = random.Random(0)
    (folder / "lexica").mkdir()
    lists = [f"{o}\t{s}\t{name}\n" for o, s, _ in WORDS for name in "ab"]
    (folder / "lexica" / "spinner_pairs.tsv").write_text("".join(lists), encoding="utf-8")
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as out:
        for i in range(60):
            text = "".join(rng.sample(SENTENCES, 8) * rng.choice((1, 3, 16)))
            record = {"source": "news" if i % 2 else "essays", "id": str(i), "text": text}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    shutil.copytree(Config().model, folder / "model", ignore=shutil.ignore_patterns("*.md"))
    return folder


def measured(folders, **more):
    paths = folders / "texts.jsonl", folders / "lexica", folders / "model"
    return evaluate(*paths, settings=SETTINGS, **more)


@pytest.fixture(scope="module")
def rows(folders):
    return measured(folders)


def test_there_is_a_row_for_every_test(rows):
    kinds = ("known pairs", "unseen pairs")
    assert [one.test for one in rows] == [
        "seed",
        *(f"list {name} ({kind})" for name in "ab" for kind in kinds),
        "clean essays",
        "clean news",
        *(f"length {n} ({kind})" for n in (100, 300, 600, 2000) for kind in kinds),
        *(f"all lists ({kind})" for kind in kinds),
    ]


def test_what_is_known_is_found(rows):
    by_name = {one.test: one for one in rows}
    assert by_name["seed"].spans == 175
    assert by_name["seed"].f1 > 0.75
    assert by_name["all lists (known pairs)"].spans > 0
    assert by_name["all lists (known pairs)"].recall > by_name["all lists (unseen pairs)"].recall
    assert by_name["clean news"].spans == 0
    assert by_name["clean news"].false_flags_per_1000_han is not None


def test_the_same_again(folders, rows):
    assert measured(folders) == rows


def test_neighbours_take_part_if_they_are_given(folders):
    nearest = {original: [surface] for original, surface, _ in WORDS}
    assert "embedding" in {one.test for one in measured(folders, neighbours=nearest)}


def test_the_halves_share_nothing_and_are_all(folders):
    halves = [texts_by_source(folders / "texts.jsonl", half) for half in ("report", "choose")]
    assert all(set(half) == {"news", "essays"} for half in halves)
    assert sum(len(texts) for half in halves for texts in half.values()) == 60


def test_documents_without_a_source_are_the_corpus(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.txt").write_text("今天的天气是好的。" * 20, encoding="utf-8")
    assert set(texts_by_source(tmp_path, "report")) == {"corpus"}


def test_a_corpus_or_a_list_without_content_is_refused(folders, tmp_path):
    with pytest.raises(UsageError, match="no readable text"):
        evaluate(tmp_path, folders / "lexica", folders / "model")
    (tmp_path / "spinner_pairs.tsv").touch()
    with pytest.raises(UsageError, match="no pair"):
        evaluate(folders / "texts.jsonl", tmp_path, folders / "model")


# --- the pages


def test_spans_are_where_the_substitutes_are():
    page = "形式主义害人,大家积极参加,制度很好,困难不少,发生了什么。" * 5
    rng = random.Random(3)
    examples = spun([page] * 30, list_tools(PAIRS, rng), rng)
    spans = [(one.text, span) for one in examples for span in one.spans]
    assert {one.text for one in examples if not one.spans} == {page}
    assert {one.text for one in examples[1::2]} == {page}
    assert len(spans) > 10
    assert all((span.original, text[span.start : span.end]) in PAIRS for text, span in spans)


def test_unseen_pairs_are_those_of_their_fold():
    assert 0 < len(unseen(PAIRS)) < len(PAIRS)
    assert all(fold(*pair) == HELD_OUT_FOLD for pair in unseen(PAIRS))
    others = unseen_related({(original, surface): 1 for original, surface, _ in WORDS})
    assert others
    assert all(fold(word, other) == HELD_OUT_FOLD for word in others for other in others[word])


def test_a_list_is_what_it_holds():
    pairs = {("形式", "情势"): frozenset("ab"), ("积极", "踊跃"): frozenset("b")}
    assert of_list(pairs, "a") == {("形式", "情势"): frozenset("a")}


def test_tools_of_words_write_one_other_for_each():
    others = {"形式": ["情势", "方式"], "死": ["逝世"], "积极": []}
    lines = [tool.lines for tool in word_tools(others, random.Random(1))]
    assert any(lines)
    assert all(set(of_tool) <= {"形式"} for of_tool in lines)  # no single characters
    assert all(len(surfaces) == 1 for of_tool in lines for surfaces in of_tool.values())


def test_pages_of_a_length_end_with_a_sentence_if_they_can():
    texts = ["今天天气很好。" * n for n in (5, 100, 200)] + ["好" * 500]
    pages = pages_of_length(texts, 300, 10, random.Random(1))
    assert sorted(map(len, pages)) == [294, 294, 300]


def test_annotated_spans_follow_the_text_through_normalisation(tmp_path):
    text = "  标题  很长\r\n情势  主义害逝世人。"
    at = [text.index(word) for word in ("情势", "逝世", "人")]
    spans = [
        {"start": at[0], "end": at[0] + 2, "orig": "形式"},
        {"start": at[1], "end": at[1] + 2, "orig": "死", "sure": False},
        {"start": at[2], "end": at[2] + 1, "orig": "x", "kind": "injection"},
    ]
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text, "spans": spans}))
    [one] = annotated(tmp_path / "a.jsonl")
    assert [one.text[span.start : span.end] for span in one.spans] == ["情势", "逝世", "人"]
    assert [span.counts for span in one.spans] == [True, False, False]
    assert isinstance(one.spans[0], Span)


# --- the table and the card


def test_the_tables_have_every_figure(rows):
    read = list(csv.reader(as_tsv(rows).splitlines(), delimiter="\t"))
    assert read == [list(Row._fields), *map(cells, rows)]
    lines = aligned(rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].split() == list(Row._fields)
    ends = [lines[0].index(f"  {name}") + 2 + len(name) for name in Row._fields[1:]]
    for line, one in zip(lines[1:], rows, strict=True):
        assert line.startswith(one.test)
        figures = zip(cells(one)[1:], ends, strict=True)
        assert all(line[:end].endswith(cell) for cell, end in figures)


def test_the_card_has_every_figure_and_the_licences_of_what_it_knows(rows):
    known = next(iter(MATERIALS))
    made_from = {"train.jsonl.zst": known, "mine.txt": "0" * 64}
    card = card_markdown(rows, {"format": 9, "settings": {"seed": 7}, "made_from": made_from})
    for one in rows:
        assert f"| {' | '.join(cells(one))} |" in card
    assert "None of it is redistributed" in card
    assert "| laws_cn, statutes | not copyrightable |" in card
    assert f"`mine.txt`, SHA-256 `{'0' * 64}`\n\nNothing more is known." in card
    assert "Settings: seed 7." in card
    assert all(part in card for part in ("## Procedure", "## Figures", "## Known failures"))


def test_the_card_of_a_model_without_a_history(rows):
    assert "Format unknown." in card_markdown(rows, {})
    taught = card_markdown(rows, {"annotations": {"answers.jsonl": "ab12"}})
    assert "`answers.jsonl`, SHA-256 `ab12`\n\nAnswers of people" in taught


def test_the_command_prints_the_table_and_leaves_it(folders, tmp_path, capsys):
    paths = [str(folders / name) for name in ("texts.jsonl", "lexica", "model")]
    assert main(["evaluate", *paths, "--output", str(tmp_path), "--half", "choose"]) == 0
    assert not (folders / "model" / "card.md").exists()  # figures chosen on are not told
    assert main(["evaluate", *paths, "--output", str(tmp_path)]) == 0
    assert (tmp_path / "evaluation.tsv").read_text().startswith("test\tdocuments\t")
    assert "| seed |" in (folders / "model" / "card.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.count("\nseed ") == 2


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_path_is_named(folders, tmp_path, capsys, missing):
    paths = [folders / "texts.jsonl", folders / "lexica", folders / "model"]
    paths[missing] = tmp_path / "none"
    assert main(["evaluate", *map(str, paths)]) == 2
    assert str(Path(tmp_path / "none")) in capsys.readouterr().err
