"""Which documents are converted, and what conversion must not touch."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.rules.script import aligned, converter, evidence, script, script_of, simplified

SIMPLIFIED = "这个旗的扶贫办主任说，检查组来时显著带着火药味儿，乡亲们没有时间说话。"
TRADITIONAL = "這個旗的扶貧辦主任說，檢查組來時顯著帶著火藥味兒，鄉親們沒有時間說話。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Hans"),
        ("plain English, 2021", "Hans"),
        ("一二三", "Hans"),  # nothing that only one script writes
        (SIMPLIFIED, "Hans"),
        (TRADITIONAL, "Hant"),
        (SIMPLIFIED + "記者參訪", "Hans"),  # a spinner's swaps
        (SIMPLIFIED + TRADITIONAL, "mixed"),
        (TRADITIONAL * 5 + "（编辑：张岩）", "Hant"),
        ("乾隆皇帝下江南的故事", "Hans"),
        ("戶口與溫度，脫離説法，衞生鋭意", "Hant"),  # Hong Kong
        ("户口與温度，衞生署説", "Hant"),  # 户 and 温 are simplified, and Hong Kong's
        ("国語の勉強をしています。漢字は難しいですが、楽しいです。", "mixed"),
        ("我的の寶貝們說", "Hant"),  # の for ornament
    ],
)
def test_script_of(text, expected):
    assert script_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        SIMPLIFIED,
        SIMPLIFIED + "採訪參觀",
        SIMPLIFIED + TRADITIONAL,
        "乾县、乾安县、藉口、著名、瞭望",
        "漢字の勉強をしています。楽しいです。",
        "显著的著作著称于世，狼藉满地，慰藉",
    ],
)
def test_left_alone(text):
    assert script(text).text is text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRADITIONAL, SIMPLIFIED),
        ("乾隆與乾坤，乾縣與乾安縣，餅乾乾淨", "乾隆与乾坤，乾县与乾安县，饼干干净"),
        ("徐乾學與錢鍾書", "徐乾学与钱锺书"),
        ("顯著的著作，看著他", "显著的著作，看着他"),  # Taiwan's 著
        ("顯著的著作，看着書", "显著的著作，看着书"),  # Hong Kong's 着
        ("衞生署的枱燈", "卫生署的台灯"),
        ("慰藉與藉口，狼藉滿地", "慰藉与借口，狼藉满地"),
        ("皇后在後面，頭髮發亮", "皇后在后面，头发发亮"),
        ("宮商角徵羽與象徵", "宫商角徵羽与象征"),
    ],
)
def test_converted(text, expected):
    assert script(text).text == expected


@pytest.mark.parametrize("profile", ["hk2s", "tw2s"])
def test_no_character_changes_the_length(profile):
    han = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    converted = converter(profile).convert("\n".join(han)).split("\n")
    assert all(len(one) == 1 for one in converted)


def test_no_character_oscillates():
    for character in map(chr, range(0x3400, 0xA000)):
        text = script(character).text
        assert script(text).text == text


def test_the_converter_is_made_once():
    assert converter("hk2s") is converter("hk2s")


def test_evidence_is_disjoint_and_large():
    classes = evidence().classes
    assert (classes == 1).sum() > 3500
    assert (classes == 2).sum() > 2400


def test_a_word_is_protected_wherever_it_stands():
    assert simplified("到乾縣去。乾縣") == "到乾县去。乾县"


@pytest.mark.parametrize(
    ("text", "converted", "expected"),
    [
        ("甲乙", "甲丙", ()),
        ("甲乙丙", "甲丙", ((1, 1, 1, 2),)),
        ("甲丙", "甲乙丙", ((1, 2, 1, 1),)),
        ("甲甲", "甲", ((1, 1, 1, 2),)),
        ("一\n甲乙\n二三", "一\n甲乙丙\n二", ((4, 5, 4, 4), (7, 7, 6, 7))),
    ],
)
def test_aligned(text, converted, expected):
    assert aligned(text, converted) == expected


# --- OpenCC's own dictionaries --------------------------------------------------------------------

DICTIONARIES = (
    *("TSCharacters", "TSPhrases", "TWVariantsRev", "TWVariantsRevPhrases"),
    *("HKVariantsRev", "HKVariantsRevPhrases", "STCharacters", "TWVariants", "HKVariants"),
)


@cache
def dictionary_keys() -> tuple[str, ...]:
    """Everything that the conversions look up: dumped by the tool that OpenCC's wheel brings."""
    clib = Path(opencc.__file__).with_name("clib")
    tool = clib / "bin" / "opencc_dict"
    if not tool.exists():
        pytest.skip("this wheel of OpenCC brings no opencc_dict")
    keys: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for name in DICTIONARIES:
            source, dump = clib / "share" / "opencc" / f"{name}.ocd2", Path(folder) / name
            arguments = ["-i", source, "-f", "ocd2", "-o", dump, "-t", "text"]
            subprocess.run([tool, *arguments], check=True, capture_output=True)
            lines = dump.read_text(encoding="utf-8").splitlines()
            keys.update(line.split("\t")[0] for line in lines)
    return tuple(sorted(keys))


def test_the_dictionaries_are_all_there():
    assert len(dictionary_keys()) > 6000
    assert {"慰藉", "乾隆", "檢核", "避雷針", "薴"} <= set(dictionary_keys())


@pytest.mark.parametrize("context", ["", "這裡說著", "衞生署說着", SIMPLIFIED])
def test_no_key_of_a_dictionary_needs_two_conversions(context):
    for key in dictionary_keys():
        once = script(context + key)
        assert script(once.text) == (once.text, 0, ()), key
        assert len(once.text) == len(context + key)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_text_of_keys_needs_two_conversions(data):
    text = "".join(data.draw(st.lists(st.sampled_from(dictionary_keys()), max_size=20)))
    once = script(text)
    assert script(once.text) == (once.text, 0, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "他看著著名的「着手」一書，說著",
            "他看着著名的「着手」一书，说着",
        ),  # a stray 着 in Taiwan's
        ("隨著艱鉅的任務，他保持著想像", "随着艰巨的任务，他保持着想象"),
        ("發揮著作用的座標與逕流", "发挥着作用的坐标与径流"),
        ("土著的原著與作者所著的書", "土著的原著与作者所著的书"),
    ],
)
def test_words_that_opencc_gets_wrong(text, expected):
    assert simplified(text) == expected
