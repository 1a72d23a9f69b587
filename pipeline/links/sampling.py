"""What of a text is compared with all others: some of its shingles, the same wherever they are.

A shingle is kept if its hash is low (FracMinHash: Irber et al. 2022, "Lightweight compositional
analysis of metagenomes with FracMinHash"). So a short text is found in a long one, which MinHash
signatures of whole texts do not do, and what two texts share is counted, not estimated.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.parquet import opened
from pipeline.tally import SPUN

Hashes = npt.NDArray[np.int64]

SHINGLE = 6
"""Characters. Of a text with 40% of its characters replaced, word by word, one in five stays."""
ONE_IN = 8
"""Shingles of which one is kept. A page of 300 characters has some 37."""

MOST_CHARS = 200_000
"""Of a text that are looked at: of a longer one its beginning."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_LIMIT = np.uint64(2**64 // ONE_IN)

_IS_WORD = np.array([chr(point).isalnum() for point in range(0x10000)] + [True])
"""Of every code point of the basic plane, and one for all others."""


def code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def is_word(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which are letters, digits or Han characters."""
    return _IS_WORD.take(points, mode="clip")


def sampled(text: str) -> Hashes:
    """The sampled shingles of a text, each once, in order. Marks and white space are passed over.

    >>> whole = sampled("今天天气很好，我们都去公园散步，" * 20)
    >>> set(sampled("今天天气很好我们都去公园散步")) <= set(whole)
    True
    """
    points = code_points(text[:MOST_CHARS])
    words = points[is_word(points)].astype(np.uint64)
    if len(words) < SHINGLE:
        return np.zeros(0, dtype=np.int64)
    rolled = np.zeros(len(words) - SHINGLE + 1, dtype=np.uint64)
    for step in range(SHINGLE):
        rolled = rolled * _SPREAD + words[step : step + len(rolled)]
    mixed = (rolled ^ (rolled >> np.uint64(29))) * _MIX
    mixed ^= mixed >> np.uint64(32)
    return np.unique((mixed[mixed < _LIMIT] >> np.uint64(1)).astype(np.int64))


def sample_part(corpus: Path, work: Path, numbered: tuple[int, str]) -> tuple[Path, Path]:
    """Write the sampled shingles of one part of `documents`, which has that number and name, and
    who they are: two files in ``work``. A text is sampled as it stands and as the detector restores
    it.

    Numbers of documents that nothing is suspected of are lower than all others (`joining`).
    """
    index, name = numbered
    with opened(corpus / name) as file:
        table = file.read(["doc_id", "text", "spun_probability", "duplicate_of"])
    restored = _restored(corpus / name.replace("documents", "sentences", 1))
    rows = [row for row, copy_of in enumerate(table["duplicate_of"].to_pylist()) if copy_of is None]
    known = table.select(["doc_id", "spun_probability"]).take(pa.array(rows, pa.int64()))
    spun = known["spun_probability"].to_numpy()
    numbers = np.array(rows, dtype=np.int64) | index << 32 | (spun >= SPUN).astype(np.int64) << 62
    hashes = [
        np.union1d(sampled(table["text"][row].as_py()), sampled(restored[doc_id]))
        for row, doc_id in zip(rows, known["doc_id"].to_pylist(), strict=True)
    ]
    samples, documents = (work / f"{kind}-{index:05d}.parquet" for kind in ("samples", "documents"))
    sizes = np.array([len(of) for of in hashes], dtype=np.int64)
    columns = {
        "hash": np.concatenate([np.zeros(0, np.int64), *hashes]),
        "number": np.repeat(numbers, sizes),
    }
    pq.write_table(pa.table(columns), samples)
    known = known.append_column("number", pa.array(numbers))
    pq.write_table(known.append_column("sampled", pa.array(sizes)), documents)
    return samples, documents


def _restored(sentences: Path) -> dict[str, str]:
    """The restored text of every document of a part."""
    pieces: dict[str, list[str]] = defaultdict(list)
    with opened(sentences) as file:
        table = file.read(["doc_id", "restored"])
    for doc_id, piece in zip(*(column.to_pylist() for column in table.columns), strict=True):
        pieces[doc_id].append(piece)
    return defaultdict(str, {doc_id: "".join(of) for doc_id, of in pieces.items()})
