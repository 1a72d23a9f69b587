"""What an HTML page says of itself: in its <meta>, in JSON-LD, and in the lines that are seen.

A line that a reader sees is believed before what stands in the head of the page, which templates
fill in: 来源：晨报 names the publisher, og:site_name the site. For the date it is the other way
round, as long as the head gives local time: there it is complete.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.page import read_aside, read_line
from pipeline.page.dates import read_date

if TYPE_CHECKING:
    from lxml.etree import _Element

MOST_META = 500
LONGEST_SCRIPT = 200_000
"""Characters of JSON-LD."""
LONGEST_VALUE = 300
LONGEST_NAME = 40
LONGEST_URL = 2_000
LINES_ABOVE = 12
"""Lines above the article among which the line with date and source stands."""
LINES_INTO = 3
"""Lines of the article among which it may stand too."""
LINES_BELOW = 8
"""Lines below the article, for 责任编辑."""
SHORTEST_TITLE = 4

TITLES = ("og:title", "twitter:title")
DATES = (
    *("article:published_time", "datepublished", "pubdate", "publishdate", "publish_time"),
    *("og:release_date", "firstpublishedtime", "weibo: article:create_at", "dc.date", "date"),
)
AUTHORS = ("author", "article:author", "og:author", "dc.creator", "mediaid")
PUBLISHERS = ("source", "contentsource", "og:site_name")
"""Names of <meta>, in the order in which they are believed."""

SEPARATORS = re.compile(r"\s*[-_—–|｜·,]+\s*|\s+")
"""Between a headline and the name of the site."""
UTC = re.compile(r"(?:Z|[+-]00:?00)\s*$")
NO_NAME = re.compile(
    r"https?:|@|[<>{}]|^(?:admin|administrator|未知|佚名|匿名|null)$", re.IGNORECASE
)
SPACE = re.compile(r"\s+")


class PageMetadata(NamedTuple):
    """What a page says of itself; None where it says nothing. ``date`` is ISO 8601, local."""

    title: str | None = None
    date: str | None = None
    publisher: str | None = None
    author: str | None = None
    editor: str | None = None
    url: str | None = None


class _Seen(NamedTuple):
    """What the lines say."""

    fields: dict[str, str]
    dates: dict[str, datetime]


def read_metadata(
    root: "_Element", lines: Sequence[str], headings: Sequence[str], article: str
) -> PageMetadata:
    """The metadata of a page, given its lines, its headings and the text of its article.

    >>> from pipeline.readers.extraction import parse
    >>> root = parse("<title>小桥修好了_晨报网</title><h1>小桥修好了</h1>")
    >>> lines = ["小桥修好了", "2021-01-30 05:03 来源：晨报", "昨天，行人都很高兴。"]
    >>> found = read_metadata(root, lines, ["小桥修好了"], "昨天，行人都很高兴。")
    >>> found.title, found.date, found.publisher
    ('小桥修好了', '2021-01-30T05:03:00', '晨报')
    """
    meta = {**dict(reversed(list(_linked_data(root)))), **_meta(root)}
    seen = _read_lines(lines, article)
    title = _title(root, meta, lines, headings)
    date = _date(root, meta, seen)
    return PageMetadata(
        title,
        date.isoformat() if date else None,
        seen.fields.get("publisher") or _name(meta, PUBLISHERS),
        seen.fields.get("author") or _name(meta, AUTHORS),
        seen.fields.get("editor"),
        _url(root, meta),
    )


def _meta(root: "_Element") -> dict[str, str]:
    """Names of <meta> in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for number, element in enumerate(root.iter("meta")):
        if number == MOST_META:
            break
        name = element.get("property") or element.get("name") or element.get("itemprop")
        value = _tidy(element.get("content"))
        if name and value:
            found.setdefault(name.strip().lower(), value)
    return found


def _linked_data(root: "_Element") -> Iterator[tuple[str, str]]:
    """JSON-LD under the names that <meta> has for the same."""
    for script in root.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        text = script.text or ""
        if len(text) > LONGEST_SCRIPT:
            continue
        try:
            value = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue  # half of them are written by hand; the page has other sources
        for item in _items(value):
            yield from _fields(item)


def _items(value: Any) -> Iterator[dict[str, Any]]:
    values = value if isinstance(value, list) else [value]
    for item in values:
        if isinstance(item, dict):
            yield item
            graph = item.get("@graph")
            yield from (
                (one for one in graph if isinstance(one, dict)) if isinstance(graph, list) else ()
            )


def _fields(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    date = item.get("datePublished") or item.get("pubDate")
    named = (
        ("datepublished", date),
        ("author", _name_of(item.get("author"))),
        ("og:site_name", _name_of(item.get("publisher"))),
    )
    for name, value in named:
        tidy = _tidy(value)
        if tidy:
            yield name, tidy


def _name_of(value: Any) -> Any:
    if isinstance(value, list) and value:
        value = value[0]
    return value.get("name") if isinstance(value, dict) else value


def _tidy(value: Any) -> str | None:
    """White space collapsed; None for what is no string, too long, or no text."""
    if not isinstance(value, str) or len(value) > 4 * LONGEST_VALUE:
        return None
    tidy = SPACE.sub(" ", value).strip()[:LONGEST_VALUE]
    return tidy if tidy and not any("\ud800" <= c <= "\udfff" for c in tidy) else None


def _name(meta: dict[str, str], names: Sequence[str]) -> str | None:
    values = (meta[name] for name in names if name in meta)
    return next((v for v in values if len(v) <= LONGEST_NAME and not NO_NAME.search(v)), None)


def _read_lines(lines: Sequence[str], article: str) -> _Seen:
    """The line above the article, and those below it. The first value of a field counts."""
    above, below = _around(lines, article)
    fields: dict[str, str] = {}
    dates: dict[str, datetime] = {}
    for in_head, some in ((True, above), (False, below)):
        for line in some:
            aside = None if in_head else read_aside(line)
            data = read_line(line, in_head=in_head)
            for name, value in (*(data.fields if data else ()), *((aside,) if aside else ())):
                if value and len(value) <= LONGEST_NAME and not NO_NAME.search(value):
                    fields.setdefault(name, value)
            for name, date in data.dates if data else ():
                dates.setdefault(name, date)
    return _Seen(fields, dates)


def _around(lines: Sequence[str], article: str) -> tuple[Sequence[str], Sequence[str]]:
    """The lines above the article and its first, and its last and those below it."""
    paragraphs = [SPACE.sub("", line) for line in article.split("\n")]
    bare = [SPACE.sub("", line) for line in lines]
    first = next((n for n, line in enumerate(bare) if line and line in paragraphs[0]), 0)
    ends = [n for n, line in enumerate(bare) if line and line in paragraphs[-1] and n >= first]
    last = ends[-1] if ends else first
    above = lines[max(0, first - LINES_ABOVE) : first + LINES_INTO]
    return above, lines[max(first, last - LINES_INTO) : last + 1 + LINES_BELOW]


def _date(root: "_Element", meta: dict[str, str], seen: _Seen) -> datetime | None:
    given = [meta[name] for name in DATES if name in meta]
    local = [date for value in given if not UTC.search(value) and (date := read_date(value))]
    shown = [seen.dates[name] for name in ("published", "bare", "dated") if name in seen.dates]
    times = (read_date(time.get("datetime") or "") for time in root.iter("time"))
    utc = (date for value in given if (date := read_date(value)))
    return next((date for date in (*local, *shown, *utc, *times) if date), None)


def _title(
    root: "_Element", meta: dict[str, str], lines: Sequence[str], headings: Sequence[str]
) -> str | None:
    """The headline, without the site's name where something tells what that is."""
    given = next((meta[name] for name in TITLES if name in meta), None)
    whole = given or _tidy(root.findtext(".//title"))
    if not whole:
        return _tidy(headings[0]) if headings else None
    printed = {line for line in lines if line != whole}
    cuts = [cut for cut in SEPARATORS.finditer(whole) if cut.start() >= SHORTEST_TITLE]
    for cut in reversed(cuts):  # the longest part that is printed on the page
        head = whole[: cut.start()]
        if head in printed:
            return head
    site = meta.get("og:site_name")
    for cut in cuts:
        if site and whole[cut.end() :] == site:
            return whole[: cut.start()]
    for heading in headings:
        if len(heading) >= SHORTEST_TITLE and whole.startswith(heading):
            return heading
    return whole


def _url(root: "_Element", meta: dict[str, str]) -> str | None:
    links = (link.get("href") for link in root.iter("link") if link.get("rel") == "canonical")
    for value in (*links, meta.get("og:url")):
        url = (value or "").strip()
        if url.startswith(("http://", "https://")) and len(url) <= LONGEST_URL:
            return url
    return None
