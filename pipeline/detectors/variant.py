"""Traditional characters that a spinner swapped into simplified text: 參加, 採訪, 開始.

A quotation, a name or a book in traditional script is right. What a tool leaves is a single
character, or two, in a clause that is simplified otherwise, here and there all over the page.
"""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.config import Config
from pipeline.lexicon import table
from pipeline.model.odds import probability
from pipeline.rules.script import evidence, script_of, simplified
from pipeline.spans import Evidence, Flag, Suggestion, Verdict

NAME = "variant"

BASE = -1.0
"""Log odds of a run of traditional characters in simplified text about which nothing else is known.
This and the weights below were set by reading runs in 7 million characters of news, health portals
and newspapers, which hold hardly any that a tool made, and spun pages, which hold little else."""

ALONE = 2.0
"""The rest of the clause is simplified, by two characters that only simplified script has."""
MIXED_CLAUSE = -3.0
"""As much of the rest of the clause is traditional as is simplified: a quotation, a name."""
QUOTED = -3.0
"""Within quotation marks or brackets, or beside a foreign name's dot or a Latin letter."""
ELSEWHERE = 1.5
"""The same characters stand simplified elsewhere in the document: nobody writes both."""
SCATTERED = 1.5
"""Runs of at least three kinds stand in the document: a name is always the same."""
REPEATED = -1.0
"""The only kind of run in the document, and it stands there again and again: a name."""

NAMED = -3.0
"""A character that names keep."""

LONGEST_RUN = 3
"""Tools swap characters and short words. A longer run was written by somebody."""

_CLAUSE = re.compile(r"[^\n，,。！!？?；;：:、]+")
_OPENING, _CLOSING = "《〈“‘「『（([【\"'", "》〉”’」』）)]】\"'"
_FOREIGN = re.compile(r"[A-Za-z0-9·•・]")


def detect(texts: Sequence[str], config: Config) -> list[Verdict]:
    """One verdict for each text, without an opinion on the whole."""
    return [Verdict(_flags(text, config.keep_probability), None) for text in texts]


def _flags(text: str, at_least: float) -> list[Flag]:
    pattern = evidence().traditional
    if pattern.search(text) is None or script_of(text) != "Hans":
        return []
    runs = [found.span() for found in re.finditer(f"{pattern.pattern}+", text)]
    converted = simplified(text)
    if len(converted) != len(text):
        return []
    kinds = {text[start:end] for start, end in runs}
    prior = _prior(text)
    flags = []
    for start, end in runs:
        surface, original = text[start:end], converted[start:end]
        odds = _log_odds(text, start, end, original, kinds)
        chance = float(probability(odds))
        if chance >= at_least and surface != original and end - start <= LONGEST_RUN:
            flags.append(
                Flag(
                    start,
                    end,
                    surface,
                    original,
                    (Suggestion(original, chance),),
                    chance,
                    "variant",
                    NAME,
                    Evidence(0.0, 0.0, prior, text.count(surface), text.count(original)),
                )
            )
    return flags


def _prior(text: str) -> float:
    """How simplified the document is: log of simplified over traditional characters."""
    _, traditional, simple = _classes(text)
    return float(np.log1p(simple) - np.log1p(traditional))


def _classes(text: str) -> tuple[int, int, int]:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    counts = np.bincount(evidence().classes[codes[codes <= 0xFFFF]], minlength=3)
    return int(counts[0]), int(counts[1]), int(counts[2])


def _log_odds(text: str, start: int, end: int, original: str, kinds: set[str]) -> float:
    odds = BASE
    low, high = _clause(text, start, end)
    _, traditional, simple = _classes(text[low:start] + text[end:high])
    if simple >= 2 and not traditional:
        odds += ALONE
    elif traditional and traditional >= simple:
        odds += MIXED_CLAUSE
    if _quoted(text, low, high, start, end):
        odds += QUOTED
    if any(char in text[start:end] for char in table("name_characters")):
        odds += NAMED
    if original in text:
        odds += ELSEWHERE
    if len(kinds) >= 3:
        odds += SCATTERED
    elif len(kinds) == 1 and text.count(text[start:end]) > 2:
        odds += REPEATED
    return odds


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    """The clause round a run, at most 40 characters on either side."""
    low, high = max(0, start - 40), min(len(text), end + 40)
    for found in _CLAUSE.finditer(text, low, high):
        if found.start() <= start < found.end():
            return found.span()
    return start, end


def _quoted(text: str, low: int, high: int, start: int, end: int) -> bool:
    """Whether the run stands within marks that open before it and close behind it."""
    opened = max((text.rfind(mark, max(0, low - 1), start) for mark in _OPENING), default=-1)
    closed = min(
        (at for mark in _CLOSING if (at := text.find(mark, end, high + 1)) >= 0), default=-1
    )
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    return (opened >= 0 and closed >= 0 and closed - opened <= 30) or bool(_FOREIGN.search(beside))
