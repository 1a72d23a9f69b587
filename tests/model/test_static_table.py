import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import static_table


@given(st.sets(st.integers(0, 2**64 - 1), max_size=300), st.integers(0, 2**32))
def test_every_key_gives_its_value(keys, seed):
    table_keys = np.array(sorted(keys), dtype=np.uint64)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << static_table.VALUE_BITS, len(keys)).astype(np.uint32)
    words = static_table.build(table_keys, values)
    found, got = static_table.look_up(words, table_keys)
    assert found.all()
    assert (got == values).all()


def test_other_keys_are_seldom_taken_for_known_ones():
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(0, 2**63, 50_000, dtype=np.uint64))
    words = static_table.build(keys, np.zeros(len(keys), dtype=np.uint32))
    strangers = rng.integers(2**63, 2**64 - 1, 400_000, dtype=np.uint64)
    rate = static_table.look_up(words, strangers)[0].mean()
    assert rate < 3 * 2.0**-static_table.FINGERPRINT_BITS


def test_the_table_is_near_its_theoretical_size():
    keys = np.random.default_rng(1).integers(0, 2**63, 300_000, dtype=np.uint64)
    words = static_table.build(np.unique(keys), np.zeros(len(np.unique(keys)), dtype=np.uint32))
    assert len(words) < 1.2 * len(keys)


def test_a_value_too_large_is_refused():
    with pytest.raises(ValueError, match="exceeds"):
        static_table.build(np.array([1], dtype=np.uint64), np.array([2**31], dtype=np.uint32))


def test_a_repeated_key_is_refused():
    with pytest.raises(ValueError, match="distinct"):
        static_table.build(np.array([7, 7], dtype=np.uint64), np.array([1, 2], dtype=np.uint32))
