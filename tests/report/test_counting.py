"""Counting a stream in bounded memory gives what counting all of it at once would."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import charts, counting
from pipeline.report.counting import Flags, Located, Lowest, Names
from pipeline.report.histograms import Histogram, Scale
from pipeline.report.vocabularies import vocabularies

NUMBERS = st.lists(st.floats(-10, 1000), max_size=60)
SCALES = st.sampled_from([Scale(0, 1, 5), Scale(0, 100, 10), Scale(1, 1000, 6, logarithmic=True)])


@given(NUMBERS, SCALES)
def test_every_number_is_in_a_bar(numbers: list[float], scale: Scale) -> None:
    histogram = Histogram(scale)
    for number in numbers:
        histogram.add(np.array([number]))
    at_once = Histogram(scale)
    at_once.add(np.array(numbers))
    assert histogram.bars() == at_once.bars()
    assert sum(histogram.bars()) == histogram.count == len(numbers)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_right_to_a_slice(numbers: list[float], share: float) -> None:
    histogram = Histogram(Scale(0, 100, 10))
    histogram.add(np.array(numbers))
    exact = sorted(numbers)[max(0, math.ceil(share * len(numbers)) - 1)]
    assert histogram.quantile(share) == pytest.approx(exact, abs=100 / 10 / 25 + 1e-6)


def test_borders_belong_to_the_upper_bar() -> None:
    histogram = Histogram(Scale(0, 1, 10))
    histogram.add(np.array([0.0, 0.1, 0.3, 0.7, 1.0]))
    assert histogram.bars() == [1, 1, 0, 1, 0, 0, 0, 1, 0, 1]


@given(
    st.lists(st.text("0123456789abcdef", min_size=1, max_size=24), unique=True, max_size=50),
    st.integers(0, 8),
    st.integers(1, 7),
)
def test_the_lowest_are_the_lowest_however_they_come(
    doc_ids: list[str], size: int, step: int
) -> None:
    lowest = Lowest(size)
    for at in range(0, len(doc_ids), step):
        lowest.add(pa.chunked_array([pa.array(doc_ids[at : at + step], pa.string())]), "part")
    assert lowest.chosen() == [Located(doc_id, "part") for doc_id in sorted(doc_ids)[:size]]
    assert lowest.seen == len(doc_ids)


def test_names_are_bounded_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_NAMES", 3)
    names = Names()
    names.add(pa.chunked_array([["a", "b", "b", None]]))
    names.add(pa.chunked_array([["b", "c", "d"]]))
    assert names.counts == Counter({"b": 3, "a": 1, "": 1, counting.OTHERS: 2})
    assert names.top(1) == [("b", 3), (counting.OTHERS, 4)]


def flags_of(pairs: list[tuple[str, str]]) -> pa.Table:
    return pa.table(
        {
            "doc_id": [f"{at}" for at in range(len(pairs))],
            "surface": [surface for surface, _ in pairs],
            "suggestion": [suggestion for _, suggestion in pairs],
            "probability": pa.array([0.75] * len(pairs), pa.float32()),
            "kind": ["substitution"] * len(pairs),
        }
    )


def test_rare_substitutions_are_forgotten_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_PAIRS", 2)
    flags = Flags(0.5, [])
    flags.add(flags_of([("a", "b")] * 5 + [("c", "d")] * 3))
    flags.add(flags_of([("e", "f"), ("g", "h"), ("i", "j"), ("a", "b")]))
    assert [(pair, count.flags) for pair, count in flags.top(9)] == [
        *((("a", "b"), 6), (("c", "d"), 3))
    ]
    assert flags.forgotten == 3


def test_documents_that_share_nothing_are_in_no_group() -> None:
    apart = {f"{i}": {(f"{i}{n}", f"o{i}{n}") for n in range(20)} for i in range(5)}
    assert vocabularies(apart) == []
    assert vocabularies({}) == []
    few = {("a", "b"), ("c", "d")}
    assert vocabularies({"one": few, "other": few}) == []  # too few to tell


def test_two_tools_on_the_same_words_are_two_groups() -> None:
    lists = [{(f"{tool}{n}", f"o{n}") for n in range(30)} for tool in "甲乙"]
    common = {(f"共{n}", f"p{n}") for n in range(5)}
    documents = {f"{i:02d}": lists[i % 2] | common for i in range(10)}
    groups = vocabularies(documents)
    assert [group.documents for group in groups] == [
        tuple(f"{i:02d}" for i in range(10) if i % 2 == tool) for tool in range(2)
    ]
    for group in groups:
        assert all(inside == 5 and outside == 0 for _, inside, outside in group.pairs)
        assert not {pair for pair, _, _ in group.pairs} & common


@given(st.lists(st.floats(0, 1), max_size=30), st.booleans())
def test_a_chart_stays_in_its_frame(numbers: list[float], logarithmic: bool) -> None:
    histogram = Histogram(Scale(0, 1, 10))
    histogram.add(np.array(numbers))
    drawn = charts.svg(charts.Chart("<x>", histogram, charts.share, logarithmic))
    assert "&lt;x&gt;" in drawn
    root = charts.ET.fromstring(drawn)
    bars = [[float(bar.attrib[n]) for n in ("y", "height")] for bar in root.iter("rect")]
    assert len(bars) == 10
    assert all(y >= charts.TOP - 0.1 for y, _ in bars)
    assert all(y + h <= charts.HEIGHT - charts.BOTTOM + 0.1 for y, h in bars)
    assert [h > 0 for _, h in bars] == [count > 0 for count in histogram.bars()]
