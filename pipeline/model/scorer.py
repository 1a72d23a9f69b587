"""From texts to a probability for every site: a glance at all pages, the tagger's opinion of some,
a reading of suspects.

The glance asks the language model alone, at characters that are odd where they stand: most pages of
a corpus end there. Of the others the tagger sees every character, and most of those that are clean
end there. What still looks suspicious is read: wherever a substitute may stand, each site in the
light of all others of its document.

The glance looks twice at what it has found. A list that knows the substitute says much, and of a
page by a tool whose list nobody has it says nothing: so what stands at very odd characters is
weighed once more by itself, with the originals that nobody has listed. With an
earlier model, of pages by a tool whose list was forgotten 29% to 62% passed so (eight lists, pages
with five substitutions and more), where by the lists alone it was 5% to 36%; of clean pages 3.1%,
where it was 2.6%.
"""

import json
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.model import features as f
from pipeline.model import posterior
from pipeline.model.arrays import Bools, Doubles, Flags, Floats, Ints
from pipeline.model.channel import Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.ngrams import load as load_ngrams
from pipeline.model.odds import probability
from pipeline.model.perplexity import losses
from pipeline.model.posterior import Posterior
from pipeline.model.sites import (
    HOPELESS,
    Batch,
    Candidates,
    Sites,
    batch_of,
    candidates,
    find_sites,
    in_parts,
    regained,
    some_of,
    worth_judging,
)
from pipeline.model.tagger import HEADS, Tagger, surprises
from pipeline.model.trees import Trees
from pipeline.spans import Loss

FORMAT = 10
"""Raised with every change after which the files of an older model no longer fit the code."""

AT_SIGHT = 2500
"""Characters that the glance judges at once: no page that it was fitted on is longer, and what it
counts grows with the length (of web news of more than 4,000 characters it would have 9% read)."""

SHORT = 60
"""Characters below which a text has a gate of its own: what little stands there is never as
suspicious as a page. With one gate for all 17% of the fit's spun texts of that size were read and
3% of the clean ones; with their own, in the same fit, 29% and 6%."""

HOPELESS_AT_SIGHT = -3.0
"""`sites.HOPELESS` for the glance, which seeks what is striking."""

LEAST_INSIDE = -1.5
"""Log odds by the tagger, on average over a site, below which originals that no list suggests are
not even tried, but at odd characters: the tagger knows the words of tools best that it has met."""

UNTHINKABLE = -4.0
"""The same below which nothing is tried. Of the substitutions that the decision finds on simulated
pages 0.6% stand below it if a list has them, and none of the others; of what would be tried on
clean web news, three fifths."""

FAINT = -3.0
"""Log odds that a character begins a substitution, by the tagger, below which it is not counted."""


class Found(NamedTuple):
    """Sites of a batch with their candidates and features."""

    batch: Batch
    sites: Sites
    candidates: Candidates
    best: f.Best
    occurrences: Ints
    """`features.occurrences` of all terms of the channel, sites or not."""
    surface_count: Ints
    original_count: Ints
    features: Floats


class Glimpsed(NamedTuple):
    """What the glance has seen of some texts."""

    found: Found
    is_striking: Bools
    """Which sites stand at very odd characters; of the others only listed originals were tried."""
    of_text: Doubles
    """`features.text_features`."""


class Read(NamedTuple):
    """Suspected documents, with what was made of their sites."""

    found: Found
    tags: Floats
    alone: Floats
    """Log odds of each site by itself."""
    posterior: Posterior
    family: Flags
    """Of each site's best candidate."""


class Judged(NamedTuple):
    """The verdicts on a batch of texts."""

    read: Read | None
    """None if no text was suspected."""
    text: Ints
    """Which of the texts each document in ``read`` is."""
    log_odds: Floats
    """Of the sites in ``read``."""
    probability: Floats
    """The same as probabilities."""
    spun: Doubles
    """Of each text, the log odds that it is spun."""
    loss: list[Loss]
    """Of each text."""


def find(
    model: NgramModel, channel: Channel, batch: Batch, log_probs: Floats, tags: Floats
) -> Found:
    """The sites that are worth judging, given what the language model and the tagger say of each
    character.
    """
    start, term = channel.matches(batch.ids)
    inside = f.mean_inside(tags, start, start + channel.length[term])
    suspected = (inside >= LEAST_INSIDE) | _at_odd(log_probs, f.ODD)[start]
    tried = channel.is_surface[term] & (suspected | channel.has_listed[term])
    tried &= inside >= UNTHINKABLE
    counted = np.searchsorted(batch.starts, start, side="right") - 1, term
    found = _found(
        batch, model, log_probs, channel, start[tried], term[tried], counted, suspected[tried]
    )
    rows = np.concatenate([found.features, f.tag_features(found.sites, tags)], axis=1)
    return found._replace(features=rows)


def glance(model: NgramModel, channel: Channel, batch: Batch, log_probs: Floats) -> Glimpsed:
    """The sites at odd characters: of very odd ones with all originals, of others with listed ones;
    and what the language model says of each text.
    """
    near, striking = (_at_odd(log_probs, limit) for limit in (f.ODD, f.VERY_ODD))
    start, term = channel.matches(batch.ids, np.flatnonzero(near))
    strikes = striking[start]
    tried = channel.is_surface[term] & (strikes | channel.has_listed[term])
    counted = np.searchsorted(batch.starts, start, side="right") - 1, term
    found = _found(
        batch,
        model,
        log_probs,
        channel,
        start[tried],
        term[tried],
        counted,
        strikes[tried],
        HOPELESS_AT_SIGHT,
    )
    of_text = f.text_features(batch, log_probs, model.unigrams[0])
    return Glimpsed(found, striking[found.sites.start], of_text)


def _at_odd(log_probs: Floats, limit: float) -> Bools:
    """Where a substitute may begin that makes a character less probable than the ``limit``: at that
    character or at one of the two before it.
    """
    near = np.zeros(len(log_probs), dtype=np.bool_)
    odd = np.flatnonzero(log_probs < limit)
    for step in range(3):
        near[np.maximum(odd - step, 0)] = True
    return near


def _found(
    batch: Batch,
    model: NgramModel,
    log_probs: Floats,
    channel: Channel,
    start: Ints,
    term: Ints,
    counted: tuple[Ints, Ints],
    suspected: Bools | None = None,
    hopeless: float = HOPELESS,
) -> Found:
    sites = find_sites(batch, log_probs, start, term, channel.length[term])
    sites, found = worth_judging(*candidates(batch, model, channel, sites, suspected, hopeless))
    best = f.best_candidates(found, len(sites.start))
    original = found.original[best.candidate]
    occurrences = f.occurrences(*counted, len(channel.terms))
    counts = [
        f.count(occurrences, sites.document, wanted, len(channel.terms))
        for wanted in (sites.term, original)
    ]
    rows = f.site_features(
        batch, log_probs, model.unigrams[0], channel, sites, found, best, *counts
    )
    return Found(batch, sites, found, best, occurrences, counts[0], counts[1], rows)


def families(channel: Channel, found: Found) -> Flags:
    """The families of spinners that know each site's best candidate."""
    return channel.family[found.candidates.pair[found.best.candidate]]


def tags_of(tagger: Tagger, model: NgramModel, batch: Batch, log_probs: Floats) -> Floats:
    """What the tagger says of every character of a batch; of those between texts, nothing much."""
    surprise = surprises(log_probs, model.unigrams[0][batch.ids])
    tags = np.full((len(batch.ids), len(HEADS)), -8.0, dtype=np.float32)
    for start, end in zip(batch.starts, batch.ends, strict=True):
        tags[start:end] = tagger.log_odds(batch.ids[start:end], surprise[start:end])
    return tags


def witnesses(
    found: Found, family: Flags, alone: Floats, base: float
) -> tuple[Ints, Flags, Floats, Bools, int]:
    """What the posterior asks for: the sites' evidence, and which of them count, one of each
    surface.
    """
    counted = np.zeros(len(alone), dtype=np.bool_)
    counted[f.likeliest(f.by_surface(found.sites), alone)] = True
    counted &= f.apart(found.sites, alone, len(found.batch.ids))
    return found.sites.document, family, alone - np.float32(base), counted, len(found.batch.starts)


class Scorer(NamedTuple):
    """Everything that `make train` learns."""

    ngrams: NgramModel
    channel: Channel
    tagger: Tagger
    glance: Trees
    """Log odds of a site at first sight."""
    striking: Trees
    """Of one at very odd characters, when no more is made of what lists know than of other
    originals."""
    suspicion: Trees
    """Log odds at first sight that a text is spun, from what `glance_rows` says of it."""
    closer: Trees
    """The same from that and from what `tag_rows` says of it."""
    alone: Trees
    """Of any site, with the tagger's opinion."""
    together: Trees
    """In the light of its document, as ``alone`` sees it."""
    again: Trees
    """The same, as ``together`` sees it."""
    cells: Doubles
    """Log prior of `posterior.CELLS`, clean last."""
    base: float
    """Log odds of substitution among the sites that ``alone`` was fitted on."""
    gates: Doubles
    """Of SHORT texts, and of others: suspicion from which on the tagger is asked, and that from
    which on, with its opinion, a text is read; shape ``(2, 2)``."""
    page: Doubles
    """Weights of `document_rows`: log odds that a document is spun."""
    inserted: Doubles
    """Weights of `insertions.FEATURES`: log odds that a string was inserted."""

    def judge(self, texts: list[str]) -> Judged:
        batch = batch_of(self.ngrams, texts)
        log_probs = self.ngrams.log_probs(batch.ids)
        loss = losses(batch, log_probs)
        seen = self.glance_at(batch, log_probs)
        gates = self.gates[is_long(batch)].T
        suspicion = _of_texts(batch, self.suspicion.log_odds(seen))
        spun = np.minimum(suspicion, gates[0]) - 20.0
        asked = np.flatnonzero(suspicion >= gates[0])
        some, at = some_of(batch, asked)
        log_probs = log_probs[at]
        tags = tags_of(self.tagger, self.ngrams, some, log_probs)
        closer = self.closer_look(some, seen[_of_those(batch, asked)], tags)
        spun[asked] = np.minimum(closer, gates[1, asked]) - 10.0
        kept = np.flatnonzero(closer >= gates[1, asked])
        read = asked[kept]
        if not len(read):
            none = np.zeros(0, dtype=np.float32)
            return Judged(None, read, none, none, spun, loss)
        some, at = some_of(some, kept)
        found, log_odds = self.decide(self._read(some, log_probs[at], tags[at]))
        p = probability(log_odds)
        spun[read] = np.maximum(document_rows(found, p) @ self.page, spun[read])
        return Judged(found, read, log_odds, p.astype(np.float32), spun, loss)

    def glance_at(self, batch: Batch, log_probs: Floats) -> Floats:
        """`glance_rows` of every part of the texts."""
        parts, _ = in_parts(batch, AT_SIGHT)
        seen = glance(self.ngrams, self.channel, parts, log_probs)
        rows = seen.found.features
        p, striking = (
            probability(trees.log_odds(of))
            for trees, of in ((self.glance, rows), (self.striking, rows[seen.is_striking]))
        )
        return glance_rows(seen, p, striking)

    def closer_look(self, batch: Batch, seen: Floats, tags: Floats) -> Doubles:
        """Log odds that each text is spun, given `glance_at` and the tagger's opinion."""
        parts, _ = in_parts(batch, AT_SIGHT)
        rows = np.concatenate([seen, tag_rows(parts, tags)], axis=1)
        return _of_texts(batch, self.closer.log_odds(rows))

    def read(self, texts: list[str]) -> Read:
        """The texts, however they look at first sight."""
        batch = batch_of(self.ngrams, texts)
        log_probs = self.ngrams.log_probs(batch.ids)
        return self._read(batch, log_probs, tags_of(self.tagger, self.ngrams, batch, log_probs))

    def _read(self, batch: Batch, log_probs: Floats, tags: Floats) -> Read:
        found = find(self.ngrams, self.channel, batch, log_probs, tags)
        alone = self.alone.log_odds(found.features)
        family = families(self.channel, found)
        seen = posterior.infer(*witnesses(found, family, alone, self.base), self.cells)
        return Read(found, tags, alone, seen, family)

    def decide(self, read: Read) -> tuple[Read, Floats]:
        """The same with its candidates weighed where all else that is likely is undone, and the log
        odds of each site.
        """
        odds = read.alone
        found = read.found
        for trees in (self.together, self.again):
            found, rows = in_context(self.ngrams, self.channel, read, odds)
            odds = trees.log_odds(rows)
        return read._replace(found=found), odds

    def forgetting(self, is_unlisted: Callable[[str, str], bool]) -> "Scorer":
        """The scorer as if no list had held the pairs (original, surface) of which that is true."""
        unlisted = np.array([is_unlisted(*pair) for pair in self.channel.pairs()], dtype=np.bool_)
        return self._replace(channel=self.channel.forgetting(unlisted))

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
        self.tagger.save(draft / "tagger.npz")
        for name in _TREES:
            getattr(self, name).save(draft / f"{name}.npz")
        weights = {name: getattr(self, name) for name in _WEIGHTS}
        np.savez(draft / "weights.npz", **weights)
        text = json.dumps({"format": FORMAT, **card}, ensure_ascii=False, indent=1)
        (draft / "card.json").write_text(text + "\n", encoding="utf-8")
        (directory / "card.md").unlink(missing_ok=True)  # the figures of another model
        for path in sorted(draft.iterdir()):
            path.replace(directory / path.name)
        draft.rmdir()


_TREES = ("glance", "striking", "suspicion", "closer", "alone", "together", "again")
_WEIGHTS = ("cells", "base", "gates", "page", "inserted")


def is_long(batch: Batch) -> Ints:
    """Of each text, 0 if it is SHORT and 1 if it is not."""
    return (batch.ends - batch.starts >= SHORT).astype(np.int64)


def _of_texts(batch: Batch, odds: Floats) -> Doubles:
    """Of each text the mean of what was said of its parts: a tool spins all of a page."""
    _, first = in_parts(batch, AT_SIGHT)
    whole = odds.astype(np.float64)
    counts = np.diff(np.append(first, len(whole)))
    return np.add.reduceat(whole, first) / counts if len(first) else whole


def _of_those(batch: Batch, texts: Ints) -> Ints:
    """Numbers of the parts of some texts."""
    parts, first = in_parts(batch, AT_SIGHT)
    counts = np.diff(np.append(first, len(parts.starts)))
    chosen = np.zeros(len(first), dtype=np.bool_)
    chosen[texts] = True
    return np.flatnonzero(np.repeat(chosen, counts))


def tag_rows(batch: Batch, tags: Floats) -> Floats:
    """What the tagger makes of each text: of the words that may begin a substitution, each once."""
    at = np.flatnonzero(tags[:, 1] >= FAINT)
    odds = tags[at, 1]
    document = np.searchsorted(batch.starts, at, side="right") - 1
    word = document << 32 | batch.ids[at].astype(np.int64) << 16 | batch.ids[at + 1]
    top = f.likeliest(np.unique(word, return_inverse=True)[1], odds)
    lengths = batch.ends - batch.starts
    rows = f.page_features(document[top], probability(odds[top]), lengths)[:, :-1]
    more = [np.log(0.002 + f.tagged(batch, tags)), np.log(np.maximum(1, lengths))]
    return np.concatenate([rows, np.stack(more, axis=1)], axis=1).astype(np.float32)


def glance_rows(seen: Glimpsed, p: Doubles, striking: Doubles) -> Floats:
    """What the glance saw of each text, given the chances of its sites and of the striking ones."""
    found = seen.found
    lengths = found.batch.ends - found.batch.starts
    rows = [
        _page_rows(found.sites.take(seen.is_striking), striking, lengths)[:, :-1],
        _page_rows(found.sites, p, lengths),
    ]
    return np.concatenate([*rows, seen.of_text], axis=1).astype(np.float32)


def _page_rows(sites: Sites, p: Doubles, lengths: Ints) -> Doubles:
    """`features.page_features`, each surface of a page once."""
    top = f.likeliest(f.by_surface(sites), p.astype(np.float32))
    return f.page_features(sites.document[top], p[top], lengths)


def in_context(
    ngrams: NgramModel, channel: Channel, read: Read, odds: Floats
) -> tuple[Found, Floats]:
    """What is known of each site, given what the round before made of all of them: the sites with
    what their candidates gain where the likely ones of all others are restored, and a row for each.
    """
    found = read.found
    again, beside = reconsidered(ngrams, channel, found, odds)
    gain = found.candidates.gain[found.best.candidate]
    anew = f.regained_features(channel, again.sites, again.candidates, again.best, gain, beside)
    of_document = f.document_features(
        found.batch,
        found.sites,
        found.surface_count,
        found.original_count,
        read.family,
        odds,
        read.tags,
        read.posterior,
    )
    return again, np.concatenate([found.features, anew, of_document], axis=1)


def reconsidered(
    ngrams: NgramModel, channel: Channel, found: Found, odds: Floats
) -> tuple[Found, Bools]:
    """The sites with what their candidates gain where those of even odds and better are restored,
    and which of them have a restored one beside them.
    """
    likely = np.flatnonzero((odds >= 0) & f.apart(found.sites, odds, len(found.batch.ids)))
    far = np.maximum.accumulate(found.sites.end[likely])
    clear = found.sites.start[likely] >= np.append(0, far)[: len(far)]  # of as likely ones, one
    chosen = found.best.candidate[likely[clear]]
    sites, of, beside = regained(
        found.batch, ngrams, channel, found.sites, found.candidates, chosen
    )
    best = f.best_candidates(of, len(sites.start))
    original = of.original[best.candidate]
    times = f.count(found.occurrences, sites.document, original, len(channel.terms))
    return found._replace(sites=sites, candidates=of, best=best, original_count=times), beside


def document_rows(read: Read, p: Doubles) -> Doubles:
    """What the verdict on each document rests on, shape ``(documents, 7)``."""
    batch, sites = read.found.batch, read.found.sites
    kept = f.apart(sites, p.astype(np.float32), len(batch.ids))
    rows = _page_rows(sites.take(kept), p[kept], batch.ends - batch.starts)
    more = [
        np.clip(read.posterior.spun, -20, 20) / 10,
        np.log(0.002 + f.tagged(batch, read.tags)),
    ]
    return np.concatenate([np.stack(more, axis=1), rows], axis=1)


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
    with np.load(directory / "weights.npz") as arrays:
        weights = {name: arrays[name] for name in _WEIGHTS}
    return Scorer(
        ngrams,
        Channel.load(directory, ngrams.alphabet),
        Tagger.load(directory / "tagger.npz"),
        cells=weights["cells"],
        base=float(weights["base"]),
        gates=weights["gates"],
        page=weights["page"],
        inserted=weights["inserted"],
        **{name: Trees.load(directory / f"{name}.npz") for name in _TREES},
    )
