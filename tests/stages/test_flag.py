import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.config import Config
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Evidence, Flag, Verdict
from pipeline.stages.flag import flag, flag_all, run
from pipeline.verdicts import Verdicts, flags_of, merged

CASES = Path(__file__).parents[1] / "cases" / "flag"
EVIDENCE = Evidence(0.0, 0.0, 0.0, 1, 0)


def cases(name):
    with (CASES / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def found(text):
    return [f for f in flag(text) if f.probability >= 0.5]


@pytest.mark.parametrize("case", cases("wild.jsonl"), ids=lambda case: case["label"])
def test_spun_pages(case):
    got = {(f.surface, f.suggestion) for f in found(case["input"])}
    assert got >= {tuple(pair) for pair in case["expected"]}


@pytest.mark.xfail(strict=True, reason="known failures")
@pytest.mark.parametrize("case", cases("known-failures.jsonl"), ids=lambda case: case["label"])
def test_what_is_wrong_so_far(case):
    got = {(f.surface, f.suggestion) for f in found(case["input"])}
    wanted = {tuple(pair) for pair in case["expected"]}
    assert got >= wanted if wanted else not got


@pytest.mark.parametrize("case", cases("negative.jsonl"), ids=lambda case: case["label"])
def test_sentences_in_which_a_typical_substitute_is_right(case):
    assert [(f.surface, f.suggestion) for f in found(case["input"])] == []


def test_the_seed_reaches_its_floor():
    """Span F1 by overlap, spans that the annotator was unsure of left aside; floor of issue 2."""
    gold = cases("seed.jsonl")[0]
    sure = [s for s in gold["spans"] if s.get("sure", True)]
    counted = [s for s in sure if s.get("kind") not in {"injection", "deletion"}]
    aside = [s for s in gold["spans"] if s not in counted]

    def meets(span, others):
        return any(span.start < s["end"] and s["start"] < span.end for s in others)

    flags = [f for f in found(gold["text"]) if not meets(f, aside)]
    hits = [f for f in flags if meets(f, counted)]
    recalled = [s for s in counted if any(f.start < s["end"] and s["start"] < f.end for f in hits)]
    precision, recall = len(hits) / len(flags), len(recalled) / len(counted)
    assert 2 * precision * recall / (precision + recall) >= 0.75
    assert precision >= 0.85


def test_of_overlapping_flags_the_most_probable_stays():
    def of(start, end, probability):
        return Flag(start, end, "甲", "乙", (), probability, "substitution", "test", EVIDENCE)

    one = Verdicts.of([Verdict([]), Verdict([of(0, 2, 0.5), of(3, 4, 0.25)]), Verdict([])])
    other = Verdicts.of([Verdict([of(0, 1, 0.5)]), Verdict([of(1, 3, 0.75)]), Verdict([])])
    together = [flags_of(rows) for rows in merged([one.flags, other.flags]).to_pylist()]
    assert together == [[of(0, 1, 0.5)], [of(1, 3, 0.75), of(3, 4, 0.25)], []]


def test_the_stage_makes_its_columns_and_no_others():
    texts = ["这种情势主义害逝世人,严峻违反了初衷。", "", "今天天气很好。"]
    batch = run(pa.record_batch({"text": texts}), Config())
    assert batch.schema == STAGE_COLUMNS["flag"]
    rows = batch.to_pylist()
    assert [len(row["flags"]) > 0 for row in rows] == [True, False, False]
    assert rows[0]["n_flags"] == sum(f["probability"] >= 0.5 for f in rows[0]["flags"])
    assert 0 < rows[0]["spin_rate"] <= 1
    assert rows[1]["spin_rate"] == rows[2]["spin_rate"] == 0


def test_one_text_is_flagged_as_in_a_batch():
    text = "这种情势主义害逝世人,严峻违反了初衷。"
    assert flag(text) == flag_all(["", text], Config())[1].flags
