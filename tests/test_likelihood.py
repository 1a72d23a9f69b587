"""The frequencies are those of jieba's dictionary, and tell Chinese from what is none."""

from collections import Counter
from pathlib import Path

import jieba
import pytest

from pipeline.lexicon import table
from pipeline.likelihood import weights_of
from pipeline.rules.script import converter

FEWEST = 2


@pytest.fixture(scope="module")
def counted() -> Counter[str]:
    counts: Counter[str] = Counter()
    dictionary = Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf-8")
    for line in dictionary.splitlines():
        word, count, _ = line.split(" ")
        for character in word:
            if "\u3400" <= character <= "\u9fff" or character >= "\U00020000":
                counts[character] += int(count)
    return counts


def test_the_lexicon_is_what_its_header_says(counted: Counter[str]) -> None:
    han = [chr(code) for code in range(0x4E00, 0xA000)]
    total, counts = sum(counted.values()), Counter(counted)
    for profile in ("s2t", "s2tw", "s2hk"):
        converted = converter(profile).convert("\n".join(han)).split("\n")
        for simplified, traditional in zip(han, converted, strict=True):
            if simplified != traditional and counted[simplified]:
                counts[traditional] = max(counts[traditional], counted[simplified])
    expected = {one: str(round(n * 1e6 / total)) for one, n in counts.items() if one <= "\uffff"}
    expected = {one: count for one, count in expected.items() if int(count) >= FEWEST}
    assert table("character_frequencies") == expected


@pytest.mark.parametrize(
    ("chinese", "none"),
    [
        ("这个问题正常", "坷疵辑匡狼朝"),  # Korean read as GBK
        ("這個問題正常", "ざ呿賄及妐懍"),  # Japanese read as Big5
        ("佢哋嘅嘢喺邊度", "鎴戜滑鐨勫"),  # UTF-8 read as GBK
    ],
)
def test_chinese_is_likelier(chinese: str, none: str) -> None:
    assert weights_of(chinese).mean() > weights_of(none).mean() + 2
