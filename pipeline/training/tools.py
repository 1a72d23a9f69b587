"""Random spinners: by list, by embedding, by thesaurus. Their variety makes the model general."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.training.insertions import advertisement
from pipeline.training.lexica import Pairs, names_of
from pipeline.training.spinner import Tool

RATES = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Shares of replaced characters, over the range seen on real pages: 2% to over 20%."""
MODES = ("once", "once", "all", "random")
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""How much of a list a tool has."""
PASSES = (1,) * 8 + (2, 3)
"""How often a text goes through its tool: two of 25 behind real pages replace what they wrote."""
KINDS = ("list",) * 9 + ("embedding",) * 7 + ("thesaurus",) * 2 + ("mixed",) * 2
"""Of the tools behind some hundred real pages, most go by list and at least two by embedding; those
by embedding are the harder ones to see, and get more than their share."""

FOLDS = 5
HELD_OUT_FOLD = 0
"""Pairs that nothing is fitted on, whatever source they come from: what is measured on them is
measured on pairs that the model has not seen."""
UNLISTED_FOLD = 1
"""Pairs that pages are spun with while the channel has them in no list."""


def fold(original: str, surface: str) -> int:
    """A number below FOLDS for each pair, the same wherever the pair comes from.

    Whatever is fitted while pairs of one fold are left out can be measured on them.
    """
    digest = hashlib.blake2b(f"{original}\t{surface}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % FOLDS


class Sources(NamedTuple):
    """Where the lines of simulated tools come from."""

    pairs: Pairs
    """Lists of real spinners."""
    neighbours: Mapping[str, Sequence[str]]
    """Each word's nearest in an embedding, nearest first."""
    related: Mapping[str, Sequence[str]]
    """Synonyms and antonyms of each word."""

    def without_fold(self, number: int) -> "Sources":
        """Every pair of the fold left out, from wherever it comes."""
        return Sources(
            {pair: names for pair, names in self.pairs.items() if fold(*pair) != number},
            *(
                {word: [o for o in others if fold(word, o) != number] for word, others in m.items()}
                for m in (self.neighbours, self.related)
            ),
        )


def random_tool(
    sources: Sources, foreign: Sequence[str], rng: random.Random, rates: Sequence[float] = RATES
) -> Tool:
    """A spinner that has a part of its source. ``foreign`` lines are inserted now and then."""
    kind = rng.choice(KINDS)
    lines: dict[str, list[str]] = defaultdict(list)
    if kind in {"list", "mixed"}:
        _add_list(lines, sources.pairs, rng)
    if kind in {"embedding", "mixed"}:
        _add_neighbours(lines, sources.neighbours, rng)
    if kind == "thesaurus":
        _add_related(lines, sources.related, rng)
    return Tool(
        lines,
        rng.choice(MODES),
        rng.choice(rates),
        whole_words=kind == "embedding" or rng.random() < 0.1,
        shuffles=rng.random() < 0.2,
        drops=rng.choice((0.0, 0.0, 0.0, 0.2, 0.5)),
        advertisements=[advertisement(foreign, rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))],
        passes=rng.choice(PASSES),
    )


def list_tool(pairs: Pairs, rng: random.Random) -> Tool:
    """A spinner that goes by the lists alone and does nothing else."""
    lines: dict[str, list[str]] = defaultdict(list)
    _add_list(lines, pairs, rng)
    return Tool(lines, rng.choice(MODES), rng.choice(RATES))


def _add_list(lines: dict[str, list[str]], pairs: Pairs, rng: random.Random) -> None:
    """A part of one list or of all, sometimes in both directions."""
    if rng.random() < 0.5:
        name = rng.choice(sorted(names_of(pairs)))
        chosen = [pair for pair, holders in pairs.items() if name in holders]
    else:
        chosen = list(pairs)
    chosen = rng.sample(chosen, int(len(chosen) * rng.choice(SHARES)))
    if rng.random() < 0.2:  # both directions, whether or not the list says so
        known_only = rng.random() < 0.5
        chosen += [(b, a) for a, b in chosen if (b, a) in pairs or not known_only]
        rng.shuffle(chosen)
    most = rng.choice((1, 1, 3, 10))
    for original, surface in chosen:
        if len(lines[original]) < most:
            lines[original].append(surface)


def _add_neighbours(
    lines: dict[str, list[str]], neighbours: Mapping[str, Sequence[str]], rng: random.Random
) -> None:
    """Of a part of all words, one or a few of the nearest; single characters seldom."""
    nearest = rng.choice((1, 3, 10, 30))
    most = rng.choice((1, 1, 3))
    single = rng.random() < 0.3
    words = rng.sample(list(neighbours), int(len(neighbours) * rng.choice(SHARES) / 2))
    for word in words:
        near = neighbours[word][:nearest]
        if near and (len(word) > 1 or single):
            lines[word] += rng.sample(near, min(most, len(near)))


def _add_related(
    lines: dict[str, list[str]], related: Mapping[str, Sequence[str]], rng: random.Random
) -> None:
    most = rng.choice((1, 1, 3))
    single = rng.random() < 0.3
    for word in rng.sample(list(related), int(len(related) * rng.choice(SHARES) / 2)):
        others = related[word]
        if others and (len(word) > 1 or single):
            lines[word] += rng.sample(others, min(most, len(others)))
