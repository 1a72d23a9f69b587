"""Drop spun documents: what is left is one Parquet file, with the text as it stood."""

# ruff: noqa: T201 - it shows what it finds

import sys
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

output, target = Path(sys.argv[1]), Path(sys.argv[2])
documents = ds.dataset(output / "corpus" / "documents", format="parquet")
# 0.5 asks whether it is more likely spun than not. To lose less clean text, take 0.9.
clean = (ds.field("spun_probability") < 0.5) & ds.field("duplicate_of").is_null()
columns = ["doc_id", "source", "title", "text"]

kept = 0
with pq.ParquetWriter(target, documents.scanner(columns).projected_schema) as file:
    for batch in documents.to_batches(columns=columns, filter=clean):  # never all of it at once
        file.write_batch(batch)
        kept += batch.num_rows
print(f"{kept} of {documents.count_rows()} documents kept")
