"""Lists of pairs: those in the open, what was read off pages, and our own."""

import pytest

from pipeline.model.channel import MAX_LENGTH
from pipeline.training.lexica import (
    OWN_OBSERVED,
    OWN_PAIRS,
    names_of,
    read_observed,
    read_pairs,
    read_tools,
    together,
)

OBSERVED = """\
# original, substitute, kind, times, tools
可以\t能够\tsynonym\t13\tJM
成为\t沦为\tsynonym\t4\tE
的确\t显然\tsynonym\t2
a\tb\tsynonym\t2\tE
"""


@pytest.fixture
def observed(tmp_path):
    path = tmp_path / "observed_pairs.tsv"
    path.write_text(OBSERVED, encoding="utf-8")
    return path


def test_what_a_tool_was_seen_to_write_is_its_list(observed):
    assert read_tools(observed, {"M", "E"}) == {
        ("可以", "能够"): frozenset("M"),
        ("成为", "沦为"): frozenset("E"),
    }
    assert read_tools(observed, {"X"}) == {}


def test_without_a_file_nothing_was_seen(tmp_path):
    assert read_tools(tmp_path / "none.tsv", {"M"}) == {}
    assert read_observed(tmp_path / "none.tsv") == {}


def test_a_pair_without_a_tool_counts_as_seen(observed):
    assert read_observed(observed) == {
        ("可以", "能够"): 13.0,
        ("成为", "沦为"): 4.0,
        ("的确", "显然"): 2.0,
    }


def test_lists_together_name_all_that_hold_a_pair():
    one = {("死", "逝世"): frozenset({"a"}), ("大", "年夜"): frozenset({"a"})}
    other = {("死", "逝世"): frozenset({"b"})}
    both = together(one, other)
    assert both == {("死", "逝世"): frozenset({"a", "b"}), ("大", "年夜"): frozenset({"a"})}
    assert names_of(both) == {"a", "b"}
    assert names_of({}) == frozenset()


def test_our_own_lists_can_be_used_as_they_are():
    lines = OWN_PAIRS.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if not line.startswith("#")]
    own = read_pairs(OWN_PAIRS)
    assert names_of(own) == set("CEMU")
    assert len(rows) == len(set(rows)) == sum(map(len, own.values())), "each once, and all of Han"
    assert all(max(len(one), len(other)) <= MAX_LENGTH for one, other in own)
    assert names_of(read_tools(OWN_OBSERVED, names_of(own))) == names_of(own)
    assert len(read_tools(OWN_OBSERVED, set("CEMU"))) == len(read_observed(OWN_OBSERVED)) > 300
