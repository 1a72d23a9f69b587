"""Pieces of long documents, and that what strangers write cannot stall a detector."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.detectors import injection, pieces, variant


@given(st.text("的。\nA", max_size=120))
def test_pieces_are_the_text_and_none_is_too_long(text):
    kept, pieces.PIECE_CHARS = pieces.PIECE_CHARS, 16
    try:
        found = list(pieces.pieces(text))
    finally:
        pieces.PIECE_CHARS = kept
    assert "".join(piece for _, piece in found) == text
    assert all(text.startswith(piece, start) for start, piece in found)
    assert max(len(piece) for _, piece in found) <= 16


def strays(n: int) -> str:
    """Traditional characters in simplified text without a single break, never twice the same."""
    rng = random.Random(1)
    few, many = "參個們來對經過為說時後國會開關", "这么说来问题还没有过去们对发现实际应该让给"
    return "".join(rng.choice(few) + "".join(rng.choices(many, k=59)) for _ in range(n // 60))


def advertisements(n: int) -> str:
    return "".join(f"他们说一肖中特{at}好" for at in range(n // 12))


@pytest.mark.parametrize(("detector", "page"), [(variant, strays), (injection, advertisements)])
def test_time_is_linear_in_what_was_made_to_cost_it(detector, page):
    def seconds(n: int) -> float:
        text, started = page(n), time.process_time()
        flags = detector.detect([text], Config(keep_probability=0.0))[0].flags
        assert len(flags) > n / 500
        assert all(text[flag.start : flag.end] == flag.surface for flag in flags)
        return time.process_time() - started

    seconds(20_000)
    assert seconds(320_000) < 8 * seconds(80_000)  # 4 if it is linear, 16 if quadratic
