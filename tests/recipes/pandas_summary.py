"""pandas: how much of each source was spun, and with what."""

# ruff: noqa: T201 - it shows what it finds

import sys

import pipeline

output = sys.argv[1]  # the OUTPUT of a run, such as `data`
documents = pipeline.read("documents", output, ["doc_id", "source", "n_han", "spun_probability"])
flags = pipeline.read("flags", output, ["doc_id", "surface", "suggestion", "probability"])

documents["spun"] = documents["spun_probability"] >= 0.5
sources = documents.groupby("source").agg(documents=("spun", "size"), spun=("spun", "sum"))
print(sources.to_string())

sure = flags[flags["probability"] >= 0.9]
pairs = sure.groupby(["surface", "suggestion"])["doc_id"].agg(flags="size", documents="nunique")
print(pairs.sort_values(["flags"], ascending=False, kind="stable").head(10).to_string())
