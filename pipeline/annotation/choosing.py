"""Which flags to ask about, so that some hundred answers teach most.

- `uncertain`: flags whose probability is nearest to one half. They come in rounds, one of each
  document and of each substitution a round: a page with fifty of the same doubts asks once.
- `sure`: flags that would go into `restored`, a fair sample by hash. They tell how often sure is
  wrong.
- `unflagged`: spans that no table holds, as their probability is below `Config.keep_probability`:
  the likeliest of them on some pages, spun ones first. They tell what is missed.

Only substitutions are asked about: variants and injections are found by rules, which learn nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotation.answers import Question, id_of
from pipeline.config import Config
from pipeline.progress import progress
from pipeline.report.counting import Located, Lowest, chunks
from pipeline.report.reading import rows_of
from pipeline.stages.flag import flag_all
from pipeline.storage import Manifest
from pipeline.tally import SPUN

SHARES: Mapping[str, float] = {"uncertain": 0.6, "sure": 0.2, "unflagged": 0.2}
"""Kinds of rows, in the order of the sheet, and their shares. What one lacks, the others get."""
DOUBT = (0.2, 0.8)
"""Probabilities between which a flag is uncertain."""
AROUND = 400
"""Characters on either side that go with a question. A page of 800 characters has the evidence of
its other words; the decision is fitted on pages of 30 to 2,500."""
KEPT = 20
"""For each row that is wanted, so many flags are remembered while the table is read."""
FAINTEST = 0.01
"""Least probability of an unflagged span."""
READ_AGAIN_CHARS = 300_000
"""Text that is judged again to find those: some seconds."""
OTHERS = 4

COLUMNS = ("doc_id", "start", "end", "surface", "suggestion", "probability", "kind")


class _Place(NamedTuple):
    """A flag, and the part that holds its document."""

    part: str
    doc_id: str
    start: int
    end: int
    surface: str
    suggestion: str
    probability: float

    @property
    def order(self) -> str:
        """A hash: flags in its order are in none, and always the same."""
        return hashlib.sha256(f"{self.doc_id}:{self.start}".encode()).hexdigest()

    @property
    def pair(self) -> tuple[str, str]:
        return self.surface, self.suggestion


def chosen(corpus: Path, manifest: Manifest, rows: int, model: str) -> list[Question]:
    """About ``rows`` flags of the tables, uncertain ones first."""
    sizes = {sample: round(rows * share) for sample, share in SHARES.items()}
    unsure, sure = _candidates(corpus, manifest, rows)
    faint = _unflagged(corpus, manifest, sizes["unflagged"], model)
    least_sure = min(len(sure), sizes["sure"])
    unsure = _in_rounds(unsure)[: rows - least_sure - len(faint)]
    sure = _by_hash(sure, rows - len(unsure) - len(faint))
    samples = {"uncertain": unsure, "sure": sure, "unflagged": faint}
    places = [(place, sample) for sample in SHARES for place in samples[sample]]
    return _questions(corpus, places)


def _candidates(corpus: Path, manifest: Manifest, rows: int) -> tuple[list[_Place], list[_Place]]:
    """Uncertain flags and sure ones, of each a bounded number."""
    unsure: list[_Place] = []
    sure: list[_Place] = []
    restored = float(manifest.made_from["config"]["restore_probability"])
    limit = max(KEPT * rows, 1000)
    done = 0
    with progress("export", max(1, manifest.rows_out.get("flags", 0)), "flags") as report:
        for part, table in chunks(corpus, manifest, "flags", COLUMNS):
            kind = table.filter(pc.equal(table["kind"], "substitution")).drop_columns("kind")
            p = kind["probability"]
            doubtful = kind.filter(pc.and_(pc.greater_equal(p, DOUBT[0]), pc.less(p, DOUBT[1])))
            unsure = _in_rounds([*unsure, *_places(part, doubtful)])[:limit]
            certain = kind.filter(pc.greater_equal(p, restored))
            sure = _by_hash([*sure, *_places(part, certain)], limit)
            done += table.num_rows
            report(done)
    return unsure, sure


def _places(part: str, rows: pa.Table) -> Iterator[_Place]:
    return (_Place(part, *row.values()) for row in rows.to_pylist())


def _by_hash(places: Sequence[_Place], size: int) -> list[_Place]:
    return sorted(places, key=lambda place: place.order)[:size]


def _in_rounds(places: Sequence[_Place]) -> list[_Place]:
    """The most uncertain first, in rounds of one of each document and of each substitution."""
    documents: dict[str, int] = {}
    pairs: dict[tuple[str, str], int] = {}
    ranked = []
    for place in sorted(places, key=lambda one: (abs(one.probability - 0.5), one.order)):
        number = max(documents.get(place.doc_id, 0), pairs.get(place.pair, 0))
        documents[place.doc_id] = pairs[place.pair] = number + 1
        ranked.append((number, place))
    return [place for _, place in sorted(ranked, key=lambda one: one[0])]


def _unflagged(corpus: Path, manifest: Manifest, size: int, model: str) -> list[_Place]:
    """The likeliest spans below those of the table, on pages that are judged once more."""
    if not size:
        return []
    spun, others = Lowest(size), Lowest(size)
    for part, table in chunks(corpus, manifest, "documents", ("doc_id", "spun_probability")):
        is_spun = pc.greater_equal(table["spun_probability"], SPUN)
        spun.add(table["doc_id"].filter(is_spun), part)
        others.add(table["doc_id"].filter(pc.invert(is_spun)), part)
    pages = list(_texts(corpus, [*spun.chosen(), *others.chosen()], READ_AGAIN_CHARS))
    config = Config(model=model, keep_probability=FAINTEST)
    flagged = flag_all([text for _, text in pages], config)
    places = [
        _Place(page.part, page.doc_id, f.start, f.end, f.surface, f.suggestion, f.probability)
        for (page, _), of_page in zip(pages, flagged, strict=True)
        for f in of_page.flags
        if f.kind == "substitution" and f.probability < Config().keep_probability
    ]
    return _in_rounds(places)[:size]  # here the likeliest is the most uncertain


def _texts(
    corpus: Path, pages: Sequence[Located], most_chars: int
) -> Iterator[tuple[Located, str]]:
    """Texts of documents, in the order given, as long as there is room."""
    texts = _columns(corpus, {(page.part, page.doc_id) for page in pages})
    for page in pages:
        text = texts[page.doc_id]["text"]
        if len(text) <= most_chars:
            most_chars -= len(text)
            yield page, text


def _columns(corpus: Path, wanted: set[tuple[str, str]]) -> dict[str, Mapping[str, Any]]:
    by_part: dict[str, list[str]] = {}
    for part, doc_id in sorted(wanted):
        by_part.setdefault(part, []).append(doc_id)
    return {
        row["doc_id"]: row
        for part, doc_ids in by_part.items()
        for row in rows_of(corpus / "documents" / part, ("doc_id", "source", "text"), doc_ids)
    }


def _questions(corpus: Path, places: Sequence[tuple[_Place, str]]) -> list[Question]:
    documents = _columns(corpus, {(place.part, place.doc_id) for place, _ in places})
    others = _others(corpus, places)
    questions = []
    for place, sample in places:
        document = documents[place.doc_id]
        text = document["text"]
        questions.append(
            Question(
                id_of(place.doc_id, place.start, place.end, place.surface, place.suggestion),
                document["source"],
                text[max(0, place.start - AROUND) : place.start],
                place.surface,
                text[place.end : place.end + AROUND],
                place.suggestion,
                others.get((place.doc_id, place.start), ()),
                float(np.round(place.probability, 3)),
                sample,
            )
        )
    return questions


def _others(
    corpus: Path, places: Sequence[tuple[_Place, str]]
) -> Mapping[tuple[str, int], Sequence[str]]:
    """Suggestions of the table but the first, by document and start."""
    by_part: dict[str, set[str]] = {}
    for place, _ in places:
        by_part.setdefault(place.part, set()).add(place.doc_id)
    wanted = {(place.doc_id, place.start) for place, _ in places}
    columns = ("doc_id", "start", "suggestions")
    return {
        (row["doc_id"], row["start"]): [item["text"] for item in row["suggestions"][1 : OTHERS + 1]]
        for part, doc_ids in sorted(by_part.items())
        if (corpus / "flags" / part).exists()
        for row in rows_of(corpus / "flags" / part, columns, sorted(doc_ids))
        if (row["doc_id"], row["start"]) in wanted
    }
