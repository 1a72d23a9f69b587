"""The headline: a short first line that is no sentence, above metadata or a longer text."""

import re
from typing import NamedTuple

from pipeline.page.boilerplate import DECORATION

SHORTEST = 4
LONGEST = 64
"""Headlines of portals run to 40 characters; a spun one may have two joined."""
FIRST_LINES = 8
"""Lines with content above a headline: menus, and the tables of government notices."""
LONGEST_SHARE = 0.6
"""A title is at most this much of the first line of the body beneath it."""
SHORTEST_BODY = 24

# A colon ends a greeting (各位代表：) or announces a list; a comma breaks a line of verse.
NO_TITLE = re.compile("[。；;]|[，,、：:…—]$")
SECTION = re.compile(
    "第[一二三四五六七八九十百0-9]{1,4}[章节条编]|[一二三四五六七八九十]{1,3}、|[(（][一二三四五六七八九十0-9]"
)
"""A numbered heading belongs to what it heads."""


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
    text = contents[at].strip(
        DECORATION.translate({ord(mark): None for mark in "《》()（）[]【】"})
    )
    if not SHORTEST <= len(text) <= LONGEST or NO_TITLE.search(text) or SECTION.match(text):
        return None
    return Title(at, text) if _is_above_text(text, contents, roles, at + 1) else None


def _is_above_text(title: str, contents: list[str], roles: list[str], below: int) -> bool:
    if roles[below] == "metadata":
        return True
    for line, role in zip(contents[below : below + 3], roles[below : below + 3], strict=True):
        if role == "body":
            return len(line) >= SHORTEST_BODY and len(title) <= LONGEST_SHARE * len(line)
    return False
