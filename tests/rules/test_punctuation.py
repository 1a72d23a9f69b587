"""What is regularised, and all that must stay."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.punctuation import punctuation
from pipeline.rules.rewriting import Rewrite

FULL = "他说，今天来的人，比昨天，还要多；有人问：为什么？没人答！于是，就散了，各自，"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("他写道：P。S。我爱你", "他写道：P.S.我爱你"),
        ("在U。S。A。长大，在U．S．A", "在U.S.A.长大，在U.S.A"),
        ("见www。example。com。完", "见www.example.com。完"),
        ("发到zhang_san@example。com。cn，谢谢", "发到zhang_san@example.com.cn，谢谢"),
        ("打开index。html", "打开index.html"),
        ("增长3。5%，共2。5亿元", "增长3.5%，共2.5亿元"),
        ("37。5－38。5摄氏度", "37.5－38.5摄氏度"),
        ("2019。5。3发布", "2019.5.3发布"),
        ("1。先洗手\n2。再吃饭", "1.先洗手\n2.再吃饭"),
        ("走了，，又回来、、再走；；停：：好", "走了，又回来、再走；停：好"),
        ("走了，,又回来,，再走", "走了，又回来，再走"),
        ("他们走了，。又回来、。再走；。", "他们走了。又回来。再走。"),
        ("他们都走了。。后来呢", "他们都走了。后来呢"),
        ("真的吗？。是的！。好", "真的吗？是的！好"),
        ("他说：“知识就是力量。”。后来", "他说：“知识就是力量。”后来"),
        ("后来......就走了。。。完···", "后来……就走了……完……"),
        ("新加坡--强调－－后来──完---好", "新加坡——强调——后来——完——好"),
        (FULL + "可是,又来了", FULL + "可是，又来了"),
        (FULL + "真的吗?又来了", FULL + "真的吗？又来了"),
    ],
)
def test_regularised(before, after):
    assert punctuation(before).text == after


@pytest.mark.parametrize(
    "text",
    [
        "中国新闻网北京1月30日电（记者 张三）“扶贫”，100%：《经济参考报》！？\n\n第二段…… ABC",
        "真的吗？！太好了！！！什么？？",
        "他喊：“加油！”。她问：“好吗？”。",
        "走吧，他说。，然后",  # which of the two?
        "我。。你。。他。。大家。。都这样写。。的",  # a habit, for ……
        "全文用半角标点,就是这样写的;没有全角标点:真的吗?真的!",
        "第一章......5\n第二章 .............12",  # a table of contents
        "见于2019。2020年又见",  # the end of a sentence
        "排名第3。5%的人同意",
        "选A。选B。",
        "1.5 3.14 v2.0.1 www.example.com P.S. e.g. a..b ../..",
        "x--y i-- -- ---",
        "张三，，，12，，\n，，",  # empty cells
        "（（内）） 《《书》》 ““引””",
        "时间:5时,地点:A厅",
        "2019年。3月",
        "一……二…三…………四—五——六",
    ],
)
def test_left_alone(text):
    assert punctuation(text) == Rewrite(text)


KEPT = "（）《》“”「」『』【】"
marks = st.sampled_from(
    [*"，。、；：！？…—·.,;:?!-－─”“（）《》「」『』【】甲乙第a5%\n", "P。S。", "3。5%", "。。。"]
)
marked = st.lists(marks, max_size=30).map("".join)


@given(marked)
def test_brackets_and_quotation_marks_are_never_lost(text):
    before, after = Counter(text), Counter(punctuation(text).text)
    assert all(before[mark] == after[mark] for mark in KEPT)


@given(marked)
def test_letters_and_han_are_never_touched(text):
    keep = [one for one in text if one.isalnum()]
    assert [one for one in punctuation(text).text if one.isalnum()] == keep
