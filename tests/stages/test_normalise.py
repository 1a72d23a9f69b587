"""The kernel on cases written by hand, its promises on drawn text, and the columns of the stage."""

import itertools
import json
import time
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import lexicon
from pipeline.config import Config
from pipeline.rules import RULES, look
from pipeline.rules.control import PICTOGRAPH, RUNS
from pipeline.rules.entities import entities
from pipeline.rules.line_ends import BREAKS
from pipeline.rules.mojibake import mojibake
from pipeline.rules.punctuation import punctuation
from pipeline.rules.rewriting import Rewrite, Rule
from pipeline.rules.script import evidence, script
from pipeline.rules.variants import STANDARD
from pipeline.rules.white_space import TO_SPACE
from pipeline.rules.width import TO_ASCII
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Alignment
from pipeline.stages import STAGES
from pipeline.stages.normalise import normalise, run

HERE = Path(__file__).parents[1]
SEED = next((HERE.parent / "seeds").glob("000_*.txt")).read_text(encoding="utf-8")


def cases():
    for path in sorted((HERE / "cases" / "normalise").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            yield pytest.param(case, id=f"{path.stem}: {case['label']}")


@pytest.mark.parametrize("case", [*cases()])
def test_case(case):
    result = normalise(case["input"])
    found = result._asdict() | {
        "edits": dict(result.edits),
        "published_at": result.published_at and result.published_at.isoformat(),
    }
    expected = case["expected"]
    if expected.get("edits") == {}:
        assert result.text == case["input"]
    assert {name: found[name] for name in expected} == expected


for warm_up in ("這裡看著", "這裡看着"):
    normalise(warm_up)  # loads both converters, for which no example would have the time

# --- drawn text -----------------------------------------------------------------------------------

INVISIBLE = [chr(code) for code in range(0x3000) if RUNS.match(chr(code))]
INVISIBLE += ["\ufe0f", "\ufeff", "\ufffe", "\U000e0041", "\U000e0100", "\U0010ffff", "\ud800"]
HAN = [chr(code) for code in evidence().classes.nonzero()[0]]
WORDS = [
    *(
        word
        for name in ("labels", "protected_words", "boilerplate")
        for word, *_ in lexicon.entries(name)
    ),
    # Keys of OpenCC's dictionaries whose conversion depends on context, or does not settle at once.
    *("乾隆", "乾淨", "餅乾", "慰藉", "憑藉", "深沈", "沈默", "瞭望", "瞭解"),
    *("宮商角徵羽", "魏徵", "象徵", "顯著", "看著", "著名", "巨著", "土著", "檢核"),
    *("覆核", "怎麼", "那麼", "么", "幺", "薴", "苧", "裏", "裡"),
    *("衞", "枱", "敍", "鉤針", "避雷針", "畫", "划", "於", "于"),
    *("皇后", "後來", "鍾", "鐘", "範", "范", "参加", "參加", "採訪"),
    *("采访", "发展", "發展", "头发", "頭髮", "干部", "幹部", "台湾", "臺灣"),
    *("只有", "隻身", "面条", "麵條"),
]

snippets = (
    st.sampled_from(INVISIBLE)
    | st.sampled_from([*BREAKS, *TO_SPACE, "\r\n", "\n", " ", " \n", "\n\n\n", "\n\r\n\r"])
    | st.sampled_from([*STANDARD, *TO_ASCII])
    | st.sampled_from(["\U0001f469", "\u200d", "\ufe0f\u200d", "\u2764", "❤\ufe0f\u200d\U0001f525"])
    | st.sampled_from(HAN)
    | st.sampled_from(WORDS)
    | st.sampled_from(["：", ":", "。", "，", "2021-01-30", "（", "）", "来源：", "の", "カナ"])
    | st.text(max_size=3)
)
texts = st.lists(snippets, max_size=25).map("".join)

# --- what three rules look for -------------------------------------------------------------------

CHINESE = "我们说的是老城区的供水问题，今年冬天还会停水吗？大家放心。"
MISREAD = [
    CHINESE[:12].encode().decode("gb18030", "replace").replace("\ufffd", "€"),
    CHINESE[:5].encode().decode("gbk", "replace"),
    CHINESE[3:20].encode().decode("latin-1"),
    CHINESE[3:9].encode().decode("latin-1").encode().decode("latin-1"),
    CHINESE[:20].encode("gbk").decode("latin-1"),
    CHINESE[:20].encode("gbk").decode("big5hkscs"),
    "這裡說的是國家的問題".encode("big5").decode("gb18030"),
    *[
        "鏂伴椈",
        "涓€",
        "锟斤拷",
        "锛",
        "浜",
        "Ã¤",
        "Â·",
        "ÖÐ",
        "¹ú",
        "£¬",
        "笢",
        "岆",
        "�",
        "ä¸\xad",
        "é\xa0»",
    ],
]
ENTITIES = [
    *[
        "&nbsp;",
        "&nbsp",
        "&amp;",
        "&amp;amp;",
        "&#38;",
        "&quot;",
        "&#8220;",
        "&#x3000;",
        "&#13;",
        "&#228;&#184;&#173;",
    ],
    *[
        "&lt;",
        "amp;",
        "nbsp;",
        "&",
        "#",
        ";",
        "&#8203;",
        "&#65;",
        "&x;",
        "&#0;",
        "&#xd800;",
        "&#150;",
        "&ldquo;",
    ],
]
MARKS = [
    *[
        "P。S。",
        "U。S。A",
        "www。example。com",
        "3。5%",
        "2019。5。3",
        "\n1。",
        "。。",
        "。。。",
        "，，",
        "，。",
        "！。",
        "。”。",
        "......",
    ],
    *[
        "···",
        "--",
        "－－",
        "──",
        ",",
        ";",
        "?",
        "!",
        ".",
        "，",
        "……",
        "”",
        "“",
        "：：",
        "、。",
        "；",
        "..",
        "甲",
        "乙",
        "第",
        "a",
        "5",
        "%",
        "1。5万元",
    ],
]
damaged_snippets = (
    st.sampled_from(MISREAD)
    | st.sampled_from(ENTITIES)
    | st.sampled_from(MARKS)
    | st.sampled_from(
        ["\u200b", "\ufeff", "\x85", "\xad", "\xa0", "\u3000", "\r", "\n", " ", "２", "ｗ"]
    )
    | st.sampled_from(["這裡", "参加", "今天我们说的是", "體", CHINESE, CHINESE + CHINESE])
)
damaged_texts = st.lists(damaged_snippets, max_size=14).map("".join)

SPACES = {" ", "\n", *TO_SPACE}


class Character(NamedTuple):
    """A character and the span of raw it came from."""

    char: str
    start: int
    end: int


def reference(raw: str) -> list[Character]:
    """The obvious way: a list of characters that know their place; one rule after the other."""
    here, before = [Character(char, at, at + 1) for at, char in enumerate(raw)], None
    while (text := _joined(here)) != before:
        before = text
        here = _replaced(_replaced(here, entities), mojibake)
        here = [one._replace(char=STANDARD.get(one.char, one.char)) for one in here]
        here = _seen(here)
        here = [o for at, o in enumerate(here) if o.char != "\r" or _char(here, at + 1) != "\n"]
        here = [o._replace(char="\n") if o.char in BREAKS else o for o in here]
        here = _spaced(here)
        here = [one._replace(char=TO_ASCII.get(one.char, one.char)) for one in here]
        here = _replaced(here, punctuation)
        converted = script(_joined(here)).text
        here = [o._replace(char=char) for char, o in zip(converted, here, strict=True)]
    return here


def _joined(here: list[Character]) -> str:
    return "".join(one.char for one in here)


def _replaced(here: list[Character], rule: Rule) -> list[Character]:
    """By a rule that may change lengths: what stands in an edit comes of all of its source."""
    text, _, edits = rule(_joined(here))
    new: list[Character] = []
    source = 0
    for edit in edits:
        untouched = here[source : edit.raw_start]
        new += [one._replace(char=text[len(new) + n]) for n, one in enumerate(untouched)]
        first, last = here[edit.raw_start], here[edit.raw_end - 1]
        new += [Character(char, first.start, last.end) for char in text[edit.start : edit.end]]
        source = edit.raw_end
    rest = here[source:]
    return new + [one._replace(char=text[len(new) + n]) for n, one in enumerate(rest)]


def _char(here: list[Character], at: int) -> str:
    return here[at].char if 0 <= at < len(here) else ""


def _seen(here: list[Character]) -> list[Character]:
    kept = []
    for is_invisible, group in itertools.groupby(
        range(len(here)), lambda at: bool(RUNS.match(here[at].char))
    ):
        run = list(group)
        joins = "".join(here[at].char for at in run) in ("\u200d", "\ufe0f\u200d")
        between = [_char(here, run[0] - 1), _char(here, run[-1] + 1)]
        if not is_invisible:
            kept += [here[at] for at in run]
        elif joins and all(char and PICTOGRAPH.match(char) for char in between):
            kept.append(here[run[-1]])
    return kept


def _spaced(here: list[Character]) -> list[Character]:
    kept = []
    for is_space, group in itertools.groupby(here, lambda one: one.char in SPACES):
        run = list(group)
        breaks = [one for one in run if one.char == "\n"]
        if not is_space:
            kept += run
        elif run[0] != here[0] and run[-1] != here[-1]:
            kept += (
                [breaks[0], breaks[-1]][: len(breaks)] if breaks else [run[0]._replace(char=" ")]
            )
    return kept


@given(texts)
def test_text_and_alignment_are_those_of_the_reference(raw):
    result, expected = normalise(raw), reference(raw)
    alignment = Alignment(result.alignment)
    assert result.text == _joined(expected)
    numbers = range(len(expected))
    assert [alignment.raw_start(n) for n in numbers] == [one.start for one in expected]
    assert [alignment.raw_end(n + 1) for n in numbers] == [one.end for one in expected]


@given(damaged_texts)
def test_alignment_of_damaged_text_holds_that_of_the_reference(raw):
    """Edits that overlap become one, so it may be wider."""
    result, expected = normalise(raw), reference(raw)
    alignment = Alignment(result.alignment)
    assert result.text == _joined(expected)
    for n, one in enumerate(expected):
        assert alignment.raw_start(n) <= one.start
        assert alignment.raw_end(n + 1) >= one.end


@given(texts | damaged_texts)
def test_normalising_twice_changes_nothing(raw):
    once = normalise(raw)
    twice = normalise(once.text)
    assert (twice.text, twice.edits, twice.alignment) == (once.text, (), ())


@given(texts)
def test_no_control_character_is_left_but_the_line_break(raw):
    left = {
        char
        for char in normalise(raw).text
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
    }
    assert left <= {"\n"}


@given(texts | damaged_texts)
def test_what_no_rule_touched_is_the_same_text(raw):
    result = normalise(raw)
    assert result.edits or result.text == raw
    assert all(count > 0 for _, count in result.edits)
    assert [name for name, _ in result.edits] == [n for n in RULES if n in dict(result.edits)]
    if not result.alignment:
        assert len(result.text) == len(raw)


@given(texts | damaged_texts)
def test_alignments_are_sorted_and_within_both_texts(raw):
    result = normalise(raw)
    flat = [(edit.start, edit.raw_start, edit.end, edit.raw_end) for edit in result.alignment]
    assert flat == sorted(flat)
    for edit in result.alignment:
        assert 0 <= edit.start <= edit.end <= len(result.text)
        assert 0 <= edit.raw_start <= edit.raw_end <= len(raw)
    for before, after in itertools.pairwise(result.alignment):
        assert before.end <= after.start
        assert before.raw_end <= after.raw_start


@given(texts | damaged_texts)
def test_lines_lie_in_the_text_and_hold_all_of_it(raw):
    result = normalise(raw)
    lines = [result.text[line.start : line.end] for line in result.lines]
    assert lines == [line for line in result.text.split("\n") if line]


@given(texts | damaged_texts | st.text(max_size=50))
def test_a_rule_that_is_not_asked_would_have_changed_nothing(raw):
    seen = look().at(raw)
    for name, rule in RULES.items():
        if not seen & look().bits[name]:
            assert rule(raw) == Rewrite(raw)


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_at_all(raw):
    result = normalise(raw)
    assert normalise(result.text).text == result.text
    assert result.text == _joined(reference(raw))


# --- documents ------------------------------------------------------------------------------------


def test_the_seed():
    result = normalise(SEED)
    assert result.script == "Hans"
    assert result.title == "基层干部吐槽:扶贫评选太密集 情势主义害逝世人 基层干"
    assert result.published_at == datetime(2021, 1, 30, 5, 3)
    assert (result.publisher, result.author, result.editor) == ("《经济参考报》", None, "张岩")
    assert [name for name, _ in result.edits] == ["white_space"]
    roles = [line.role for line in result.lines if line.role != "body"]
    assert roles == ["title", "metadata", "metadata", "boilerplate", "metadata", "metadata"]


def test_every_span_of_the_seed_leads_back():
    result = normalise(SEED)
    alignment = Alignment(result.alignment)
    for start in range(0, len(result.text) - 7, 7):
        raw = SEED[alignment.raw_start(start) : alignment.raw_end(start + 7)]
        assert normalise(raw).text.replace("\n", "") == result.text[
            start : start + 7
        ].strip().replace("\n", "")


def test_a_title_and_a_date_of_the_record_come_first():
    page = (
        "河边的小桥\n发布时间：2021-01-30\n行人不再绕路，老人们在桥边下棋，孩子们在桥上跑来跑去。"
    )
    result = normalise(page, "　大桥\u200b　修好了\r\n", "2020-02-03T04:05:06Z")
    assert (result.title, result.published_at) == ("大桥 修好了", datetime(2020, 2, 3, 4, 5, 6))
    result = normalise(page, " ", "昨天")
    assert (result.title, result.published_at) == ("河边的小桥", datetime(2021, 1, 30))


def test_the_title_of_a_record_is_converted_like_the_text():
    assert normalise("這裡沒有時間。", "學生說話").title == "学生说话"


@pytest.mark.parametrize("unit", [" ", "来源：：：", "體", "甲", "（责任编辑：", "首页 > "])
def test_five_megabytes_in_one_line_end_soon(unit):
    # Up to 2 s; a step that is not linear would take hours.
    start = time.process_time()
    normalise(unit * (5_000_000 // len(unit.encode())))
    assert time.process_time() - start < 30


DENSE = [
    *("\r\n", "\u200b\u3000", "\n \n", "２\ufeff", "來\n", "\r\n甲 \t", "&amp;nbsp;", "。。。甲"),
    *("涓€", "ä¸\xad", "ÖÐ", "，，甲", "P。S。", "浜や粠", "锟斤拷", "浜?", "é\xa0»", "笢岆"),
]


@pytest.mark.parametrize("unit", DENSE)
def test_dense_edits_end_soon(unit):
    start = time.process_time()
    normalise(unit * (500_000 // len(unit)))
    assert time.process_time() - start < 30


def test_what_the_record_says_of_itself_goes_before_what_the_page_says():
    page = "小桥修好了\n来源：晨报 作者：张三\n昨天，行人都很高兴。"
    said = normalise(page, record_publisher="晚报\n", record_author=" 李四", record_editor="王五")
    assert (said.publisher, said.author, said.editor) == ("晚报", "李四", "王五")
    silent = normalise(page, record_publisher="UNKNOWN", record_author="未知", record_editor="")
    assert (silent.publisher, silent.author, silent.editor) == ("晨报", "张三", None)


# --- columns --------------------------------------------------------------------------------------


def batch(*rows: tuple[str | None, ...]) -> pa.RecordBatch:
    """Rows of raw, record_title, …: what is left out at the end is null."""
    names = STAGES["normalise"].reads
    columns = [[row[at] if at < len(row) else None for row in rows] for at in range(len(names))]
    return pa.record_batch([pa.array(column, pa.string()) for column in columns], names=names)


def test_run_gives_the_columns_of_the_schema():
    raws = [SEED, "", "\u3000這裡\r\n", "来源：晨报\n\n甲"]
    docs = batch(*((raw, None, None) for raw in raws), ("正文", "标题", "2021-01-30"))
    columns = run(docs, Config())
    assert columns.schema == STAGE_COLUMNS["normalise"]
    assert columns.schema.equals(STAGE_COLUMNS["normalise"], check_metadata=True)
    columns.validate(full=True)
    for row, raw in zip(columns.to_pylist(), raws, strict=False):
        result = normalise(raw)
        assert row["text"] == result.text
        assert [tuple(edit.values()) for edit in row["alignment"]] == list(result.alignment)
        assert [tuple(edit.values()) for edit in row["edits"]] == list(result.edits)
        assert [tuple(line.values()) for line in row["lines"]] == list(result.lines)
    assert columns["title"][4].as_py() == "标题"
    assert columns["published_at"][4].as_py() == datetime(2021, 1, 30)


@pytest.mark.parametrize("rows", [[], [("", None, None)]])
def test_run_on_nothing(rows):
    columns = run(batch(*rows), Config())
    assert columns.num_rows == len(rows)
    assert columns.schema == STAGE_COLUMNS["normalise"]


def test_a_batch_is_what_its_rows_are():
    rows = [(SEED, None, None), ("體育\r\n新聞", None, None), ("甲 ", "乙", None)]
    whole = run(batch(*rows), Config())
    parts = [run(batch(row), Config()) for row in rows]
    assert pa.Table.from_batches(parts).combine_chunks().to_batches()[0].equals(whole)
