"""What the shipped model does to the committed cases may get better, not worse: floors.json.

Precision is that of the seed, recall that of the seed and the wild cases, of which not every
substitution is listed, and false flags are those of the negative cases.
"""

import json
from pathlib import Path

import pytest

from pipeline.stages.flag import flag_all
from pipeline.training.metrics import Example, Outcome, Span, outcome, row
from pipeline.training.trials import annotated

CASES = Path(__file__).parents[1] / "cases" / "flag"
FLOORS = json.loads((CASES / "floors.json").read_text(encoding="utf-8"))


def cases(name):
    with (CASES / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def example(case):
    """The expected pairs stand in the order of the text."""
    spans, at = [], 0
    for surface, original in case["expected"]:
        start = case["input"].index(surface, at)
        at = start + len(surface)
        spans.append(Span(start, at, original))
    return Example(case["input"], spans)


def outcomes(examples):
    flagged = flag_all([one.text for one in examples])
    return [outcome(*pair) for pair in zip(examples, flagged, strict=True)]


def measured(seed, wild, negative):
    """None where nothing was there to measure on."""
    return {
        "precision": row("seed", seed).precision if any(one.flags for one in seed) else None,
        "recall": row("spun", [*seed, *wild]).recall if seed and wild else None,
        "false_flags_per_1000_han": row("negative", negative).false_flags_per_1000_han,
    }


def failures(figures, floors):
    """What is worse than its floor. Without a measurement, or without a floor, a figure is."""
    return [
        name
        for name, figure in figures.items()
        if figure is None
        or name not in floors
        or (figure > floors[name] if name.startswith("false") else figure < floors[name])
    ]


def test_the_shipped_model_keeps_its_floors():
    figures = measured(
        outcomes(annotated(CASES / "seed.jsonl")),
        outcomes(list(map(example, cases("wild.jsonl")))),
        outcomes(list(map(example, cases("negative.jsonl")))),
    )
    assert set(FLOORS) == set(figures)
    assert not failures(figures, FLOORS), figures


GOOD = {"precision": 0.9, "recall": 0.8, "false_flags_per_1000_han": 0.1}


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("precision", 0.89),
        ("recall", 0.7),
        ("false_flags_per_1000_han", 0.2),
        ("precision", None),
        ("recall", None),
        ("false_flags_per_1000_han", None),
    ],
)
def test_what_is_worse_or_unmeasured_fails(name, figure):
    assert failures(GOOD, GOOD) == []
    assert failures({**GOOD, name: figure}, GOOD) == [name]


def test_without_a_floor_nothing_passes():
    assert failures(GOOD, {}) == list(GOOD)


def test_where_nothing_was_checked_nothing_passes():
    assert failures(measured([], [], []), GOOD) == list(GOOD)
    silent = [Outcome(spans=3, is_spun=True)]
    assert "precision" in failures(measured(silent, silent, []), GOOD)
