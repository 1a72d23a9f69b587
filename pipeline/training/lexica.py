"""Pairs of original and substitute, from the word lists of spinners."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.hanzi import HAN

PAIRS_FILE = "spinner_pairs.tsv"
OBSERVED_FILE = "observed_pairs.tsv"
OWN_OBSERVED = Path(__file__).parent / "observed.tsv"
"""The same, read by ourselves: pairs of a tool that many pages are made with, and no list has."""
RELATED_FILE = "related_words.tsv.zst"
"""What a folder of word lists holds; only the first must be there."""
OWN_PAIRS = Path(__file__).parent / "own_pairs.tsv"
"""More lists, written by ourselves: of tools that many pages are made with, and whose lists are
nowhere in the open. What was seen of them on real pages is no part of it (`read_tools`)."""

Pairs = Mapping[tuple[str, str], frozenset[str]]
"""(original, substitute) to the names of the lists that hold it."""


def read_pairs(path: Path) -> Pairs:
    """Pairs of a tab-separated file: original, substitute, list. Other than Han is left out.

    Raises ValueError, naming the line, if one has fewer than three columns.
    """
    pairs: dict[tuple[str, str], set[str]] = defaultdict(set)
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.startswith("#"):
                continue
            cells = line.rstrip("\n").split("\t")
            if len(cells) < 3:
                raise ValueError(
                    f"{path}, line {number}: three columns expected, {len(cells)} found"
                )
            original, substitute, name = cells[:3]
            if original != substitute and HAN.fullmatch(original) and HAN.fullmatch(substitute):
                pairs[original, substitute].add(name)
    return {pair: frozenset(names) for pair, names in sorted(pairs.items())}


def together(*many: Pairs) -> Pairs:
    """All pairs of all lists."""
    pairs: dict[tuple[str, str], frozenset[str]] = {}
    for one in many:
        for pair, names in one.items():
            pairs[pair] = pairs.get(pair, frozenset()) | names
    return dict(sorted(pairs.items()))


def names_of(pairs: Pairs) -> frozenset[str]:
    """Of all lists that hold any of the pairs."""
    return frozenset[str]().union(*pairs.values())


def read_tools(path: Path, tools: Collection[str]) -> Pairs:
    """Pairs seen on real pages, as lists of the ``tools`` that wrote them. Empty without a file."""
    return {
        pair: names for pair, seen in _observed(path) if (names := frozenset(tools) & seen.tools)
    }


Related = Mapping[tuple[str, str], int]
"""Unordered pairs of words to SYNONYM, ANTONYM or both."""

SYNONYM, ANTONYM = 1, 2

Observed = Mapping[tuple[str, str], float]
"""(original, substitute) to how often it was seen on real pages."""


def read_related(path: Path) -> Related:
    """Pairs of a tab-separated file: word, word, `syn` or `ant`. None if there is no such file."""
    kinds: dict[tuple[str, str], int] = defaultdict(int)
    if path.exists():
        with pa.input_stream(str(path), compression="zstd") as stream:
            lines = stream.read().decode("utf-8").splitlines()
        for one, other, kind, *_ in (line.split("\t") for line in lines if line[0] != "#"):
            if one != other and HAN.fullmatch(one) and HAN.fullmatch(other):
                kinds[one, other] |= SYNONYM if kind == "syn" else ANTONYM
    return dict(kinds)


class _Seen(NamedTuple):
    times: float
    tools: frozenset[str]


def read_observed(path: Path) -> Observed:
    """Pairs of a tab-separated file: original, substitute, kind, times seen. Empty without one."""
    times: dict[tuple[str, str], float] = defaultdict(float)
    for pair, seen in _observed(path):
        times[pair] += seen.times
    return dict(times)


def _observed(path: Path) -> Iterator[tuple[tuple[str, str], _Seen]]:
    """Lines of Han; the fifth column, if there is one, says by letters which tools wrote them."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        original, substitute, _, seen, *more = line.split("\t")
        if original != substitute and HAN.fullmatch(original) and HAN.fullmatch(substitute):
            yield (original, substitute), _Seen(float(seen), frozenset(more[0] if more else ""))
