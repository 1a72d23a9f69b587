"""Advertisements inserted in mid-sentence: where one may stand, and what speaks for it.

A term that advertisers use is no evidence by itself: newspapers write of casinos, too. What gives
an insertion away is that the sentence reads on without it. The tagger is not asked: the simulated
insertions that it learned from are made of the same terms, and it finds them wherever they stand.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pipeline import lexicon
from pipeline.model.arrays import Bools, Doubles, Ids, Ints
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

AT_ONCE = 500_000
"""Characters that are searched for terms at once: 4 bytes each, and as many again on the way."""

CONTEXT = ORDER - 1
_EDGES = "\n。！？!?；;"
_WESTERN = r"A-Za-z0-9_\-"


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
    beside = "|".join([*map(re.escape, filler), r"(?:19|20)\d\d年?", rf"[{_WESTERN}]{{1,12}}"])
    # What begins as none of them is passed over at one look, not at one for each of them.
    first = "".join(sorted({re.escape(word[0]) for word in (*terms, *filler)}))
    return re.compile(term), re.compile(rf"(?=[{first}{_WESTERN}\d])(?:({term})|{beside})")


@cache
def _openings() -> tuple[Bools, Bools, Ints, Mapping[str, tuple[str, ...]]]:
    """Which code points are the first of a term, and which the second; both as one number, in
    order; and the terms, by both.
    """
    terms = [term for term, kind in lexicon.entries("advertising") if kind != "filler"]
    first, second = (np.zeros(sys.maxunicode + 1, dtype=np.bool_) for _ in range(2))
    first[[ord(term[0]) for term in terms]] = True
    second[[ord(term[1]) for term in terms]] = True
    by_two: dict[str, tuple[str, ...]] = {}
    for term in terms:
        by_two[term[:2]] = (*by_two.get(term[:2], ()), term)
    return first, second, np.sort([_pair(*map(ord, two)) for two in by_two]), by_two


def _pair(first: Any, second: Any) -> Any:
    """Two code points as one number."""
    return first * (sys.maxunicode + 1) + second


def hold_terms(texts: Sequence[str]) -> list[bool]:
    """Which texts hold an advertiser's term. Hardly any does, and a pattern of some hundred terms
    takes ten times as long to find that out.

    >>> hold_terms(["北京的快速公路", "本期一肖中特"])
    [False, True]
    """
    held = [False] * len(texts)
    for numbers, pieces in _stretches(texts):
        text = "\n".join([*pieces, ""])
        ends = np.cumsum([len(piece) + 1 for piece in pieces])
        for piece in np.searchsorted(ends, _term_starts(text), side="right").tolist():
            held[numbers[piece]] = True
    return held


def _stretches(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Texts, by number, with some AT_ONCE characters in all; of a longer one pieces that overlap by
    as much as a term may have.
    """
    numbers: list[int] = []
    pieces: list[str] = []
    size = 0
    for number, text in enumerate(texts):
        for start in range(0, max(1, len(text)), AT_ONCE):
            numbers.append(number)
            pieces.append(text[start : start + AT_ONCE + LONGEST])
            size += len(pieces[-1])
            if size >= AT_ONCE:
                yield numbers, pieces
                numbers, pieces, size = [], [], 0
    if pieces:
        yield numbers, pieces


def _term_starts(text: str) -> list[int]:
    first, second, both, by_two = _openings()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    at = np.flatnonzero(first[codes[:-1]])
    at = at[second[codes[at + 1]]]
    pair = _pair(codes[at].astype(np.int64), codes[at + 1])
    at = at[both[np.minimum(np.searchsorted(both, pair), len(both) - 1)] == pair]
    return [i for i in at.tolist() if text.startswith(by_two.get(text[i : i + 2], ()), i)]


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
    before = np.concatenate([boundary, ids[max(0, start - CONTEXT) : start]])[-CONTEXT:]
    behind = np.concatenate([ids[end : end + CONTEXT], boundary])[:CONTEXT]
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
