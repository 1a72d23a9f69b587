"""Pages for the fitting: pieces of held-out documents, a part of them spun by simulated tools."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.model.arrays import Doubles
from pipeline.model.ngrams import NgramModel
from pipeline.model.sites import batch_of
from pipeline.training.spinner import Insertion, Spun, Substitution, spin
from pipeline.training.tools import RATES, Sources, random_tool

SHORTEST, LONGEST = 30, 2500
PAGES_PER_TOOL = 12
TEXTS_AT_ONCE = 500


class Page(NamedTuple):
    """A text, and what was done to it; clean if nothing was."""

    text: str
    truth: list[Substitution]
    inserted: Sequence[Insertion] = ()

    @classmethod
    def of(cls, spun: Spun) -> "Page":
        return cls(spun.text, spun.truth, spun.inserted)


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


LEVELS = np.arange(-6.0, -1.0, 0.25)
"""Edges of the bins of a page's mean log probability per character, nats."""


MIDDLING = 200
"""Characters. Texts are chosen by the square root of so many and their length. Half of the pages of
a published sample of the web are longer than 780 characters, half of the texts to learn from are
shorter than 250; so half are longer than 400. On short pages no word stands eight times, and
nothing would learn what that says; of single sentences enough must be left to learn from, too."""


def levelled(texts: Sequence[str], model: NgramModel, n: int, seed: int) -> list[str]:
    """``n`` of the texts, those of seldom levels of probability oftener than they come, and so the
    longer ones.

    False flags stand on pages that the language model finds strange: old style, slang, jargon.
    Among texts as they come few are like that, and nothing would learn to be careful there.
    """
    bins = np.digitize(_levels(texts, model), LEVELS)
    lengths = np.array([len(text) for text in texts])
    weight = np.sqrt((MIDDLING + lengths) / np.bincount(bins)[bins])
    rng = np.random.default_rng(seed)
    size = min(n, len(texts))
    return [texts[i] for i in rng.choice(len(texts), size, replace=False, p=weight / weight.sum())]


def _levels(texts: Sequence[str], model: NgramModel) -> Doubles:
    found = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        batch = batch_of(model, list(texts[start : start + TEXTS_AT_ONCE]))
        total = np.append(0.0, np.cumsum(model.log_probs(batch.ids), dtype=np.float64))
        found.append((total[batch.ends] - total[batch.starts]) / (batch.ends - batch.starts))
    return np.concatenate(found)


def spun(
    texts: Sequence[str],
    sources: Sources,
    share: float,
    rng: random.Random,
    rates: Sequence[float] = RATES,
) -> Iterator[Page]:
    """Every text as a page; a ``share`` of them go through random tools."""
    tool = random_tool(sources, texts, rng, rates)
    for number, text in enumerate(texts):
        if number % PAGES_PER_TOOL == 0:
            tool = random_tool(sources, texts, rng, rates)
        yield Page.of(spin(text, tool, rng)) if rng.random() < share else Page(text, [])
