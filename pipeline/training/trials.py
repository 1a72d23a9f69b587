"""Pages to measure on: clean text that nothing was learned from, and the same spun by known tools.

The documents of a corpus are two halves, by a hash of their names: one to choose on, one to report
on. Each kind of page has a random generator of its own, so that a new kind changes no other.
"""

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.spans import Alignment, Offsets
from pipeline.stages.normalise import normalise
from pipeline.training.corpus import documents, is_held_out, sources_of
from pipeline.training.lexica import Pairs, Related
from pipeline.training.metrics import APART, Example, Span
from pipeline.training.pages import cut
from pipeline.training.spinner import Tool, spin
from pipeline.training.tools import HELD_OUT_FOLD, MODES, RATES, SHARES, fold, list_tool

NO_SOURCE = "corpus"
"""Where documents come from that do not say."""

TOOLS = 12
"""So many tools spin the pages of one test: a list is as many tools as there are parts of it, rates
and ways to fire."""

LEAST_OF_LENGTH = 0.7
"""A page cut to a length is at least so much of it, so that it may end with a sentence."""


def texts_by_source(corpus: Path, half: str) -> dict[str, list[str]]:
    """The documents of one half, by the field ``source`` of their records."""
    sources = sources_of(corpus)
    texts: dict[str, list[str]] = defaultdict(list)
    for name, text in documents(corpus):
        if is_held_out(name, 500) == (half == "choose"):
            texts[sources.get(name, NO_SOURCE)].append(text)
    return {source: texts[source] for source in sorted(texts)}


def shuffled_pages(texts: Sequence[str], rng: random.Random) -> list[str]:
    """Texts cut into pages, in any order."""
    pages = list(cut(texts, rng))
    rng.shuffle(pages)
    return pages


def pages_of_length(texts: Sequence[str], length: int, count: int, rng: random.Random) -> list[str]:
    """The beginnings of ``count`` texts, about ``length`` characters, to the end of a sentence."""
    long = [text for text in texts if len(text) >= length]
    return [_beginning(text, length) for text in rng.sample(long, min(count, len(long)))]


def _beginning(text: str, length: int) -> str:
    """As much of a text as ``length`` allows.

    >>> _beginning("今天很好。明天也很好。", 7), _beginning("今天很好,明天也很好。", 7)
    ('今天很好。', '今天很好,明天')
    """
    least = int(LEAST_OF_LENGTH * length)
    end = max(text.rfind(mark, least, length) for mark in "。\n") + 1
    return text[: end or length].strip()


def of_list(pairs: Pairs, name: str) -> Pairs:
    """The pairs of one list."""
    return {pair: frozenset([name]) for pair, names in pairs.items() if name in names}


def is_unseen(original: str, surface: str) -> bool:
    """Whether nothing that is fitted has seen the pair as one of a tool."""
    return fold(original, surface) == HELD_OUT_FOLD


def unseen(pairs: Pairs) -> Pairs:
    """The pairs of HELD_OUT_FOLD."""
    return {pair: names for pair, names in pairs.items() if is_unseen(*pair)}


def unseen_related(related: Related) -> dict[str, list[str]]:
    """Every word's synonyms and antonyms of which the pair is in HELD_OUT_FOLD."""
    others: dict[str, list[str]] = defaultdict(list)
    for one, other in related:
        for original, surface in ((one, other), (other, one)):
            if is_unseen(original, surface):
                others[original].append(surface)
    return dict(others)


def unseen_neighbours(neighbours: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Every word's nearest of which the pair is in HELD_OUT_FOLD."""
    return {
        word: [near for near in others if is_unseen(word, near)]
        for word, others in neighbours.items()
    }


def list_tools(pairs: Pairs, rng: random.Random) -> list[Tool]:
    return [list_tool(pairs, rng) for _ in range(TOOLS)]


def word_tools(
    others: Mapping[str, Sequence[str]], rng: random.Random, whole_words: bool = False
) -> list[Tool]:
    """Tools that replace a part of all words, each by one of its ``others``."""
    words = sorted(word for word, of_word in others.items() if of_word and len(word) > 1)
    return [
        Tool(
            {
                word: [rng.choice(others[word])]
                for word in rng.sample(words, int(len(words) * rng.choice(SHARES)))
            },
            rng.choice(MODES),
            rng.choice(RATES),
            whole_words,
        )
        for _ in range(TOOLS)
    ]


def spun(pages: Sequence[str], tools: Sequence[Tool], rng: random.Random) -> list[Example]:
    """The pages, every second one through one of the tools."""
    return [
        Example(page) if number % 2 else _spun(page, rng.choice(tools), rng)
        for number, page in enumerate(pages)
    ]


def _spun(page: str, tool: Tool, rng: random.Random) -> Example:
    text, truth, _ = spin(page, tool, rng)
    return Example(text, [Span(*substitution) for substitution in truth])


def annotated(path: Path) -> list[Example]:
    """Documents that people have read, normalised: JSON lines with ``text`` and ``spans``."""
    with path.open(encoding="utf-8") as lines:
        return [_annotated(json.loads(line)) for line in lines if line.strip()]


def _annotated(document: Mapping[str, Any]) -> Example:
    page = normalise(document["text"])
    raw = Alignment(page.alignment).raw_starts(np.arange(len(page.text)))
    return Example(page.text, [_moved(span, raw) for span in document["spans"]])


def _moved(span: Mapping[str, Any], raw: Offsets) -> Span:
    """A span of the source as one of the text, whose characters stand at ``raw`` in the source."""
    start, end = np.searchsorted(raw, [span["start"], span["end"]])
    is_substitution = span.get("sure", True) and span.get("kind") not in APART
    return Span(int(start), int(end), span.get("orig"), is_substitution)
