"""Advertisement strings that a spinner inserted: betting, medicine, sales, search engines."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Config
from pipeline.detectors.pieces import moved, pieces
from pipeline.model import scorer
from pipeline.model.insertions import FEATURES, Suspect, hold_terms, suspects
from pipeline.model.odds import probability
from pipeline.model.scorer import Scorer
from pipeline.spans import Evidence, Flag, Verdict
from pipeline.verdicts import Verdicts

NAME = "injection"


def detect(texts: Sequence[str], config: Config) -> Verdicts:
    """One verdict for each text, without an opinion on the whole. Nothing is suggested: what stood
    there before is nothing.
    """
    model = scorer.load(Path(config.model))
    return Verdicts.of(
        [
            Verdict(_flags(text, model, config.keep_probability) if held else [])
            for text, held in zip(texts, hold_terms(texts), strict=True)
        ]
    )


def _flags(text: str, model: Scorer, at_least: float) -> list[Flag]:
    return [
        moved(flag, start)
        for start, piece in pieces(text)
        for flag in _of_piece(piece, model, at_least)
    ]


def _of_piece(text: str, model: Scorer, at_least: float) -> list[Flag]:
    found = suspects(text, model.ngrams.alphabet.ids(text), model.ngrams)
    flags = [_flag(text, one, float(probability(one.evidence @ model.inserted))) for one in found]
    return [flag for flag in flags if flag.probability >= at_least]


def _flag(text: str, found: Suspect, chance: float) -> Flag:
    known = dict(zip(FEATURES, found.evidence.tolist(), strict=True))
    surface = text[found.start : found.end]
    return Flag(
        found.start,
        found.end,
        surface,
        "",
        (),
        chance,
        "injection",
        NAME,
        Evidence(known["joined"], known["entry"], known["terms"], text.count(surface), 0),
    )
