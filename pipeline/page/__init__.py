"""The furniture of a page: which lines are title, metadata and boilerplate, and what they say.

Conservative: a line is body unless it is wholly something else. Every decision reads one line and
its place among the lines, so time is linear in the text.

Three passes: what each line says by itself; then what its neighbours make of it (`layout`: menus,
lists of headlines); then the lines below the menus again, because they are the article's head.
"""

from collections.abc import Iterator
from datetime import datetime
from operator import add
from typing import NamedTuple

from pipeline.page import boilerplate, metadata
from pipeline.page.advert import is_foreign
from pipeline.page.boilerplate import is_boilerplate, is_prompt
from pipeline.page.layout import furnish, is_row
from pipeline.page.metadata import (
    Field,
    Metadata,
    is_name,
    is_person,
    read_aside,
    read_line,
    read_pair,
    read_signature,
)
from pipeline.page.order import shuffled_score
from pipeline.page.title import find_title, head_lines
from pipeline.spans import Line

HEAD_LINES = 8
"""Lines, less menus, among which a bare date, 时间： or 记者： is metadata."""
TAIL_LINES = 4
"""Last lines, less furniture, where （责任编辑：…） may close a paragraph."""
CLOSERS = (")", "）", "]", "】")
TABLE_LINES = 24
"""Lines at the top among which labels and values may take turns."""
NOTICE_OPENERS = boilerplate.DECORATED | {notice[0] for notice in boilerplate.NOTICES}
OPENERS = boilerplate.DECORATED | boilerplate.FIRST_CHARACTERS | metadata.FIRST_CHARACTERS
"""With which a label, a date, or what the site says begins; of long lines, only its notices."""
DATE_ORDER = ("published", "bare", "dated")
DATE_RANKS = ((0, False), (1, False), (0, True), (1, True), (2, False), (2, True))
"""Which of several dates is that of publication: its kind, and whether it is below the head."""


class Page(NamedTuple):
    """What a page says about itself. `lines` are those with content, in order."""

    title: str | None = None
    published_at: datetime | None = None
    publisher: str | None = None
    author: str | None = None
    editor: str | None = None
    lines: tuple[Line, ...] = ()
    shuffled: float = 0.0
    """Probability that the paragraphs are not in their original order (`order.shuffled_score`)."""


class _Reading(NamedTuple):
    """Lines while their roles are found; all three in step."""

    contents: list[str]
    found: list[Metadata | None]
    roles: list[str]

    def set(self, at: int, data: Metadata | None) -> None:
        """Let a line be metadata, if it is that."""
        if data:
            self.found[at] = data
            self.roles[at] = _role(self.contents[at], data)


def read_page(text: str) -> Page:
    r"""Read the furniture of a normalised text.

    >>> page = read_page("河边的小桥修好了\n2021-01-30 来源：晨报\n昨天，行人都很高兴。")
    >>> page.title, page.publisher, [line.role for line in page.lines]
    ('河边的小桥修好了', '晨报', ['title', 'metadata', 'body'])
    """
    contents, starts = _lines(text)
    page = _read_lines(contents)
    title = _read_head(page)
    asides = _read_tail(page)
    values = _first([*(field for one in page.found if one for field in one.fields), *asides])
    return Page(
        title,
        _published(page),
        values.get("publisher"),
        values.get("author"),
        values.get("editor"),
        tuple(map(Line._make, zip(starts, _ends(starts, contents), page.roles, strict=True))),
        shuffled_score(_article(page)),
    )


def _lines(text: str) -> tuple[list[str], list[int]]:
    contents, starts, start = [], [], 0
    for line in text.split("\n"):
        if line:
            contents.append(line)
            starts.append(start)
        start += len(line) + 1
    return contents, starts


def _ends(starts: list[int], contents: list[str]) -> Iterator[int]:
    return map(add, starts, map(len, contents))


def _read_lines(contents: list[str]) -> _Reading:
    """What each line says by itself, and what its neighbours make of it."""
    found: list[Metadata | None] = []
    alone: list[str] = []
    for at, line in enumerate(contents):
        if _is_plain(line, in_head=at < HEAD_LINES):
            found.append(None)
            alone.append("boilerplate" if is_prompt(line) else "body")
        else:
            one = read_line(line, in_head=at < HEAD_LINES)
            found.append(one)
            alone.append(_role(line, one))
    roles = furnish(contents, alone)
    # A menu may hold what looks like metadata: a date, 作者. Only what stays metadata is believed.
    believed = [one if r != "boilerplate" else None for one, r in zip(found, roles, strict=True)]
    return _Reading(contents, believed, roles)


def _is_plain(line: str, *, in_head: bool) -> bool:
    """Whether a line is no metadata, no row and no advertisement, as a glance tells of most lines.

    It holds a full stop and begins as no label, date or notice does. Left to ask is `is_prompt`.
    """
    if "。" not in line or (in_head and len(line) <= metadata.LONGEST_LATE):
        return False
    return line[0] not in (NOTICE_OPENERS if len(line) > metadata.LONGEST_LINE else OPENERS)


def _read_head(page: _Reading) -> str | None:
    """Read the head of the article, which may stand below long menus; its title."""
    contents, found, roles = page
    for at in head_lines(roles, HEAD_LINES):
        if at >= HEAD_LINES and not found[at]:
            page.set(at, read_line(contents[at], in_head=True))
    _read_pairs(page)
    title = find_title(contents, roles)
    if not title:
        return None
    roles[title.line] = "title"
    below = title.line + 1
    if below + 1 < len(contents) and roles[below] == "body" and is_person(contents[below]):
        page.set(below, Metadata((("author", contents[below]),)))
    return title.text


def _read_pairs(page: _Reading) -> None:
    """Labels alone on their line, with the value on the next."""
    for at in head_lines(page.roles, TABLE_LINES):
        below = at + 1
        if page.roles[at] == "metadata" and page.roles[below : below + 1] in (
            ["body"],
            ["metadata"],
        ):
            pair = read_pair(page.contents[at], page.contents[below])
            page.set(at, pair)
            if pair:
                page.set(below, Metadata())


def _read_tail(page: _Reading) -> list[Field]:
    """Read signatures below the article; credits that close a paragraph: （责任编辑：张岩）."""
    body = [at for at, role in enumerate(page.roles) if role == "body"]
    for at in body[1:][-TAIL_LINES:]:
        page.set(at, read_signature(page.contents[at]))
    last = [page.contents[at] for at in body[-TAIL_LINES:]]
    return [one for line in last if line.endswith(CLOSERS) and (one := read_aside(line))]


def _article(page: _Reading) -> list[str]:
    """The body, with the metadata below its first line: a credit in the middle is out of place."""
    body = page.roles.index("body") if "body" in page.roles else len(page.roles)
    lines = zip(page.contents[body:], page.roles[body:], strict=True)
    return [line for line, role in lines if role in ("body", "metadata")]


def _role(line: str, data: Metadata | None) -> str:
    if data is not None:
        is_count = data.fields and not data.dates and all(n == "count" for n, _ in data.fields)
        return "boilerplate" if is_count else "metadata"
    if is_foreign(line):
        return "injected"
    return "boilerplate" if is_boilerplate(line) or is_row(line) else "body"


def _first(fields: list[Field]) -> dict[str, str]:
    """The first value of each field that names somebody."""
    return {name: value for name, value in reversed(fields) if is_name(value)}


def _published(page: _Reading) -> datetime | None:
    """The date of publication: labelled as such near the top, or alone there; else further down.

    Dates of comments are labelled 发表时间, too, so that a bare one at the top goes before them.
    """
    head = set(head_lines(page.roles, HEAD_LINES))
    dates = [
        ((DATE_ORDER.index(name), at not in head), date)
        for at, one in enumerate(page.found)
        if one
        for name, date in one.dates
    ]
    ranked = sorted(dates, key=lambda date: DATE_RANKS.index(date[0]))
    return ranked[0][1] if ranked else None
