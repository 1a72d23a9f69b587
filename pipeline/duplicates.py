"""Documents whose normalised text another document has, too, found over all parts at once.

Memory is 8 bytes a document, and 36 more for each text that comes twice.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.parquet import opened

HASH_DIGITS = 32
"""Hexadecimal: 128 bits. Among a billion texts two share a hash with a chance of one in 10^21."""

Words = npt.NDArray[np.uint64]
Copies = tuple[tuple[int, str], ...]
"""Row of a copy in its part, and `doc_id` of the first document with that text."""

_NIBBLE = np.zeros(256, np.uint64)
_NIBBLE[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def exact_copies(parts: Sequence[Path]) -> list[Copies]:
    """The copies in each part. Of documents with one text, the first in order is no copy."""
    keys = [_words(_column(part, "text_hash"))[:, 0].copy() for part in parts]
    repeated = _repeated(keys)
    first_rest = np.zeros(len(repeated), np.uint64)
    first_id = np.full(len(repeated), "", object)
    return [
        tuple(_copies(part, key, repeated, first_rest, first_id)) if len(repeated) else ()
        for part, key in zip(parts, keys, strict=True)
    ]


def _repeated(keys: list[Words]) -> Words:
    ordered = np.sort(np.concatenate([np.zeros(0, np.uint64), *keys]))
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _copies(
    part: Path, key: Words, repeated: Words, first_rest: Words, first_id: npt.NDArray[np.object_]
) -> list[tuple[int, str]]:
    """Those of one part; what comes for the first time is noted in the last two arrays."""
    place = np.minimum(np.searchsorted(repeated, key), len(repeated) - 1)
    rows = np.flatnonzero(repeated[place] == key)
    if not len(rows):
        return []
    rest = _words(_column(part, "text_hash"))[:, 1]
    ids = _column(part, "doc_id").take(pa.array(rows)).to_pylist()
    found = []
    for row, doc_id in zip(rows.tolist(), ids, strict=True):
        at = place[row]
        if not first_id[at]:
            first_id[at], first_rest[at] = doc_id, rest[row]
        elif first_rest[at] == rest[row]:
            found.append((row, str(first_id[at])))
    return found


def _column(part: Path, name: str) -> pa.ChunkedArray:
    with opened(part) as file:
        return file.read([name]).column(name)


def _words(hashes: pa.ChunkedArray) -> Words:
    """Two words for each hash; shape (rows, 2)."""
    text = "".join(hashes.to_pylist()).encode()
    digits = _NIBBLE[np.frombuffer(text, np.uint8)].reshape(-1, 2, HASH_DIGITS // 2)
    places = np.uint64(4) * np.arange(HASH_DIGITS // 2, dtype=np.uint64)[::-1]
    return np.asarray((digits << places).sum(axis=2, dtype=np.uint64))
