"""HTML's names for characters, left over where a page was taken apart: &nbsp; &quot; &#8220; &amp;.

Only with the semicolon, but for &nbsp, which is nothing else. `&amp;nbsp;`, written by a program
that escaped twice, is a space too. What stands for a letter, a digit or punctuation of ASCII stays,
but for & < > " ' and the space: no program escapes more, and decoding it could make a new entity.
"""

import html
import re
from html.entities import html5

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Replacement, Rewrite, replace

CUES = (Cue(re.compile("&")),)

ESCAPED = frozenset("&<>\"' ")

_AMPERSAND = r"(?:amp|AMP|#0{0,4}38|#[xX]0{0,4}26);"
_NAME = r"[A-Za-z][A-Za-z0-9]{1,31}"  # the longest of HTML's 2231 has 32 characters
ENTITY = re.compile(
    rf"&(?P<nested>(?:{_AMPERSAND})*)"
    rf"(?:(?P<one>(?:#[0-9]{{1,8}}|#[xX][0-9A-Fa-f]{{1,8}}|{_NAME});|nbsp(?![A-Za-z0-9=;]))|)"
)


def entities(text: str) -> Rewrite:
    r"""Write the characters that are meant.

    >>> entities("甲&nbsp;&ldquo;乙&#8221;，AT&amp;amp;T，a=1&b=2;").text
    '甲\xa0“乙”，AT&T，a=1&b=2;'
    """
    if "&" not in text:
        return Rewrite(text)
    return replace(text, filter(None, map(_decoded, ENTITY.finditer(text))))


def _decoded(found: re.Match[str]) -> Replacement | None:
    name = found["one"]
    if name and (meant := _character(name)) is not None:
        return Replacement(found.start(), found.end(), meant)
    if found["nested"]:
        return Replacement(found.start(), found.end("nested"), "&")
    return None


def _character(name: str) -> str | None:
    """What an entity stands for, or None if it is none, or one to leave alone."""
    if name == "nbsp":
        return "\N{NO-BREAK SPACE}"
    if not name.startswith("#") and name not in html5:
        return None
    meant = html.unescape(f"&{name}")
    return None if meant.isascii() and meant not in ESCAPED and meant else meant
