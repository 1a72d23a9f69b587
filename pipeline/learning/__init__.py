"""`make learn`: a corpus teaches the detector the pairs of tools that nobody has a list for.

Rounds of expectation maximisation. What the model suspects is read, and every pair that it tries
there is weighed over all pages (`evidence`, `verdict`); what is certain enough joins the channel,
and the next round suspects more. It ends when pages that nothing is counted on become no likelier;
then whatever raises flags on clean pages is taken out again (`guard`).
"""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pipeline.config import Config
from pipeline.learning import guard
from pipeline.learning.copies import Fact, Pair
from pipeline.learning.corpus import Document, Sample
from pipeline.learning.evidence import batches, counted, read_sites, weighed
from pipeline.learning.families import Family, families
from pipeline.learning.proposals import widened
from pipeline.learning.verdict import LEAST, believed
from pipeline.model.arrays import Bools, Doubles
from pipeline.model.scorer import Scorer

log = logging.getLogger(__name__)

MOST_ROUNDS = 6
LEAST_RISE = 0.002
"""Of the likelihood of the pages kept apart, as a share, for another round to be worth it."""
HOPELESS = -5.0
"""Log odds of being spun up to which a page is not looked at again, to save time. That none of them
would come to be suspected was not measured.
"""
SUSPECTED = 0.0
UNSUSPECTED = -2.0
"""Log odds of being spun from which, and to which, a page is read for evidence, or held against it.
What lies between is neither."""
SHARE = 0.5
"""What a learned pair's prior is multiplied by: the tool that wrote it is one of several, and most
of what is spun with lists is spun with lists that are known (`training.back_off.KINDS`)."""
GUARD_ROUNDS = 8
"""Of taking out what raises flags on clean pages: one pair gone, another may come to the fore."""

PROVED = 0.95
"""Confidence in a pair that was read off copies: of such readings 95 to 97 in 100 are the tool's
very pairs (pages spun by five lists at rates of 5% to 40%)."""


class Learned(NamedTuple):
    """A pair, and why it is believed."""

    times: float
    """How many substitutions of it were seen, or are to be expected by their probabilities."""
    documents: int
    confidence: float
    """Probability that some tool has it in its list."""
    copies: int = 0
    """Times that it was read off a spun copy and its original."""


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


def learn(
    scorer: Scorer,
    sample: Sample,
    config: Config,
    facts: Mapping[Pair, Fact] = MappingProxyType({}),
) -> Lesson:
    """A scorer that knows more. ``facts`` are pairs that copies prove (`copies`)."""
    known = scorer.channel.listed_pairs
    proved = {
        pair: Learned(float(one.times), one.documents, PROVED, one.times)
        for pair, one in facts.items()
        if pair not in known and all(map(scorer.ngrams.alphabet.knows, pair))
    }
    pairs, rounds = _rounds(scorer, sample, proved)
    clean = [one.text for one in sample.others]
    before = guard.flags_on(scorer, clean, config)
    taught, kept, after = _guarded(scorer, pairs, clean, before, config)
    odds = _spun(taught, sample.all)
    suspects = [one for one, its in zip(sample.all, odds, strict=True) if its >= SUSPECTED]
    return Lesson(
        taught,
        kept,
        rounds,
        families(_choices(taught, [one.text for one in suspects])),
        suspects,
        {pair: one for pair, one in pairs.items() if pair not in kept},
        before.per_thousand,
        after.per_thousand,
    )


def _rounds(
    scorer: Scorer, sample: Sample, proved: Mapping[Pair, Learned]
) -> tuple[dict[Pair, Learned], list[Round]]:
    """The pairs of the round after which what is kept apart became no likelier."""
    pairs = dict(proved)
    before = pairs
    rounds: list[Round] = []
    odds = _spun(scorer, sample.counted)
    possible = np.flatnonzero(odds > HOPELESS)
    while len(rounds) < MOST_ROUNDS:
        taught = _taught(scorer, pairs)
        odds[possible] = _spun(taught, [sample.counted[at] for at in possible.tolist()])
        suspects = _texts(sample.counted, odds >= SUSPECTED)
        likelihood = _likelihood(taught, sample.kept_apart)
        rounds.append(Round(len(suspects), len(pairs), likelihood))
        log.info("%d suspects, %d pairs, %.3f nats", *rounds[-1])
        if len(rounds) > 1 and likelihood <= rounds[-2].likelihood * (1 + LEAST_RISE):
            return before, rounds
        others = _texts(sample.counted, odds <= UNSUSPECTED)
        before, pairs = pairs, _with(proved, _from_suspects(scorer, taught, suspects, others))
    return before, rounds


def _with(proved: Mapping[Pair, Learned], believed: Mapping[Pair, Learned]) -> dict[Pair, Learned]:
    """Both; of what is proved and seen elsewhere, too, all times."""
    both = {
        pair: one._replace(
            times=max(one.times, believed[pair].times),
            documents=max(one.documents, believed[pair].documents),
        )
        for pair, one in proved.items()
        if pair in believed
    }
    return {**believed, **proved, **both}


def _taught(scorer: Scorer, pairs: Mapping[Pair, Learned]) -> Scorer:
    whole: dict[str, float] = {}
    for (original, _), one in pairs.items():
        whole[original] = whole.get(original, 0.0) + one.times
    priors = {
        pair: float(np.log(SHARE * one.times / whole[pair[0]])) for pair, one in pairs.items()
    }
    return (
        scorer._replace(channel=scorer.channel.taught(scorer.ngrams, priors)) if pairs else scorer
    )


def _spun(scorer: Scorer, documents: Sequence[Document]) -> Doubles:
    """Log odds of being spun, all documents read. The gates, which spare a run the reading of most,
    let through 53% of the substitutions that no list has, and the reading finds more.
    """
    reader = scorer._replace(gates=np.full_like(scorer.gates, -np.inf))
    texts = [one.text for one in documents]
    return np.concatenate([np.zeros(0), *(reader.judge(batch).spun for batch in batches(texts))])


def _texts(documents: Sequence[Document], wanted: Bools) -> list[str]:
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
    own, elsewhere = (counted(scorer.channel, scorer, texts) for texts in (suspects, others))
    channel = widened(scorer.channel, scorer.ngrams, own, elsewhere)
    sites, _ = read_sites(scorer._replace(channel=channel), suspects)
    found = weighed(channel, sites, len(suspects))
    rows, confidence = believed(channel, found, own, elsewhere)
    names = channel.pairs_at(rows)
    known = untaught.channel.listed_pairs
    return {
        pair: Learned(float(found.settled[row]), int(found.documents[row]), float(chance))
        for pair, row, chance in zip(names, rows.tolist(), confidence, strict=True)
        if chance >= LEAST and pair not in known
    }


def _guarded(
    scorer: Scorer,
    pairs: Mapping[Pair, Learned],
    clean: Sequence[str],
    before: guard.Flags,
    config: Config,
) -> tuple[Scorer, dict[Pair, Learned], guard.Flags]:
    """A taught scorer, what it was taught, and its flags on clean pages."""
    kept = dict(pairs)
    for attempt in range(GUARD_ROUNDS):
        taught = _taught(scorer, kept)
        after = guard.flags_on(taught, clean, config)
        wrong = guard.guilty(before, after, kept.keys())
        if not wrong or attempt + 1 == GUARD_ROUNDS:
            break
        kept = {pair: one for pair, one in kept.items() if pair not in wrong}
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
