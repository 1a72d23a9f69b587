"""Pages for the fitting: pieces of held-out documents, half of them spun by simulated tools."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.training.lexica import Pairs
from pipeline.training.spinner import Substitution, Tool, spin

SHORTEST, LONGEST = 30, 2500
RATES = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Shares of replaced characters, over the range seen on real pages: 2% to over 20%."""
MODES = ("once", "once", "all", "random")
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""How much of a list a tool has: variety here is what makes the scorer general."""

N_TOOLS = 300


class Page(NamedTuple):
    """A text, and what was replaced in it; clean if nothing was."""

    text: str
    truth: list[Substitution]


def cut(texts: Iterable[str], rng: random.Random) -> Iterator[str]:
    """Texts of SHORTEST to LONGEST characters: long ones cut at a sentence, short ones joined."""
    short: list[str] = []
    for text in texts:
        rest = text.strip()
        while len(rest) > LONGEST:
            limit = rng.randint(SHORTEST, LONGEST)
            end = max(rest.rfind("。", SHORTEST, limit), rest.rfind("\n", SHORTEST, limit)) + 1
            yield rest[: end or limit].strip()
            rest = rest[end or limit :].strip()
        if len(rest) >= SHORTEST:
            yield rest
            continue
        short.append(rest)
        if sum(map(len, short)) >= rng.randint(SHORTEST, LONGEST):
            yield "\n".join(short)
            short = []
    if sum(map(len, short)) >= SHORTEST:
        yield "\n".join(short)


def spun(texts: Iterable[str], pairs: Pairs, share: float, rng: random.Random) -> Iterator[Page]:
    """Every text as a page; a ``share`` of them go through one of N_TOOLS random tools."""
    names = sorted({name for names in pairs.values() for name in names})
    tools = [random_tool(pairs, names, rng) for _ in range(N_TOOLS)]
    for text in texts:
        if rng.random() < share:
            yield Page(*spin(text, rng.choice(tools), rng))
        else:
            yield Page(text, [])


def random_tool(pairs: Pairs, names: list[str], rng: random.Random) -> Tool:
    """A spinner with a part of one list or of all, sometimes with lines in both directions."""
    if rng.random() < 0.5:
        name = rng.choice(names)
        lines = [pair for pair, holders in pairs.items() if name in holders]
    else:
        lines = list(pairs)
    lines = rng.sample(lines, int(len(lines) * rng.choice(SHARES)))
    if rng.random() < 0.15:
        lines += [(b, a) for a, b in lines if (b, a) in pairs]
    most = rng.choice((1, 1, 3, 10))
    table: dict[str, list[str]] = defaultdict(list)
    for original, surface in lines:
        if len(table[original]) < most:
            table[original].append(surface)
    return Tool(table, rng.choice(MODES), rng.choice(RATES))
