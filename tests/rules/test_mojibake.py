"""What is repaired and what is not, with where each character came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.mojibake import mojibake
from pipeline.rules.rewriting import Rewrite
from pipeline.spans import Edit

TEXT = "昨天下午，市里开了个会，说的是老城区的供水问题。有人问：今年冬天还会停水吗？"
TRADITIONAL = "昨天下午，市裡開了個會，說的是老城區的供水問題。有人問：今年冬天還會停水嗎？"


def cp1252(data: bytes) -> str:
    """As browsers read it: what Windows leaves out is a control."""
    return "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in data)


MISTAKES = {
    "UTF-8 as GB18030": lambda text: text.encode().decode("gb18030"),
    "UTF-8 as Latin-1": lambda text: text.encode().decode("latin-1"),
    "UTF-8 as Windows'": lambda text: cp1252(text.encode()),
    "UTF-8 as Windows', twice": lambda text: cp1252(cp1252(text.encode()).encode()),
    "GBK as Latin-1": lambda text: text.encode("gbk").decode("latin-1"),
    "GBK as Windows'": lambda text: cp1252(text.encode("gbk")),
    "GBK as Big5": lambda text: text.encode("gbk").decode("big5hkscs"),
}
OF_TRADITIONAL = {
    "Big5 as Latin-1": lambda text: text.encode("big5").decode("latin-1"),
    "Big5 as GB18030": lambda text: text.encode("big5").decode("gb18030"),
}


def readable_pieces(mistake, text: str, size: int) -> list[str]:
    pieces = []
    for at in range(len(text) - size):
        try:
            mistake(text[at : at + size])
        except UnicodeDecodeError:
            continue
        pieces.append(text[at : at + size])
    return pieces


@pytest.mark.parametrize(
    ("name", "mistake", "text"),
    [
        *((name, mistake, TEXT) for name, mistake in MISTAKES.items()),
        *((name, mistake, TRADITIONAL) for name, mistake in OF_TRADITIONAL.items()),
    ],
)
def test_pieces_of_sixteen_characters_are_repaired(name, mistake, text):
    pieces = readable_pieces(mistake, text, 16)
    right = [mojibake(mistake(piece)).text == piece for piece in pieces]
    assert len(right) >= 3
    # The encodings that do not tell themselves: a third of the pieces of GBK in Big5 loses bytes.
    assert sum(right) >= (0.5 if name == "GBK as Big5" else 0.95) * len(right)


@pytest.mark.parametrize("lost", ["\ufffd", "?"])
def test_what_lost_a_byte_is_marked_and_the_rest_repaired(lost):
    damaged = TEXT.encode().decode("gbk", "replace").replace("\ufffd", lost)
    text = mojibake(damaged).text
    good = [a for a in text if a not in "\ufffd?"]
    assert len(good) > 0.8 * len(TEXT)
    assert "".join(good) in TEXT or all(one in TEXT for one in good)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("标题：鏂伴椈缃戞柊 abc", "标题：新闻网新 abc"),
        ("鏂伴椈", "新闻"),  # a whole stretch
        ("好的正文，没有问题。\næ–°é—»\n还是正文。", "好的正文，没有问题。\n新闻\n还是正文。"),
        ("ä¸\xad", "中"),
        ("ÖÐ¹úµÄÐÂÎÅ", "中国的新闻"),
        ("æ–°é—»ç½‘ Â· cafÃ©", "新闻网 · café"),
    ],
)
def test_repaired(before, after):
    assert mojibake(before).text == after


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TRADITIONAL,
        "锟斤拷锟斤拷",
        "烫烫烫屯屯屯",
        "涓滴之水，浜湖之畔，锛的符号，鐨",
        "“café”——naïve，Übermäßig größer, à\xa0« élève\xa0», São João às ações",
        "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ",
        "»»»»»»»» ········ °°°°°°°° ××××××××",
        "Â· Ã© å ä ö ÄÖÜß née résumé",
        "日本語の文章を書くときは、漢字とひらがなとカタカナを混ぜて使います。",
        "오늘 서울의 날씨는 맑고 기온은 이십 도입니다.",
        "ΑΒΓΔ привет ㄅㄆㄇㄈ │┌┐└┘",
        "晚綬斾蔚賸薠",  # six rare characters that would be GBK read as Big5
        "洹冪伇",  # three that would be UTF-8 read as GBK
        "王玥珺、李珩、张笢、岆山",
        "中国\ufffd新闻??",
    ],
)
def test_left_alone(text):
    assert mojibake(text) == Rewrite(text)


def test_each_edit_is_as_small_as_the_bytes_allow():
    # Two characters of UTF-8 are three of GBK, of which the second belongs to both.
    assert mojibake("a 新闻: 鏂伴椈缃戞柊").edits == (Edit(6, 8, 6, 9), Edit(8, 10, 9, 12))
    assert mojibake("æ–°é—»").edits == (Edit(0, 1, 0, 3), Edit(1, 2, 3, 6))


@given(st.text(st.sampled_from(TEXT), min_size=3, max_size=30))
def test_edits_lead_back_to_the_bytes(text):
    misread = text.encode().decode("latin-1")
    rewrite = mojibake(misread)
    assert rewrite.text == text
    assert rewrite.changed == len(misread)
    for edit in rewrite.edits:
        source = misread[edit.raw_start : edit.raw_end]
        assert source.encode("latin-1").decode() == text[edit.start : edit.end]


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=40))
def test_random_han_are_hardly_ever_touched(text):
    rewrite = mojibake(text)
    assert mojibake(rewrite.text) == Rewrite(rewrite.text)
