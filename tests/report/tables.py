"""Tables written by hand, for what no run would make: hostile names in every column, a million
rows, a part that is empty."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.parquet import describe, writing
from pipeline.schema import TABLES
from pipeline.storage import Manifest, write_manifest

Row = dict[str, Any]

NEUTRAL = {
    pa.string(): "",
    pa.int32(): 0,
    pa.int64(): 0,
    pa.float32(): 0.0,
}


def document(doc_id: str, text: str = "甲。", **more: Any) -> Row:
    row = {
        "doc_id": doc_id,
        "source": f"{doc_id}.txt",
        "raw": text,
        "text": text,
        "n_chars": len(text),
        "n_han": len(text),
        "script": "Hans",
        "encoding": "utf-8",
        "han_share": 0.9,
        "perplexity": 20.0,
    }
    return row | more


def flag(doc_id: str, start: int, surface: str, suggestion: str, **more: Any) -> Row:
    row = {
        "doc_id": doc_id,
        "start": start,
        "end": start + len(surface),
        "surface": surface,
        "suggestion": suggestion,
        "suggestions": [{"text": suggestion, "probability": 0.9}],
        "probability": 0.9,
        "kind": "substitution",
        "detector": "substitution",
        "evidence": {
            "gain": 5.0,
            "channel": -2.0,
            "document": 1.5,
            "surface_count": 1,
            "suggestion_count": 2,
        },
    }
    return row | more


def write_tables(output: Path, parts: Sequence[dict[str, list[Row]]]) -> Path:
    """A finished run: each part has rows for the tables that it names."""
    corpus, made, rows_out = output / "corpus", [], dict.fromkeys(TABLES, 0)
    for number, rows in enumerate(parts):
        for table, schema in TABLES.items():
            name = f"{table}/part-{number:05d}-00000.parquet"
            corpus.mkdir(parents=True, exist_ok=True)
            with writing(corpus, name, schema, "key") as part:
                part.write(_batch(schema, rows.get(table, [])))
            found = describe(corpus, name)
            assert found is not None
            made.append(found)
            rows_out[table] += found.rows
    manifest = Manifest(
        stage="write",
        input="../4-segmented",
        input_manifest="",
        made_from={"config": {"flag_probability": 0.5, "restore_probability": 0.8}},
        rows_in=rows_out["documents"] + rows_out["rejects"],
        rows_out=rows_out,
        rejects={},
        parts=tuple(sorted(made)),
    )
    write_manifest(corpus, manifest)
    return output


def _batch(schema: pa.Schema, rows: Sequence[Row]) -> pa.RecordBatch:
    columns = [pa.array([_value(row, field) for row in rows], field.type) for field in schema]
    return pa.record_batch(columns, schema=schema)


def _value(row: Row, field: pa.Field) -> Any:
    if field.name in row or field.nullable:
        return row.get(field.name)
    return [] if pa.types.is_list(field.type) else NEUTRAL[field.type]
