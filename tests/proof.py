"""Does a corpus teach the detector a tool that nobody knows? The whole way, for each word list.

    python -m tests.proof DEV CORPUS LEXICA --folder DIR --spun 2000 --lists s1 d2w

A model forgets that any list held the pairs of one. Pages of DEV are spun with that list, mixed
into ten times as many clean ones, a tenth of their originals among those, and cleaned; `links` and
`learn` see the tables alone. Then what was learned is held against what the tools did, and the
model before and after against fresh pages by the same tools. Clean pages are what is left of DEV
and, as that is not enough, of CORPUS, which the model was trained on. The tagger and the decision
have seen the pairs of all lists but a fifth (`tools.HELD_OUT_FOLD`).
"""

# ruff: noqa: T201 - a command prints
import argparse
import itertools
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from pipeline.config import SHIPPED_MODEL, Config
from pipeline.detectors.substitution import judge_with
from pipeline.learning.command import learn_from
from pipeline.links.command import link_from
from pipeline.model import scorer
from pipeline.model.scorer import Scorer
from pipeline.runner import run
from pipeline.training import trials
from pipeline.training.corpus import documents
from pipeline.training.lexica import PAIRS_FILE, Pairs, names_of, read_pairs
from pipeline.training.spinner import Spun, Tool, spin

SHORTEST, LONGEST = 200, 700
"""Characters of a page."""
RATES = (0.06, 0.12, 0.2)
MODES = ("once", "all", "random")
FRESH, FRESH_CLEAN = 300, 800
CLEAN_FOR_ONE = 10
LEAST_CLEAN = 20_000
PRESENT = 0.1
"""Of the originals."""
OFTEN = 5


class Quality(NamedTuple):
    """Of a model on fresh pages by the tools, and on clean ones."""

    precision: float
    recall: float
    f1: float
    flags_per_thousand: float
    """Characters of clean pages."""


class Proof(NamedTuple):
    """What one list has shown."""

    name: str
    spun: int
    clean: int
    learned: int
    """Pairs."""
    precision: float
    """Of them those that a tool wrote."""
    recall: float
    """Of the pairs that the pages hold OFTEN or oftener."""
    often: int
    from_copies: int
    precision_from_copies: float
    linked: float
    """Of the spun pages whose original is there, those linked to it the right way round."""
    before: Quality
    after: Quality
    known: Quality
    """By the model that has the list."""
    seconds: dict[str, float]


def pages(corpus: Path, rng: random.Random, most: int) -> list[str]:
    """Beginnings of texts, each another."""
    texts = [document.text for document in documents(corpus)]
    rng.shuffle(texts)
    cut = (text.strip()[:LONGEST] for text in texts[: 3 * most])
    return list(dict.fromkeys(text for text in cut if len(text) >= SHORTEST))[:most]


def tools_of(pairs: Pairs, rng: random.Random) -> list[Tool]:
    """Nine tools with one list, in which every original has one surface."""
    lines: dict[str, list[str]] = {}
    for original, surface in sorted(pairs):
        lines.setdefault(original, []).append(surface)
    chosen = {original: [rng.choice(surfaces)] for original, surfaces in lines.items()}
    return [Tool(chosen, mode, rate) for mode in MODES for rate in RATES]


def quality(model: Scorer, spun: Sequence[Spun], clean: Sequence[str]) -> Quality:
    found = judge_with(model, [page.text for page in spun], Config())
    flags = right = wanted = met = 0
    for page, verdict in zip(spun, found, strict=True):
        sure = [(f.start, f.end) for f in verdict.flags if f.probability >= 0.5]
        truth = [(one.start, one.end) for one in page.truth]
        flags, wanted = flags + len(sure), wanted + len(truth)
        right += sum(_meets(one, truth) for one in sure)
        met += sum(_meets(one, sure) for one in truth)
    p, r = right / max(1, flags), met / max(1, wanted)
    wrong = sum(f.probability >= 0.5 for v in judge_with(model, clean, Config()) for f in v.flags)
    chars = sum(map(len, clean))
    return Quality(p, r, 2 * p * r / max(1e-9, p + r), 1000 * wrong / chars)


def _meets(one: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(one[0] < end and start < one[1] for start, end in others)


def prove(
    name: str,
    known: Scorer,
    pairs: Pairs,
    own: Sequence[str],
    clean: Sequence[str],
    n_spun: int,
    folder: Path,
) -> Proof:
    """One list, with ``n_spun`` of the pages ``own``."""
    rng = random.Random(name)
    lines = trials.of_list(pairs, name)
    tools = tools_of(lines, rng)
    spun = [spin(page, tools[i % len(tools)], rng) for i, page in enumerate(own[:n_spun])]
    originals = own[: int(PRESENT * n_spun)]
    fresh = [
        spin(page, tools[i % len(tools)], rng)
        for i, page in enumerate(own[n_spun : n_spun + FRESH])
    ]
    n_clean = max(CLEAN_FOR_ONE * n_spun, LEAST_CLEAN)
    others, fresh_clean = clean[: n_clean - len(originals)], clean[-FRESH_CLEAN:]
    before = known.forgetting(lambda original, surface: (original, surface) in lines)

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before.save(folder / "model", {"forgotten": name})
    ids = [f"spun-{i}" for i in range(n_spun)]
    ids += [f"clean-{i}" for i in range(len(originals) + len(others))]
    rows = list(zip(ids, [*(page.text for page in spun), *originals, *others], strict=True))
    random.Random(name).shuffle(rows)
    with (folder / "pages.jsonl").open("w", encoding="utf-8") as file:
        for page_id, text in rows:
            print(json.dumps({"id": page_id, "text": text}, ensure_ascii=False), file=file)
    started = [time.monotonic()]
    config = Config(model=str(folder / "model"))
    run(folder / "pages.jsonl", folder / "out", config, 2)
    started.append(time.monotonic())
    links = link_from(folder / "out", folder / "model", 2)
    started.append(time.monotonic())
    _, lesson = learn_from(folder / "out", folder / "model", 2)
    started.append(time.monotonic())

    truth = Counter(
        (one.original, page.text[one.start : one.end]) for page in spun for one in page.truth
    )
    often = {pair for pair, times in truth.items() if times >= OFTEN}
    copied = [pair for pair, one in lesson.pairs.items() if one.copies]
    seconds = [later - at for at, later in itertools.pairwise(started)]
    return Proof(
        name,
        len(spun),
        n_clean,
        len(lesson.pairs),
        _share(pair in truth for pair in lesson.pairs),
        len(often & lesson.pairs.keys()) / max(1, len(often)),
        len(often),
        len(copied),
        _share(pair in truth for pair in copied),
        _linked(links, folder / "out", len(originals)),
        quality(before, fresh, fresh_clean),
        quality(lesson.scorer, fresh, fresh_clean),
        quality(known, fresh, fresh_clean),
        dict(zip(("run", "links", "learn"), seconds, strict=True)),
    )


def _share(right: Iterable[bool]) -> float:
    answers = list(right)
    return sum(answers) / max(1, len(answers))


def _linked(links: Path, output: Path, n: int) -> float:
    """Of the first ``n`` spun pages, those that `links` says were made from their originals."""
    table = pq.read_table(output / "corpus" / "documents", columns=["doc_id", "record_id"])
    name = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    found = pq.read_table(links, columns=["doc_id", "other_doc_id"]).to_pylist()
    made = {(name[row["doc_id"]], name[row["other_doc_id"]]) for row in found}
    return _share((f"spun-{i}", f"clean-{i}") in made for i in range(n))


def row(one: Proof) -> str:
    """For people to read."""
    return (
        f"{one.name:<5} {one.spun:>5} {one.learned:>6} {one.precision:>6.3f} {one.recall:>6.3f}"
        f" of {one.often:>5} {one.from_copies:>6} {one.precision_from_copies:>6.3f}"
        f" {one.linked:>6.3f}  {one.before.f1:.3f} {one.after.f1:.3f} ({one.known.f1:.3f})"
        f"  {one.before.flags_per_thousand:.4f} {one.after.flags_per_thousand:.4f}"
        f"  {' '.join(f'{s:.0f}' for s in one.seconds.values())}"
    )


HEAD = (
    "list   spun  pairs  right  recall of often  copies  right linked  F1 before after (known)"
    "  flags before after  s: run, links, learn"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dev", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("lexica", type=Path)
    parser.add_argument("--spun", type=int, default=2_000)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="it knows all lists")
    parser.add_argument("--lists", nargs="*", help="all, if none is named")
    parser.add_argument("--folder", type=Path, required=True, help="for inputs and outputs")
    args = parser.parse_args()
    pairs = read_pairs(args.lexica / PAIRS_FILE)
    own = pages(args.dev, random.Random(1), args.spun + FRESH + 4_000)
    n_clean = max(CLEAN_FOR_ONE * args.spun, LEAST_CLEAN)
    clean = own[args.spun + FRESH : -FRESH_CLEAN]
    clean += pages(args.corpus, random.Random(2), n_clean) + own[-FRESH_CLEAN:]
    known = scorer.load(args.model)
    print(HEAD, flush=True)
    done = []
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.lists or sorted(names_of(pairs)):
        done.append(prove(name, known, pairs, own, clean, args.spun, args.folder / name))
        print(row(done[-1]), flush=True)
        shutil.rmtree(args.folder / name)
    found = [one._asdict() for one in done]
    (args.folder / "proof.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
