r"""Characters without a glyph: they split words for every search, and hide text from readers.

Removed are C0 and C1 controls (`line_ends` and `white_space` take those that mean white space),
soft hyphens, zero-width characters and marks of direction, variation selectors, tags, annotation
marks, and code points that are no characters: noncharacters and lone surrogates. `ingest` rejects
the last; they can only come from a caller of the library.

A zero-width joiner between two pictographs stays, since without it 👩‍🔬 would be two people. The
selector before it goes: it only chooses between a coloured and a plain glyph.
"""

import re
from collections.abc import Iterator

from pipeline.rules.cues import Cue
from pipeline.rules.rewriting import Rewrite, delete

JOINER = "\N{ZERO WIDTH JOINER}"

BASIC = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls, but for \t \n \v \f \r and NEL (\x85)
    "\N{SOFT HYPHEN}\N{COMBINING GRAPHEME JOINER}\N{ARABIC LETTER MARK}"
    "\N{ZERO WIDTH SPACE}-\N{RIGHT-TO-LEFT MARK}"  # with the joiner and the non-joiner
    "\N{LEFT-TO-RIGHT EMBEDDING}-\N{RIGHT-TO-LEFT OVERRIDE}"
    "\N{WORD JOINER}-\u206f"  # invisible operators, isolates, deprecated format characters
    "\N{VARIATION SELECTOR-1}-\N{VARIATION SELECTOR-16}"
    "\N{ZERO WIDTH NO-BREAK SPACE}"  # the byte order mark
    "\N{INTERLINEAR ANNOTATION ANCHOR}-\N{OBJECT REPLACEMENT CHARACTER}"  # U+FFFD stays: a sign
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
)
PLANES = "".join(f"{chr(p + 0xFFFE)}{chr(p + 0xFFFF)}" for p in range(0x10000, 0x110000, 0x10000))
RUNS = re.compile(f"[{BASIC}{PLANES}\U000e0000-\U000e0fff]+")  # last: tags, selectors of variants
SUSPECT = re.compile(f"[{BASIC}\U0001fffe-\U0010ffff]")
"""All of RUNS, and rare ideographs: each range beyond U+FFFF makes a class slower to search."""
CUES = (Cue(SUSPECT),)

PICTOGRAPH = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
)
"""Arrows, symbols and emoji: the blocks from which Unicode's emoji-zwj-sequences.txt draws."""


def control(text: str) -> Rewrite:
    r"""Remove what has no glyph.

    >>> control("责\u200b任\x00编辑").text
    '责任编辑'
    """
    return delete(text, _removed(text)) if SUSPECT.search(text) else Rewrite(text)


def _removed(text: str) -> Iterator[tuple[int, int]]:
    for run in RUNS.finditer(text):
        start, end = run.span()
        end -= _joins(text, start, end)
        if start < end:
            yield start, end


def _joins(text: str, start: int, end: int) -> bool:
    return (
        text[start:end] in (JOINER, "\N{VARIATION SELECTOR-16}" + JOINER)
        and start > 0
        and PICTOGRAPH.match(text, start - 1) is not None
        and PICTOGRAPH.match(text, end) is not None
    )
