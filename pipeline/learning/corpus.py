"""What is learned from: the documents of finished tables that are suspected, and some that are not.

Both are bounded samples, drawn by a hash of the document's key: the same tables give the same
sample, in whatever parts they lie.
"""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.report.counting import chunks
from pipeline.storage import Manifest

UNSUSPECTED = 0.1
"""`spun_probability` up to which a document guards against learning what is no substitution."""

MOST_CHARS = 20_000_000
"""Of the suspects, and of the others. A tool writes its commonest pairs in a few hundred pages."""

LEAST_CHARS = 100
"""Of a document. On less the verdict is worth little."""

KEPT_APART = 10
"""One document in so many tells when to stop."""


class Document(NamedTuple):
    doc_id: str
    text: str
    spun: float


class Sample(NamedTuple):
    """By hash of the key, so in the same order every time."""

    counted: list[Document]
    kept_apart: list[Document]
    """Suspects and others that nothing is counted on."""

    @property
    def all(self) -> list[Document]:
        return [*self.counted, *self.kept_apart]

    @property
    def others(self) -> list[Document]:
        """Of which there was no suspicion."""
        return [one for one in self.all if one.spun <= UNSUSPECTED]


def sample(corpus: Path, manifest: Manifest, most_chars: int = MOST_CHARS) -> Sample:
    """Of finished tables. Copies of a text already seen are left out."""
    suspects, others = _Bounded(most_chars), _Bounded(most_chars)
    for document in _documents(corpus, manifest):
        if len(document.text) >= LEAST_CHARS:
            (suspects if document.spun > UNSUSPECTED else others).add(document)
    return split([*suspects.documents(), *others.documents()])


def split(documents: Sequence[Document]) -> Sample:
    ordered = sorted(documents, key=lambda one: _hash(one.doc_id))
    return Sample(
        [one for one in ordered if _hash(one.doc_id) % KEPT_APART],
        [one for one in ordered if _hash(one.doc_id) % KEPT_APART == 0],
    )


def _documents(corpus: Path, manifest: Manifest) -> Iterator[Document]:
    wanted = ("doc_id", "text", "spun_probability", "duplicate_of")
    for _, rows in chunks(corpus, manifest, "documents", wanted):
        columns = (rows[name].to_pylist() for name in wanted)
        for doc_id, text, spun, copy_of in zip(*columns, strict=True):
            if copy_of is None:
                yield Document(doc_id, text, spun)


def _hash(doc_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(doc_id.encode(), digest_size=8).digest())


class _Bounded:
    """The documents of the lowest hashes, as many as ``most_chars`` have room for."""

    def __init__(self, most_chars: int) -> None:
        self._most = most_chars
        self._heap: list[tuple[int, Document]] = []
        self._chars = 0

    def add(self, document: Document) -> None:
        heapq.heappush(self._heap, (-_hash(document.doc_id), document))
        self._chars += len(document.text)
        while self._chars > self._most and len(self._heap) > 1:
            _, dropped = heapq.heappop(self._heap)
            self._chars -= len(dropped.text)

    def documents(self) -> list[Document]:
        return [document for _, document in sorted(self._heap, reverse=True)]
