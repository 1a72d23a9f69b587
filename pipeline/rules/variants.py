"""Characters that have a second code: radicals, compatibility ideographs, private-use codes.

PDF files yield ⻓ (a radical) for 长, old Korean and Japanese code pages yield 郎 (compatibility)
for 郎, and GBK fonts before Unicode 3.0 used private-use codes. Each is one character for one.
Unicode's own mapping is taken on these blocks alone: elsewhere it would alter punctuation.
"""

import re
import unicodedata

from pipeline.lexicon import table
from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite, translate

BLOCKS = (
    (0x2F00, 0x2FD5),  # Kangxi radicals
    (0xF900, 0xFAFF),  # CJK compatibility ideographs; twelve of them are unified, and stay
    (0x2F800, 0x2FA1F),  # their supplement
)


def _standard_characters() -> dict[str, str]:
    coded = [chr(code) for first, last in BLOCKS for code in range(first, last + 1)]
    unicode = {variant: unicodedata.normalize("NFKC", variant) for variant in coded}
    return {variant: to for variant, to in unicode.items() if to != variant} | table("variants")


STANDARD = _standard_characters()

_BASIC = "".join(re.escape(variant) for variant in STANDARD if variant <= "\uffff")
# A class that lists single characters beyond U+FFFF is 300 times slower to search than a range.
VARIANT = re.compile(f"[{_BASIC}\U0002f800-\U0002fa1d]")
CUES = (Cue(VARIANT),)


def variants(text: str) -> Rewrite:
    """Replace them by the standard character.

    >>> variants("⻓\N{CJK COMPATIBILITY IDEOGRAPH-F92C}").text
    '长郎'
    """
    return translate(text, VARIANT, STANDARD)
