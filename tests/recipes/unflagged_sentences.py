"""Sentences with no flag at all, from documents that were not spun."""

# ruff: noqa: T201 - it shows what it finds

import sys

import pipeline

output = sys.argv[1]
documents = pipeline.read("documents", output, ["doc_id", "spun_probability"])
sentences = pipeline.read("sentences", output)

clean = set(documents.loc[documents["spun_probability"] < 0.1, "doc_id"])
unflagged = sentences[
    (sentences["max_flag_probability"] == 0)  # 0: not even an improbable flag, which starts at 0.05
    & (sentences["role"] == "body")
    & sentences["doc_id"].isin(clean)
]
print(f"{len(unflagged)} of {len(sentences)} sentences")
for text in unflagged["text"].head(5):
    print(text.strip())
