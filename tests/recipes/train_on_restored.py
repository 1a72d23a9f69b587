"""Train on restored text: a text file, one document after another, of the text proper alone.

A sentence in which something was flagged and not surely enough to be put right is left out.
"""

# ruff: noqa: T201 - it shows what it finds

import sys
from pathlib import Path

import pyarrow.dataset as ds

output, target = Path(sys.argv[1]), Path(sys.argv[2])
sentences = ds.dataset(output / "corpus" / "sentences", format="parquet")
unsure = (ds.field("max_flag_probability") >= 0.3) & (ds.field("max_flag_probability") < 0.8)
wanted = (ds.field("role") == "body") & ~unsure

last, written = None, 0
with target.open("w", encoding="utf-8") as file:
    for batch in sentences.to_batches(columns=["doc_id", "restored"], filter=wanted):
        for row in batch.to_pylist():
            if last not in {None, row["doc_id"]}:
                file.write("\n")  # an empty line between documents
            text = row["restored"].strip()
            file.write(text + "\n" if text else "")
            last, written = row["doc_id"], written + bool(text)
print(f"{written} of {sentences.count_rows()} sentences written")
