"""The headline: a short first line that is no sentence, above metadata or a paragraph."""

import re
from typing import NamedTuple

SHORTEST = 4
LONGEST = 64
"""Headlines of portals run to 40 characters; a spun one may have two joined."""
FIRST_LINES = 8
"""Lines with content above a headline: menus, and the tables of government notices."""
LINES_BELOW = 5
"""Lines among which a paragraph must stand: subtitles and bylines may come first."""
SHORTEST_PARAGRAPH = 24

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


def find_title(contents: list[str], roles: list[str]) -> Title | None:
    """The first line that is neither metadata nor boilerplate, if it is a headline.

    >>> find_title(["• 河边的小桥修好了", "来源：晨报"], ["body", "metadata"])
    Title(line=0, text='河边的小桥修好了')
    """
    at = next((n for n, role in enumerate(roles[:FIRST_LINES]) if role == "body"), None)
    if at is None or at + 1 == len(contents):
        return None
    text = contents[at].strip(BULLETS)
    if agency := AGENCY.match(text):
        text = text[agency.end() :]
    return (
        Title(at, text) if _is_headline(text) and _is_above_text(contents, roles, at + 1) else None
    )


def _is_headline(text: str) -> bool:
    is_line = SHORTEST <= len(text) <= LONGEST and WORD.search(text)
    return bool(is_line) and not NO_TITLE.search(text) and not SECTION.match(text)


def _is_above_text(contents: list[str], roles: list[str], below: int) -> bool:
    if roles[below] == "metadata":
        return True
    lines = zip(contents[below : below + LINES_BELOW], roles[below:], strict=False)
    return any(
        role == "body" and len(line) >= SHORTEST_PARAGRAPH and SENTENCE_END.search(line)
        for line, role in lines
    )
