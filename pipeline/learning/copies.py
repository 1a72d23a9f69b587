"""Pairs as facts: where a spun page stands beside its original, what was replaced can be read off."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.hanzi import HAN
from pipeline.model.channel import MAX_LENGTH

Pair = tuple[str, str]
"""Original and surface."""

RICH = 8
"""Substitutions of one document from which on each of them is believed: an editor changes sentences,
and a tool changes words, many of them."""
LEAST_SHARE = 0.1
"""Of the times that an original was replaced in all copies, by this surface. A tool has one to three
for each; what is rarer is a slip of the alignment."""


class Fact(NamedTuple):
    times: int
    documents: int
    example: str
    """Key of a document that holds it."""


class Seen(NamedTuple):
    """One substitution, read off two copies."""

    original: str
    surface: str
    doc_id: str


def facts(seen: Iterable[Seen]) -> Mapping[Pair, Fact]:
    """The pairs that can be believed, of the substitutions in documents which are spun copies."""
    times: Counter[Pair] = Counter()
    holders: dict[Pair, set[str]] = defaultdict(set)
    of_document: Counter[str] = Counter()
    replaced: Counter[str] = Counter()
    for original, surface, doc_id in seen:
        if not _is_pair(original, surface):
            continue
        pair = original, surface
        times[pair] += 1
        replaced[original] += 1
        holders[pair].add(doc_id)
        of_document[doc_id] += 1
    return {
        pair: Fact(n, len(holders[pair]), min(holders[pair]))
        for pair, n in sorted(times.items())
        if n >= LEAST_SHARE * replaced[pair[0]]
        and (len(holders[pair]) > 1 or of_document[min(holders[pair])] >= RICH)
    }


def _is_pair(original: str, surface: str) -> bool:
    """Whether both are Han throughout, and of a length that the channel holds.

    >>> _is_pair("提高", "进步"), _is_pair("3月", "5月"), _is_pair("提高", "提高")
    (True, False, False)
    """
    return original != surface and all(
        0 < len(text) <= MAX_LENGTH and HAN.fullmatch(text) for text in (original, surface)
    )
