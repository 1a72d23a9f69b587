"""From texts to a probability for every site: the language model, the channel, two passes of trees.

The first pass judges each site alone. The second sees besides how suspicious the other sites of the
same document are: one odd word is noise in a clean page, and near certain in a page with fifty.
"""

import json
import shutil
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.model import features as f
from pipeline.model.arrays import Doubles, Floats, Ints, Words
from pipeline.model.channel import Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.ngrams import load as load_ngrams
from pipeline.model.odds import probability
from pipeline.model.sites import (
    Batch,
    Candidates,
    Sites,
    batch_of,
    candidates,
    find_sites,
    worth_judging,
)
from pipeline.model.trees import Trees

FORMAT = 2
"""Raised with every change after which the files of an older model no longer fit the code."""


class Found(NamedTuple):
    """All sites of a batch with their candidates and site features."""

    batch: Batch
    sites: Sites
    candidates: Candidates
    best: f.Best
    surface_count: Ints
    original_count: Ints
    features: Floats


class Judged(NamedTuple):
    """The verdicts on a batch; the arrays are aligned with ``found.sites``."""

    found: Found
    alone: Floats
    """Log odds of the first pass."""
    log_odds: Floats
    """Log odds of the second pass."""
    probability: Floats
    """The same as probabilities."""

    @classmethod
    def of(cls, found: Found, alone: Floats, log_odds: Floats) -> "Judged":
        return cls(found, alone, log_odds, probability(log_odds).astype(np.float32))


def find(model: NgramModel, channel: Channel, texts: list[str]) -> Found:
    """Every site of the texts that is worth judging."""
    batch = batch_of(model, texts)
    log_probs = model.log_probs(batch.ids)
    start, term = channel.matches(batch.ids)
    document = np.searchsorted(batch.starts, start, side="right") - 1
    surface = channel.is_surface[term]
    at, what = start[surface], term[surface]
    sites = find_sites(batch, log_probs, at, what, channel.length[what])
    sites, found = worth_judging(sites, candidates(batch, model, channel, sites))
    best = f.best_candidates(found, len(sites.start))
    original = found.original[best.candidate]
    counted = [
        f.counts_in_documents(document, term, sites.document, wanted, len(channel.terms))
        for wanted in (sites.term, original)
    ]
    rows = f.site_features(
        batch, log_probs, model.unigrams[0], channel, sites, found, best, *counted
    )
    return Found(batch, sites, found, best, counted[0], counted[1], rows)


def families(channel: Channel, found: Found) -> Words:
    """The families of spinners that know each site's best candidate."""
    return channel.family[found.candidates.pair[found.best.candidate]]


class Scorer(NamedTuple):
    """Everything that `make train` learns."""

    ngrams: NgramModel
    channel: Channel
    alone: Trees
    together: Trees
    page: Doubles
    """Weights of `page_features`, the constant last: log odds that a document is spun."""

    def judge(self, texts: list[str]) -> Judged:
        found = find(self.ngrams, self.channel, texts)
        alone = self.alone.log_odds(found.features)
        others = f.document_features(found.batch, found.sites, families(self.channel, found), alone)
        rows = np.concatenate([found.features, others], axis=1)
        return Judged.of(found, alone, self.together.log_odds(rows))

    def spun_log_odds(self, probabilities: Floats, n_chars: int) -> float:
        """Log odds that a document of ``n_chars`` with these flags was spun."""
        return float(f.page_features(probabilities, n_chars) @ self.page)

    def save(self, directory: Path, card: dict[str, object]) -> None:
        """Write the model into ``directory``, and ``card``, how it came about, beside it.

        Each file is written elsewhere and then renamed: a process that has the old one mapped into
        its memory keeps it.
        """
        draft = directory.with_name(f"{directory.name}.tmp")
        shutil.rmtree(draft, ignore_errors=True)  # what a killed training may have left
        draft.mkdir(parents=True)
        directory.mkdir(parents=True, exist_ok=True)
        self.ngrams.save(draft)
        self.channel.save(draft)
        self.alone.save(draft / "alone.npz")
        self.together.save(draft / "together.npz")
        np.save(draft / "page.npy", self.page)
        text = json.dumps({"format": FORMAT, **card}, ensure_ascii=False, indent=1)
        (draft / "card.json").write_text(text + "\n", encoding="utf-8")
        for path in sorted(draft.iterdir()):
            path.replace(directory / path.name)
        draft.rmdir()


@lru_cache(maxsize=2)
def load(directory: Path) -> Scorer:
    """The scorer saved in ``directory``; its large table is memory-mapped.

    Raises FileNotFoundError if a file of the model is missing, and ValueError if it was made by
    another version of this code.
    """
    card = json.loads((directory / "card.json").read_text(encoding="utf-8"))
    if card.get("format") != FORMAT:
        found = f"format {card.get('format')}, not {FORMAT}"
        raise ValueError(f"the model in {directory} has {found}: make it again with `make train`")
    ngrams = load_ngrams(directory)
    return Scorer(
        ngrams,
        Channel.load(directory, ngrams.alphabet),
        Trees.load(directory / "alone.npz"),
        Trees.load(directory / "together.npz"),
        np.load(directory / "page.npy"),
    )
