"""Paragraphs that correspond, and what a tool has changed in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.links.alignment import (
    LEAST_PARAGRAPH,
    LONGEST_PARAGRAPH,
    MOST_CHARS,
    changes,
    matched,
    paragraphs,
)

FIRST = "村里修通了公路，孩子们上学再也不用走两个小时的山路。"
SECOND = "图书馆的开放时间延长到了晚上九点，周末也不休息。"
THIRD = "医生建议每天至少走六千步，晚饭后散步最好。"


@pytest.mark.parametrize(
    ("original", "spun", "expected"),
    [
        ("我们要提高认识。", "我们要进步认识。", [("提高", "进步")]),
        ("这是大家的认识。", "这是大家的意识。", [("认识", "意识")]),
        (
            "经过多年的学习，他会了。",
            "颠末多年的进修，他会了。",
            [("经过", "颠末"), ("学习", "进修")],
        ),
        ("他力气很大，跑得很快。", "他力气很年夜，跑得很快。", [("大", "年夜")]),
        ("网络系统已经建成。", "网络体系已经建成。", [("系统", "体系")]),
        ("要重视国家安全。", "要重视国度平安。", [("国家", "国度"), ("安全", "平安")]),
        ("会上有三位代表。", "会上有四位代表。", [("三位", "四位")]),
        ("今天下雨，比赛取消。", "今天下雨，雨很大，比赛取消。", []),
        ("今天下雨，比赛取消了。", "今天下雨，比赛取消。", []),
        ("卖了3件衣服。", "卖了5件衣服。", []),
        ("一样的一句话。", "一样的一句话。", []),
    ],
)
def test_changes_are_words(original, spun, expected):
    found = changes(original, spun)
    assert [(one.original, one.surface) for one in found] == expected
    for one in found:
        assert spun[one.start :].startswith(one.surface)
        assert original[one.start_in_original :].startswith(one.original)


def test_a_change_says_what_stands_beside_it():
    (found,) = changes("他不仅聪明。", "他不只聪明。")
    assert (found.original, found.surface) == ("仅", "只")
    assert (found.before, found.behind) == ("不", "聪")
    (first,) = changes("大雨。", "年夜雨。")
    assert (first.before, first.behind) == ("", "雨")


def test_paragraphs_are_found_in_another_order():
    own = "\n".join([THIRD.replace("建议", "倡议"), FIRST, SECOND])
    other = "\n".join([FIRST, SECOND, THIRD])
    found = matched(own, other)
    assert [other[at.other.start : at.other.end] for at in found] == [THIRD, FIRST, SECOND]
    assert [own[at.own.start : at.own.end] for at in found] == own.split("\n")


def test_paragraphs_that_have_nothing_in_common_are_not_matched():
    assert matched(FIRST, f"{SECOND}\n{THIRD}") == []


@pytest.mark.parametrize("at", range(3, 18))
def test_of_paragraphs_that_share_as_much_the_first_is_matched(at):
    """Not whichever comes first out of a set: that is another one in every process."""
    one, two = (FIRST[:n] + "某" + FIRST[n + 1 :] for n in (at, 19))
    assert matched(FIRST, f"{one}\n{two}")[0].other.start == 0


def test_a_paragraph_is_matched_once():
    assert len(matched(f"{FIRST}\n{FIRST}", FIRST)) == 1


@given(st.text("今天很好。\nab，", max_size=60))
def test_paragraphs_lie_in_the_text_and_hold_no_line_break(text):
    for start, end in paragraphs(text):
        piece = text[start:end]
        assert "\n" not in piece
        assert sum(map(str.isalnum, piece)) >= LEAST_PARAGRAPH


def test_a_long_line_is_cut_at_sentences_and_a_longer_text_is_left():
    found = paragraphs(FIRST * (2 * MOST_CHARS // len(FIRST)))
    text = FIRST * (2 * MOST_CHARS // len(FIRST))
    assert max(end - start for start, end in found) <= LONGEST_PARAGRAPH
    assert all(text[end - 1] == "。" for _, end in found[:-1])
    assert found[-1].end <= MOST_CHARS


@given(st.text("今天很好我们学习", max_size=30), st.text("今天很好我们学习", max_size=30))
def test_changes_turn_the_original_into_the_spun_text_where_they_stand(original, spun):
    end = 0
    for one in changes(original, spun):
        assert one.start >= end
        end = one.start + len(one.surface)
        assert spun[one.start : end] == one.surface
        assert original[one.start_in_original :].startswith(one.original)
        assert one.original != one.surface
