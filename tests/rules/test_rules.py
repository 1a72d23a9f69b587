"""What every rule keeps to, and the edges of each."""

import pickle
import time
import unicodedata

import pytest

from pipeline.rules import RULES, look
from pipeline.rules.control import control
from pipeline.rules.cues import LOOKED_AT
from pipeline.rules.line_ends import line_ends
from pipeline.rules.rewriting import Rewrite
from pipeline.rules.variants import STANDARD, variants
from pipeline.rules.white_space import white_space
from pipeline.rules.width import width

CLEAN = "中国新闻网北京1月30日电（记者 张三）“扶贫”，100%：《经济参考报》！？\n\n第二段…… ABC"

INVISIBLE = (
    *("\0", "\x08", "\x1f", "\x7f", "\x80", "\x9f", "\xad", "\u034f", "\u061c", "\u200b", "\u200c"),
    *("\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2064", "\u2066", "\u2069"),
    *("\ufe00", "\ufe0f", "\ufeff", "\ufffc", "\ufdd0", "\uffff", "\U0001fffe", "\U0010ffff"),
    *("\U000e0041", "\U000e0100", "\ud800", "\udfff"),
)
VISIBLE = (
    *("\t", "\n", "\v", "\f", "\r", "\x85", " ", "\xa0", "\u200a", "\u2010", "\u2028", "\u202f"),
    *("\u2070", "\u3000", "\ufffd", "\ue000", "\U00020000", "\U0001f600", "\u180b"),
)
MIXED = "\u3000甲\r\n\u200b乙 \ue5e5２⻓\n\n\n\U0001f469\u200d\U0001f52c這裡說話\r"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_named_after_its_function_and_file(name):
    rule = RULES[name]
    assert (rule.__name__, rule.__module__) == (name, f"pipeline.rules.{name}")


@pytest.mark.parametrize("name", RULES)
def test_clean_text_passes_as_it_is(name):
    assert RULES[name](CLEAN) == Rewrite(CLEAN)


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_made_of_nothing(name):
    assert RULES[name]("") == Rewrite("")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_settles_at_once(name):
    text = RULES[name](MIXED).text
    assert RULES[name](text) == Rewrite(text)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "text",
    [MIXED, "３。5%，，—参访，甲。”。乙......丙--丁,戊&#8220;é\xa0»鏂伴椈ÖÐ\xb9\xfa\U0001f600"],
)
def test_a_rule_does_nothing_where_none_of_its_cues_stands(name, text):
    bits = look().bits[name]
    for start in range(len(text)):
        for end in range(start, len(text) + 1):
            part = text[start:end]
            if not look().at(part) & bits:
                assert RULES[name](part) == Rewrite(part)


def test_every_rule_has_cues_and_no_two_share_a_bit():
    bits = list(look().bits.values())
    assert list(look().bits) == list(RULES)
    assert all(bits)
    assert sum(bits) == (1 << sum(one.bit_count() for one in bits)) - 1


def test_a_look_sees_all_of_a_long_text():
    for at in (0, LOOKED_AT - 2, LOOKED_AT - 1, LOOKED_AT, LOOKED_AT + 1, 2 * LOOKED_AT):
        assert look().at("字" * at + "。。" + "字" * LOOKED_AT) == look().at("。。")
    assert look().at("字" * 3 * LOOKED_AT) == 0


@pytest.mark.parametrize("name", RULES)
def test_rules_can_be_sent_to_a_worker(name):
    assert pickle.loads(pickle.dumps(RULES[name])) is RULES[name]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\n",
        " \n",
        "\r",
        "\r\n",
        "\u200b",
        "\u3000",
        "\ufe0f\u200d",
        "２",
        "體",
        "⻓",
        "a\u200b",
    ],
)
def test_a_rule_is_linear_in_hostile_text(name, unit):
    # 1 M characters take 0.1 to 2 s; a quadratic rule would take hours.
    start = time.process_time()
    RULES[name](unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 20


class TestControl:
    @pytest.mark.parametrize(
        "invisible",
        INVISIBLE,
    )
    def test_removed(self, invisible):
        assert control(f"责{invisible}任").text == "责任"

    @pytest.mark.parametrize(
        "visible",
        VISIBLE,
    )
    def test_kept(self, visible):
        assert control(f"责{visible}任").text == f"责{visible}任"

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),  # a scientist
            ("\u2764\ufe0f\u200d\U0001f525", "\u2764\u200d\U0001f525"),  # without its selector
            ("中\u200d国", "中国"),
            ("\U0001f469\u200d", "\U0001f469"),
            ("\u200d\U0001f469", "\U0001f469"),
            ("\U0001f469\u200b\u200d\U0001f52c", "\U0001f469\U0001f52c"),
        ],
    )
    def test_joiners_stay_between_pictographs(self, raw, text):
        assert control(raw).text == text


class TestLineEnds:
    @pytest.mark.parametrize("end", ["\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\n"])
    def test_one_break_for_all(self, end):
        assert line_ends(f"甲{end}乙").text == "甲\n乙"

    def test_two_breaks_stay_two(self):
        assert line_ends("甲\r\r\n\n\r乙").text == "甲\n\n\n\n乙"

    def test_count(self):
        assert (
            line_ends("甲\r\n乙\r丙").changed == 2  # one \r removed, one changed
        )  # \r removed and \r changed, and \n of neither


class TestWhiteSpace:
    @pytest.mark.parametrize(
        "space", ["\t", "\xa0", "\u1680", "\u2000", "\u200a", "\u202f", "\u205f", "\u3000"]
    )
    def test_every_space_is_one_space(self, space):
        assert white_space(f"甲{space}乙").text == "甲 乙"
        assert white_space(f"甲{space * 3}乙").text == "甲 乙"
        assert white_space(f"{space}甲{space}\n{space}乙{space}").text == "甲\n乙"

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            ("扶贫太密集 形式主义", "扶贫太密集 形式主义"),
            ("甲\n乙", "甲\n乙"),
            ("甲\n\n乙", "甲\n\n乙"),
            ("甲\n \n\t\n乙", "甲\n\n乙"),
            ("甲 \n \n 乙", "甲\n\n乙"),
            (" ", ""),
            ("\n", ""),
            ("\n\n甲\n\n", "甲"),
        ],
    )
    def test_layout(self, raw, text):
        assert white_space(raw).text == text

    def test_count_is_of_characters_changed_or_removed(self):
        assert white_space("甲\u3000\u3000乙").changed == 2
        assert white_space("甲  乙").changed == 1


class TestWidth:
    def test_letters_and_digits(self):
        wide = "".join(chr(code) for code in range(ord("！"), ord("～") + 1))
        narrow = width(wide).text
        assert [n for n in narrow if n.isascii()] == [
            chr(c) for c in range(128) if chr(c).isalnum()
        ]

    @pytest.mark.parametrize("mark", "，：（）！？；％＋－／．＠＃＆～｡ｱ￥　")
    def test_punctuation_stays(self, mark):
        assert width(mark).text == mark


class TestVariants:
    @pytest.mark.parametrize(
        ("variant", "standard"),
        [
            ("⼀", "一"),
            ("⿕", "龠"),
            ("⺠", "民"),
            ("⻓", "长"),
            ("\uf92c", "郎"),
            ("\U0002f804", "你"),
            ("\ue5e5", "\u3000"),
            ("\ue7c7", "ḿ"),
            ("\ue78d", "︐"),
            ("\ue796", "︙"),
            ("\ue81e", "龴"),
        ],
    )
    def test_examples(self, variant, standard):
        assert variants(variant).text == standard

    @pytest.mark.parametrize(
        "kept", ["\ue000", "\ue004", "\uf8ff", "﨎", "﨩", "⿰", "，", "ｶ", "①", "㎡"]
    )
    def test_kept(self, kept):
        assert variants(kept).text == kept

    def test_no_standard_character_is_a_variant(self):
        assert not set(STANDARD) & set(STANDARD.values())

    def test_private_use_codes_agree_with_the_codec(self):
        """Bytes FE50 to FEA0 run parallel to U+E815 to U+E864; the codec knows 66 of them."""
        trails = [*range(0x50, 0x7F), *range(0x80, 0xA1)]
        decoded = [bytes([0xFE, trail]).decode("gb18030") for trail in trails]
        pairs = {chr(0xE815 + at): one for at, one in enumerate(decoded) if one != chr(0xE815 + at)}
        assert len(pairs) == 66
        assert all(variants(private).text == variants(one).text for private, one in pairs.items())

    def test_ideographs_become_ideographs(self):
        for variant, standard in STANDARD.items():
            if "\u2e80" <= variant <= "\u2fd5":
                assert unicodedata.name(standard).startswith("CJK UNIFIED IDEOGRAPH")
