"""The two ways to rewrite, and the joining of alignments, against per-character lists."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.rewriting import compose, delete, translate
from pipeline.spans import Alignment, Edit


def test_translate_counts_characters():
    assert translate("a１２b３", re.compile("[１-３]"), {"１": "1", "２": "2", "３": "3"})[:2] == (
        "a12b3",
        3,
    )


def test_translate_of_nothing_returns_the_very_text():
    text = "没有数字"
    rewrite = translate(text, re.compile("[0-9]"), {})
    assert rewrite.text is text
    assert rewrite.changed == 0


def test_delete_of_nothing_returns_the_very_text():
    text = "没有"
    assert delete(text, []).text is text


@st.composite
def texts_and_spans(draw):
    text = draw(st.text("abc", max_size=20))
    kept = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    gone = [at for at, is_kept in enumerate(kept) if not is_kept]
    return text, [(at, at + 1) for at in gone], [at for at, is_kept in enumerate(kept) if is_kept]


@given(texts_and_spans())
def test_delete_keeps_the_rest_and_says_where_it_was(drawn):
    text, spans, kept = drawn
    rewrite = delete(text, spans)
    alignment = Alignment(rewrite.edits)
    assert rewrite.text == "".join(text[at] for at in kept)
    assert rewrite.changed == len(spans)
    assert [alignment.raw_start(n) for n in range(len(kept))] == kept
    assert [alignment.raw_end(n + 1) for n in range(len(kept))] == [at + 1 for at in kept]


def edits_between(length: int, draw) -> tuple[tuple[Edit, ...], int]:
    """Edits that write at most one character each, over a source of some length."""
    edits, start, raw_start = [], 0, 0
    while raw_start < length:
        size = draw(st.integers(1, min(4, length - raw_start)))
        kind = draw(st.sampled_from(["copy", "copy", "delete", "shrink"]))
        written = {"copy": size, "delete": 0, "shrink": 1}[kind]
        if written != size:
            edits.append(Edit(start, start + written, raw_start, raw_start + size))
        start, raw_start = start + written, raw_start + size
    return tuple(edits), start


def sources(edits: tuple[Edit, ...], length: int) -> list[tuple[int, int]]:
    """The obvious way: the source interval of every character."""
    found, start, raw_start = [], 0, 0
    for edit in edits:
        found += [(raw_start + n, raw_start + n + 1) for n in range(edit.start - start)]
        found += [(edit.raw_start, edit.raw_end)] * (edit.end - edit.start)
        start, raw_start = edit.end, edit.raw_end
    return found + [(raw_start + n, raw_start + n + 1) for n in range(length - start)]


@given(st.data())
def test_compose_equals_looking_up_twice(data):
    first, middle_length = edits_between(data.draw(st.integers(0, 16)), data.draw)
    second, length = edits_between(middle_length, data.draw)
    middle = sources(first, middle_length)
    expected = [(middle[s][0], middle[e - 1][1]) for s, e in sources(second, length)]
    composed = compose(first, second)
    alignment = Alignment(composed)
    assert [alignment.raw_start(n) for n in range(length)] == [start for start, _ in expected]
    assert [alignment.raw_end(n + 1) for n in range(length)] == [end for _, end in expected]
    assert list(composed) == sorted(composed)


def test_compose_joins_what_overlaps_and_keeps_apart_what_touches():
    first, touching, overlapping = [Edit(2, 2, 2, 3)], [Edit(2, 2, 2, 4)], [Edit(1, 1, 1, 4)]
    assert compose(first, touching) == (Edit(2, 2, 2, 3), Edit(2, 2, 3, 5))
    assert compose(first, overlapping) == (Edit(1, 1, 1, 5),)


def test_compose_takes_edits_that_write_several_characters():
    # "abcd" became "aXYZd", then YZd one character: the two share some, so they are one edit.
    assert compose([Edit(1, 4, 1, 3)], [Edit(2, 3, 2, 5)]) == (Edit(1, 3, 1, 4),)
