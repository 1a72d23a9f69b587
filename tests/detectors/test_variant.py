import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.detectors import variant
from pipeline.detectors.variant import characters, detect

CASES = Path(__file__).parents[1] / "cases" / "flag" / "variant.jsonl"
PAGE = (
    "市场监管部门将继续加强检查,對违法行为严肃处理,維护消费者权益。记者採访了参观的师生,"
    "大家都认為这次参觀很有意义。\n梁靖崑在决赛中战胜了对手。"
)


KNOWN_FAILURES = {
    "鸿燊": "a name that neither its cue nor its characters give away",
    "parallel": "a text about script, traditional and simplified in turn",
}


def cases():
    lines = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    for case in lines:
        why = KNOWN_FAILURES.get(case["label"])
        marks = [pytest.mark.xfail(strict=True, reason=why)] if why else []
        yield pytest.param(case, id=case["label"], marks=marks)


def found(text, at_least=0.5):
    return [flag for flag in detect([text], Config())[0].flags if flag.probability >= at_least]


@pytest.mark.parametrize("case", cases())
def test_strays_are_flagged_and_names_and_quotations_are_not(case):
    flags = [[flag.surface, flag.suggestion] for flag in found(case["input"])]
    assert flags == case["expected"]


def test_flags_are_disjoint_in_order_and_keep_the_length():
    flags = found(PAGE, 0.0)
    assert [flag.surface for flag in flags if flag.probability >= 0.5] == list("對維採為觀")
    assert all(a.end <= b.start for a, b in pairwise(flags))
    for flag in flags:
        assert PAGE[flag.start : flag.end] == flag.surface
        assert len(flag.surface) == len(flag.suggestion)
        assert flag.suggestions == ((flag.suggestion, flag.probability),)
        assert flag.kind == flag.detector == "variant"
        assert flag.evidence.surface_count == PAGE.count(flag.surface)
        assert flag.evidence.suggestion_count == PAGE.count(flag.suggestion)
        assert flag.evidence.document > 0


def test_the_suggestion_follows_from_the_context():
    assert [flag.suggestion for flag in found("头發", 0.0)] == ["发"]
    assert [flag.suggestion for flag in found("吃饼乾的时候他说了个笑话", 0.0)] in ([], ["干"])


def test_no_flag_is_below_the_threshold():
    for least in (0.05, 0.5, 0.98):
        flags = detect([PAGE], Config(keep_probability=least))[0].flags
        assert all(flag.probability >= least for flag in flags)


def test_more_of_them_are_likelier_than_one():
    one = "他报名參加了这次比赛,还获得了奖励。"
    more = one + "这些選手都很年轻,训練也很认真,贏得了观众的掌声。"
    assert found(more, 0.0)[0].probability > found(one, 0.0)[0].probability


def test_one_verdict_for_each_text_without_opinion():
    verdicts = detect(["", PAGE, "今天天气很好。", "\U00020000", "\n"], Config())
    assert [verdict.spun_log_odds for verdict in verdicts] == [None] * 5
    assert [bool(verdict.flags) for verdict in verdicts] == [False, True, False, False, False]
    assert verdicts[1] == detect([PAGE], Config())[0]


def test_characters_that_simplified_text_writes_are_no_candidates():
    assert not characters().search("著藉馀喆淼堃祎覆准里面台皇后头发頔鮟鱇晛")
    assert characters().search("參")


def test_clean_text_is_rejected_by_one_search(monkeypatch):
    monkeypatch.setattr(variant, "shape_of", lambda text: pytest.fail("read a clean text"))
    text = "市场监管部门将继续加强检查,对违法行为严肃处理。" * 40_000
    characters()
    start = time.process_time()
    detect([text], Config())
    assert len(text.encode()) / (time.process_time() - start) > 50e6  # some 500 are usual
