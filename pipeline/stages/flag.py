"""flag: what was probably substituted, where, how sure, and what stood there."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.config import Config
from pipeline.detectors import DETECTORS, Detector
from pipeline.hanzi import count_han
from pipeline.model.odds import probability
from pipeline.model.perplexity import perplexity
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Flag, Loss, Verdict

SCHEMA = STAGE_COLUMNS["flag"]
DEFAULTS = Config()


class Flagged(NamedTuple):
    """The flags of one document, disjoint and in order, and what they make of the whole."""

    flags: list[Flag]
    spin_rate: float
    spun_probability: float
    perplexity: float | None
    """To the model's language model (`model.perplexity`)."""


def flag(text: str, config: Config = DEFAULTS) -> list[Flag]:
    """Suspected spans of one text, in order. For many texts `flag_all` is far faster.

    >>> [(f.surface, f.suggestion) for f in flag("这种情势主义害逝世人。") if f.probability > 0.5]
    [('情势', '形式'), ('逝世', '死')]
    """
    return flag_all([text], config)[0].flags


def flag_all(
    texts: Sequence[str],
    config: Config = DEFAULTS,
    detectors: Mapping[str, Detector] = DETECTORS,
) -> list[Flagged]:
    """Every detector's verdict on each text, merged."""
    verdicts = [detect(texts, config) for detect in detectors.values()]
    return [_merged(text, of_one) for text, *of_one in zip(texts, *verdicts, strict=True)]


def _merged(text: str, verdicts: list[Verdict]) -> Flagged:
    flags = _disjoint([f for verdict in verdicts for f in verdict.flags])
    odds = [v.spun_log_odds for v in verdicts if v.spun_log_odds is not None]
    expected = sum(f.probability * (f.end - f.start) for f in flags)
    spun = probability(max(odds, default=-20.0))
    loss = reduce(Loss.plus, (v.loss for v in verdicts), Loss(0, 0))
    rate = min(1.0, expected / max(1, count_han(text)))
    return Flagged(flags, rate, float(spun), perplexity(loss))


def _disjoint(flags: list[Flag]) -> list[Flag]:
    """Of flags that overlap, the most probable."""
    taken: set[int] = set()
    kept = []
    for found in sorted(flags, key=lambda f: -f.probability):
        span = range(found.start, found.end)
        if taken.isdisjoint(span):
            taken.update(span)
            kept.append(found)
    return sorted(kept, key=lambda f: f.start)


def run(docs: pa.RecordBatch, config: Config) -> pa.RecordBatch:
    """The columns of `flag` for a batch with the column ``text``."""
    flagged = flag_all(docs.column("text").to_pylist(), config)
    counts = [_count(one.flags, config.flag_probability) for one in flagged]
    return pa.record_batch(
        [
            pa.array([[_row(f) for f in one.flags] for one in flagged], SCHEMA.field("flags").type),
            pa.array(counts, pa.int32()),
            pa.array([one.spin_rate for one in flagged], pa.float32()),
            pa.array([one.spun_probability for one in flagged], pa.float32()),
            pa.array([one.perplexity for one in flagged], pa.float32()),
        ],
        schema=SCHEMA,
    )


def _count(flags: list[Flag], least: float) -> int:
    """In 32 bits, as the tables hold the probabilities: so they count the same."""
    return int((np.array([f.probability for f in flags], np.float32) >= np.float32(least)).sum())


def _row(found: Flag) -> dict[str, object]:
    return {
        **found._asdict(),
        "suggestions": [s._asdict() for s in found.suggestions],
        "evidence": found.evidence._asdict(),
    }
