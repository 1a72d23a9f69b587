r"""Windows, old Macintosh, mainframe and Unicode line breaks, and page breaks, all become \n."""

import re

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite, delete, translate

BREAKS = "\r\v\f\N{NEXT LINE}\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}"
BREAK = re.compile(f"[{BREAKS}]")
CUES = (Cue(BREAK),)
TO_LINE_FEED = dict.fromkeys(BREAKS, "\n")
CARRIAGE_RETURNS = re.compile("\r(?=\n)")


def line_ends(text: str) -> Rewrite:
    r"""Write every line break as \n.

    >>> line_ends("甲\r\n乙\r丙").text
    '甲\n乙\n丙'
    """
    if not BREAK.search(text):
        return Rewrite(text)
    joined = delete(text, (found.span() for found in CARRIAGE_RETURNS.finditer(text)))
    unified = translate(joined.text, BREAK, TO_LINE_FEED)
    return Rewrite(unified.text, joined.changed + unified.changed, joined.edits)
