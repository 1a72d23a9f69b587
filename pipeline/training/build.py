"""`make train`: from a folder of text and a folder of word lists to everything that ships.

In order: count n-grams; segment and embed words; make the channel of lists and back-off; train the
tagger on spun text; fit the decision on pages that were not counted. What takes long is kept in a
work directory beside the model, so a training that was stopped goes on.
"""

import hashlib
import json
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.model import ngrams as language
from pipeline.model.alphabet import Alphabet
from pipeline.model.arrays import Bools
from pipeline.model.channel import LISTED, N_LISTS, Channel
from pipeline.model.ngrams import NgramModel
from pipeline.model.scorer import Scorer
from pipeline.model.tagger import Tagger
from pipeline.storage import file_hash
from pipeline.training import back_off, embeddings, language_model, tagger
from pipeline.training.annotations import agreed, site_of, with_answers
from pipeline.training.corpus import Document, documents, is_held_out, sources_of
from pipeline.training.embeddings import Neighbours
from pipeline.training.fit import Judged, Readership, fit
from pipeline.training.insertion_fit import contexts
from pipeline.training.lexica import (
    OBSERVED_FILE,
    OWN_OBSERVED,
    OWN_PAIRS,
    PAIRS_FILE,
    RELATED_FILE,
    Observed,
    Pairs,
    Related,
    names_of,
    read_observed,
    read_pairs,
    read_related,
    read_tools,
    together,
)
from pipeline.training.ngram_counts import as_ids
from pipeline.training.pages import Page, cut, levelled, spun
from pipeline.training.tools import HELD_OUT_FOLD, UNLISTED_FOLD, Sources, fold
from pipeline.training.words import Words, read_words

log = logging.getLogger(__name__)

SIDES = (0, 1)

SIMULATED_REACH = 30
SIMULATED_WINDOW = 2
"""The embedding that simulated tools go by is another one than the channel's, with a narrower
window and from half of the text: a real tool's is another one, too."""


FITTED_RATES = (0.03, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Shares of replaced characters on the pages that the decision is fitted on. Of 35 real pages that
were annotated span by span, 9% to 50% of the Han characters were substitutes."""


FEW_LISTS = (1, 1, 1, 2, 2, 3)
"""How many lists are known where few are."""


class Settings(NamedTuple):
    """What decides a training besides its input. All of it goes into the model's card."""

    ngrams: int = 8_500_000
    """n-grams in the shipped table, 4.5 bytes each."""
    least_count: int = 8
    """A rarer character has no id of its own."""
    held_out_per_mille: int = 100
    """Documents kept from the counts, to fit the decision on."""
    unread_per_mille: int = 40
    """Documents of those that the vectors and the tagger have not seen either; the others they have
    seen, but spun by other tools."""
    tagger_chars: int = 100_000_000
    """Characters of spun text that the tagger learns from; some 24 minutes on two free cores."""
    texts: int = 9_000
    """Pages to fit on: half of them are spun, and half of those are seen clean, too."""
    stranger_ngrams: int = 6_000_000
    """n-grams of each language model that has seen half of the sources (`_readerships`)."""
    seed: int = 1


def build(
    corpus: Path,
    lexica: Path,
    output: Path,
    settings: Settings,
    annotations: Path | None = None,
) -> Scorer:
    """Train on every document of ``corpus`` and write the model to ``output``.

    ``annotations`` is a file of answers (`annotation.gather`): the decision is fitted on them, too.
    New answers cost a new channel and fit; what takes hours is not done again for them.

    Raises FileNotFoundError if ``lexica`` has no `spinner_pairs.tsv`.
    """
    answers = agreed(annotations) if annotations else []
    made_from = card(corpus, lexica, settings)
    work = _work_directory(output, made_from)
    pairs = _lists(lexica)
    related = read_related(lexica / RELATED_FILE)
    docs = list(documents(corpus))
    counted = [d.text for d in docs if not is_held_out(d.name, settings.held_out_per_mille)]
    read = [d.text for d in docs if not is_held_out(d.name, settings.unread_per_mille)]
    if not counted or len(counted) == len(docs):
        raise ValueError(f"{corpus} holds no readable text")
    ngrams = _ngrams(work, counted, docs, settings)
    words = read_words(read)
    log.info("%d words, %d different ones", len(words.ids), len(words.words))
    unit = embeddings.vectors(words.ids, len(words.words), settings.seed)
    near = embeddings.nearest(unit, back_off.NEAREST)
    observed = _together(read_observed(lexica / OBSERVED_FILE), read_observed(OWN_OBSERVED))
    seen = with_answers(observed, answers)
    channel = _as_shipped(
        back_off.channel(ngrams, words, unit, near, pairs, seen, related, settings.seed)
    )
    sources = simulated(words, pairs, related, settings.seed).without_fold(HELD_OUT_FOLD)
    sides = _sides(docs, sources_of(corpus))
    strangers = _strangers(work, docs, sides, ngrams.alphabet, settings)
    taught = _tagger(work, docs, sides, strangers, sources, settings)
    readerships = _readerships(docs, sides, strangers, ngrams, sources, settings)
    advertised = contexts(doc.text for doc in docs)
    judged = None
    if answers:
        unaware = channel.forgetting(_are_of(channel, seen.keys() - {*pairs, *observed}))
        judged = Judged(unaware, list(map(site_of, answers)))
    scorer = fit(
        channel,
        _known(channel, settings.seed),
        taught,
        readerships,
        advertised,
        settings.seed,
        judged,
    )
    scorer.save(output, made_from if annotations is None else _with(made_from, annotations))
    return scorer


def _lists(lexica: Path) -> Pairs:
    """The lists in the open, and our own, with what was seen of the same tools on real pages."""
    own = read_pairs(OWN_PAIRS)
    seen = (read_tools(path, names_of(own)) for path in (lexica / OBSERVED_FILE, OWN_OBSERVED))
    return together(read_pairs(lexica / PAIRS_FILE), own, *seen)


def card(corpus: Path, lexica: Path, settings: Settings) -> dict[str, object]:
    """How a model came about: the settings, and name and SHA-256 of every file that went in."""
    files = sorted(p for p in corpus.rglob("*") if p.is_file()) if corpus.is_dir() else [corpus]
    lists = [lexica / name for name in (PAIRS_FILE, OBSERVED_FILE, RELATED_FILE)]
    used = *files, lists[0], *filter(Path.exists, lists[1:]), OWN_OBSERVED, OWN_PAIRS
    made_from = {path.name: file_hash(path) for path in used}
    return {"settings": settings._asdict(), "made_from": made_from}


def _together(one: Observed, other: Observed) -> Observed:
    return {pair: one.get(pair, 0.0) + other.get(pair, 0.0) for pair in (*one, *other)}


def _with(made_from: dict[str, object], annotations: Path) -> dict[str, object]:
    return {**made_from, "annotations": {annotations.name: file_hash(annotations)}}


def simulated(words: Words, pairs: Pairs, related: Related, seed: int) -> Sources:
    """What simulated tools take their lines from."""
    half = words.ids[: len(words.ids) // 2]
    unit = embeddings.vectors(half, len(words.words), seed, SIMULATED_WINDOW)
    near = embeddings.nearest(unit, min(SIMULATED_REACH, len(words.words) - 2))
    return Sources(pairs, _as_words(near, words), _both_ways(related, set(words.words)))


def _as_words(near: Neighbours, words: Words) -> dict[str, list[str]]:
    rows = near.ids.tolist()
    return {
        word: [words.words[i] for i in rows[number]]
        for number, word in enumerate(words.words)
        if 0 < number < 30_000  # of rarer words the vectors say little
    }


def _both_ways(related: Related, known: set[str]) -> dict[str, list[str]]:
    table: dict[str, set[str]] = {}
    for one, other in related:
        if one in known and other in known:
            table.setdefault(one, set()).add(other)
            table.setdefault(other, set()).add(one)
    return {word: sorted(others) for word, others in sorted(table.items())}


def _as_shipped(channel: Channel) -> Channel:
    """With the precision that ships: what the decision is fitted on is what it will see."""
    with tempfile.TemporaryDirectory() as folder:
        channel.save(Path(folder))
        return Channel.load(Path(folder), channel.alphabet)


def _are_of(channel: Channel, pairs: Set[tuple[str, str]]) -> Bools:
    """Which pairs of the channel are among these."""
    return np.array([pair in pairs for pair in channel.pairs()], dtype=np.bool_)


def _known(channel: Channel, seed: int) -> list[Channel]:
    """What the fitting knows of the channel, in turn. Two folds of the pairs are in no list. With
    one of them pages are spun all the same, as by tools whose lists nobody has; and every second
    time only a few lists are known, chosen at random, so that most pages are by a tool of which
    only what it shares with others is known.
    """
    hidden = {HELD_OUT_FOLD, UNLISTED_FOLD}
    most = channel.forgetting(np.array([fold(*pair) in hidden for pair in channel.pairs()]))
    held = np.bitwise_or.reduce(most.family & LISTED, initial=0)
    lists = [bit for bit in range(N_LISTS) if held >> bit & 1]
    rng = random.Random(seed)
    few = [most.knowing(rng.sample(lists, min(n, len(lists)))) for n in FEW_LISTS]
    return [known for one in few for known in (one, most)]


def _readerships(
    docs: Sequence[Document],
    sides: Mapping[str, int],
    strangers: Mapping[int, Path],
    ngrams: NgramModel,
    tools: Sources,
    settings: Settings,
) -> list[Readership]:
    """Pages of held-out documents. One half is scored by the model that ships, to which their kind
    is familiar; the other by models that have seen no text of their source, as will happen to much
    that is on the web. Fitted on the first half alone, the decision takes strange for spun.
    """
    held = [doc for doc in docs if is_held_out(doc.name, settings.held_out_per_mille)]
    half, quarter = settings.texts // 2, settings.texts // 4
    texts = [doc.text for doc in held]
    found = [Readership(ngrams, _pages(texts, ngrams, tools, half, settings.seed))]
    for side, stranger in strangers.items():
        if own := [doc.text for doc in held if sides[doc.name] == side]:
            pages = _pages(own, ngrams, tools, quarter, settings.seed + 1 + side)
            found.append(Readership(language.load(stranger), pages))
    for one in found:
        log.info("%d pages, %d spun", len(one.pages), sum(bool(page.truth) for page in one.pages))
    return found


def _sides(docs: Sequence[Document], source_of: Mapping[str, str]) -> dict[str, int]:
    """Every source, and all of its documents, on one of two sides; documents without a source by
    their names.
    """
    sources = sorted({source_of[doc.name] for doc in docs if doc.name in source_of})
    side = {source: number % len(SIDES) for number, source in enumerate(sources)}
    return {
        doc.name: side[source_of[doc.name]]
        if doc.name in source_of
        else int(is_held_out(f"side {doc.name}", 500))
        for doc in docs
    }


def _pages(
    held: Sequence[str], ngrams: NgramModel, tools: Sources, n: int, seed: int
) -> list[Page]:
    """Spun pages and clean ones; a quarter of the ``n`` texts are among both."""
    rng = random.Random(seed)
    texts = levelled(list(cut(held, rng)), ngrams, n, seed)
    half = int(0.55 * len(texts))
    pages = list(spun(texts[:half], tools, 1.0, rng, FITTED_RATES))
    pages += [Page(text, []) for text in texts[half // 2 :]]
    rng.shuffle(pages)
    return pages


# --- what takes long, and is kept


def _work_directory(output: Path, made_from: dict[str, object]) -> Path:
    """Beside the model, one for each input and settings."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    work = output.with_name(f"{output.name}.work-{digest[:12]}")
    work.mkdir(parents=True, exist_ok=True)
    return work


def _ngrams(
    work: Path, counted: list[str], docs: Sequence[Document], settings: Settings
) -> NgramModel:
    if not (work / "ngrams.npy").exists():
        frequency: Counter[str] = Counter()
        for _, text in docs:
            frequency.update(text)
        alphabet = Alphabet.of_counts(frequency, settings.least_count)
        language_model.train(as_ids(alphabet, counted), alphabet, settings.ngrams).save(work)
    return language.load(work)


def _strangers(
    work: Path,
    docs: Sequence[Document],
    sides: Mapping[str, int],
    alphabet: Alphabet,
    settings: Settings,
) -> dict[int, Path]:
    """Of each side, where the language model is that has seen nothing of it. A side has none if
    there is nothing else to count.
    """
    found = {}
    for side in SIDES:
        others = [
            doc.text
            for doc in docs
            if sides[doc.name] != side and not is_held_out(doc.name, settings.held_out_per_mille)
        ]
        if others:
            found[side] = work / f"without-{side}"
            if not (found[side] / "ngrams.npy").exists():
                ids = as_ids(alphabet, others)
                trained = language_model.train(ids, alphabet, settings.stranger_ngrams)
                found[side].mkdir(exist_ok=True)
                trained.save(found[side])
    return found


def _tagger(
    work: Path,
    docs: Sequence[Document],
    sides: Mapping[str, int],
    strangers: Mapping[int, Path],
    sources: Sources,
    settings: Settings,
) -> Tagger:
    path = work / "tagger.npz"
    if not path.exists():
        read = [doc for doc in docs if not is_held_out(doc.name, settings.unread_per_mille)]
        of_side = {side: [d.text for d in read if sides[d.name] == side] for side in SIDES}
        materials = [
            tagger.Material(texts, strangers.get(side, work))
            for side, texts in of_side.items()
            if texts
        ]
        trained = tagger.train(materials, sources, settings.tagger_chars, settings.seed)
        trained.save(path)
    return Tagger.load(path)  # with the precision that ships
