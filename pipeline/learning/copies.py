"""Pairs as facts: beside its original a spun page shows what was replaced."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import Postfix, Prefix

from pipeline.hanzi import HAN
from pipeline.links.alignment import are_words, changes, regions
from pipeline.model.channel import MAX_LENGTH
from pipeline.parquet import opened
from pipeline.report.counting import chunks
from pipeline.storage import Manifest

Pair = tuple[str, str]
"""Original and surface."""

LEAST_SPUN = 0.9
"""`spun_probability` of a link that facts are read off. The pairs of one that an editor made would
be taken for a tool's."""
MOST_LINKS = 20_000
"""Links that are read, by their documents' keys, so that both texts of all fit the memory."""

RICH = 8
"""Substitutions of one document from which on each of them is believed: an editor changes some
sentences, and a tool changes many words."""
LEAST_SHARE = 0.1
"""Of the times that an original was replaced in all copies, by this surface. A tool has one to
three for each; what is rarer is a slip of the alignment."""

LEAST_SUCH = 0.75
"""Of all that differs between a document and its original that which a tool may have done: words
for words, or what is done in MANY documents. Between one report of an event and another it is
names, numbers and whole sentences, too."""
MANY = 3
"""Tools with lines of one character (大 for 年夜) change more of such than words: of one list's
pages 9% were believed by words alone, and now 83%."""

LEAST_TIMES = 3
"""Of a pair that is none of words, or that stands in one document with few others. Of such pairs
seen once 5% to 31% are a tool's, of pairs of words 94% to 96% (200 pages, three lists)."""

ALWAYS = 0.9
"""If so much of what stood before a substitution, LEAST_TIMES and more, is one character, it is
part of the word: of 不仅 and 不只 only the second character differs."""


class Seen(NamedTuple):
    """One substitution, read off two copies; without words, anything else that differs."""

    original: str
    surface: str
    doc_id: str
    before: str = ""
    """The character before it, the same in both; empty if there is none."""
    behind: str = ""


class Fact(NamedTuple):
    """What is known of a pair."""

    times: int
    documents: int


def facts(seen: Iterable[Seen]) -> Mapping[Pair, Fact]:
    """The pairs that can be believed, of the substitutions in documents which are spun copies."""
    times: Counter[Pair] = Counter()
    holders: dict[Pair, set[str]] = defaultdict(set)
    replaced: Counter[str] = Counter()
    of_document: Counter[str] = Counter()
    for original, surface, doc_id, *_ in _by_tools(_single(_whole(seen))):
        pair = original, surface
        times[pair] += 1
        replaced[original] += 1
        holders[pair].add(doc_id)
        of_document[doc_id] += 1
    return {
        pair: Fact(n, len(holders[pair]))
        for pair, n in sorted(times.items())
        if n >= LEAST_SHARE * replaced[pair[0]]
        and (
            len(holders[pair]) > 1
            if n >= LEAST_TIMES
            else are_words(*pair)
            and (len(holders[pair]) > 1 or of_document[min(holders[pair])] >= RICH)
        )
    }


def _by_tools(seen: Iterable[Seen]) -> Iterator[Seen]:
    """What was read off documents in which nearly all that was changed is what tools change."""
    documents: dict[str, list[Seen]] = defaultdict(list)
    holders: dict[Pair, set[str]] = defaultdict(set)
    for one in seen:
        documents[one.doc_id].append(one)
        holders[one.original, one.surface].add(one.doc_id)
    such = {
        pair: are_words(*pair) or (_is_pair(*pair) and len(ids) >= MANY)
        for pair, ids in holders.items()
    }
    for group in documents.values():
        if sum(such[one.original, one.surface] for one in group) >= LEAST_SUCH * len(group):
            yield from (one for one in group if _is_pair(one.original, one.surface))


def _whole(seen: Iterable[Seen]) -> Iterator[Seen]:
    """What is no pair of words, with the character that always stands beside it."""
    groups: dict[Pair, list[Seen]] = defaultdict(list)
    for one in seen:
        groups[one.original, one.surface].append(one)
    for pair, group in groups.items():
        if are_words(*pair) or len(group) < LEAST_TIMES:
            yield from group
            continue
        before, behind = (
            _always([getattr(one, side) for one in group]) for side in ("before", "behind")
        )
        for one in group:
            kept = (before if one.before == before else "", behind if one.behind == behind else "")
            yield one._replace(original=one.original.join(kept), surface=one.surface.join(kept))


def _single(seen: Iterable[Seen]) -> Iterator[Seen]:
    """What single characters explain is theirs: a tool that writes 面 for 点 makes 一面 of 一点."""
    everything = list(seen)
    holders: dict[Pair, set[str]] = defaultdict(set)
    for one in everything:
        if len(one.original) == 1:
            holders[one.original, one.surface].add(one.doc_id)
    known = {pair for pair, ids in holders.items() if len(ids) >= MANY and _is_pair(*pair)}
    for one in everything:
        parts = _differing(one.original, one.surface)
        if parts and known.issuperset(parts):
            yield from (one._replace(original=part[0], surface=part[1]) for part in parts)
        else:
            yield one


def _differing(original: str, surface: str) -> list[Pair]:
    """What differs, in single characters; of unequal lengths what is between their common ends.

    >>> _differing("一点", "一面"), _differing("大家", "年夜家"), _differing("近平", "远仄")
    ([('点', '面')], [('大', '年夜')], [('近', '远'), ('平', '仄')])
    """
    if len(original) == len(surface):
        return [(a, b) for a, b in zip(original, surface, strict=True) if a != b]
    before = Prefix.similarity(original, surface)
    behind = Postfix.similarity(original[before:], surface[before:])
    return [(original[before : len(original) - behind], surface[before : len(surface) - behind])]


def _always(characters: Sequence[str]) -> str:
    """The Han character that nearly all of these are; else nothing."""
    (top, n), *_ = Counter(characters).most_common(1)
    return top if n >= ALWAYS * len(characters) and HAN.fullmatch(top) else ""


def _is_pair(original: str, surface: str) -> bool:
    """Whether both are Han throughout, and of a length that the channel holds.

    >>> _is_pair("提高", "进步"), _is_pair("3月", "5月"), _is_pair("提高", "提高")
    (True, False, False)
    """
    return original != surface and all(
        0 < len(text) <= MAX_LENGTH and HAN.fullmatch(text) for text in (original, surface)
    )


def read(corpus: Path, manifest: Manifest, links: Path) -> list[Seen]:
    """All substitutions in spun copies: of each document beside what it is most similar to."""
    rows = _best(links)
    wanted = {doc_id for row in rows for doc_id in (row["doc_id"], row["other_doc_id"])}
    texts: dict[str, str] = {}
    for _, table in chunks(corpus, manifest, "documents", ("doc_id", "text")):
        found = table.filter(pc.is_in(table["doc_id"], pa.array(wanted, pa.string())))
        texts.update(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return [one for row in rows for one in _substitutions(row, texts)]


def _best(links: Path) -> list[dict[str, Any]]:
    """Of each document that is a spun copy its best link, by the documents' keys."""
    best: dict[str, dict[str, Any]] = {}
    for part in sorted(links.glob("part-*.parquet")):
        with opened(part) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                for row in rows.filter(pc.field("spun_probability") >= LEAST_SPUN).to_pylist():
                    best.setdefault(row["doc_id"], row)  # the most similar comes first
    return [best[doc_id] for doc_id in sorted(best)[:MOST_LINKS]]


def _substitutions(row: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[Seen]:
    spun, original = texts[row["doc_id"]], texts[row["other_doc_id"]]
    for at in row["paragraphs"]:
        here = spun[at["start"] : at["end"]]
        there = original[at["other_start"] : at["other_end"]]
        if here == there:
            continue
        made = changes(there, here)
        for change in made:
            yield Seen(change.original, change.surface, row["doc_id"], change.before, change.behind)
        for _ in range(len(regions(there, here)) - len(made)):
            yield Seen("", "", row["doc_id"])
