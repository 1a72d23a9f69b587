"""Export to JSONL: a document a line, with its restored text and its flags."""

# ruff: noqa: T201 - it shows what it finds

import json
import sys
from pathlib import Path

from pipeline.parquet import opened

output, target = Path(sys.argv[1]), Path(sys.argv[2])
corpus = output / "corpus"
lines = 0
with target.open("w", encoding="utf-8") as file:
    # A part has the same name in every table, and holds the same documents: so it is done by parts.
    for path in sorted((corpus / "documents").glob("*.parquet")):
        rows = {}
        for table in ("documents", "sentences", "flags"):
            with opened(corpus / table / path.name) as part:
                rows[table] = part.read().to_pylist()
        restored: dict[str, list[str]] = {}
        for sentence in rows["sentences"]:
            restored.setdefault(sentence["doc_id"], []).append(sentence["restored"])
        flags: dict[str, list[dict]] = {}
        for flag in rows["flags"]:
            flags.setdefault(flag.pop("doc_id"), []).append(flag)
        for document in rows["documents"]:
            document["restored"] = "".join(restored.get(document["doc_id"], []))
            document["flags"] = flags.get(document["doc_id"], [])
            file.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
            lines += 1
print(f"{lines} documents written")
