"""The headline: a short first line that is no sentence, above metadata or a paragraph."""

import re
from collections.abc import Sequence
from typing import NamedTuple

SHORTEST = 4
LONGEST = 64
"""Headlines of portals run to 40 characters; a spun one may have two joined."""
FIRST_LINES = 8
"""Lines above a headline and the headline, less furniture: the tables of government notices."""
LINES_BELOW = 5
"""Lines among which a paragraph must stand: subtitles and bylines may come first."""
SHORTEST_PARAGRAPH = 24

HEAD_ROLES = ("body", "metadata", "title")
BULLETS = " •·●■◆▪★☆※◎○►▶▼△▲>＞»›|｜_=*"
AGENCY = re.compile(r"[一-鿿]{2,12}\d{1,2}月\d{1,2}日电题[:：]")
"""新华社北京1月30日电题：, with which news agencies head a headline."""
WORD = re.compile("[一-鿿]{2}")
SENTENCE_END = re.compile("[。！？!?]")
# A colon ends a greeting (各位代表：) or announces a list; a comma breaks a line of verse.
NO_TITLE = re.compile("[。；;]|[，,、：:—]$")
# A numbered heading belongs to what it heads.
SECTION = re.compile(
    "第[一二三四五六七八九十百0-9]{1,4}[章节条编]|[一二三四五六七八九十]{1,3}、|[(（][一二三四五六七八九十0-9]"
)


class Title(NamedTuple):
    """The number of the line among those with content, and the title without its bullet."""

    line: int
    text: str


def find_title(contents: Sequence[str], roles: Sequence[str]) -> Title | None:
    """The first line that is no furniture, if it is a headline.

    Below a menu, of which something may be left, the line above the metadata is taken before it.

    >>> find_title(["• 河边的小桥修好了", "来源：晨报"], ["body", "metadata"])
    Title(line=0, text='河边的小桥修好了')
    """
    head = head_lines(roles, FIRST_LINES)
    body = [at for at in head if roles[at] == "body"]
    if not body:
        return None
    below_menu = "boilerplate" in roles[: body[0]]
    above = next((at for at in head if roles[at] == "metadata"), None) if below_menu else None
    nearest = [at for at in body if above is not None and at < above][-1:]
    titles = (_title(contents, roles, at) for at in (*nearest, body[0]))
    return next((title for title in titles if title), None)


def head_lines(roles: Sequence[str], most: int) -> list[int]:
    """The first lines that are no furniture."""
    found: list[int] = []
    for at, role in enumerate(roles):
        if role in HEAD_ROLES:
            found.append(at)
            if len(found) == most:
                break
    return found


def _title(contents: Sequence[str], roles: Sequence[str], at: int) -> Title | None:
    if at + 1 == len(contents):
        return None
    text = contents[at].strip(BULLETS)
    if agency := AGENCY.match(text):
        text = text[agency.end() :]
    is_title = _is_headline(text) and _is_above_text(contents, roles, at + 1)
    return Title(at, text) if is_title else None


def _is_headline(text: str) -> bool:
    is_line = SHORTEST <= len(text) <= LONGEST and WORD.search(text)
    return bool(is_line) and not NO_TITLE.search(text) and not SECTION.match(text)


def _is_above_text(contents: Sequence[str], roles: Sequence[str], below: int) -> bool:
    if roles[below] == "metadata":
        return True
    lines = zip(contents[below : below + LINES_BELOW], roles[below:], strict=False)
    return any(
        role == "body" and len(line) >= SHORTEST_PARAGRAPH and SENTENCE_END.search(line)
        for line, role in lines
    )
