"""What an HTML page says of itself: in its <meta>, in JSON-LD, and in the lines that are seen.

A line that a reader sees is believed before what stands in the head of the page, which templates
fill in: 来源：晨报 names the publisher, og:site_name the site. For the date it is the other way
round, as long as the head gives local time: there it is complete.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.page.dates import read_date
from pipeline.page.metadata import read_aside, read_line

if TYPE_CHECKING:
    from lxml.etree import _Element

MOST_META = 500
LONGEST_SCRIPT = 200_000
"""Characters of JSON-LD."""
LONGEST_VALUE = 300
LONGEST_NAME = 40
LONGEST_URL = 2_000
LINES_ABOVE = 20
"""Lines above the article among which the line with date and source stands."""
LINES_INTO = 6
"""Lines of the article among which it may stand too."""
LONGEST_LINE = 100
"""That is looked at for a date or a name without a label; sentences are not."""
LINES_BELOW = 8
"""Lines below the article, for 责任编辑."""
LONGEST_END, END_CHARACTERS = 300, 20
"""Characters at either end of a line that are looked at to find the article, and that tell it."""
MOST_TEXT = 100_000
"""Characters of a page in which a headline is looked for."""
SHORTEST_TITLE = 4
SURE_TITLE = 8
"""Characters from which a headline is known even where the page breaks it into two lines."""
SHOWN = ("published", "bare", "loose", "below", "dated")
"""Dates that are seen, in the order in which they are believed."""

TITLES = ("og:title", "twitter:title")
DATES = (
    *("article:published_time", "datepublished", "pubdate", "publishdate", "publish_time"),
    *("og:release_date", "firstpublishedtime", "weibo: article:create_at", "dc.date", "date"),
)
AUTHORS = ("author", "article:author", "og:author", "dc.creator", "mediaid")
PUBLISHERS = ("source", "contentsource", "og:site_name")
"""Names of <meta>, in the order in which they are believed."""

SEPARATORS = re.compile(r"\s*[-_—–|｜·<]+\s*|\s+")
"""Between a headline and the name of the site."""
UTC = re.compile(r"(?:Z|[+-]00:?00)\s*$")
NO_NAME = re.compile(
    r"https?:|@|[<>{}=\"]|^(?:admin|administrator|未知|佚名|匿名|null|互联网|转载|转载文章)$",
    re.IGNORECASE,
)
SENTENCE_MARK = re.compile("[。！？!?；;，]")
PUBLISHED = re.compile(r"(?:发[布表]|posted|时间|日期)[^0-9]{0,8}(?=(?:19|20)\d\d)", re.IGNORECASE)
SOURCE = re.compile(
    r"(?:来源|来自|稿源|出处)\s?[:：]\s?[\[【(（《]?\s?([^\s\[\]【】()（）《》|:：]{2,20})"
)
_NAME = "[一-鿿]{2,4}(?:·[一-鿿]{1,6})?"
BYLINE = re.compile(
    rf"(?:^|[ 一-鿿）)])(?:记者|通讯员|作者)[ :：/]{{1,2}}({_NAME}(?:[ 、]{{1,2}}{_NAME}){{0,7}})$"
    rf"|^本报记者({_NAME})(?:发自|报道)"
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
    above, below = _around(lines, article)
    seen = _read_lines(above, below)
    date = _date(root, meta, seen)
    publisher = seen.fields.get("publisher") or _name(meta, PUBLISHERS)
    return PageMetadata(
        _title(root, meta, lines, headings),
        date.isoformat() if date else None,
        publisher,
        seen.fields.get("author") or _printed_author(meta, [*above, *below], publisher),
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


def _printed_author(
    meta: dict[str, str], lines: Sequence[str], publisher: str | None
) -> str | None:
    """The author in the head of the page, if it is printed around the article."""
    name = _name(meta, AUTHORS)
    if name is None or name == publisher:  # else it is that of the template, or of its makers
        return None
    short = (line for line in lines if len(line) <= LONGEST_LINE)
    return name if any(name in line for line in short) else None


def _read_lines(above: Sequence[str], below: Sequence[str]) -> _Seen:
    """What the lines around the article say. The first value of a field counts."""
    seen = _Seen({}, {})
    for line in above:
        _read(line, seen, in_head=True)
    for line in below:
        _read(line, seen, in_head=False)
    for line in reversed(above):  # the nearest to the article
        _read_loosely(line, seen)
    for line in below:
        if len(line) <= LONGEST_LINE and (found := PUBLISHED.search(line)):
            _add_date(seen, "below", read_date(line[found.end() :]))
    return seen


def _read(line: str, seen: _Seen, *, in_head: bool) -> None:
    aside = None if in_head else read_aside(line)
    data = read_line(line, in_head=in_head)
    for name, value in (*(data.fields if data else ()), *((aside,) if aside else ())):
        _add_name(seen, name, value)
    for name, date in data.dates if data else ():
        _add_date(seen, name, date)


def _read_loosely(line: str, seen: _Seen) -> None:
    """A line that is more than metadata: AUTO.EXAMPLE.CN 2005年05月13日14:15 【打印】."""
    if len(line) > LONGEST_LINE or SENTENCE_MARK.search(line):
        return
    _add_date(seen, "loose", read_date(line))
    if source := SOURCE.search(line):
        _add_name(seen, "publisher", source[1])
    if byline := BYLINE.search(line):
        _add_name(seen, "author", byline[1] or byline[2])


def _add_name(seen: _Seen, field: str, value: str) -> None:
    names = value.split(" ")
    if field == "publisher" and len(names) > 1 and not names[0].isascii():
        names = names[:1]  # 来源：晨报 发表评论
    if field == "author":  # 作者：张三 李四 我来说两句
        names = [*names[:1], *takewhile(lambda name: len(name) <= 4, names[1:])]
    name = " ".join(names).strip()
    if name and len(name) <= LONGEST_NAME and not NO_NAME.search(name):
        seen.fields.setdefault(field, name)


def _add_date(seen: _Seen, name: str, date: datetime | None) -> None:
    if date:
        seen.dates.setdefault(name, date)


def _around(lines: Sequence[str], article: str) -> tuple[Sequence[str], Sequence[str]]:
    """The lines above the article and its first, and its last and those below it."""
    head = SPACE.sub("", article[:LONGEST_END].partition("\n")[0])[:END_CHARACTERS]
    tail = SPACE.sub("", article[-LONGEST_END:].rpartition("\n")[2])[-END_CHARACTERS:]
    bare = [SPACE.sub("", line[:LONGEST_END]) for line in lines]
    first = next((n for n, line in enumerate(bare) if head in line), 0)
    bare = [SPACE.sub("", line[-LONGEST_END:]) for line in lines]
    last = next((n for n in range(len(bare) - 1, first, -1) if bare[n].endswith(tail)), first)
    above = lines[max(0, first - LINES_ABOVE) : first + LINES_INTO]
    return above, lines[max(first, last - LINES_INTO) : last + 1 + LINES_BELOW]


def _date(root: "_Element", meta: dict[str, str], seen: _Seen) -> datetime | None:
    given = [
        (value, date) for name in DATES if (value := meta.get(name)) and (date := read_date(value))
    ]
    local = [date for value, date in given if not UTC.search(value)]
    shown = [seen.dates[name] for name in SHOWN if name in seen.dates]
    times = (read_date((one.get("datetime") or "")[:LONGEST_VALUE]) for one in root.iter("time"))
    dates = [*local, *shown, *(date for _, date in given), *filter(None, islice(times, 1))]
    if not dates:
        return None
    same_day = (date for date in dates if date.date() == dates[0].date())
    return max(same_day, key=lambda date: date.time() != time())  # the first with a time of day


def _title(
    root: "_Element", meta: dict[str, str], lines: Sequence[str], headings: Sequence[str]
) -> str | None:
    """The headline, without the site's name where something tells what that is."""
    given = next((meta[name] for name in TITLES if name in meta), None)
    whole = given or _tidy(root.findtext(".//title"))
    if not whole:
        return _only_headline(root)
    printed = set(lines)
    if whole in printed:
        return whole
    joined = SPACE.sub("", "".join(lines[: MOST_TEXT // 10])[:MOST_TEXT])
    cuts = [cut for cut in SEPARATORS.finditer(whole) if cut.start() >= SHORTEST_TITLE]
    for cut in reversed(cuts):  # the longest part that is printed on the page
        head = whole[: cut.start()]
        if head in printed or (len(head) >= SURE_TITLE and SPACE.sub("", head) in joined):
            return head
    site = meta.get("og:site_name")
    for cut in cuts:
        if site and whole[cut.end() :] == site:
            return whole[: cut.start()]
    for heading in headings:
        if len(heading) >= SHORTEST_TITLE and whole.startswith(heading):
            return heading
    return whole


def _only_headline(root: "_Element") -> str | None:
    """The one <h1> of a page without <title>, unless it is a link: then it is the site's name."""
    headings = list(islice(root.iter("h1"), 2))
    if len(headings) != 1 or headings[0].find(".//a") is not None:
        return None
    return _tidy("".join(headings[0].itertext()))


def _url(root: "_Element", meta: dict[str, str]) -> str | None:
    links = (link.get("href") for link in root.iter("link") if link.get("rel") == "canonical")
    for value in (*links, meta.get("og:url")):
        url = (value or "").strip()
        if url.startswith(("http://", "https://")) and len(url) <= LONGEST_URL:
            return url
    return None
