"""Advertisements inserted in mid-sentence: where one may stand, and what speaks for it.

A term that advertisers use is no evidence by itself: newspapers write of casinos, too. What gives
an insertion away is that the sentence reads on without it.
"""

import re
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline import lexicon
from pipeline.model.arrays import Doubles, Ids
from pipeline.model.ngrams import ORDER, NgramModel
from pipeline.model.tagger import Tagger

FEATURES = (
    "joined",  # log P(what follows | what precedes) less the same with the string between, nats
    "entry",  # log P(first character | what precedes) less that out of context
    "tagged",  # mean log odds by the tagger that the string's characters were inserted
    "terms",  # log(1 + advertisers' terms elsewhere in the document)
    "opens",  # whether a line or sentence begins with it
    "closes",  # whether one ends with it
    "length",  # log
    "constant",
)

REACH = 48
"""Characters on either side that the tagger reads: it sees 31."""

CONTEXT = ORDER - 1
_EDGES = "\n。！？!?；;"


class Suspect(NamedTuple):
    start: int
    end: int
    evidence: Doubles
    """As FEATURES."""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A term; and the longest string round one of what stands in such advertisements."""
    entries = lexicon.entries("advertising")
    terms = sorted({term for term, kind in entries if kind != "filler"}, key=lambda t: (-len(t), t))
    filler = sorted(
        {term for term, kind in entries if kind == "filler"}, key=lambda t: (-len(t), t)
    )
    term = "|".join(map(re.escape, terms))
    other = "|".join([term, *map(re.escape, filler), r"(?:19|20)\d\d年?", r"[A-Za-z0-9_\-]{1,12}"])
    return re.compile(term), re.compile(f"(?:{other})*?(?:{term})(?:{other})*")


def suspects(text: str, ids: Ids, model: NgramModel, tagger: Tagger) -> list[Suspect]:
    """Every string round an advertiser's term, with what speaks for its insertion."""
    term, whole = _patterns()
    if term.search(text) is None:
        return []
    spans = [found.span() for found in whole.finditer(text)]
    return [
        Suspect(start, end, _evidence(text, ids, model, tagger, start, end, len(spans) - 1))
        for start, end in spans
    ]


def _evidence(
    text: str, ids: Ids, model: NgramModel, tagger: Tagger, start: int, end: int, others: int
) -> Doubles:
    boundary = np.zeros(CONTEXT, dtype=ids.dtype)
    before = np.concatenate([boundary, ids[:start]])[-CONTEXT:]
    behind = np.concatenate([ids[end:], boundary])[:CONTEXT]
    own = ids[start:end]
    joined = model.log_probs(np.concatenate([before, behind]))[CONTEXT:].sum()
    apart = model.log_probs(np.concatenate([before, own, behind]))
    entry = apart[CONTEXT] - model.unigrams[0][own[0]]
    low, high = max(0, start - REACH), min(len(ids), end + REACH)
    tags = tagger.log_odds(ids[low:high])[start - low : end - low, 2]
    opens = start == 0 or text[start - 1] in _EDGES
    closes = end == len(text) or text[end] in _EDGES
    return np.array(
        [
            joined - apart[CONTEXT + len(own) :].sum(),
            entry,
            tags.mean(),
            np.log1p(others),
            opens,
            closes,
            np.log(end - start),
            1.0,
        ],
        dtype=np.float64,
    )
