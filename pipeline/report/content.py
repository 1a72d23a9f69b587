"""All that a report says, as one value that JSON can hold, in bounded size."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.progress import progress
from pipeline.report import charts, reading
from pipeline.report.counting import (
    STRATA,
    Documents,
    Flags,
    Located,
    Names,
    Rejects,
    Sentences,
    chunks,
)
from pipeline.report.reading import Json, cut
from pipeline.report.vocabularies import MIN_PAIRS, Vocabulary, vocabularies
from pipeline.storage import Manifest
from pipeline.tally import SPUN

DOCUMENT_BYTES = 3_800_000
"""Bytes of documents to read, at most. The rest of a report is below 0.7 MB."""
PAIRS_SHOWN = 100
VOCABULARIES_SHOWN = 20
MEMBERS_SHOWN = 12
NAMES_SHOWN = 12


class Content(NamedTuple):
    """What the page is made of."""

    data: Json
    """For the script of the page: every text in it may be a stranger's."""
    charts: Mapping[str, str]
    """Name to SVG: numbers, and names of ours."""


def gather(corpus: Path, manifest: Manifest) -> Content:
    """Count the tables and choose what to show."""
    config = manifest.made_from["config"]
    threshold = float(config["flag_probability"])
    tables = ("documents", "flags", "sentences", "rejects")
    total = sum(manifest.rows_out.get(table, 0) for table in tables)
    done = 0
    with progress("report", max(1, total), "rows") as report:

        def counted(table: str, columns: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
            nonlocal done
            for part, rows in chunks(corpus, manifest, table, columns):
                yield part, rows
                done += rows.num_rows
                report(done)

        documents = Documents()
        for part, rows in counted("documents", Documents.COLUMNS):
            documents.add(rows, part)
        flags = Flags(threshold, [at.doc_id for at in documents.grouped.chosen()])
        for _, rows in counted("flags", Flags.COLUMNS):
            flags.add(rows)
        sentences = Sentences()
        for _, rows in counted("sentences", Sentences.COLUMNS):
            sentences.add(rows)
        rejects = Rejects()
        for _, rows in counted("rejects", Rejects.COLUMNS):
            rejects.add(rows)
    top = flags.top(PAIRS_SHOWN)
    examples = reading.examples(corpus, manifest, [pair for pair, _ in top], threshold)
    shown = _documents(corpus, documents)
    groups = vocabularies(flags.by_document)
    data = {
        "thresholds": {
            "flag": threshold,
            "restore": float(config["restore_probability"]),
            "spun": SPUN,
        },
        "totals": _totals(manifest, documents, flags, sentences),
        "rejects": [
            {
                "reason": reason,
                "count": count,
                "examples": [[*map(cut, row)] for row in rejects.examples[reason]],
            }
            for reason, count in rejects.reasons.top(50)
        ],
        "names": {
            "suffix": _names(documents.suffixes),
            "encoding": _names(documents.encodings),
            "script": _names(documents.scripts),
            "role": _names(sentences.roles),
            "kind": _names(flags.kinds),
        },
        "pairs": [
            {
                "surface": cut(pair[0]),
                "suggestion": cut(pair[1]),
                "flags": count.flags,
                "documents": count.documents,
                "probability": round(count.probability / count.flags, 3),
                "examples": examples[pair],
            }
            for pair, count in top
        ],
        "pairs_seen": len(flags.pairs),
        "pairs_forgotten": flags.forgotten,
        "vocabularies": [_vocabulary(group) for group in groups[:VOCABULARIES_SHOWN]],
        "compared": {
            "spun": documents.grouped.seen,
            "chosen": len(documents.grouped.chosen()),
            "compared": sum(len(pairs) >= MIN_PAIRS for pairs in flags.by_document.values()),
            "grouped": sum(len(group.documents) for group in groups),
            "groups": len(groups),
        },
        "signals": {
            name: {"median": histogram.quantile(0.5), "known": histogram.count}
            for name, histogram in documents.signals.items()
        },
        "strata": [
            {
                "name": name,
                "documents": lowest.seen,
                "shown": sum(d["stratum"] == name for d in shown),
            }
            for name, lowest in documents.strata.items()
        ],
        "shown_chars": reading.SHOWN_CHARS,
        "documents": shown,
    }
    return Content(data, charts.charts(documents, flags, sentences))


def _totals(
    manifest: Manifest, documents: Documents, flags: Flags, sentences: Sentences
) -> Mapping[str, Any]:
    return {
        "rows_in": manifest.rows_in,
        "documents": documents.count,
        "rejects": manifest.rows_out.get("rejects", 0),
        "chars": documents.chars,
        "han": documents.han,
        "sentences": sentences.count,
        "sentences_flagged": sentences.flagged,
        "sentence_median": sentences.lengths.quantile(0.5),
        "flags": documents.flags,
        "flags_kept": flags.probability.count,
        "spun": documents.spun,
        "spin_rate_median": documents.spin_rate.quantile(0.5),
        "duplicates": documents.duplicates,
        "damaged": documents.damaged,
    }


def _names(names: Names) -> list[list[Any]]:
    return [[cut(name), count] for name, count in names.top(NAMES_SHOWN)]


def _vocabulary(group: Vocabulary) -> Json:
    return {
        "documents": len(group.documents),
        "members": list(group.documents[:MEMBERS_SHOWN]),
        "agreement": round(group.agreement, 2),
        "pairs": [[cut(surface), cut(original), *n] for (surface, original), *n in group.pairs],
    }


def _documents(corpus: Path, counted: Documents) -> list[Json]:
    """The documents to read, most interesting kind first, as many as there is room for.

    Room is given in turns, so that every kind keeps its share of it.
    """
    turns: list[tuple[float, int, str, Located]] = []
    for index, (name, lowest) in enumerate(counted.strata.items()):
        for at, located in enumerate(lowest.chosen()):
            turns.append(((at + 1) / STRATA[name], index, name, located))
    found = {row["doc_id"]: row for row in reading.documents(corpus, [t[3] for t in turns])}
    chosen, room = [], DOCUMENT_BYTES
    for turn, index, name, located in sorted(turns):
        row = {"stratum": name, **found[located.doc_id]}
        room -= len(json.dumps(row, ensure_ascii=False).encode())
        if room < 0:
            break
        chosen.append((index, turn, row))
    return [row for _, _, row in sorted(chosen, key=lambda item: item[:2])]
