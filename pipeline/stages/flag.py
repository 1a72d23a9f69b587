"""flag: what was probably substituted, where, how sure, and what stood there."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.config import Config
from pipeline.detectors import DETECTORS, Detector
from pipeline.hanzi import count_han
from pipeline.model.arrays import Doubles
from pipeline.model.odds import probability
from pipeline.model.perplexity import perplexity
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Flag, Loss
from pipeline.verdicts import documents_of, flags_of, merged

SCHEMA = STAGE_COLUMNS["flag"]
DEFAULTS = Config()


class Flagged(NamedTuple):
    """The flags of one document, disjoint and in order, and what they make of the whole."""

    flags: list[Flag]
    spin_rate: float
    spun_probability: float
    perplexity: float | None = None
    """To the model's language model (`model.perplexity`)."""


def flag(text: str, config: Config = DEFAULTS) -> list[Flag]:
    """Suspected spans of one text, in order. For many texts `flag_all` is far faster.

    >>> found = flag("这种情势主义害逝世人。")
    >>> [(one.surface, one.suggestion) for one in found if one.probability > 0.5]
    [('情势', '形式'), ('逝世', '死')]
    """
    return flag_all([text], config)[0].flags


def flag_all(
    texts: Sequence[str],
    config: Config = DEFAULTS,
    detectors: Mapping[str, Detector] = DETECTORS,
) -> list[Flagged]:
    """Every detector's verdict on each text, merged."""
    seen = _seen(texts, config, detectors)
    rows = zip(
        map(flags_of, seen.flags.to_pylist()),
        seen.spin_rate.tolist(),
        seen.spun_probability.tolist(),
        seen.perplexity,
        strict=True,
    )
    return [Flagged(*row) for row in rows]


class _Seen(NamedTuple):
    """The same of all documents, in columns."""

    flags: pa.ListArray
    spin_rate: Doubles
    spun_probability: Doubles
    perplexity: list[float | None]


def _seen(texts: Sequence[str], config: Config, detectors: Mapping[str, Detector]) -> _Seen:
    verdicts = [detect(texts, config) for detect in detectors.values()]
    flags = merged([of.flags for of in verdicts])
    spans = flags.flatten()
    start, end, chance = (spans.field(n).to_numpy() for n in ("start", "end", "probability"))
    covered = np.bincount(documents_of(flags), chance * (end - start), len(texts))
    han = np.array([count_han(text) for text in texts], dtype=np.int64)
    spun = [
        max((odds for odds in of_one if odds is not None), default=-20.0)
        for of_one in zip(*(of.spun_log_odds for of in verdicts), strict=True)
    ]
    losses = zip(*(of.loss for of in verdicts), strict=True)
    return _Seen(
        flags,
        np.minimum(1.0, covered / np.maximum(1, han)),
        probability(np.array(spun, dtype=np.float64)),
        [perplexity(reduce(Loss.plus, of_one)) for of_one in losses],
    )


def run(docs: pa.RecordBatch, config: Config) -> pa.RecordBatch:
    """The columns of `flag` for a batch with the column ``text``."""
    seen = _seen(docs.column("text").to_pylist(), config, DETECTORS)
    # In 32 bits, as the tables hold the probabilities: so they count the same.
    counted = seen.flags.flatten().field("probability").to_numpy() >= np.float32(
        config.flag_probability
    )
    counts = np.bincount(documents_of(seen.flags), counted, docs.num_rows)
    return pa.record_batch(
        [
            seen.flags,
            pa.array(counts, pa.int32(), safe=False),
            pa.array(seen.spin_rate, pa.float32()),
            pa.array(seen.spun_probability, pa.float32()),
            pa.array(seen.perplexity, pa.float32()),
        ],
        schema=SCHEMA,
    )
