"""The furniture of a page: which lines are title, metadata and boilerplate, and what they say.

Conservative: a line is body unless it is wholly something else. Every decision reads one line and
its place among the lines, so time is linear in the text.
"""

from datetime import datetime
from typing import NamedTuple

from pipeline.page.boilerplate import is_boilerplate
from pipeline.page.metadata import Metadata, is_name, read_aside, read_line
from pipeline.page.title import find_title
from pipeline.spans import Line

HEAD_LINES = 8
"""Lines among which a bare date, 时间： or 记者： is metadata. Menus may come first."""
TAIL_LINES = 4
"""Last lines, where （责任编辑：…） may close a paragraph."""
CLOSERS = (")", "）", "]", "】")
DATE_ORDER = ("published", "bare", "dated")
"""Which of several dates is that of publication: labelled, then alone, then of an update."""


class Page(NamedTuple):
    """What a page says about itself. `lines` are those with content, in order."""

    title: str | None = None
    published_at: datetime | None = None
    publisher: str | None = None
    author: str | None = None
    editor: str | None = None
    lines: tuple[Line, ...] = ()


def read_page(text: str) -> Page:
    r"""Read the furniture of a normalised text.

    >>> page = read_page("河边的小桥修好了\n2021-01-30 来源：晨报\n昨天，行人都很高兴。")
    >>> page.title, page.publisher, [line.role for line in page.lines]
    ('河边的小桥修好了', '晨报', ['title', 'metadata', 'body'])
    """
    contents, starts = _lines(text)
    found = [read_line(line, in_head=at < HEAD_LINES) for at, line in enumerate(contents)]
    roles = [_role(line, data) for line, data in zip(contents, found, strict=True)]
    title = find_title(contents, roles)
    if title:
        roles[title.line] = "title"
    asides = [read_aside(line) for line in contents[-TAIL_LINES:] if line.endswith(CLOSERS)]
    data = [one for one in found if one]
    values = _first([*(field for one in data for field in one.fields), *filter(None, asides)])
    return Page(
        title.text if title else None,
        _published(data),
        values.get("publisher"),
        values.get("author"),
        values.get("editor"),
        tuple(
            Line(start, start + len(line), role)
            for start, line, role in zip(starts, contents, roles, strict=True)
        ),
    )


def _lines(text: str) -> tuple[list[str], list[int]]:
    contents, starts, start = [], [], 0
    for line in text.split("\n"):
        if line:
            contents.append(line)
            starts.append(start)
        start += len(line) + 1
    return contents, starts


def _role(line: str, data: Metadata | None) -> str:
    if data:
        is_count = data.fields and not data.dates and all(n == "count" for n, _ in data.fields)
        return "boilerplate" if is_count else "metadata"
    return "boilerplate" if is_boilerplate(line) else "body"


def _first(fields: list[tuple[str, str]]) -> dict[str, str]:
    """The first value of each field that names somebody."""
    return {name: value for name, value in reversed(fields) if is_name(value)}


def _published(data: list[Metadata]) -> datetime | None:
    dates = [date for one in data for date in one.dates]
    ranked = sorted(dates, key=lambda date: DATE_ORDER.index(date[0]))
    return ranked[0][1] if ranked else None
