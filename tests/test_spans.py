"""`Alignment` against a list that holds, for every character, where it came from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.spans import Alignment, Edit

Piece = tuple[int, int]
"""Lengths in text and in raw. Equal ones of more than one character are copied, not edited."""


def edits_of(pieces: list[Piece | int]) -> tuple[list[Edit], list[tuple[int, int]]]:
    """The edits, and the source interval of each character, of copied runs and edited pieces."""
    edits, sources, start, raw_start = [], [], 0, 0
    for piece in pieces:
        length, raw_length = (piece, piece) if isinstance(piece, int) else piece
        if isinstance(piece, int):
            sources += [(raw_start + n, raw_start + n + 1) for n in range(piece)]
        else:
            sources += [(raw_start, raw_start + raw_length)] * length
            edits.append(Edit(start, start + length, raw_start, raw_start + raw_length))
        start, raw_start = start + length, raw_start + raw_length
    return edits, sources


pieces = st.lists(st.integers(1, 4) | st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12)


@given(pieces)
def test_every_span_maps_to_the_sources_of_its_first_and_last_character(pieces):
    edits, sources = edits_of(pieces)
    alignment = Alignment(edits)
    for start, (raw_start, _) in enumerate(sources):
        assert alignment.raw_start(start) == raw_start
    for end, (_, raw_end) in enumerate(sources, start=1):
        assert alignment.raw_end(end) == raw_end


@given(pieces)
def test_arrays_give_what_single_offsets_give(pieces):
    edits, sources = edits_of(pieces)
    alignment, offsets = Alignment(edits), np.arange(len(sources) + 1)
    assert alignment.raw_starts(offsets).tolist() == [alignment.raw_start(n) for n in offsets]
    assert alignment.raw_ends(offsets).tolist() == [alignment.raw_end(n) for n in offsets]


@given(pieces)
def test_spans_stay_in_order_and_in_raw(pieces):
    edits, sources = edits_of(pieces)
    alignment = Alignment(edits)
    raw_length = max((raw_end for _, raw_end in sources), default=0)
    for end in range(1, len(sources) + 1):
        for start in range(end):
            assert 0 <= alignment.raw_start(start) <= alignment.raw_end(end) <= raw_length


def test_without_edits_nothing_moves():
    offsets = np.array([0, 3, 7])
    assert Alignment([]).raw_starts(offsets).tolist() == [0, 3, 7]
    assert Alignment([]).raw_ends(offsets).tolist() == [0, 3, 7]


def test_without_edits_the_answer_is_a_copy():
    offsets = np.array([1, 2])
    Alignment([]).raw_starts(offsets)[0] = 9
    assert offsets.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("edit", "span", "raw_span"),
    [
        (Edit(0, 0, 0, 2), (0, 1), (2, 3)),  # deleted at the start
        (Edit(3, 3, 3, 5), (0, 3), (0, 3)),  # deleted at the end
        (Edit(1, 1, 1, 3), (0, 2), (0, 4)),  # deleted inside the span
        (Edit(1, 3, 1, 2), (1, 2), (1, 2)),  # one became two: half of them maps outwards
        (Edit(1, 3, 1, 2), (3, 4), (2, 3)),  # after it
        (Edit(1, 2, 1, 4), (1, 2), (1, 4)),  # three became one
        (Edit(1, 2, 1, 1), (0, 3), (0, 2)),  # inserted
    ],
)
def test_one_edit(edit, span, raw_span):
    alignment = Alignment([edit])
    assert (alignment.raw_start(span[0]), alignment.raw_end(span[1])) == raw_span


def test_a_deletion_before_a_change_at_the_same_place_belongs_to_no_span():
    alignment = Alignment([Edit(2, 2, 2, 4), Edit(2, 3, 4, 6)])
    assert (alignment.raw_start(2), alignment.raw_end(3)) == (4, 6)
    assert (alignment.raw_start(0), alignment.raw_end(2)) == (0, 2)
