"""Which spun documents seem to share a tool: those that replace the same words in the same way.

Two documents are compared by the words that were replaced in both. Where one list was at work,
most of these have the same substitute; where two were, most have not, though lists overlap. So
the measure is the share that agrees, and groups are merged while the mean agreement between their
documents is high. A group is a set of documents that agree, and no proof of a tool.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.report.counting import Pair

Floats = npt.NDArray[np.float32]

MIN_PAIRS = 5
"""A document with fewer different substitutions tells too little to be compared."""
PRIOR = 2.0
"""Words added to those replaced in both, half of them agreeing: so that two are no proof."""
MERGED_FROM = 0.57
"""Mean agreement from which two groups become one."""
PAIRS_SHOWN = 12


class Vocabulary(NamedTuple):
    """A group of documents that replace the same words in the same way."""

    documents: tuple[str, ...]
    """Their `doc_id`."""
    agreement: float
    """Mean agreement of two of them, 0 to 1."""
    pairs: tuple[tuple[Pair, int, int], ...]
    """What sets them apart: a substitution, in how many of them, in how many of the others."""


def vocabularies(by_document: Mapping[str, Collection[Pair]]) -> list[Vocabulary]:
    """Groups of two documents and more, largest first, of those with at least MIN_PAIRS.

    >>> originals = ("死", "正常", "发生", "制度", "规定")
    >>> one = set(zip(("逝世", "畸形", "产生", "轨制", "划定"), originals))
    >>> other = set(zip(("死去", "反常", "出现", "体制", "规则"), originals))
    >>> [v.documents for v in vocabularies({"a": one, "b": other, "c": one, "d": other, "e": one})]
    [('a', 'c', 'e'), ('b', 'd')]
    """
    documents = sorted(d for d, pairs in by_document.items() if len(pairs) >= MIN_PAIRS)
    if len(documents) < 2:
        return []
    agreement = _agreement([by_document[document] for document in documents])
    groups = [group for group in _merged(agreement) if len(group) > 1]
    total = Counter(pair for document in documents for pair in set(by_document[document]))
    made = [
        Vocabulary(
            tuple(documents[at] for at in group),
            _mean_between(agreement, group),
            _characteristic([by_document[documents[at]] for at in group], total, len(documents)),
        )
        for group in groups
    ]
    return sorted(made, key=lambda vocabulary: (-len(vocabulary.documents), vocabulary.documents))


def _agreement(pairs: Sequence[Collection[Pair]]) -> Floats:
    """Of the words replaced in both of two documents, the share with the same substitute."""
    same = _shared([set(of) for of in pairs])
    both = np.maximum(_shared([{original for _, original in of} for of in pairs]), same)
    return np.asarray((same + PRIOR / 2) / (both + PRIOR), np.float32)


def _shared(sets: Sequence[Collection[object]]) -> Floats:
    """How many members two sets share; shape (sets, sets). Members of one set only do not count."""
    counts = Counter(member for members in sets for member in members)
    names = {member for member, count in counts.items() if count > 1}
    columns = {member: at for at, member in enumerate(names)}
    holds = np.zeros((len(sets), max(1, len(columns))), np.float32)
    for row, members in enumerate(sets):
        holds[row, [columns[member] for member in members if member in columns]] = 1
    return holds @ holds.T


def _merged(agreement: Floats) -> list[list[int]]:
    """Average linkage: the two groups that agree best become one, until none agree enough."""
    groups = [[at] for at in range(len(agreement))]
    between = agreement.astype(np.float64)
    np.fill_diagonal(between, -1)
    while len(groups) > 1:
        one, other = divmod(int(np.argmax(between)), len(groups))
        if between[one, other] < MERGED_FROM:
            break
        one, other = min(one, other), max(one, other)
        sizes = len(groups[one]), len(groups[other])
        joined = (between[one] * sizes[0] + between[other] * sizes[1]) / sum(sizes)
        between[one], between[:, one] = joined, joined
        between[one, one] = -1
        between = np.delete(np.delete(between, other, 0), other, 1)
        groups[one] += groups.pop(other)
    return [sorted(group) for group in groups]


def _mean_between(agreement: Floats, group: Sequence[int]) -> float:
    block = agreement[np.ix_(group, group)]
    size = len(group)
    return float((block.sum() - np.trace(block)) / (size * (size - 1)))


def _characteristic(
    inside: Sequence[Collection[Pair]], total: Mapping[Pair, int], documents: int
) -> tuple[tuple[Pair, int, int], ...]:
    """Substitutions that most of the group have and few of the others."""
    counts = Counter(pair for pairs in inside for pair in set(pairs))
    outside = max(1, documents - len(inside))

    def contrast(pair: Pair) -> float:
        return counts[pair] / len(inside) - (total[pair] - counts[pair]) / outside

    best = sorted((p for p in counts if counts[p] > 1), key=lambda p: (-contrast(p), p))
    return tuple((p, counts[p], total[p] - counts[p]) for p in best[:PAIRS_SHOWN])
