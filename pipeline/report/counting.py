"""What the report says about all documents, counted in one pass over each table.

Memory is bounded whatever the size of the corpus: histograms of fixed bars, counters with a cap,
and a fixed number of documents remembered by their hash.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import opened
from pipeline.report.histograms import Histogram, Scale
from pipeline.storage import Manifest
from pipeline.tally import SPUN

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]
"""Surface and suggestion."""

CHUNK_ROWS = 100_000
MAX_PAIRS = 200_000
"""Beyond twice as many different substitutions, the rarest are forgotten."""
MAX_NAMES = 5_000
"""Beyond so many different names, new ones are counted together, as `OTHERS`."""
OTHERS = "…"
REJECTS_SHOWN = 5
"""For each reason."""

SIGNALS: Mapping[str, Scale] = {
    "han_share": Scale(0, 1, 25),
    "punctuation_share": Scale(0, 0.5, 25),
    "line_repetition": Scale(0, 1, 25),
    "mean_sentence_chars": Scale(0, 100, 25),
    "perplexity": Scale(2, 2048, 30, logarithmic=True),
    "injected_share": Scale(0, 1, 25),
}
"""The quality figures of `documents`, each with the axis that it is drawn on."""


class Located(NamedTuple):
    """A document, and the part that holds it."""

    doc_id: str
    part: str


class Lowest:
    """Of all that it is shown, the ``size`` documents with the lowest `doc_id`.

    A `doc_id` is a hash, so this is a fair sample, and always the same.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self._heap: list[tuple[int, str, str]] = []

    def add(self, doc_ids: pa.ChunkedArray, part: str) -> None:
        self.seen += len(doc_ids)
        if len(self._heap) == self.size and self.size:
            doc_ids = doc_ids.filter(pc.less(doc_ids, self._heap[0][1]))
        for doc_id in doc_ids.to_pylist():
            item = (-_number(doc_id), doc_id, part)
            if len(self._heap) < self.size:
                heapq.heappush(self._heap, item)
            elif self._heap and item > self._heap[0]:
                heapq.heapreplace(self._heap, item)

    def chosen(self) -> list[Located]:
        return [Located(doc_id, part) for _, doc_id, part in sorted(self._heap, reverse=True)]


def _number(doc_id: str) -> int:
    """A number with the order of the strings: a heap of Python's has its lowest on top."""
    return int.from_bytes(doc_id.encode()[:24].ljust(24, b"\0"), "big")


def chunks(
    corpus: Path, manifest: Manifest, table: str, columns: Sequence[str]
) -> Iterator[tuple[str, pa.Table]]:
    """The table, some row groups at a time, with the name of the part that they stand in."""
    for part in manifest.parts:
        folder, _, name = part.name.rpartition("/")
        if folder != table or not part.rows:
            continue
        with opened(corpus / part.name) as file:
            waiting, rows = [], 0
            for group in range(file.num_row_groups):
                waiting.append(group)
                rows += file.metadata.row_group(group).num_rows
                if rows >= CHUNK_ROWS or group + 1 == file.num_row_groups:
                    yield name, file.read_row_groups(waiting, list(columns), use_threads=False)
                    waiting, rows = [], 0


def numbers(column: pa.ChunkedArray) -> Floats:
    """The column's values, less nulls and what is no number."""
    values = np.asarray(column.drop_null().cast(pa.float64()).to_numpy(), np.float64)
    return values[np.isfinite(values)]


class Names:
    """Counts of names that strangers may have chosen: there may be any number of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, column: pa.ChunkedArray) -> None:
        for item in pc.value_counts(column.combine_chunks()).to_pylist():
            name = item["values"] or ""
            known = name in self.counts or len(self.counts) < MAX_NAMES
            self.counts[name if known else OTHERS] += item["counts"]

    def top(self, size: int) -> list[tuple[str, int]]:
        """The most frequent; the others together, as `OTHERS`."""
        listed = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in listed[size:])
        return listed[:size] + ([(OTHERS, rest)] if rest else [])


# --- documents

STRATA: Mapping[str, int] = {
    "spun": 100,
    "doubtful": 40,
    "flagged": 40,
    "injected": 20,
    "odd": 30,
    "plain": 40,
}
"""Kinds of documents to read, most interesting first, and how many of each at most.

A document belongs to the first kind that fits it.
"""
GROUPED = 240
"""So many spun documents are compared for what they share."""

SUFFIX = r"(?P<suffix>\.[A-Za-z0-9]{1,10}(?:\.(?:gz|bz2|xz|zst))?)$"


class Documents:
    """What is told of `documents`."""

    COLUMNS = (
        *("doc_id", "source", "script", "encoding", "damaged", "n_chars", "n_han", "n_flags"),
        *("spin_rate", "spun_probability", "duplicate_of"),
        *SIGNALS,
    )

    def __init__(self) -> None:
        self.count = self.chars = self.han = self.flags = 0
        self.spun = self.duplicates = self.damaged = self.empty_perplexity = 0
        self.scripts, self.encodings, self.suffixes = Names(), Names(), Names()
        self.spun_probability = Histogram(Scale(0, 1, 20))
        self.spin_rate = Histogram(Scale(0, 0.5, 25))
        self.signals = {name: Histogram(scale) for name, scale in SIGNALS.items()}
        self.strata = {name: Lowest(size) for name, size in STRATA.items()}
        self.grouped = Lowest(GROUPED)

    def add(self, rows: pa.Table, part: str) -> None:
        self.count += rows.num_rows
        self.chars += pc.sum(rows["n_chars"]).as_py() or 0
        self.han += pc.sum(rows["n_han"]).as_py() or 0
        self.flags += pc.sum(rows["n_flags"]).as_py() or 0
        self.duplicates += rows.num_rows - rows["duplicate_of"].null_count
        self.damaged += pc.sum(pc.greater(rows["damaged"], 0)).as_py() or 0
        self.scripts.add(rows["script"])
        self.encodings.add(rows["encoding"])
        suffix = pc.struct_field(pc.extract_regex(rows["source"], SUFFIX), "suffix")
        self.suffixes.add(pc.utf8_lower(suffix))
        for name, histogram in self.signals.items():
            histogram.add(numbers(rows[name]))
        spun = pc.greater_equal(rows["spun_probability"], SPUN)
        self.spun += pc.sum(spun).as_py() or 0
        self.spun_probability.add(numbers(rows["spun_probability"]))
        self.spin_rate.add(numbers(rows["spin_rate"].filter(spun)))
        self.grouped.add(rows["doc_id"].filter(spun), part)
        stratum = _stratum(rows)
        for index, lowest in enumerate(self.strata.values()):
            lowest.add(rows["doc_id"].filter(pa.array(stratum == index)), part)


def _stratum(rows: pa.Table) -> npt.NDArray[np.int64]:
    """Of each document the index of its kind in STRATA."""
    of = {
        name: np.nan_to_num(rows[name].cast(pa.float64()).to_numpy(), nan=0.0)
        for name in (*SIGNALS, "spun_probability", "n_flags", "damaged")
    }
    odd = (of["damaged"] > 0) | (of["line_repetition"] > 0.3) | (of["han_share"] < 0.3)
    kinds = [
        of["spun_probability"] >= SPUN,
        of["spun_probability"] >= 0.1,
        of["n_flags"] > 0,
        of["injected_share"] > 0,
        odd | (of["perplexity"] > 300),
    ]
    return np.asarray(np.select(kinds, range(len(kinds)), len(kinds)), np.int64)


# --- flags


class PairCount(NamedTuple):
    """How often a substitution was flagged."""

    flags: int
    documents: int
    probability: float
    """Sum over its flags."""


class Flags:
    """What is told of `flags`. Those below ``threshold`` are only in the histogram."""

    COLUMNS = ("doc_id", "surface", "suggestion", "probability", "kind")

    def __init__(self, threshold: float, grouped: Iterable[str]) -> None:
        self._threshold = threshold
        self._grouped = pa.array(sorted(grouped), pa.string())
        self.kinds = Names()
        self.probability = Histogram(Scale(0, 1, 20))
        self.pairs: dict[Pair, PairCount] = {}
        self.forgotten = 0
        """Flags of substitutions so rare that they were forgotten."""
        self.by_document: dict[str, set[Pair]] = {}

    def add(self, rows: pa.Table) -> None:
        self.probability.add(numbers(rows["probability"]))
        sure = rows.filter(pc.greater_equal(rows["probability"], np.float32(self._threshold)))
        self.kinds.add(sure["kind"])
        sure = sure.filter(pc.not_equal(sure["kind"], "injection"))
        sure = sure.set_column(3, "probability", sure["probability"].cast(pa.float64()))
        groups = sure.group_by(["surface", "suggestion"], use_threads=False).aggregate(
            [("probability", "count"), ("doc_id", "count_distinct"), ("probability", "sum")]
        )
        columns = ("surface", "suggestion", "probability_count", "doc_id_count_distinct")
        for surface, suggestion, flags, documents, total in zip(
            *(groups[name].to_pylist() for name in (*columns, "probability_sum")), strict=True
        ):
            old = self.pairs.get((surface, suggestion), PairCount(0, 0, 0.0))
            self.pairs[surface, suggestion] = PairCount(
                old.flags + flags, old.documents + documents, old.probability + total
            )
        if len(self.pairs) > 2 * MAX_PAIRS:
            self._forget()
        wanted = sure.filter(pc.is_in(sure["doc_id"], self._grouped))
        for row in wanted.select(["doc_id", "surface", "suggestion"]).to_pylist():
            pairs = self.by_document.setdefault(row["doc_id"], set())
            pairs.add((row["surface"], row["suggestion"]))

    def _forget(self) -> None:
        kept = dict(self._ranked()[:MAX_PAIRS])
        self.forgotten += sum(c.flags for pair, c in self.pairs.items() if pair not in kept)
        self.pairs = kept

    def _ranked(self) -> list[tuple[Pair, PairCount]]:
        return sorted(self.pairs.items(), key=lambda item: (-item[1].flags, item[0]))

    def top(self, size: int) -> list[tuple[Pair, PairCount]]:
        """The most frequent substitutions."""
        return heapq.nsmallest(size, self.pairs.items(), key=lambda i: (-i[1].flags, i[0]))


# --- sentences and rejects


class Sentences:
    """What is told of `sentences`."""

    COLUMNS = ("role", "start", "end", "n_flags")

    def __init__(self) -> None:
        self.count = self.flagged = 0
        self.roles = Names()
        self.lengths = Histogram(Scale(0, 120, 30))

    def add(self, rows: pa.Table) -> None:
        self.count += rows.num_rows
        self.flagged += pc.sum(pc.greater(rows["n_flags"], 0)).as_py() or 0
        self.roles.add(rows["role"])
        body = rows.filter(pc.equal(rows["role"], "body"))
        self.lengths.add(numbers(pc.subtract(body["end"], body["start"])))


class Rejected(NamedTuple):
    """One row of `rejects`."""

    source: str
    record: int | None
    detail: str


class Rejects:
    """What is told of `rejects`: counts, and the first few of each reason."""

    COLUMNS = ("source", "record", "reason", "detail")

    def __init__(self) -> None:
        self.reasons = Names()
        self.examples: dict[str, list[Rejected]] = {}

    def add(self, rows: pa.Table) -> None:
        self.reasons.add(rows["reason"])
        for reason in pc.unique(rows["reason"]).to_pylist():
            shown = self.examples.setdefault(reason, [])
            chosen = rows.filter(pc.equal(rows["reason"], reason))
            for row in chosen.slice(0, REJECTS_SHOWN - len(shown)).to_pylist():
                shown.append(Rejected(row["source"], row["record"], row["detail"]))
