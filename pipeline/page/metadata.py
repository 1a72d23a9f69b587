"""Lines that say when, where and by whom: 发布日期:2021-01-30 05:03   来源:未知   阅读:

A line is metadata only if all of it is: it starts with a label or a date, and every value is short
and no sentence. 来源 within a paragraph, or 作者认为, therefore stays body.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pipeline.lexicon import entries
from pipeline.page.boilerplate import DECORATED, DECORATION
from pipeline.page.dates import DATE, read_date, to_datetime

LONGEST_LINE = 160
"""Beyond this a line is a paragraph: the longest of 37 news pages has 92."""
LONGEST_VALUE = 64
LONGEST_NAME = 30
"""A publisher or a person. A longer value with a comma is part of a sentence."""

Field = tuple[str, str]
"""Name of the field and its value."""

CREDITS = ("publisher", "author", "editor")
DATES = ("published", "dated")

# --- expressions: all bounded, and matched at one place or on one short line ----------------------

LABELS = {label: (field, where) for label, field, where in entries("labels")}
FIRST_CHARACTERS = frozenset("0123456789一二文民JFMASOND") | {label[0] for label in LABELS}
"""Of labels and dates. Most lines of a text are told by their first."""

# Longest first: 责任编辑 is no 编辑. Pages write 作  者, which white_space makes 作 者.
_SPACED = "|".join(
    " ?".join(map(re.escape, label)) for label in sorted(LABELS, key=len, reverse=True)
)
LABEL = re.compile(
    rf"({_SPACED}) ?[:：] ?|(文)[/丨|｜]|(原标题|原题目?|原文标题) "
    rf"|(发[表布]|刊[发登]|更新|[宣公颁]布)于 ?(?=\d)"
)
"""文/张三 and 发布于2021-01-30 need no colon."""
START = re.compile(rf"[{re.escape(DECORATION)}]*+(?:{LABEL.pattern}|{DATE.pattern})")
ASIDE = re.compile(
    rf"[(（\[【]({_SPACED}) ?[:：] ?([^()（）\[\]【】。！？]{{1,{LONGEST_VALUE}}})[)）\]】]$"
)

SENTENCE_MARK = re.compile("[。！？!?；;=<>{}]")
"""With those of mark-up that was not removed."""
COMMA = re.compile("[，,]")
CLOSER = re.compile(r"[】\])）]")
WRAPPED = re.compile(r"[【\[(（][^【\[(（】\])）]*[】\])）]")
"""来源：[ 人民网 ]."""

_COUNTED = "阅读|浏览|点击|评论|喜欢|点赞|收藏|转发|分享|播放|回复"
COUNTS = rf"(?:[-–|·/ ]{{0,4}}(?:{_COUNTED})[-–0-9.万+次 ]{{0,8}}){{1,6}}"
BESIDE = re.compile(
    rf"[A-Za-z0-9一-鿿《》·. ]{{1,24}}|https?://[A-Za-z0-9./\-]{{1,32}}|{COUNTS}|\[[^\[\]]{{1,12}}\]"
)
"""What may stand beside a date: a publisher without a label, or what NO_SOURCE names."""
NO_SOURCE = re.compile(
    rf"[-–|·/ ]*(?:更新|发布|发表|{_COUNTED}|查看|编辑|作者|楼主|第|于|[0-9\[]|http)"
    r"|.*\.(?:com|cn|net|org)\b",
    re.IGNORECASE,
)
SIGN = re.compile("[:：/丨|｜0-9年]|^原")
"""What ends a label or is part of a date; where none is near, START need not be tried."""
FARTHEST_SIGN = 24
LONGEST_LATE = 128
PLAIN = re.compile(r"[A-Za-z0-9一-鿿.]{1,12}|\[[^\[\]]{1,12}\]")
VALUE_END = re.compile(r" +(?:网友评论|我来说|我要|评论|阅读|打印|字号|点击|浏览|分享|收藏|【|\[)")
"""Buttons behind a value."""

LATE_START = re.compile(
    rf"(?:{BESIDE.pattern}) ?[ |｜\]]{{1,3}}"
    rf"(?:{DATE.pattern}|(?:发[布表])(?:时间|日期)?(?:[:：]|于(?=\d)))"
)
"""河边晨报 2021-01-30: the publisher, or part of the site, before the date."""

NAME = r"[一-鿿]{2,4}(?:·[一-鿿]{1,6})?"
NAMES = re.compile(rf"{NAME}(?:[ 、,，/]{{1,2}}{NAME}){{0,7}}")
PROFESSION = re.compile("(?:本报|本网|本刊)?(?:记者|通讯员|作者)[ :：]?")
"""作者：记者张三 names 张三."""
OTHERS = re.compile(" (?:通讯员|实习生|实习记者|摄影记者|记者|摄影|编辑)(?: |$)")
"""张三 通讯员 李四 names 张三 first, and he is the author."""
PRESS = (
    "(?:[《〈]?[A-Za-z一-鿿]{0,10}?(?:[报网刊台社》〉]|频道|客户端|特约|见习|实习|融媒体|全媒体) ?)"
)
FILED = "(?:发自[一-鿿]{2,8}| [一-鿿]{2,8}报道)?"
BYLINE = re.compile(
    rf"(?:{PRESS}?(?:记者|通讯员)[ :：]|{PRESS}(?:记者|通讯员|作者)[:：]?)"
    rf" ?({NAMES.pattern}?){FILED}"
)
"""本报记者张三 通讯员 李四, alone on a line. 记者 alone needs a mark: 记者走访 is a headline."""
BYLINE_CUE = re.compile("[记作]者|通讯员|日[电讯]")
DATELINE = re.compile(rf"{PRESS}[一-鿿]{{2,8}}\d{{1,2}}月\d{{1,2}}日[电讯]")
"""新华社北京1月30日电, alone on a line."""

UNKNOWN = frozenset(
    ("未知", "不详", "不明", "佚名", "匿名", "无", "暂无", "未署名", "null", "unknown", "admin")
)
"""Values that name nobody. 本站 and 网络 are said by the page, and stay as printed."""


LONGEST_LABEL = 12
PLAIN_VALUE = re.compile(r"[A-Za-z0-9一-鿿《》·、 ]{2,24}")
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘袁董余叶蒋杜苏魏吕丁沈"
    "姚卢傅钟谭廖汪贾韦邹熊孟秦阎薛侯雷郝龚邵钱戴尹罗茅冼"
)
"""The commonest, less those with which common words of two characters begin."""
SPEAKERS = ("记者：", "记者:")
SPEAKER = re.compile(rf"记者[:：] ?(?!(.)\1)[{SURNAMES}]")
"""记者：张三 is a credit. In an interview 记者 speaks: 记者：是的, 记者：谢谢."""
SURE_SURNAMES = "".join(sorted(set(SURNAMES) - set("黄周高林雷孟钱许何丁叶曾")))
PERSON = re.compile(rf"[{SURNAMES}][一-鿿]{{2}}|[{SURE_SURNAMES}][一-鿿]")
SIGNED = re.compile(rf"[(（]((?:{PERSON.pattern}))[)）]|(?:文|作者|撰文)[:：/] ?({NAME})")


class Metadata(NamedTuple):
    """What one line says."""

    fields: tuple[Field, ...] = ()
    dates: tuple[tuple[str, datetime], ...] = ()
    """With the name of the field: published, dated, or bare for one without a label."""


def read_line(line: str, *, in_head: bool) -> Metadata | None:
    """The fields of a line that is metadata as a whole, else None.

    >>> read_line("日期:2021-01-30 来源:未知 阅读:", in_head=True).dates
    (('published', datetime.datetime(2021, 1, 30, 0, 0)),)
    >>> read_line("来源：近日有人说，这是真的。", in_head=True)
    """
    if len(line) > LONGEST_LINE or (line.startswith(SPEAKERS) and not SPEAKER.match(line)):
        return None
    if in_head and (byline := _byline(line)):
        return byline
    if not _starts(line, in_head):
        return None
    labels = list(LABEL.finditer(line))
    date = _date_line(line[: labels[0].start()] if labels else line)
    if date is None or not (labels or in_head):
        return None
    values = list(_values(line, labels))
    if not all(_is_sound(name, where, value, in_head) for name, where, value in values):
        return None
    fields = tuple((name, value) for name, _, value in values)
    dates = tuple(
        (name, at) for name, value in fields if name in DATES and (at := read_date(value))
    )
    return Metadata(date.fields + fields, dates + date.dates)


def _starts(line: str, in_head: bool) -> bool:
    """Whether a line begins like metadata: with a label, a date, or near the top a name and one."""
    bare = line.lstrip(DECORATION) if line[:1] in DECORATED else line
    if bare[:1] in FIRST_CHARACTERS and SIGN.search(bare[:FARTHEST_SIGN]) and START.match(line):
        return True
    if (
        not in_head
        or len(line) > LONGEST_LATE
        or not ("20" in line or "19" in line or "发" in line)
    ):
        return False
    return LATE_START.match(line) is not None


def read_aside(line: str) -> Field | None:
    """A credit in brackets at the end of a paragraph.

    >>> read_aside("他说完就走了。（责任编辑：张岩）")
    ('editor', '张岩')
    """
    found = ASIDE.search(line[-LONGEST_VALUE:])
    if not found:
        return None
    name = LABELS[found[1].replace(" ", "")][0]
    return (name, found[2].strip()) if name in CREDITS else None


def read_pair(label: str, value: str) -> Metadata | None:
    """A label alone on its line, with its value on the next one, as tables of offices have it.

    >>> read_pair("发布日期：", "2021年01月30日").dates
    (('published', datetime.datetime(2021, 1, 30, 0, 0)),)
    >>> read_pair("责任编辑：", "相关新闻说，桥修好了")
    """
    if len(label) > LONGEST_LABEL or not label.endswith((":", "：")) or LABEL.search(value):
        return None
    found = read_line(label + value, in_head=True)
    if found is None or len(found.fields) != 1:
        return None
    name, text = found.fields[0]
    if name in DATES:
        return found if found.dates else None
    is_short = name == "other" or (name in CREDITS and PLAIN_VALUE.fullmatch(text))
    return found if is_short else None


def read_signature(line: str) -> Metadata | None:
    """The writer's name below an article: （张三）, 文：张三, 晨报记者 张三 发自北京.

    >>> read_signature("（张岩）").fields, read_signature("（完）")
    ((('author', '张岩'),), None)
    """
    if len(line) > LONGEST_VALUE:
        return None
    if found := SIGNED.fullmatch(line):
        return Metadata((("author", found[1] or found[2]),))
    return None if line.startswith("记者") else _byline(line)


def is_person(line: str) -> bool:
    """Whether a line is one name, as it stands alone between a headline and the text.

    Short words begin with the characters of surnames, too (文化, 方法), so that only those which
    seldom do are known: a name that is missed stays body.

    >>> is_person("鲁迅"), is_person("张三"), is_person("江南")
    (False, True, False)
    """
    return PERSON.fullmatch(line) is not None


def is_name(value: str) -> bool:
    """Whether a value may go into a column."""
    return 0 < len(value) <= LONGEST_VALUE and value.lower() not in UNKNOWN


def _byline(line: str) -> Metadata | None:
    if len(line) > LONGEST_VALUE or not BYLINE_CUE.search(line):
        return None
    bare = line.strip("()（） ")
    if DATELINE.fullmatch(bare):
        return Metadata()
    found = BYLINE.fullmatch(bare)
    return Metadata((("author", _author(found[1])),)) if found else None


def _date_line(text: str) -> Metadata | None:
    """What stands before the first label: nothing, or a date with perhaps a publisher beside it."""
    bare = text.strip(DECORATION + ",，")
    if not bare:
        return Metadata()
    found = DATE.search(bare)
    if not found:  # the site's name before the label of the date
        return Metadata() if PLAIN.fullmatch(bare) else None
    date = to_datetime(found)
    if not date:
        return None
    around = (bare[: found.start()], bare[found.end() :])
    beside = [side for text in around if (side := text.strip(DECORATION + ",，"))]
    if not all(BESIDE.fullmatch(side) for side in beside):
        return None
    publishers = (("publisher", side) for side in beside if not NO_SOURCE.match(side))
    return Metadata(tuple(publishers), (("bare", date),))


def _values(line: str, labels: list[re.Match[str]]) -> Iterator[tuple[str, str, str]]:
    """Field, where its label counts, and value, which runs up to the next label."""
    ends = [label.start() for label in labels[1:]] + [len(line)]
    for label, end in zip(labels, ends, strict=False):  # without labels there is one end too many
        name, where = _field(label)
        value = _value(line[label.end() : end])
        yield name, where, _author(value) if name == "author" else value


def _author(value: str) -> str:
    named = PROFESSION.match(value)
    return OTHERS.split(value[named.end() :] if named else value, maxsplit=1)[0]


def _field(label: re.Match[str]) -> Field:
    if label[2]:
        return "author", "head"
    if label[4]:
        return ("dated" if label[4] == "更新" else "published"), "anywhere"
    return ("other", "anywhere") if label[3] else LABELS[label[1].replace(" ", "")]


def _value(text: str) -> str:
    """Up to a bracket that closes one before the label, without decoration; 《 》 belong to it."""
    value = VALUE_END.split(text, maxsplit=1)[0].strip(" ,，、;；|｜•·/_*")
    if WRAPPED.fullmatch(value):
        value = value[1:-1].strip()
    closers = (closer.start() for closer in CLOSER.finditer(value))
    closed = next((at for at in closers if not set("【[(（") & set(value[:at])), None)
    return value[:closed].strip(" 【[(（")


def _is_sound(name: str, where: str, value: str, in_head: bool) -> bool:
    if where == "head" and not in_head:
        return False
    if name == "published" and where == "head":
        return read_date(value) is not None
    if name == "author" and where == "head":
        return NAMES.fullmatch(value) is not None
    if len(value) > LONGEST_VALUE:
        return False
    if name in CREDITS and len(value) > LONGEST_NAME and COMMA.search(value):
        return False
    return name == "other" or not SENTENCE_MARK.search(value)
