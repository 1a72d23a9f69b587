"""Which entities are decoded, and that once is enough."""

from html.entities import html5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.entities import entities
from pipeline.rules.rewriting import Rewrite
from pipeline.spans import Edit


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("甲&nbsp;&nbsp;乙", "甲\xa0\xa0乙"),
        ("甲&nbsp乙", "甲\xa0乙"),
        ("&ldquo;甲&rdquo;&hellip;&mdash;&middot;", "“甲”…—·"),
        ("&#8220;甲&#x201D;&#X201d;", "“甲””"),
        ("AT&amp;T", "AT&T"),
        ("AT&amp;amp;amp;T", "AT&T"),
        ("&amp;nbsp;", "\xa0"),
        ("&#38;#38;lt;", "<"),
        ("&amp;copy=1", "&copy=1"),
        ("&#150;", "–"),  # Windows' code, as browsers read it
        ("&#xd800;", "\ufffd"),
        ("&NotEqualTilde;", "≂̸"),
    ],
)
def test_decoded(before, after):
    assert entities(before).text == after


@pytest.mark.parametrize(
    "text",
    [
        "a&b; R&D; http://a.cn/?id=1&copy=2&lt=3&nbsp=4",
        "&; &#; &#x; && &nosuchname; & nbsp; &nbspx",
        "&#65; &#59; &num; &semi;",  # ASCII that no program escapes
        "&" + "a" * 50 + ";",
        "&#99999999999;",
    ],
)
def test_left_alone(text):
    assert entities(text) == Rewrite(text)


def test_edits():
    assert entities("a&lt;b&nbsp;").edits == (Edit(1, 2, 1, 5), Edit(3, 4, 6, 12))


pieces = st.sampled_from(
    [*"&#;x3840126aA", "amp", "&amp;", "&#38;", "&#x26;", "lt", "nbsp", "#160;"]
)


@given(st.lists(pieces | st.sampled_from(sorted(html5)).map("&".__add__), max_size=20).map("".join))
def test_once_is_enough(text):
    rewrite = entities(text)
    assert entities(rewrite.text) == Rewrite(rewrite.text)
