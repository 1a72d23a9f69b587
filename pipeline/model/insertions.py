"""Advertisements inserted in mid-sentence: where one may stand, and what speaks for it.

A term that advertisers use is no evidence by itself: newspapers write of casinos, too. What gives
an insertion away is that the sentence reads on without it. The tagger is not asked: the simulated
insertions that it learned from are made of the same terms, and it finds them wherever they stand.
"""

import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline import lexicon
from pipeline.model.arrays import Bools, Doubles, Ids, Keys
from pipeline.model.ngrams import ORDER, NgramModel

FEATURES = (
    "joined",  # log P(what follows | what precedes) less the same with the string between, nats;
    # 0 if a line or sentence begins or ends with it: there any order is as good
    "entry",  # log P(first character | what precedes) less that out of context
    "terms",  # log(1 + advertisers' terms elsewhere in the document)
    "opens",  # whether a line or sentence begins with it
    "closes",  # whether one ends with it
    "length",  # log
    "constant",
)

LONGEST = 40
"""Characters of one string, so that what strangers write cannot make a flag without end."""

CONTEXT = ORDER - 1
_EDGES = "\n。！？!?；;"


class Suspect(NamedTuple):
    start: int
    end: int
    evidence: Doubles
    """As FEATURES."""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """An advertiser's term; and such a term (in a group), or what may stand beside one."""
    terms, filler = (
        sorted(
            (term for term, kind in lexicon.entries("advertising") if (kind == "filler") == wanted),
            key=lambda term: (-len(term), term),
        )
        for wanted in (False, True)
    )
    term = "|".join(map(re.escape, terms))
    beside = "|".join([*map(re.escape, filler), r"(?:19|20)\d\d年?", r"[A-Za-z0-9_\-]{1,12}"])
    return re.compile(term), re.compile(f"({term})|{beside}")


@cache
def _openings() -> tuple[Bools, Keys]:
    """Which code points begin a term, and the first two of every term as one number, sorted."""
    terms = [term for term, kind in lexicon.entries("advertising") if kind != "filler"]
    begins = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    begins[[ord(term[0]) for term in terms]] = True
    pairs = sorted({ord(term[0]) << 32 | ord(term[1]) for term in terms})
    return begins, np.array(pairs, dtype=np.uint64)


def may_advertise(texts: Sequence[str]) -> Bools:
    """Which texts hold the first two characters of an advertiser's term: of all others nothing is
    to be said, and they are nearly all.
    """
    begins, pairs = _openings()
    codes = np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    at = np.flatnonzero(begins[codes[:-1]])
    two = codes[at].astype(np.uint64) << np.uint64(32) | codes[at + 1]
    at = at[pairs[np.minimum(np.searchsorted(pairs, two), len(pairs) - 1)] == two]
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    may = np.zeros(len(texts), dtype=np.bool_)
    may[np.searchsorted(starts, at, side="right") - 1] = True
    return may


def suspects(text: str, ids: Ids, model: NgramModel) -> list[Suspect]:
    """Every string round an advertiser's term, with what speaks for its insertion."""
    spans = advertised(text)
    return [
        Suspect(start, end, _evidence(text, ids, model, start, end, len(spans) - 1))
        for start, end in spans
    ]


def advertised(text: str) -> list[tuple[int, int]]:
    """Unbroken rows of terms, places, years and the like that have a term, LONGEST at most.

    Time is linear in the text: what stands on a page must not be able to stall a run.

    >>> advertised("打分不高,2018香港开码资料。"), advertised("2018年香港")
    ([(5, 15)], [])
    """
    term, token = _patterns()
    if term.search(text) is None:
        return []
    rows: list[tuple[int, int, bool]] = []
    for found in token.finditer(text):
        start, end = found.span()
        is_term = found[1] is not None
        if rows and rows[-1][1] == start and end - rows[-1][0] <= LONGEST:
            rows[-1] = (rows[-1][0], end, rows[-1][2] or is_term)
        else:
            rows.append((start, end, is_term))
    return [(start, end) for start, end, has_term in rows if has_term]


def _evidence(text: str, ids: Ids, model: NgramModel, start: int, end: int, others: int) -> Doubles:
    boundary = np.zeros(CONTEXT, dtype=ids.dtype)
    before = np.concatenate([boundary, ids[:start]])[-CONTEXT:]
    behind = np.concatenate([ids[end:], boundary])[:CONTEXT]
    own = ids[start:end]
    joined = model.log_probs(np.concatenate([before, behind]))[CONTEXT:].sum()
    apart = model.log_probs(np.concatenate([before, own, behind]))
    entry = apart[CONTEXT] - model.unigrams[0][own[0]]
    opens = start == 0 or text[start - 1] in _EDGES
    closes = end == len(text) or text[end] in _EDGES
    return np.array(
        [
            0.0 if opens or closes else joined - apart[CONTEXT + len(own) :].sum(),
            entry,
            np.log1p(others),
            opens,
            closes,
            np.log(end - start),
            1.0,
        ],
        dtype=np.float64,
    )
