r"""Indents, padding and blank lines are layout. One space between words stays: titles use it.

Runs after `line_ends` and `control`, so \n is the only break, and nothing invisible divides a run.
"""

import re
from collections.abc import Iterator

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite, delete, translate

# Unicode's white space (Zs) and the tab, but for the plain space itself.
ODD = (
    "\t\N{NO-BREAK SPACE}\N{OGHAM SPACE MARK}\N{EN QUAD}-\N{HAIR SPACE}\N{NARROW NO-BREAK SPACE}"
    "\N{MEDIUM MATHEMATICAL SPACE}\N{IDEOGRAPHIC SPACE}"
)
ODD_ONE = re.compile(f"[{ODD}]")
TO_SPACE = dict.fromkeys(filter(ODD_ONE.match, map(chr, range(0x3001))), " ")

# Starts with one class, which `re` looks for fastest. A lone space or break inside is no match.
RUNS = re.compile(rf"[ \n{ODD}](?:[ \n{ODD}]++|\Z|(?<=\A[ \n{ODD}]))")
CUES = (Cue(ODD_ONE), Cue(re.compile("[ \n]"), re.compile("[ \n]")))


def white_space(text: str) -> Rewrite:
    r"""Collapse white space to one space, one line break, or one blank line; none at the ends.

    >>> white_space("\u3000\u3000第一段 \n\n\n\n\t第二 段 ").text
    '第一段\n\n第二 段'
    """
    collapsed = delete(text, _surplus(text))
    plain = translate(collapsed.text, ODD_ONE, TO_SPACE)
    return Rewrite(plain.text, collapsed.changed + plain.changed, collapsed.edits)


def _surplus(text: str) -> Iterator[tuple[int, int]]:
    for run in RUNS.finditer(text):
        start, end = run.span()
        done = start
        for kept in _kept(text, start, end):
            if done < kept:
                yield done, kept
            done = kept + 1
        if done < end:
            yield done, end


def _kept(text: str, start: int, end: int) -> list[int]:
    """The characters of a run that stay: its first and last line break, or its first space."""
    if start == 0 or end == len(text):
        return []
    first = text.find("\n", start, end)
    if first < 0:
        return [start]
    last = text.rfind("\n", start, end)
    return [first, last] if first < last else [first]
