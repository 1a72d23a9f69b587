"""`make learn`: a corpus teaches the detector the pairs of tools that nobody has a list for.

Rounds of expectation maximisation. What the model suspects is read, and every pair that it tries
there is weighed over all pages (`evidence`, `verdict`); what is certain enough joins the channel,
and the next round suspects more. Pairs read off copies (`copies`) are facts from the beginning. It
ends when pages that nothing is counted on become no likelier; then whatever raises flags on clean
pages is taken out again (`guard`).
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.config import Config
from pipeline.learning import guard
from pipeline.learning.copies import Fact, Pair
from pipeline.learning.corpus import Document, Sample
from pipeline.learning.evidence import batches, counted, read_sites, weighed
from pipeline.learning.families import Family, families
from pipeline.learning.verdict import LEAST, believed
from pipeline.model.arrays import Doubles
from pipeline.model.scorer import Scorer

log = logging.getLogger(__name__)

MOST_ROUNDS = 6
LEAST_RISE = 0.002
"""Of the likelihood of the pages kept apart, as a share, for another round to be worth it."""
SUSPECTED = 0.0
UNSUSPECTED = -2.0
"""Log odds of being spun from which, and to which, a page is read for evidence, or held against it.
What lies between is neither."""
SHARE = 0.5
"""What a learned pair's prior is multiplied by: the tool that wrote it is one of several, and most
of what is spun with lists is spun with lists that are known (`training.back_off.KINDS`)."""
TRUE = 0.97
"""Confidence of a pair that was read off two copies."""
GUARD_ROUNDS = 4


class Learned(NamedTuple):
    """A pair, and why it is believed."""

    times: float
    """How many substitutions of it were seen, or are to be expected by their probabilities."""
    documents: int
    confidence: float
    """Probability that some tool has it in its list."""
    source: str
    """`copies` or `suspects`."""


class Round(NamedTuple):
    suspects: int
    pairs: int
    likelihood: float
    """Nats by which the pages kept apart are likelier than if all were clean, on average."""


class Lesson(NamedTuple):
    """What was learned, and how it went."""

    scorer: Scorer
    pairs: Mapping[Pair, Learned]
    rounds: Sequence[Round]
    families: Sequence[Family]
    suspects: Sequence[Document]
    """Those of the last round; numbers in `families` are theirs."""
    dropped: Mapping[Pair, Learned]
    """What was believed, but raised flags on clean pages."""
    flags_before: float
    flags_after: float
    """On clean pages, for 1,000 characters."""


def learn(scorer: Scorer, sample: Sample, facts: Mapping[Pair, Fact], config: Config) -> Lesson:
    """A scorer that knows more, given documents and pairs that copies have shown."""
    known = dict(_from_copies(facts))
    taught, pairs = _taught(scorer, known), dict(known)
    rounds: list[Round] = []
    best: tuple[Scorer, dict[Pair, Learned]] = taught, pairs
    for _ in range(MOST_ROUNDS):
        odds = _spun(taught, sample.counted)
        suspects = _texts(sample.counted, odds >= SUSPECTED)
        likelihood = _likelihood(taught, sample.kept_apart)
        rounds.append(Round(len(suspects), len(pairs), likelihood))
        log.info("%d suspects, %d pairs, %.3f nats", *rounds[-1])
        if len(rounds) > 1 and likelihood < rounds[-2].likelihood * (1 + LEAST_RISE):
            break
        best = taught, pairs
        found = _from_suspects(scorer, taught, suspects, _texts(sample.counted, odds <= UNSUSPECTED))
        pairs = {**found, **known}
        taught = _taught(scorer, pairs)
    taught, pairs = best
    clean = [one.text for one in sample.others]
    before = guard.flags_on(scorer, clean, config)
    taught, kept, after = _guarded(scorer, taught, pairs, clean, before, config)
    every = [one for one, odds in zip(sample.all, _spun(taught, sample.all), strict=True) if odds > 0]
    return Lesson(
        taught,
        kept,
        rounds,
        families(_choices(taught, [one.text for one in every])),
        every,
        {pair: one for pair, one in pairs.items() if pair not in kept},
        before.per_thousand,
        after.per_thousand,
    )


def _from_copies(facts: Mapping[Pair, Fact]) -> Mapping[Pair, Learned]:
    return {
        pair: Learned(float(fact.times), fact.documents, TRUE, "copies")
        for pair, fact in facts.items()
    }


def _taught(scorer: Scorer, pairs: Mapping[Pair, Learned]) -> Scorer:
    whole: dict[str, float] = {}
    for (original, _), one in pairs.items():
        whole[original] = whole.get(original, 0.0) + one.times
    priors = {
        pair: float(np.log(SHARE * one.times / whole[pair[0]])) for pair, one in pairs.items()
    }
    return scorer._replace(channel=scorer.channel.taught(scorer.ngrams, priors)) if pairs else scorer


def _spun(scorer: Scorer, documents: Sequence[Document]) -> Doubles:
    texts = [one.text for one in documents]
    return np.concatenate([np.zeros(0), *(scorer.judge(batch).spun for batch in batches(texts))])


def _texts(documents: Sequence[Document], wanted: Sequence[bool]) -> list[str]:
    return [one.text for one, is_wanted in zip(documents, wanted, strict=True) if is_wanted]


def _likelihood(scorer: Scorer, documents: Sequence[Document]) -> float:
    """Mean over the documents of log(1 + odds of being spun), by the generative model: but for a
    constant the log likelihood of the whole mixture.
    """
    _, spun = read_sites(scorer, [one.text for one in documents])
    return float(np.logaddexp(0.0, spun).mean()) if len(spun) else 0.0


def _from_suspects(
    untaught: Scorer, scorer: Scorer, suspects: Sequence[str], others: Sequence[str]
) -> dict[Pair, Learned]:
    """What the suspects prove, read by the model as taught so far."""
    channel = scorer.channel
    sites, _ = read_sites(scorer, suspects)
    found = weighed(channel, sites)
    own, elsewhere = (counted(channel, scorer, texts) for texts in (suspects, others))
    rows, confidence = believed(channel, found, own, elsewhere)
    names = channel.pairs_at(rows)
    known = untaught.channel.listed_pairs
    return {
        pair: Learned(float(found.settled[row]), int(found.documents[row]), float(chance), "suspects")
        for pair, row, chance in zip(names, rows.tolist(), confidence, strict=True)
        if chance >= LEAST and pair not in known
    }


def _guarded(
    scorer: Scorer,
    taught: Scorer,
    pairs: Mapping[Pair, Learned],
    clean: Sequence[str],
    before: guard.Flags,
    config: Config,
) -> tuple[Scorer, dict[Pair, Learned], guard.Flags]:
    kept = dict(pairs)
    after = guard.flags_on(taught, clean, config)
    for _ in range(GUARD_ROUNDS):
        wrong = guard.guilty(before, after, kept.keys())
        if not wrong:
            break
        kept = {pair: one for pair, one in kept.items() if pair not in wrong}
        taught = _taught(scorer, kept)
        after = guard.flags_on(taught, clean, config)
    return taught, kept, after


def _choices(scorer: Scorer, texts: Sequence[str]) -> list[dict[str, str]]:
    """Of each text what was written for what, as far as that is more likely than not."""
    sites, _ = read_sites(scorer, texts)
    sure = np.flatnonzero(sites.p * sites.share >= 0.5)
    names = scorer.channel.pairs_at(sites.pair[sure])
    choices: list[dict[str, str]] = [{} for _ in texts]
    for (original, surface), document in zip(names, sites.document[sure].tolist(), strict=True):
        choices[document][original] = surface
    return choices
