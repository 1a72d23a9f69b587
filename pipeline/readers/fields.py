"""Which field of a row is the document, and which say something of it, in formats that have fields.

Names are compared without regard to case, spaces, hyphens and underscores: `Publish-Time`,
`publish_time` and `publishtime` are one. Of several that mean the same, the first in the lists
below counts that holds something.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.config import Config
from pipeline.records import Record

TEXT_FIELDS: tuple[str, ...] = (
    "text",
    "content",
    "正文",
    "内容",
    "內容",
    "body",
    "article",
    "文本",
    "文章",
    "全文",
    "正文内容",
    "文章内容",
    "文章內容",
    "新闻内容",
    "新聞內容",
    "內文",
    "full text",
    "main text",
    "raw text",
    "raw content",
    "article body",
    "article content",
    "article text",
    "document",
)
"""Names of the field that holds the document, best first. `Config.text_field` goes before them."""

OPTIONAL_FIELDS: Mapping[str, tuple[str, ...]] = {
    "record_id": ("id", "doc id", "uid", "uuid", "guid", "编号", "編號", "文章编号", "文章id"),
    "url": ("url", "link", "href", "uri", "网址", "網址", "链接", "連結", "鏈接", "原文链接"),
    "title": ("title", "headline", "标题", "標題", "题目", "題目", "文章标题", "新闻标题"),
    "date": (
        "date",
        "published at",
        "publish time",
        "publish date",
        "published",
        "pub time",
        "pub date",
        "date published",
        "发布时间",
        "发布日期",
        "发表时间",
        "发表日期",
        "發佈時間",
        "發布時間",
        "發佈日期",
        "發表時間",
        "日期",
        "时间",
        "時間",
        "datetime",
        "time",
    ),
    "publisher": ("publisher", "site name", "来源", "來源", "媒体", "媒體", "出处"),
    "author": ("author", "byline", "作者", "记者", "記者", "撰文"),
    "editor": ("editor", "责任编辑", "責任編輯", "责编", "責編", "编辑", "編輯"),
}
"""Attribute of `Record`: the names of fields that are taken for it, best first."""

DAMAGED_SHARE = 0.1
"""A text of which more characters are lost than this is not worth keeping."""

LONGEST_NAME = 64  # a longer name is none of these, and not worth folding
MOST_NAMES = 64  # of a row that is worth remembering
NAMES_SHOWN = 8
NAME_CHARS_SHOWN = 16


class Number(str):
    """A number as written: no precision is lost, and none has too many digits for `int`."""

    __slots__ = ()


class BadRecordError(ValueError):
    """A row that is no document. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def to_record(
    number: int, fields: Mapping[str, Any], encoding: str, config: Config, damaged: int = 0
) -> Record:
    """The row as a record. Raises BadRecordError if it holds no text, or none that is fit.

    >>> to_record(3, {"正文": "没时间", "标题": "", "ID": Number("7")}, "utf-8", Config())[:4]
    (3, '没时间', 'utf-8', '7')
    """
    name, text = _text_of(fields, config)
    check_text(text, config.max_document_chars)
    if damaged:
        _check_damage(text, encoding)
    return Record(
        number, text, encoding, damaged=damaged, **_optional_of(fields, name, config.text_field)
    )


def _check_damage(text: str, encoding: str) -> None:
    lost = text.count("\ufffd")
    if lost > DAMAGED_SHARE * len(text):
        detail = f"wrong bytes in {encoding}: {lost} of {len(text)} characters of the text are lost"
        raise BadRecordError("undecodable", detail)


def check_text(text: str, max_chars: int) -> None:
    """Raise BadRecordError for what is no text of a document."""
    if len(text) > max_chars:
        raise too_large(max_chars)
    if not text or text.isspace():
        raise BadRecordError("empty_text", f"nothing but white space, {len(text)} characters")
    if not is_writable(text):
        detail = "half of a UTF-16 pair, such as a \\u escape from d800 to dfff without its partner"
        raise BadRecordError("lone_surrogate", detail)


def text_names(names: Iterable[str], config: Config) -> list[str]:
    """Those of ``names`` that may hold the document, best first.

    >>> text_names(["id", "Content", "正文"], Config()), text_names(["id"], Config())
    (['Content', '正文'], [])
    >>> text_names(["id", "meta"], Config(text_field="meta.text"))
    ['meta']
    """
    return list(_plan(tuple(names), config.text_field).texts)


def known_names(names: Iterable[str], config: Config) -> list[str]:
    """Those of ``names`` that `to_record` looks at."""
    given = tuple(names)
    plan = _plan(given, config.text_field)
    wanted = {*plan.texts, *(name for _, found in plan.optional for name in found)}
    return [name for name in given if name in wanted]


class _Plan(NamedTuple):
    """Where to look in a row with certain names."""

    texts: tuple[str, ...]
    """For the document, best first."""
    optional: tuple[tuple[str, tuple[str, ...]], ...]
    """For each attribute of a record, likewise."""


def _plan(names: tuple[str, ...], text_field: str) -> _Plan:
    """The plan, remembered if the names are such as a person gives: most rows have the same."""
    if len(names) <= MOST_NAMES and all(len(name) <= LONGEST_NAME for name in names):
        return _remembered_plan(names, text_field)
    return _new_plan(names, text_field)


def _new_plan(names: tuple[str, ...], text_field: str) -> _Plan:
    ranked: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        attribute, rank = _OPTIONAL_RANKS.get(_fold(name), ("", 0))
        if attribute:
            ranked.setdefault(attribute, []).append((rank, name))
    optional = ((attribute, _by_rank(found)) for attribute, found in ranked.items())
    if text_field:
        wanted = (text_field, text_field.partition(".")[0])
        texts = tuple(name for w in wanted for name in names if _fold(name) == _fold(w))[:1]
    else:
        folded = [(_TEXT_RANKS.get(_fold(name)), name) for name in names]
        texts = _by_rank([(rank, name) for rank, name in folded if rank is not None])
    return _Plan(texts, tuple(optional))


_remembered_plan = lru_cache(maxsize=256)(_new_plan)


def _by_rank(ranked: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(name for _, name in sorted(ranked, key=lambda pair: pair[0]))


def missing(names: Iterable[str], config: Config, what: str = "field") -> BadRecordError:
    """The error for a row, or a table, without a text field."""
    shown = [_shortened(name) for name, _ in zip(names, range(NAMES_SHOWN), strict=False)]
    found = f"the {what}s are: {', '.join(shown)}" if shown else f"there is no {what} at all"
    wanted = config.text_field or ", ".join(TEXT_FIELDS[:3])
    detail = f"no {what} {wanted}: name the right one with --set text_field=NAME; {found}"
    return BadRecordError("missing_text", detail)


def too_large(max_chars: int) -> BadRecordError:
    """The error for a record that is too long, or so long that it is not even read."""
    return BadRecordError(
        "too_large",
        f"more than {max_chars} characters, or three times as many bytes:"
        " split the record, or raise max_document_chars",
    )


def is_writable(text: str) -> bool:
    """Whether the text can be encoded: false for half of a UTF-16 pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text_of(fields: Mapping[str, Any], config: Config) -> tuple[str, str]:
    """The name of the field that holds the document, and the text."""
    present = text_names(fields, config)
    if not present:
        raise missing(fields, config)
    best: tuple[str, str] | None = None
    for name in present:
        value = _at(fields, name, config.text_field)
        if type(value) is str:  # a number is a Number, which is a str too
            if value and not value.isspace():
                return name, value
            best = best or (name, value)
    if best is None:
        name = present[0]
        found = _type_of(_at(fields, name, config.text_field))
        detail = f"the field {_shortened(name)} is {found}; expected a string"
        raise BadRecordError("missing_text", detail)
    return best


def _at(fields: Mapping[str, Any], name: str, path: str) -> Any:
    """The value of a field; inside it, if ``path`` is a dotted one that begins with the name."""
    value = fields[name]
    if path and _fold(path) != _fold(name):
        for step in path.split(".")[1:]:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _optional_of(
    fields: Mapping[str, Any], text_name: str, text_field: str
) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for attribute, names in _plan(tuple(fields), text_field).optional:
        for name in names:
            value = fields[name]
            if isinstance(value, str) and name != text_name and is_writable(value):
                found[attribute] = str(value)
                if value:
                    break
    return found


def _fold(name: str) -> str:
    return _folded(name) if len(name) <= LONGEST_NAME else ""


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    folded = name.strip().removeprefix("\ufeff").casefold()
    return folded.replace("_", "").replace("-", "").replace(" ", "")


_TEXT_RANKS = {_fold(name): rank for rank, name in enumerate(TEXT_FIELDS)}
_OPTIONAL_RANKS = {
    _fold(name): (attribute, rank)
    for attribute, names in OPTIONAL_FIELDS.items()
    for rank, name in enumerate(names)
}


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_CHARS_SHOWN else name[: NAME_CHARS_SHOWN - 1] + "…"


def _type_of(value: object) -> str:
    if isinstance(value, Number):
        return "a number"
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), "null" if value is None else f"a {type(value).__name__}")
