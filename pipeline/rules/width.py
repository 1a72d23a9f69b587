"""Full-width letters and digits, which Chinese input methods and GB2312 pages mix with plain ones.

Nothing else is folded: ，：（）！？ are Chinese punctuation, ％ ＋ － ／ and the like stand in for
it often enough that a wrong fold would do more harm than a full-width sign.
"""

import re

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite, translate

WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")
CUES = (Cue(WIDE),)
OFFSET = ord("Ａ") - ord("A")  # the block repeats ASCII in order
WIDE_CODES = [code for code in range(ord("０"), ord("ｚ") + 1) if WIDE.match(chr(code))]
TO_ASCII = {chr(code): chr(code - OFFSET) for code in WIDE_CODES}


def width(text: str) -> Rewrite:
    """Write letters and digits in ASCII.

    >>> width("ＧＤＰ增长６．５％，创新高！").text
    'GDP增长6．5％，创新高！'
    """
    return translate(text, WIDE, TO_ASCII)
