import json
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.detectors.variant import detect

CASES = Path(__file__).parents[1] / "cases" / "flag" / "variant.jsonl"


def cases():
    return [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]


def found(text, at_least=0.5):
    return [flag for flag in detect([text], Config())[0].flags if flag.probability >= at_least]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["label"])
def test_strays_are_flagged_and_names_and_quotations_are_not(case):
    flags = found(case["input"])
    assert bool(flags) == bool(case["expected"])
    for flag in flags:
        assert case["input"][flag.start : flag.end] == flag.surface != flag.suggestion
        assert len(flag.surface) == len(flag.suggestion)
        assert flag.kind == flag.detector == "variant"


def test_a_traditional_or_parallel_text_is_nobodys_work():
    assert detect(["這裡的學生們說著國語,記者採訪了他們。"] * 2, Config())[0].flags == []
    assert detect(["學習。学习。國語。国语。"], Config())[0].flags == []


def test_what_also_stands_simplified_is_likelier():
    text = next(case["input"] for case in cases() if case["label"] == "問題")
    alone = found(text, 0.0)[0].probability
    assert found(text + "没有别的问题。", 0.0)[0].probability > alone


def test_one_verdict_for_each_text_without_opinion():
    verdicts = detect(["", "今天天气很好。"], Config())
    assert [(v.flags, v.spun_log_odds) for v in verdicts] == [([], None)] * 2
