"""Documents for the report, with their flags, as what JSON can hold.

Only the parts that hold a wanted document are opened, and of these only the row groups.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import opened
from pipeline.report.counting import SIGNALS, Located, Pair, chunks
from pipeline.storage import Manifest

Json = dict[str, Any]

SHOWN_CHARS = 4_000
"""A longer text is shown up to here."""
NAME_CHARS = 200
"""The same for titles, sources and other short texts."""
SUGGESTIONS_SHOWN = 4
AROUND = 20
"""Characters on either side of an example."""
ROWS_AT_ONCE = 1000
"""Rows that are Python objects at once: some kB each."""
EXAMPLES = 3
"""For each substitution, each of another document."""

DOCUMENT_COLUMNS = (
    *("doc_id", "source", "record", "url", "encoding", "script", "title", "published_at"),
    *("publisher", "damaged", "text", "n_chars", "n_han", "n_flags", "spin_rate"),
    *("spun_probability", "duplicate_of"),
    *SIGNALS,
)
FLAG_COLUMNS = (
    *("doc_id", "start", "end", "surface", "suggestion", "suggestions"),
    *("probability", "kind", "detector", "evidence"),
)


def documents(corpus: Path, wanted: Collection[Located]) -> Iterator[Json]:
    """Each document with its flags, in the order of the parts."""
    by_part: dict[str, list[str]] = {}
    for located in sorted(wanted, key=lambda at: (at.part, at.doc_id)):
        by_part.setdefault(located.part, []).append(located.doc_id)
    for part, doc_ids in by_part.items():
        flags: dict[str, list[list[Any]]] = {}
        hidden: Counter[str] = Counter()
        for row in rows_of(corpus / "flags" / part, FLAG_COLUMNS, doc_ids):
            if row["end"] <= SHOWN_CHARS:
                flags.setdefault(row["doc_id"], []).append(_flag(row))
            else:
                hidden[row["doc_id"]] += 1
        for row in rows_of(corpus / "documents" / part, DOCUMENT_COLUMNS, doc_ids, SHOWN_CHARS):
            yield _document(row, flags.get(row["doc_id"], []), hidden[row["doc_id"]])


def rows_of(
    path: Path, columns: Sequence[str], doc_ids: Sequence[str], chars: int | None = None
) -> Iterator[Json]:
    """Rows of a part that belong to one of the documents, in its order; of `text` so many
    characters, if that is said: then a long one never becomes an object as a whole.
    """
    wanted = pa.array(doc_ids, pa.string())
    with opened(path) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, ["doc_id"], use_threads=False)["doc_id"]
            mask = pc.is_in(ids, wanted)
            if pc.any(mask).as_py():
                rows = file.read_row_group(group, list(columns), use_threads=False)
                rows = rows.filter(mask)
                if chars is not None:
                    shown = pc.utf8_slice_codeunits(rows["text"], 0, chars)
                    rows = rows.set_column(rows.column_names.index("text"), "text", shown)
                for batch in rows.to_batches(ROWS_AT_ONCE):
                    yield from batch.to_pylist()


def _document(row: Json, flags: Sequence[list[Any]], hidden: int) -> Json:
    text = row.pop("text")
    published = row.pop("published_at")
    figures = {name: _rounded(row.pop(name)) for name in SIGNALS}
    short = {name: cut(value) for name, value in row.items()}
    return {
        **short,
        **figures,
        "spin_rate": _rounded(row["spin_rate"]),
        "spun_probability": _rounded(row["spun_probability"]),
        "published_at": str(published) if published is not None else None,
        "text": text,
        "flags": flags,
        "flags_hidden": hidden,
    }


def _flag(flag: Json) -> list[Any]:
    """Start, end, probability, kind, detector, suggestions, evidence: a list, as it is shorter."""
    suggestions = [
        [cut(item["text"]), _rounded(item["probability"])]
        for item in flag["suggestions"][:SUGGESTIONS_SHOWN]
    ]
    return [
        flag["start"],
        flag["end"],
        _rounded(flag["probability"], 6),  # the page compares it: 0.7999 is below 0.8
        flag["kind"],
        flag["detector"],
        cut("" if flag["kind"] == "injection" else flag["suggestion"]),
        suggestions,
        [_rounded(value) for value in flag["evidence"].values()],
    ]


def _rounded(value: float | None, figures: int = 3) -> float | None:
    """Three figures after the point are what a reader can use; a number that is none is null."""
    if value is None or value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
        return None
    return round(value, figures)


def cut(value: Any) -> Any:
    """A text no longer than NAME_CHARS, its middle left out; anything else as it is."""
    if not isinstance(value, str) or len(value) <= NAME_CHARS:
        return value
    return f"{value[: NAME_CHARS * 2 // 3]} … {value[-NAME_CHARS // 3 :]}"


# --- examples of substitutions


def examples(
    corpus: Path, manifest: Manifest, pairs: Sequence[Pair], threshold: float
) -> Mapping[Pair, list[Json]]:
    """For each substitution the first few places where it stands, each in another document."""
    places = _places(corpus, manifest, pairs, threshold)
    by_part: dict[str, set[str]] = {}
    for found in places.values():
        for part, doc_id, _, _ in found:
            by_part.setdefault(part, set()).add(doc_id)
    texts = {
        row["doc_id"]: row["text"]
        for part, doc_ids in sorted(by_part.items())
        for row in rows_of(corpus / "documents" / part, ("doc_id", "text"), sorted(doc_ids))
    }
    return {
        pair: [_example(doc_id, texts[doc_id], start, end) for _, doc_id, start, end in found]
        for pair, found in places.items()
    }


def _places(
    corpus: Path, manifest: Manifest, pairs: Sequence[Pair], threshold: float
) -> Mapping[Pair, list[tuple[str, str, int, int]]]:
    places: dict[Pair, list[tuple[str, str, int, int]]] = {pair: [] for pair in pairs}
    missing = set(pairs)
    columns = ("doc_id", "surface", "suggestion", "start", "end", "probability")
    for part, rows in chunks(corpus, manifest, "flags", columns):
        if not missing:
            break
        surfaces = pa.array(sorted({surface for surface, _ in missing}), pa.string())
        sure = pc.and_(
            pc.is_in(rows["surface"], surfaces), pc.greater_equal(rows["probability"], threshold)
        )
        for row in rows.filter(sure).to_pylist():
            found = places.get((row["surface"], row["suggestion"]), [])
            pair = row["surface"], row["suggestion"]
            if pair in missing and all(doc_id != row["doc_id"] for _, doc_id, _, _ in found):
                found.append((part, row["doc_id"], row["start"], row["end"]))
                if len(found) == EXAMPLES:
                    missing.remove(pair)
    return places


def _example(doc_id: str, text: str, start: int, end: int) -> Json:
    """The line around a flag: what stands before it, the surface, what stands after it."""
    before = text[max(0, start - AROUND) : start].rpartition("\n")[2]
    after = text[end : end + AROUND].partition("\n")[0]
    return {"doc_id": doc_id, "before": before, "surface": cut(text[start:end]), "after": after}
