"""Pairs of original and substitute, from the word lists of spinners."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pipeline.hanzi import HAN

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
