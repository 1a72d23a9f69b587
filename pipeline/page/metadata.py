"""Lines that say when, where and by whom: 发布日期:2021-01-30 05:03   来源:未知   阅读:

A line is metadata only if all of it is: it starts with a label or a date, and every value is short
and no sentence. 来源 within a paragraph, or 作者认为, therefore stays body.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pipeline.lexicon import entries
from pipeline.page.boilerplate import DECORATION
from pipeline.page.dates import DATE, read_date, to_datetime

LONGEST_LINE = 160
"""Beyond this a line is a paragraph: the longest of 37 gold pages has 92."""
LONGEST_VALUE = 64
LONGEST_NAME = 30
"""A publisher or a person. Longer values are kept out of the columns if they hold a comma."""
LONGEST_SOURCE = 16
"""An unlabelled publisher beside a date."""

Field = tuple[str, str]
"""Name of the field and its value."""

LABELS = {label: (field, where) for label, field, where in entries("labels")}

_SPACED = [" ?".join(map(re.escape, label)) for label in sorted(LABELS, key=len, reverse=True)]
_LABEL = re.compile(rf"({'|'.join(_SPACED)}) ?[:：] ?|(文)/|(原标题|原题目?|原文标题) ")
"""Longest first: 责任编辑 is no 编辑. Pages write 作  者, here with one space."""
_STARTS = re.compile(rf"[{re.escape(DECORATION)}]*+(?:{_LABEL.pattern}|{DATE.pattern})")
_ASIDE = re.compile(
    rf"[(（\[【]({'|'.join(_SPACED)}) ?[:：] ?([^()（）\[\]【】。！？]{{1,{LONGEST_VALUE}}})[)）\]】]$"
)

FIRST_CHARACTERS = frozenset("0123456789一二文") | {label[0] for label in LABELS}
"""Of labels and dates. Most lines of a text are told by their first."""

SENTENCE_MARKS = re.compile("[。！？!?；;]")
UNKNOWN = frozenset(
    ("未知", "不详", "不明", "佚名", "匿名", "无", "暂无", "未署名", "null", "unknown", "admin")
)
"""Values that name nobody. 本站 and 网络 are said by the page, and stay as printed."""

NAME = r"[一-鿿]{2,4}(?:·[一-鿿]{1,6})?"
NAMES = re.compile(rf"{NAME}(?:[ 、,，/]{{1,2}}{NAME}){{0,7}}")
PRESS = "(?:[《〈]?[A-Za-z一-鿿]{0,10}?(?:[报网刊台社》〉]|特约|见习|实习|融媒体|全媒体))"
BYLINE = re.compile(
    rf"(?:{PRESS}?(?:记者|通讯员)[ :：]|{PRESS}(?:记者|通讯员|作者)[:：]?) ?({NAMES.pattern})"
    rf"(?: (?:实习生|通讯员|摄影记者|记者) {NAMES.pattern})?"
)
"""本报记者张三 通讯员 李四, alone on a line. 记者 alone needs a mark: 记者走访市场 is a headline."""
DATELINE = re.compile(rf"{PRESS}[一-鿿]{{2,8}}\d{{1,2}}月\d{{1,2}}日[电讯](?:题:|题：)?")
"""新华社北京1月30日电, alone on a line."""


class Metadata(NamedTuple):
    """What one line says."""

    fields: tuple[Field, ...]
    dates: tuple[tuple[str, datetime], ...] = ()
    """With the name of the field: published, dated, or bare for one without a label."""


def read_line(line: str, *, in_head: bool) -> Metadata | None:
    """The fields of a line that is metadata as a whole, else None.

    >>> read_line("日期:2021-01-30   来源:未知   阅读:", in_head=True).dates
    (('published', datetime.datetime(2021, 1, 30, 0, 0)),)
    >>> read_line("来源：近日有人说，这是真的。", in_head=True)
    """
    if len(line) > LONGEST_LINE:
        return None
    if in_head and (byline := _byline(line)):
        return byline
    if line.lstrip(DECORATION)[:1] not in FIRST_CHARACTERS or not _STARTS.match(line):
        return None
    labels = list(_LABEL.finditer(line))
    before = line[: labels[0].start()] if labels else line
    dated = _dated(before)
    if dated is None or (not labels and not (in_head and dated.dates)):
        return None
    fields = [*_labelled(line, labels)]
    if not all(_is_sound(name, where, value, in_head) for name, where, value in fields):
        return None
    dates = [
        (name, read_date(value)) for name, _, value in fields if name in ("published", "dated")
    ]
    known = tuple((name, date) for name, date in dates if date)
    return Metadata(
        dated.fields + tuple((name, value) for name, _, value in fields), known + dated.dates
    )


def read_aside(line: str) -> Field | None:
    """A credit in brackets at the end of a paragraph.

    >>> read_aside("他说完就走了。（责任编辑：张岩）")
    ('editor', '张岩')
    """
    found = _ASIDE.search(line[-LONGEST_VALUE:])
    if not found:
        return None
    field, _ = LABELS[found[1].replace(" ", "")]
    return (
        (field, found[2].strip(DECORATION)) if field in ("publisher", "author", "editor") else None
    )


def is_name(value: str) -> bool:
    """Whether a value may go into a column."""
    return bool(value) and value not in UNKNOWN and len(value) <= LONGEST_VALUE


def _byline(line: str) -> Metadata | None:
    if len(line) > LONGEST_VALUE:
        return None
    bare = line.strip("()（） ")
    if DATELINE.fullmatch(bare):
        return Metadata(())
    found = BYLINE.fullmatch(bare)
    return Metadata((("author", found[1]),)) if found else None


def _dated(before: str) -> Metadata | None:
    """What stands before the first label: nothing, or a date, perhaps with a publisher beside it."""
    bare = before.strip(DECORATION + ",，")
    if not bare:
        return Metadata(())
    found = DATE.search(bare)
    date = to_datetime(found) if found else None
    if not found or not date:
        return None
    beside = [
        side.strip(DECORATION + ",，") for side in (bare[: found.start()], bare[found.end() :])
    ]
    beside = [side for side in beside if side]
    if len(beside) > 1 or any(len(s) > LONGEST_SOURCE or not _is_source(s) for s in beside):
        return None
    return Metadata(tuple(("publisher", side) for side in beside), (("bare", date),))


def _is_source(beside: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9一-鿿《》·. ]+", beside) is not None


def _labelled(line: str, labels: list[re.Match[str]]) -> Iterator[tuple[str, str, str]]:
    ends = [label.start() for label in labels[1:]] + [len(line)]
    for label, end in zip(labels, ends, strict=False):
        name, where = _field(label)
        yield name, where, _value(line[label.end() : end])


def _field(label: re.Match[str]) -> tuple[str, str]:
    if label[2]:
        return "author", "head"
    return ("other", "anywhere") if label[3] else LABELS[label[1].replace(" ", "")]


def _value(text: str) -> str:
    """Without decoration, but with the marks around a title: 《经济参考报》."""
    value = text.strip(" ,，、;；|｜•·/").rstrip(DECORATION.replace("》", "").replace(")", ""))
    return value.removesuffix(")") if "(" not in value else value


def _is_sound(name: str, where: str, value: str, in_head: bool) -> bool:
    if where == "head" and not in_head:
        return False
    if name == "published" and where == "head":
        return read_date(value) is not None
    if name == "author" and where == "head":
        return NAMES.fullmatch(value) is not None
    if name in ("publisher", "author", "editor"):
        return _is_credit(value)
    return len(value) <= LONGEST_VALUE and (name == "other" or not SENTENCE_MARKS.search(value))


def _is_credit(value: str) -> bool:
    if SENTENCE_MARKS.search(value) or len(value) > LONGEST_VALUE:
        return False
    return len(value) <= LONGEST_NAME or not re.search("[，,]", value)
