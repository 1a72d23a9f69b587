"""Hugging Face `datasets`: restored sentences of the text proper, ready to be tokenised."""

# ruff: noqa: T201 - it shows what it finds

import sys
import tempfile

from datasets import load_dataset

output = sys.argv[1]
with tempfile.TemporaryDirectory() as cache:  # leave it out, and it keeps its own in ~/.cache
    files = f"{output}/corpus/sentences/*.parquet"
    sentences = load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
    body = sentences.filter(lambda row: row["role"] == "body")
    texts = body.select_columns(["restored"]).rename_column("restored", "text")
    print(texts)
    print(texts[0]["text"].strip())
