"""Lines that belong to the site: navigation, buttons, notices of copyright, requests to follow.

Only short lines are looked at, except that a legal notice may be a paragraph: losing an advert
matters less than calling a paragraph of an article boilerplate.
"""

import re

from pipeline.lexicon import entries

LONGEST_LINE = 60
"""Buttons in a row."""
LONGEST_START = 90
"""上一篇：with a headline, a path of navigation, or a sentence of the site's own."""
LONGEST_NOTICE = 300
"""A legal notice, known by how it starts."""

DECORATION = " •·●■◆▪★☆※◎○►▶▼△▲→←×>＞》«»›|｜…_=*-—【】［］[]()（）〖〗<《"
"""What pages put around buttons, labels and titles."""
DECORATED = frozenset(DECORATION)

_TOKENS = re.compile(rf"[:{re.escape(DECORATION)}]+")
_PLACE = re.compile("[>»›][ >»›]*")
_NO_PATH = frozenset("，。；！<")
"""右击文件>选择打开方式>其它应用，… is a piece of advice, and < a comparison or mark-up."""


def _phrases(where: str) -> tuple[str, ...]:
    return tuple(phrase for phrase, place in entries("boilerplate") if place == where)


BUTTONS = frozenset(_phrases("line"))
STARTS = _phrases("start")
PROMPTS = re.compile(f"(?:{'|'.join(map(re.escape, _phrases('anywhere')))})(?!者)")
"""版权所有者 is no 版权所有."""
_STARTS_WITH = {
    first: tuple(s for s in STARTS if s[0] == first) for first in {s[0] for s in STARTS}
}
FIRST_CHARACTERS = frozenset(phrase[0] for phrase in (*STARTS, *BUTTONS))
NOTICES = tuple(start for start in STARTS if "声明" in start or "申明" in start or "版权" in start)


def is_boilerplate(line: str) -> bool:
    """Whether a line is the site's, not the article's.

    >>> is_boilerplate("【打印】 【关闭窗口】"), is_boilerplate("他关闭了打印机。")
    (True, False)
    """
    if len(line) > LONGEST_NOTICE:
        return False
    bare = line.lstrip(DECORATION) if line[:1] in DECORATED else line
    if bare[:1] in FIRST_CHARACTERS and _starts_like_the_site(bare.replace("：", ":")):
        return True
    return is_prompt(line)


def is_prompt(line: str) -> bool:
    """Whether a line asks the reader for something, or says where he is, wherever it begins."""
    if len(line) > LONGEST_START:
        return False
    return PROMPTS.search(line) is not None or is_path(line)


def is_path(line: str) -> bool:
    """Whether a line is the way to this page: 首页 > 新闻 > 正文. Fewer places may be a comparison.

    >>> is_path("新闻中心 >> 国内新闻 >> 正文"), is_path("甲 > 乙")
    (True, False)
    """
    if not _PLACE.search(line) or not _NO_PATH.isdisjoint(line):
        return False
    return sum(map(bool, _PLACE.split(line))) >= 3


def _starts_like_the_site(line: str) -> bool:
    if len(line) > LONGEST_START:
        return line.startswith(NOTICES)
    return line.startswith(_STARTS_WITH.get(line[0], ())) or (
        len(line) <= LONGEST_LINE and _is_row_of_buttons(line)
    )


def _is_row_of_buttons(line: str) -> bool:
    tokens = [token for token in _TOKENS.split(line) if token]
    if not tokens or tokens[0] not in BUTTONS:
        return False
    # 大 中 小 are buttons beside 字号, but a line of one character alone is a heading.
    return any(len(t) > 1 for t in tokens) and BUTTONS.issuperset(tokens)
