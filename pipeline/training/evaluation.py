"""`make evaluate`: a table of how good a model is, on text and substitutions it has not seen.

Each row is one test; `metrics` says what the columns mean, `trials` where the pages come from. The
rows `unseen pairs` are the ones to believe about tools that nobody has listed: their substitutions
are of a fold that nothing was fitted on, and the model that judges them has forgotten that any list
held them. In the rows `known pairs` every list is known.

The numbers of pages are bounded, and with them time and memory: some two million characters in all.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.config import Config
from pipeline.detectors import DETECTORS, Detector, substitution
from pipeline.errors import UsageError
from pipeline.model import scorer
from pipeline.progress import progress
from pipeline.stages.flag import Flagged, flag_all
from pipeline.storage import replacing
from pipeline.training import trials
from pipeline.training.lexica import (
    PAIRS_FILE,
    RELATED_FILE,
    Pairs,
    names_of,
    read_pairs,
    read_related,
)
from pipeline.training.metrics import Example, Outcome, Row, cells, outcome, row
from pipeline.training.model_card import card_markdown

SEED = Path(__file__).parents[2] / "tests" / "cases" / "flag" / "seed.jsonl"
"""The annotated seed. Whoever installed the package alone does without it."""

KNOWN, UNSEEN = " (known pairs)", " (unseen pairs)"
CLEAN = "clean "
LENGTHS = (100, 300, 600, 2000)

Neighbours = Mapping[str, Sequence[str]]
"""Each word's nearest in an embedding, nearest first."""

Judge = Callable[[Sequence[str]], list[Flagged]]


class Settings(NamedTuple):
    """How many pages each test has. They are drawn by the seed."""

    pages_per_list: int = 150
    clean_pages: int = 1_000
    """Of each source."""
    pages_per_length: int = 100
    seed: int = 1


DEFAULTS = Settings()


class Trial(NamedTuple):
    """What one row of the table is measured on, and who judges it."""

    name: str
    pages: Callable[[random.Random], list[Example]]
    judge: Judge


def evaluate(
    corpus: Path,
    lexica: Path,
    model: Path,
    half: str = "report",
    settings: Settings = DEFAULTS,
    neighbours: Neighbours | None = None,
) -> list[Row]:
    """The figures of a model, on one half of a corpus. A test without a page has no row.

    Tools that go by an embedding take part if ``neighbours`` are given. Raises UsageError if there
    is nothing to measure on.
    """
    texts = trials.texts_by_source(corpus, half)
    if not texts:
        raise UsageError(f"{corpus} holds no readable text in the half `{half}`")
    pairs = read_pairs(lexica / PAIRS_FILE)
    if not pairs:
        raise UsageError(f"{lexica / PAIRS_FILE} holds no pair of words")
    related = trials.unseen_related(read_related(lexica / RELATED_FILE))
    nearest = trials.unseen_neighbours(neighbours or {})
    known, unseen = judges(model)
    every = [text for of_source in texts.values() for text in of_source]
    outcomes = _outcomes(
        [
            *_of_seed(known),
            *_of_lists(every, pairs, known, unseen, settings),
            *_of_words(every, related, nearest, unseen, settings),
            *_of_sources(texts, known, settings),
            *_of_lengths(every, pairs, known, unseen, settings),
        ],
        settings.seed,
    )
    return [row(name, found) for name, found in {**outcomes, **_pooled(outcomes)}.items() if found]


def judges(model: Path) -> tuple[Judge, Judge]:
    """All detectors with a model, and with the same model unaware of the lists' unseen pairs."""
    config = Config(model=str(model))
    forgetful = scorer.load(model).forgetting(trials.is_unseen)
    judge_with = partial(substitution.judge_with, forgetful)
    detectors: Mapping[str, Detector] = {**DETECTORS, substitution.NAME: judge_with}
    return partial(flag_all, config=config), partial(flag_all, config=config, detectors=detectors)


def _outcomes(planned: Sequence[Trial], seed: int) -> dict[str, list[Outcome]]:
    outcomes = {}
    with progress("evaluate", len(planned), "tests") as report:
        for done, trial in enumerate(planned, 1):
            name, _, _ = trial.name.partition(" (")  # known or unseen: the same pages are spun
            examples = trial.pages(random.Random(f"{seed} {name}"))
            flagged = trial.judge([example.text for example in examples])
            outcomes[trial.name] = [outcome(*one) for one in zip(examples, flagged, strict=True)]
            report(done)
    return outcomes


def _of_seed(judge: Judge) -> Iterator[Trial]:
    if SEED.exists():
        yield Trial("seed", lambda _: trials.annotated(SEED), judge)


def _of_lists(
    texts: Sequence[str], pairs: Pairs, known: Judge, unseen: Judge, settings: Settings
) -> Iterator[Trial]:
    def spun(lines: Pairs, rng: random.Random) -> list[Example]:
        pages = trials.shuffled_pages(texts, rng)[: settings.pages_per_list]
        return trials.spun(pages, trials.list_tools(lines, rng), rng)

    for name in sorted(names_of(pairs)):
        lines = trials.of_list(pairs, name)
        yield Trial(f"list {name}{KNOWN}", partial(spun, lines), known)
        if fresh := trials.unseen(lines):
            yield Trial(f"list {name}{UNSEEN}", partial(spun, fresh), unseen)


def _of_words(
    texts: Sequence[str],
    related: Neighbours,
    nearest: Neighbours,
    judge: Judge,
    settings: Settings,
) -> Iterator[Trial]:
    """Tools that nobody has a list of. Only pairs of the unseen fold are written."""

    def spun(others: Neighbours, whole_words: bool, rng: random.Random) -> list[Example]:
        pages = trials.shuffled_pages(texts, rng)[: settings.pages_per_list]
        return trials.spun(pages, trials.word_tools(others, rng, whole_words), rng)

    if related:
        yield Trial("thesaurus", partial(spun, related, False), judge)
    if nearest:
        yield Trial("embedding", partial(spun, nearest, True), judge)


def _of_sources(
    texts: Mapping[str, Sequence[str]], judge: Judge, settings: Settings
) -> Iterator[Trial]:
    def clean(of_source: Sequence[str], rng: random.Random) -> list[Example]:
        pages = trials.shuffled_pages(of_source, rng)[: settings.clean_pages]
        return list(map(Example, pages))

    for source, of_source in texts.items():
        yield Trial(f"{CLEAN}{source}", partial(clean, of_source), judge)


def _of_lengths(
    texts: Sequence[str], pairs: Pairs, known: Judge, unseen: Judge, settings: Settings
) -> Iterator[Trial]:
    def spun(lines: Pairs, length: int, rng: random.Random) -> list[Example]:
        pages = trials.pages_of_length(texts, length, settings.pages_per_length, rng)
        return trials.spun(pages, trials.list_tools(lines, rng), rng)

    for length in LENGTHS:
        yield Trial(f"length {length}{KNOWN}", partial(spun, pairs, length), known)
        if fresh := trials.unseen(pairs):
            yield Trial(f"length {length}{UNSEEN}", partial(spun, fresh, length), unseen)


def _pooled(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, list[Outcome]]:
    """All spun pages of the lists against the clean ones of all sources.

    One in 1,000 clean pages means something only where there are as many.
    """
    clean = [one for name in outcomes if name.startswith(CLEAN) for one in outcomes[name]]
    return {
        f"all lists{kind}": [
            *(
                one
                for name in outcomes
                if name.startswith("list ") and name.endswith(kind)
                for one in outcomes[name]
                if one.is_spun
            ),
            *clean,
        ]
        for kind in (KNOWN, UNSEEN)
    }


def aligned(rows: Sequence[Row]) -> str:
    """The table for people to read: names to the left, figures to the right."""
    lines = [list(Row._fields), *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]).rstrip()
        for first, *others in lines
    )


def as_tsv(rows: Sequence[Row]) -> str:
    """The table for programs to read."""
    return "".join("\t".join(line) + "\n" for line in [list(Row._fields), *map(cells, rows)])


def save(rows: Sequence[Row], output: Path, model: Path, half: str) -> None:
    """Write `evaluation.tsv` into ``output``, and `card.md` beside the model.

    The card has the figures of the half to report on, and no other.
    """
    output.mkdir(parents=True, exist_ok=True)
    _write(output / "evaluation.tsv", as_tsv(rows))
    if half == "report":
        card = json.loads((model / "card.json").read_text(encoding="utf-8"))
        _write(model / "card.md", card_markdown(rows, card))


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
