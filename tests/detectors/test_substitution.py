import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.detectors import pieces, substitution
from pipeline.detectors.pieces import PIECE_CHARS
from pipeline.detectors.substitution import detect
from pipeline.model.channel import MAX_LENGTH

SEED = json.loads((Path(__file__).parents[1] / "cases/flag/seed.jsonl").read_text("utf-8"))["text"]


@pytest.fixture(scope="module")
def verdict():
    return detect([SEED], Config())[0]


def test_flags_are_disjoint_in_order_and_say_what_stands_there(verdict):
    ends = [0, *(flag.end for flag in verdict.flags)]
    for flag, end in zip(verdict.flags, ends, strict=False):
        assert end <= flag.start < flag.end <= len(SEED)
        assert SEED[flag.start : flag.end] == flag.surface != flag.suggestion
    assert len(verdict.flags) > 100


def test_suggestions_are_ranked_and_share_the_flags_probability(verdict):
    for flag in verdict.flags:
        chances = [s.probability for s in flag.suggestions]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= flag.probability + 1e-6
        assert flag.suggestion == flag.suggestions[0].text


def test_counts_in_the_evidence_are_those_of_the_document(verdict):
    for flag in verdict.flags:
        if len(flag.surface) > 1 and SEED.count(flag.surface) == 1:
            assert flag.evidence.surface_count == 1
        assert flag.evidence.suggestion_count == SEED.count(flag.suggestion)


SITES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, MAX_LENGTH), st.sampled_from([0.1, 0.4, 0.5, 0.9]))
)


@given(SITES)
def test_of_overlapping_sites_the_likeliest_is_chosen_then_the_first(sites):
    sites = sorted(sites)
    start, length, chance = (np.array([site[i] for site in sites]) for i in range(3))
    found = SimpleNamespace(
        sites=SimpleNamespace(start=start.astype(int), end=(start + length).astype(int)),
        batch=SimpleNamespace(ids=np.zeros(40)),
    )
    kept, taken = [], set()
    for row in sorted(range(len(sites)), key=lambda row: -chance[row]):
        place = set(range(start[row], start[row] + length[row]))
        if chance[row] >= 0.4 and not place & taken:
            kept.append(row)
            taken |= place
    assert substitution._chosen(found, chance, 0.4).tolist() == sorted(kept)


def test_no_flag_is_below_the_threshold():
    for least in (0.05, 0.3, 0.9):
        flags = detect([SEED], Config(keep_probability=least))[0].flags
        assert min(flag.probability for flag in flags) >= least


def test_a_text_is_judged_alike_alone_and_in_company(verdict):
    clean = "今天天气很好,我们去公园散步。"
    crowd = detect([clean, SEED, "", clean * 30], Config())
    assert crowd[1] == verdict
    assert crowd[2].flags == []


def test_a_long_document_is_judged_in_pieces_with_exact_offsets(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARS", 1500)
    monkeypatch.setattr(substitution, "BATCH_CHARS", 4000)
    text = SEED * 5
    verdict = detect([text], Config())[0]
    assert all(text[flag.start : flag.end] == flag.surface for flag in verdict.flags)
    found = {flag.start // len(SEED) for flag in verdict.flags}
    assert found == set(range(5))


@pytest.mark.parametrize(
    "text", ["", "\n", "abc", "。" * 50, "的" * (PIECE_CHARS + 7), "\U00020000"]
)
def test_text_without_substitutes_has_no_flags(text):
    assert detect([text], Config())[0].flags == []


def test_a_spun_page_is_called_spun_and_a_clean_one_is_not(verdict):
    clean = (
        "第一,要提高认识,加强领导。各地方要根据实际情况,制定具体办法,认真组织实施。"
        "第二,要完善制度,明确责任。有关部门应当按照规定及时处理群众反映的问题。"
    )
    assert verdict.spun_log_odds is not None
    assert verdict.spun_log_odds > 2.5
    assert (detect([clean], Config())[0].spun_log_odds or 0) < -1
