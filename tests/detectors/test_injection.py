import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.detectors.injection import detect
from pipeline.model import insertions

CASES = Path(__file__).parents[1] / "cases" / "flag"


def cases(name="injection"):
    return [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text("utf-8").splitlines()]


def found(text):
    return [flag for flag in detect([text], Config())[0].flags if flag.probability >= 0.5]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["label"])
def test_what_was_inserted_is_flagged_and_what_a_sentence_is_about_is_not(case):
    flags = found(case["input"])
    assert bool(flags) == bool(case["expected"])
    for flag in flags:
        assert case["input"][flag.start : flag.end] == flag.surface
        assert (flag.suggestion, flag.suggestions) == ("", ())
        assert flag.kind == flag.detector == "injection"


@pytest.mark.xfail(strict=True, reason="known failures")
@pytest.mark.parametrize("case", cases("injection-known-failures"), ids=lambda case: case["label"])
def test_what_is_wrong_so_far(case):
    assert bool(found(case["input"])) == bool(case["expected"])


def test_the_seeds_advertisement_is_found_with_its_year_and_place():
    text = next(case["input"] for case in cases() if case["label"] == "seed")
    assert [flag.surface for flag in found(text)] == ["2018香港开码资料"]


def test_one_verdict_for_each_text_without_opinion():
    verdicts = detect(["", "今天天气很好。"], Config())
    assert [(v.flags, v.spun_log_odds) for v in verdicts] == [([], None)] * 2


PIECES = st.sampled_from(
    ["一肖", "中特", "六合", "彩", "A", "货", "pk", "10", "北京", "，", "\n", "𠀀"]
)


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=5))
def test_terms_are_found_where_the_pattern_finds_them(texts):
    term, _ = insertions._patterns()
    assert insertions.hold_terms(texts) == [term.search(text) is not None for text in texts]
