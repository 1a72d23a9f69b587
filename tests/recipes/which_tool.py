"""Which tool spun this page: the pages that replace the same words in the same way.

Of the words that were replaced in both of two pages, one tool's pages mostly agree on what with.
It is a lead and no proof: the lists of tools overlap. Name a `doc_id`, or get the page with the
most flags.
"""

# ruff: noqa: T201 - it shows what it finds

import sys

import pipeline

output = sys.argv[1]
flags = pipeline.read("flags", output, ["doc_id", "surface", "suggestion", "probability", "kind"])
sure = flags[(flags["probability"] >= 0.8) & (flags["kind"] == "substitution")]
pairs = sure[["doc_id", "surface", "suggestion"]].drop_duplicates()
page = sys.argv[2] if len(sys.argv) > 2 else pairs["doc_id"].value_counts(sort=True).index[0]

of_page = pairs.loc[pairs["doc_id"] == page, ["surface", "suggestion"]]
others = pairs[pairs["doc_id"] != page].merge(of_page, on="suggestion", suffixes=("", "_here"))
others["same"] = others["surface"] == others["surface_here"]
words = others.groupby(["doc_id", "suggestion"])["same"].any()  # some tools choose at random
found = words.groupby("doc_id").agg(both="size", same="sum")
found["agreement"] = (found["same"] + 1) / (found["both"] + 2)  # two words are no proof
print(f"page {page}: {len(of_page)} different substitutions")
print(found.sort_values("agreement", ascending=False, kind="stable").head(10).to_string())
