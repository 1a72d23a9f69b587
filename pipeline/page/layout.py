"""Lines that the page's layout gives away: menus, and the headlines under 相关阅读.

A line such as 体育 says nothing by itself; between 首页 and 登录, with only such lines about it, it
is a menu. So what is certain (an *anchor*) vouches for the link-like lines that lie between it and
another anchor, or the edge of the page. A line of prose ends the reach of an anchor: a short
heading in an article stands between paragraphs, and stays body.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.lexicon import entries
from pipeline.page.boilerplate import BUTTONS, DECORATION

LONGEST_LINK = 48
"""Headlines in lists run to 40 characters, with their date to more."""
LONGEST_HEADING = 20
"""Of a list, or of comments, with its decoration."""
LONGEST_CHANNEL = 12
"""Names in menus. Those of government sites are the longest."""
FEWEST_CHANNELS = 3
"""Names of channels among link-like lines that make a menu: one may be a heading (健康)."""
FEWEST_DATED = 3
"""Headlines with their date, one under another, that make a list."""
FEWEST_LISTED = 2
"""Headlines under a heading that make a list."""
FEWEST_IN_ROW, FEWEST_KNOWN = 4, 2
"""Names in one line that make it a menu, and how many of them must be known."""
FEWEST_JOINED = 5
"""Names of channels without anything between them: 国内国际社会财经体育."""
LONGEST_ROW = 400
FEWEST_AT_EDGE = 3
"""Anchors in the first lines of a page that make all above them a menu."""
LONGEST_GAP = 40
"""Lines between two anchors: menus of portals are long, and so are lyrics between two buttons."""
SHORTEST_PROSE = 24
"""A sentence of so many characters shows that a page is not all list."""
SHORTEST_HEADLINE = 6
SHORTEST_PARAGRAPH = 60
"""A line with a sentence mark and so many characters is an article's, wherever it stands."""
FEWEST_IN_FOOT = 3
"""Anchors below the last paragraph that make all from the first of them on the page's foot."""
LEAST_OF_FOOT = 0.1
"""Share of the foot that must be known for the rest to go with it: a poem may follow buttons."""
LONGEST_REPLY = 80
FEWEST_REPLIES = 2
"""Lines with a reader's name or address and a time, below 评论, that make all of it comments."""

CHANNELS = frozenset(word for word, kind in entries("navigation") if kind == "channel")
HEADINGS = frozenset(word for word, kind in entries("navigation") if kind == "list")
COMMENTS = frozenset(word for word, kind in entries("navigation") if kind == "comments")
_COMMENTS = re.compile("|".join(map(re.escape, sorted(COMMENTS))))
_KNOWN = CHANNELS | BUTTONS

_ROW = re.compile(r"[|｜│┃·•/>»\[\]【】 ]+|(?:^| )[-—–]+(?= |$)|--+")
_ROW_MARK = re.compile(r"[|｜│┃·•/\-\[】 ]")
_JOINED = re.compile(
    "(?>" + "|".join(map(re.escape, sorted(CHANNELS, key=len, reverse=True))) + ")"
)
_NO_LINK = re.compile(r"[。；;]|[，,、：:”」’]$")
_SENTENCE = re.compile("[。！？!?；]")
_DATED = re.compile(
    r"(?:[（(\[【 ](?:(?:19|20)\d\d[-/.年])?[01]?\d[-/.月][0-3]?\d日?"
    r"(?: \d\d:\d\d(?::\d\d)?(?:[AP]M)?)?"
    r"[)）\]】]?(?:\[\d{1,7}\])?|(?:19|20)\d\d年\d{1,2}月 ?[(（]\d{1,4}[)）]|[(（]RSS[)）])$",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"(?<!\d)\d{1,2}:\d\d(?!\d)|\d{1,3}\.\d{1,3}\.\d{1,3}\.[\d*]|\d楼|楼主|沙发|天前|小时前|分钟前"
)
_HEADING_TAIL = re.compile(
    r"(?:TOP ?\d{1,3}|更多|\d{1,7} ?条|[>».…:： ]|[(（]\d{1,7}[)）])+$", re.IGNORECASE
)


def is_row(line: str) -> bool:
    """Whether a line is a menu laid flat: 首页 | 新闻 | 体育 | 财经.

    >>> is_row("首页 - 新闻 - 体育 - 财经 - 汽车"), is_row("张三 - 李四 - 王五 - 赵六")
    (True, False)
    """
    if len(line) > LONGEST_ROW or "。" in line:
        return False
    if line[:2] in CHANNELS and _is_joined(line):
        return True
    if not _ROW_MARK.search(line):
        return False
    names = [name for name in _ROW.split(line) if name]
    if len(names) < FEWEST_IN_ROW or max(map(len, names)) > LONGEST_CHANNEL:
        return False
    return sum(name in _KNOWN for name in names) >= max(FEWEST_KNOWN, len(names) // 4)


def opens_list(line: str) -> bool:
    """Whether a line is the heading of a list of other pages.

    >>> opens_list("■相关阅读："), opens_list("推荐阅读 更多>>"), opens_list("相关阅读材料")
    (True, True, False)
    """
    return len(line) <= LONGEST_HEADING and _heading(line) in HEADINGS


def _heading(line: str) -> str:
    bare = line.strip(DECORATION)
    if bare in HEADINGS or bare in COMMENTS:
        return bare
    short = _HEADING_TAIL.sub("", bare)
    return short if short in HEADINGS else short.removesuffix("榜").removesuffix("排行")


def _is_joined(line: str) -> bool:
    left, names = _JOINED.subn("", line)
    return names >= FEWEST_JOINED and len(left) <= names


def furnish(contents: Sequence[str], roles: Sequence[str]) -> list[str]:
    """The roles, with body lines that belong to a menu or a list of links called boilerplate.

    >>> text = "昨天，河边的小桥修好了，行人不再绕路，都很高兴。"
    >>> lines = ["首页", "体育", "登录", "小桥修好了", text]
    >>> furnish(lines, ["boilerplate", "body", "boilerplate", "body", "body"])
    ['boilerplate', 'boilerplate', 'boilerplate', 'body', 'body']
    """
    found = list(roles)
    if not any(map(_is_prose, contents, roles)):
        return found  # lyrics, a table: what is all list is no menu
    for start, end in _runs(contents, roles):
        for at in _vouched(contents, roles, start, end):
            if roles[at] == "body":
                found[at] = "boilerplate"
    if "boilerplate" in found:
        for at in range(_foot(contents, found), len(contents)):
            if found[at] == "body":
                found[at] = "boilerplate"
    comments = _comments(contents, found)
    return found[:comments] + ["boilerplate"] * (len(found) - comments)


def _foot(contents: Sequence[str], roles: Sequence[str]) -> int:
    """Where the foot of the page begins: what the site says below the last paragraph."""
    paragraphs = (n for n in reversed(range(len(contents))) if _is_paragraph(contents[n], roles[n]))
    below = range(next(paragraphs, len(contents)) + 1, len(contents))
    anchors = [at for at in below if roles[at] == "boilerplate"]
    if len(anchors) < FEWEST_IN_FOOT:
        return len(contents)
    is_foot = len(anchors) >= LEAST_OF_FOOT * (len(contents) - anchors[0])
    return anchors[0] if is_foot else len(contents)


def _is_paragraph(line: str, role: str) -> bool:
    return role == "body" and len(line) >= SHORTEST_PARAGRAPH and bool(_SENTENCE.search(line))


def _comments(contents: Sequence[str], roles: Sequence[str]) -> int:
    """Where readers' comments begin, which last to the end of the page.

    Several headings (热门评论, 最新评论) must have replies each: 评论 in a menu has none. Times of
    replies are not believed to be the page's.
    """
    first = len(contents)
    headings = [at for at, line in enumerate(contents) if _opens_comments(line)]
    if not headings:
        return first
    prose = next(
        n
        for n, (line, role) in enumerate(zip(contents, roles, strict=True))
        if _is_prose(line, role)
    )
    for at in reversed(headings):
        if at < prose:
            break
        replies = sum(_is_reply(contents[n]) for n in range(at, first))
        if replies < FEWEST_REPLIES:
            break
        first = at
    return first


def _opens_comments(line: str) -> bool:
    if len(line) > LONGEST_HEADING or not _COMMENTS.search(line):
        return False
    return _heading(line) in COMMENTS


def _is_reply(line: str) -> bool:
    return len(line) <= LONGEST_REPLY and not line.endswith("。") and bool(_REPLY.search(line))


def _is_prose(line: str, role: str) -> bool:
    return role == "body" and len(line) >= SHORTEST_PROSE and bool(_SENTENCE.search(line))


def _is_link(line: str) -> bool:
    return len(line) <= LONGEST_LINK and not _NO_LINK.search(line)


def _runs(contents: Sequence[str], roles: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Stretches without prose that hold two lines or more, one of them boilerplate or in a menu."""
    start = 0
    for at in range(len(contents) + 1):
        if at < len(contents) and (roles[at] == "boilerplate" or _is_link(contents[at])):
            continue
        if at - start > 1:
            yield start, at
        start = at + 1


def _vouched(contents: Sequence[str], roles: Sequence[str], start: int, end: int) -> Iterator[int]:
    """Lines of one run that an anchor, or the heading of a list, vouches for."""
    anchors = sorted(_anchors(contents, roles, start, end))
    if len(anchors) >= FEWEST_AT_EDGE:  # a menu; fewer may stand beside a headline
        anchors = [start if start == 0 else anchors[0], *anchors]
    if anchors and end == len(contents):
        anchors.append(end - 1)
    for one, other in pairwise(anchors):
        if other - one <= LONGEST_GAP:
            yield from _without_head(contents, roles, range(one, other + 1), end)
    yield from _listed(contents, roles, start, end)


def _anchors(contents: Sequence[str], roles: Sequence[str], start: int, end: int) -> list[int]:
    """Places of lines in a run that are certain to be no part of an article."""
    lines = range(start, end)
    sure = [at for at in lines if roles[at] == "boilerplate"]
    channels = [at for at in lines if contents[at].strip(DECORATION) in CHANNELS]
    dated = [at for at in lines if roles[at] == "body" and _is_dated(contents[at])]
    return [
        *sure,
        *(channels if len(channels) >= FEWEST_CHANNELS else ()),
        *(dated if len(dated) >= FEWEST_DATED else ()),
    ]


def _is_dated(line: str) -> bool:
    found = _DATED.search(line[-24:])
    return found is not None and len(line) - len(found[0]) >= SHORTEST_HEADLINE


def _without_head(
    contents: Sequence[str], roles: Sequence[str], lines: range, end: int
) -> Iterator[int]:
    """Those lines but the headline, which stands above metadata and looks like a link."""
    for at in lines:
        below = next((n for n in range(at + 1, min(at + 4, end)) if roles[n] != "boilerplate"), end)
        is_head = (
            below < end and roles[below] == "metadata" and len(contents[at]) >= SHORTEST_HEADLINE
        )
        if not is_head:
            yield at


def _listed(contents: Sequence[str], roles: Sequence[str], start: int, end: int) -> Iterator[int]:
    """Headings of lists, with the headlines under them.

    A line above a paragraph is that paragraph's own heading, unless the page ends there.
    """
    below = end if end == len(contents) else end - 1
    heading: int | None = None
    for at in range(start, below + 1):
        if heading is not None and (at == below or roles[at] == "metadata"):
            if at - heading > FEWEST_LISTED:
                yield from range(heading, at)
            heading = None
        elif heading is None and at < below and opens_list(contents[at]):
            heading = at
