"""A sample for annotation: flags of every probability, each with its sentence, as CSV.

To measure calibration by. To teach the detector, `python -m pipeline export` chooses better.

An equal number from each tenth of probability tells more about calibration than the most sure
ones, or a random sample, of which most are near 0 or 1. The order is that of a hash, so a larger
sample contains the smaller.
"""

# ruff: noqa: T201 - it shows what it finds

import hashlib
import sys
from pathlib import Path

import pipeline

output, target, each = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
keys = ["doc_id", "sentence_id"]
columns = [*keys, "start", "end", "surface", "suggestion", "probability", "kind"]
flags = pipeline.read("flags", output, columns)
sentences = pipeline.read("sentences", output, [*keys, "start", "text"])

places = flags["doc_id"] + ":" + flags["start"].astype("string")
flags["order"] = [hashlib.sha256(place.encode()).hexdigest() for place in places]
flags["tenth"] = (flags["probability"] * 10).astype(int).clip(upper=9)
sample = flags.sort_values("order").groupby("tenth").head(each)
sample = sample.merge(sentences.rename(columns={"start": "from"}), on=keys, validate="m:1")
sample["start"] -= sample["from"]  # offsets into the sentence
sample["end"] -= sample["from"]
sample["right"] = ""  # for the annotator: y or n
sample["original"] = ""
sample = sample.sort_values("order").drop(columns=["order", "from"])
for column in ("surface", "suggestion", "text"):  # strangers' texts: a table program runs `=…`
    sample[column] = sample[column].str.replace(r"^([=+\-@\t\r])", r"'\1", regex=True)
sample.to_csv(target, index=False, encoding="utf-8-sig")  # the mark tells Excel that it is UTF-8
print(sample.groupby("tenth").size().to_string())
