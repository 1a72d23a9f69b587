"""Sentences: cases by hand, properties, and time that grows with the text and no faster."""

import json
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.schema import STAGE_COLUMNS
from pipeline.stages import segment as stage
from pipeline.stages.segment import run, segment

CASES = Path(__file__).parents[1] / "cases" / "segment"


def cases(name: str) -> list:
    lines = (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [pytest.param(case, id=case["label"]) for case in map(json.loads, lines)]


def pieces(text: str) -> list[str]:
    return [text[s.start : s.end] for s in segment(text)]


@pytest.mark.parametrize("case", cases("wild") + cases("negative") + cases("synthetic"))
def test_case(case):
    assert pieces(case["input"]) == case["expected"]


@pytest.mark.xfail(strict=True, reason="see the comment of each case")
@pytest.mark.parametrize("case", cases("known-failures"))
def test_known_failure(case):
    assert pieces(case["input"]) == case["expected"]


@pytest.mark.parametrize("name", ["wild", "negative", "synthetic", "known-failures"])
def test_case_is_sound(name):
    rows = [p.values[0] for p in cases(name)]
    assert all("".join(row["expected"]) == row["input"] and row["comment"] for row in rows)
    assert len({row["label"] for row in rows}) == len(rows)


# Random characters seldom meet a rule: draw from the words and marks that the rules are about.
MARKS = [*stage.ENDERS, *stage.PAIRS, *stage.CLOSERS, *"，、；：—·", "……", "...", "。。。", '"']
WORDS = [
    "他说",
    "她问道",
    "的口号",
    "这句话",
    "就跑了",
    "等",
    "我",
    "早晨",
    "Yahoo",
    "P",
    "S",
    "U.S",
]
ODDS = [
    "3",
    "１",
    "一",
    "v1.2",
    "http://a.cn/b?c=1",
    "www.",
    "a.txt",
    "No",
    "etc",
    "𠮷",
    "\u200b",
    "\0",
]
SPACES = [" ", "　", "\n", "\r\n", "\t", "\x85", "\u2028"]
rich = st.lists(st.sampled_from(MARKS + WORDS + ODDS + SPACES), max_size=40).map("".join)
texts = st.one_of(
    rich, st.text(max_size=40), st.text(alphabet=sorted(stage.ENDERS + "“”「」（）\n a我"))
)


@given(texts)
def test_sentences_tile_the_text(text):
    found = segment(text)
    assert "".join(text[s.start : s.end] for s in found) == text
    assert all(s.start < s.end for s in found)
    assert all(a.end == b.start for a, b in pairwise(found))


@given(texts)
def test_sentences_begin_with_content(text):
    assert not any(text[s.start].isspace() for s in segment(text)[1:])


@given(texts)
def test_paragraphs_are_the_lines_with_content(text):
    lines = [line for line in text.split("\n") if line.strip()]
    of = {}
    for sentence in segment(text):
        of.setdefault(sentence.paragraph, []).append(text[sentence.start : sentence.end])
    assert list(of) == list(range(max(len(lines), bool(text))))
    assert ["".join(of[n]).strip() for n, _ in enumerate(lines)] == [line.strip() for line in lines]


@given(st.lists(texts.filter(str.strip), min_size=1, max_size=4))
def test_lines_do_not_know_of_each_other(parts):
    together = [piece.strip() for piece in pieces("\n".join(parts))]
    assert together == [piece.strip() for part in parts for piece in pieces(part)]


@given(texts)
def test_directing_quotes_keeps_the_length(line):
    assert len(stage._directed(line)) == len(line)


PATHOLOGICAL = {
    "openers": "“",
    "all openers": "“‘「『（《〈【",
    "enders": "。",
    "open quote, ender": "“。",
    "ender, close quote": "。”",
    "empty quotations": "“。”",
    "open bracket, sentence": "（他来了。",
    "everything open": "（。《！“？「…",
    "nested": "“「『‘，。",
    "straight quotes": '"。',
    "odd spaces": "。" + " " * 99,
    "ellipses": "我们都去……",
    "dots": "好.",
    "names": "在Yahoo!",
    "initials": "P。",
    "ordinals": "1.",
    "Latin": "a? b. C! ",
    "addresses": "http://www.",
    "speech": "“真的吗？”她问。",
    "almost a tag": "。”" + "字" * 38,
    "chained quotations": "“好！”",
    "blank lines": " \n",
    "short lines": "字\n",
}


def seconds(text: str) -> float:
    began = time.process_time()
    segment(text)
    return time.process_time() - began


@pytest.mark.parametrize("unit", PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_time_is_linear(unit):
    # Ten times the text would take a hundred times as long if it were quadratic: the bound of
    # thirty is far from both, and the floor of 20 ms keeps the clock's grain out of it.
    small, large = unit * (20_000 // len(unit)), unit * (200_000 // len(unit))
    assert seconds(large) < 30 * max(0.02, min(seconds(small) for _ in range(3)))


def test_a_quotation_left_open_swallows_nothing():
    line = "他说“我不知道。" + "后来他走了。" * 1000
    assert len(segment(line)) == 1001


def batch(*docs: tuple[str, list[tuple[int, int, str]]]) -> pa.RecordBatch:
    schema = pa.schema([STAGE_COLUMNS["normalise"].field(name) for name in ("text", "lines")])
    rows = [
        {
            "text": text,
            "lines": [dict(zip(("start", "end", "role"), line, strict=True)) for line in ls],
        }
        for text, ls in docs
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


ARTICLE = (
    "\n标题\n正文。还有！\n（责任编辑：张三）",
    [(1, 3, "title"), (4, 10, "body"), (11, 20, "metadata")],
)
OTHER = ("声明。", [(0, 3, "boilerplate")])
BLANK = (" \n ", [])
EMPTY = ("", [])


def roles(docs: pa.RecordBatch) -> list[list[str]]:
    return [[s["role"] for s in row] for row in run(docs, Config()).column("sentences").to_pylist()]


def test_run_gives_the_declared_column():
    out = run(batch(ARTICLE, EMPTY, OTHER), Config())
    assert out.schema.equals(STAGE_COLUMNS["segment"], check_metadata=True)
    out.validate(full=True)
    assert out.column("sentences")[0].as_py()[0] == {
        "start": 0,
        "end": 4,
        "paragraph": 0,
        "role": "title",
    }


def test_each_sentence_has_the_role_of_its_line():
    found = roles(batch(ARTICLE, EMPTY, BLANK, OTHER))
    assert found == [["title", "body", "body", "metadata"], [], ["body"], ["boilerplate"]]


def test_run_on_no_documents_and_on_a_slice():
    assert roles(batch()) == []
    assert roles(batch(EMPTY)) == [[]]
    assert roles(batch(ARTICLE, OTHER, EMPTY).slice(1)) == [["boilerplate"], []]


def test_a_line_that_normalise_did_not_list_is_body():
    assert roles(batch(("好的。谢谢。\n再见。", [(0, 6, "title")]))) == [["title", "title", "body"]]


@given(st.lists(texts, max_size=5))
def test_one_batch_equals_many(parts):
    docs = [(text, []) for text in parts]
    together = run(batch(*docs), Config()).column("sentences").to_pylist()
    assert together == [run(batch(d), Config()).column("sentences").to_pylist()[0] for d in docs]
