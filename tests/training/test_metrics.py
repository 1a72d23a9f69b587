"""Each figure on examples that can be worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.spans import Evidence, Flag
from pipeline.stages.flag import Flagged
from pipeline.training.metrics import (
    LEAST_HAN,
    Example,
    Span,
    auc,
    calibration_error,
    cells,
    f1,
    found_at,
    outcome,
    row,
)

EVIDENCE = Evidence(0.0, 0.0, 0.0, 1, 0)
TEXT = "甲乙丙丁戊己庚辛壬癸"
UNITS = st.floats(0, 1)


def flag(start, end, probability=0.9, suggestion="乙", kind="substitution"):
    surface = TEXT[start:end]
    return Flag(start, end, surface, suggestion, (), probability, kind, "test", EVIDENCE)


def figures(*pairs):
    """Of documents, each given as its spans and its flags."""
    flagged = [(Example(TEXT, spans), Flagged(flags, 0.0, 0.0)) for spans, flags in pairs]
    return row("test", [outcome(*one) for one in flagged])


def test_perfect():
    spans = [Span(0, 2, "乙"), Span(4, 5, "丙")]
    got = figures((spans, [flag(0, 2, 1.0), flag(4, 5, 1.0, "丙")]))
    assert (got.documents, got.spans) == (1, 2)
    assert (got.precision, got.recall, got.f1, got.original_right, got.ece) == (1, 1, 1, 1, 0)
    assert (got.false_flags_per_1000_han, got.called_spun) == (None, None)


def test_nothing_found():
    got = figures(([Span(0, 2, "乙")], []))
    assert (got.precision, got.recall, got.f1, got.original_right, got.ece) == (0, 0, 0, 0, 0)


def test_no_document_at_all():
    assert row("none", []) == ("none", 0, 0, *[None] * 9)
    assert cells(row("none", [])) == ["none", "0", "0", *[""] * 9]


def test_a_clean_document_tells_of_false_flags_alone():
    got = figures(([], [flag(0, 2), flag(3, 4, 0.5), flag(5, 6, 0.49)]))
    assert got.false_flags_per_1000_han == 200  # two in ten characters
    assert (got.precision, got.recall, got.f1, got.ece, got.called_spun) == (*[None] * 4, 0)


def test_a_clean_document_costs_a_spun_one_nothing():
    got = figures(([Span(0, 2, "乙")], [flag(0, 2)]), ([], [flag(0, 2)]))
    assert (got.precision, got.recall, got.false_flags_per_1000_han) == (1, 1, 100)


def test_overlap_counts_and_touching_does_not():
    got = figures(([Span(2, 4, "乙")], [flag(0, 2), flag(3, 6), flag(4, 5)]))
    assert got.precision == pytest.approx(1 / 3)
    assert (got.recall, got.original_right) == (1, 0)  # right, but not in the exact place


def test_one_flag_may_find_two_spans_and_two_flags_one():
    got = figures(([Span(0, 2), Span(2, 4), Span(6, 10)], [flag(1, 3), flag(6, 7), flag(8, 9)]))
    assert (got.precision, got.recall) == (1, 1)


def test_the_original_must_be_right_in_its_exact_place():
    spans = [Span(0, 2, "乙"), Span(4, 6, "丁"), Span(7, 9)]
    got = figures((spans, [flag(0, 2), flag(4, 6), flag(7, 9)]))
    assert got.original_right == pytest.approx(1 / 3)


def test_an_improbable_flag_counts_for_calibration_alone():
    got = figures(([Span(0, 2, "乙")], [flag(0, 2, 0.3), flag(4, 5, 0.1)]))
    assert (got.precision, got.recall) == (0, 0)
    assert got.ece == pytest.approx((0.7 + 0.1) / 2)


def test_spans_that_do_not_count_are_for_and_against_nobody():
    spans = [Span(0, 2, "乙"), Span(4, 6, "丁", counts=False)]
    got = figures((spans, [flag(0, 2, 1.0), flag(5, 7)]))
    assert (got.spans, got.precision, got.recall, got.ece) == (1, 1, 1, 0)


def test_a_document_of_such_spans_alone_is_not_clean():
    got = figures(([Span(0, 2, counts=False)], [flag(4, 5)]))
    assert (got.spans, got.precision, got.false_flags_per_1000_han) == (0, None, None)


def test_injections_are_no_substitutions():
    spun = [flag(0, 2, 1.0), flag(5, 9, kind="injection")]
    got = figures(([Span(0, 2, "乙")], spun), ([], [flag(5, 9, kind="injection")]))
    assert (got.precision, got.ece, got.false_flags_per_1000_han) == (1, 0, 0)


def test_calibration_error_by_hand():
    sure = [(0.95, True)] * 9 + [(0.95, False)]  # a bin of ten: 9.5 expected, 9 true
    half = [(0.5, True), (0.59, False)]  # 1.09 expected, 1 true
    assert calibration_error(sure) == pytest.approx(0.05)
    assert calibration_error(sure + half) == pytest.approx((0.5 + 0.09) / 12)
    assert calibration_error([(1.0, True), (0.91, False)]) == pytest.approx(0.91 / 2)  # one bin
    assert calibration_error([]) == 0


def test_errors_of_one_bin_cancel_and_of_two_do_not():
    assert calibration_error([(0.5, True), (0.5, False)]) == 0
    assert calibration_error([(0.45, False), (0.55, True)]) == pytest.approx(0.45)


def test_found_at_one_in_a_thousand():
    clean = [0.9, 0.8, *[0.1] * 998]
    assert found_at(clean, [0.95, 0.85, 0.8, 0.2], 0.001) == 0.5  # one may be above: 0.9 is
    assert found_at(clean[:999], [0.95, 0.85], 0.001) == 0.5  # of fewer than a thousand none
    assert found_at([0.5], [0.5], 0.001) == 0  # a tie is not above


@given(st.lists(UNITS, min_size=1), st.lists(UNITS, min_size=1))
def test_auc_is_the_share_of_pairs_in_order(clean, spun):
    wins = sum((s > c) + (s == c) / 2 for s in spun for c in clean)
    assert auc(clean, spun) == pytest.approx(wins / len(clean) / len(spun))


def test_only_long_documents_tell_of_whole_documents():
    def judged(n, spans, probability):
        return outcome(Example("字" * n, spans), Flagged([], 0.0, probability))

    spans = [Span(0, 1)]
    short = [judged(LEAST_HAN - 1, [], 0.6), judged(LEAST_HAN - 1, spans, 0.1)]
    long = [judged(LEAST_HAN, [], 0.2), judged(LEAST_HAN, spans, 0.3)]
    got = row("short", short)
    assert (got.auc, got.spun_found_at_1_in_1000, got.called_spun) == (None, None, 1)
    got = row("both", [*short, *long])
    assert (got.auc, got.spun_found_at_1_in_1000, got.called_spun) == (1, 1, 0.5)


def test_f1_is_the_harmonic_mean():
    assert f1(1, 1) == 1
    assert f1(0.5, 1) == pytest.approx(2 / 3)
    assert f1(0, 0) == 0
