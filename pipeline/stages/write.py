"""write: the columns of all stages become the tables."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.quality import HAN, PUNCTUATION, WHITE, classes
from pipeline.schema import TABLES
from pipeline.spans import Alignment

Ints = npt.NDArray[np.int64]

STRETCH = 1 << 20
"""Characters, or bytes, of text that are looked at at once."""


def restored(text: str, replacements: list[tuple[int, int, str]]) -> str:
    """The text with some spans, in order and disjoint, replaced.

    >>> restored("形式主义害逝世人", [(5, 7, "死")])
    '形式主义害死人'
    """
    pieces, done = [], 0
    for start, end, replacement in replacements:
        pieces += [text[done:start], replacement]
        done = end
    return "".join([*pieces, text[done:]])


def run(batch: pa.RecordBatch, config: Config) -> Mapping[str, pa.RecordBatch]:
    """The rows of `documents`, `sentences` and `flags` for a batch of documents."""
    texts = _Texts(batch.column("text"))
    raw_first = _starts(_int64(pc.utf8_length(batch.column("raw"))))
    sentences = _Spans(batch.column("sentences"), texts)
    flags = _Spans(batch.column("flags"), texts)
    _check_tiling(sentences, texts, batch)
    of = _Documents(
        batch=batch,
        texts=texts,
        sentences=sentences,
        flags=flags,
        # Flags lie inside the text and sentences tile it: the last sentence to start is the flag's.
        home=np.searchsorted(sentences.start, flags.start, side="right") - 1,
        raw=_RawOffsets(_alignment(batch.column("alignment"), texts.first, raw_first), raw_first),
    )
    return {
        "documents": _documents(of, config),
        "sentences": _sentences(of, config),
        "flags": _flags(of),
    }


class _Texts:
    """The texts of a batch as one long text.

    Between two of them an offset is left unused: the end of one is not the start of the next.
    """

    def __init__(self, column: pa.StringArray) -> None:
        self.lengths = _int64(pc.utf8_length(column))
        self.first = _starts(self.lengths)
        _, offsets, data = column.buffers()
        self.data = data if data is not None else pa.py_buffer(b"")
        bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        self.first_byte, self.last_byte = int(bounds[0]), int(bounds[-1])
        used = np.frombuffer(self.data, np.uint8)[self.first_byte : self.last_byte]
        self._bytes = np.concatenate(
            [
                np.flatnonzero((used[at : at + STRETCH] & 0xC0) != 0x80).astype(np.int32) + at
                for at in range(0, max(1, len(used)), STRETCH)
            ]
        )
        """Where in `_used` each character begins. In stretches: one document may have 20 million
        characters, and what numpy makes on the way takes 16 bytes of each."""
        self._used = used

    def byte(self, offset: Ints, document: Ints) -> npt.NDArray[np.int32]:
        """Where the character at an offset begins, in `data`. Not for the end of the last text."""
        used = offset - document  # there is one unused offset for each earlier document
        return np.asarray(self._bytes[used] + self.first_byte, np.int32)

    def classes(self) -> Ints:
        """Characters of each class (see `quality.classes`) in each text; shape (texts, 4)."""
        counts = np.zeros(4 * len(self.lengths), np.int64)
        ends = np.cumsum(self.lengths)
        for at in range(0, len(self._bytes), STRETCH):
            bounds = self._bytes[at : at + STRETCH + 1]
            last = len(self._used) if at + STRETCH >= len(self._bytes) else int(bounds[-1])
            text = self._used[int(bounds[0]) : last].tobytes().decode()
            points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
            here = np.diff(np.append(0, np.clip(ends - at, 0, len(points))))
            of = np.repeat(np.arange(len(ends)), here)
            counts += np.bincount(of * 4 + classes()[points], minlength=len(counts))
        return counts.reshape(-1, 4)


class _Spans:
    """The spans of all documents of a batch, one after another, at offsets into the long text."""

    def __init__(self, column: pa.ListArray, texts: _Texts) -> None:
        self.rows = column.flatten()
        self.counts = _int64(pc.list_value_length(column))
        self.document = np.repeat(np.arange(len(column)), self.counts)
        self.first = np.cumsum(self.counts) - self.counts
        """Index of each document's first span."""
        base = texts.first[self.document]
        self.start = base + _int64(self.rows.field("start"))
        self.end = base + _int64(self.rows.field("end"))

    def __len__(self) -> int:
        return len(self.document)

    def index(self) -> Ints:
        """0-based index of each span in its document."""
        return np.arange(len(self)) - self.first[self.document]


def _starts(lengths: Ints) -> Ints:
    return np.cumsum(lengths + 1) - (lengths + 1)


def _alignment(column: pa.ListArray, first: Ints, raw_first: Ints) -> Alignment:
    """One alignment for the whole batch.

    Before a document's edits stands one that changes nothing and says where the document begins.
    """
    edits = column.flatten()
    document = np.repeat(np.arange(len(column)), _int64(pc.list_value_length(column)))
    base = np.stack([first, first, raw_first, raw_first], axis=1)
    local = np.stack([_int64(edits.field(i)) for i in range(4)], axis=1)
    table = np.concatenate([base, base[document] + local])
    order = np.argsort(np.concatenate([np.arange(len(base)), document]), kind="stable")
    return Alignment(table[order])


class _RawOffsets(NamedTuple):
    """Offsets into each document's raw."""

    alignment: Alignment
    raw_first: Ints

    def starts(self, spans: _Spans) -> pa.Array:
        return _int32(self.alignment.raw_starts(spans.start) - self.raw_first[spans.document])

    def ends(self, spans: _Spans) -> pa.Array:
        return _int32(self.alignment.raw_ends(spans.end) - self.raw_first[spans.document])


class _Documents(NamedTuple):
    """A batch of documents, taken apart."""

    batch: pa.RecordBatch
    texts: _Texts
    sentences: _Spans
    flags: _Spans
    home: Ints
    """Index of the sentence in which each flag starts."""
    raw: _RawOffsets


def _check_tiling(sentences: _Spans, texts: _Texts, batch: pa.RecordBatch) -> None:
    """Everything below relies on it: each text is cut into its sentences, without a gap."""
    last = np.append(sentences.document[1:] != sentences.document[:-1], True)[: len(sentences)]
    until = np.where(
        last, (texts.first + texts.lengths)[sentences.document], np.roll(sentences.start, -1)
    )
    wrong = sentences.end != until
    opens = np.roll(last, 1)
    wrong |= opens & (sentences.start != texts.first[sentences.document])
    bad = {
        *sentences.document[wrong],
        *np.flatnonzero((sentences.counts == 0) & (texts.lengths > 0)),
    }
    if bad:
        doc_id = batch.column("doc_id")[int(min(bad))]
        raise ValueError(f"the sentences of {doc_id} do not tile its text")


def _documents(of: _Documents, config: Config) -> pa.RecordBatch:
    count = of.texts.classes()
    visible = np.maximum(count.sum(axis=1) - count[:, WHITE], 1)
    made = {
        "n_chars": _int32(of.texts.lengths),
        "n_han": _int32(count[:, HAN]),
        "han_share": _float32(count[:, HAN] / visible),
        "punctuation_share": _float32(count[:, PUNCTUATION] / visible),
        "mean_sentence_chars": _mean_sentence_chars(of.sentences, len(visible)),
        "injected_share": _float32(_injected(of, config) / np.maximum(of.texts.lengths, 1)),
    }
    schema = TABLES["documents"]
    columns = [made[n] if n in made else of.batch.column(n) for n in schema.names]
    return pa.record_batch(columns, schema=schema)


def _mean_sentence_chars(sentences: _Spans, documents: int) -> pa.Array:
    body = pc.equal(sentences.rows.field("role"), "body").to_numpy(zero_copy_only=False)
    document, length = sentences.document[body], (sentences.end - sentences.start)[body]
    count = np.bincount(document, minlength=documents)
    total = np.bincount(document, weights=length, minlength=documents)
    return pa.array((total / np.maximum(count, 1)).astype(np.float32), mask=count == 0)


def _injected(of: _Documents, config: Config) -> Ints:
    """Characters of each text that stand in an injection, whether line or span."""
    flags, sentences = of.flags, of.sentences
    counted = pc.and_(
        pc.equal(flags.rows.field("kind"), "injection"),
        pc.greater_equal(flags.rows.field("probability"), np.float32(config.flag_probability)),
    ).to_numpy(zero_copy_only=False)
    whole = pc.equal(sentences.rows.field("role"), "injected").to_numpy(zero_copy_only=False)
    if not counted.any() and not whole.any():
        return np.zeros(len(of.texts.lengths), np.int64)
    depth = np.zeros(int((of.texts.first + of.texts.lengths).max()) + 2, np.int64)
    for spans, chosen in ((flags, counted), (sentences, whole)):
        np.add.at(depth, spans.start[chosen], 1)
        np.add.at(depth, spans.end[chosen], -1)
    covered = np.concatenate([[0], np.cumsum(np.cumsum(depth) > 0)])
    return np.asarray(covered[of.texts.first + of.texts.lengths] - covered[of.texts.first])


def _sentences(of: _Documents, config: Config) -> pa.RecordBatch:
    sentences, size = of.sentences, len(of.sentences)
    probability = of.flags.rows.field("probability").to_numpy(zero_copy_only=False)
    counted = probability >= np.float32(config.flag_probability)
    highest = np.zeros(size, np.float32)
    np.maximum.at(highest, of.home, probability)
    text = _sentence_texts(sentences, of.texts)
    sure = np.flatnonzero(probability >= np.float32(config.restore_probability))
    made = {
        "doc_id": of.batch.column("doc_id").take(pa.array(sentences.document)),
        "sentence_id": _int32(sentences.index()),
        "raw_start": of.raw.starts(sentences),
        "raw_end": of.raw.ends(sentences),
        "text": text,
        "restored": _restored_sentences(text, of, sure),
        "n_flags": _int32(np.bincount(of.home[counted], minlength=size)),
        "max_flag_probability": pa.array(highest),
    }
    return _rows("sentences", made, sentences.rows)


def _sentence_texts(sentences: _Spans, texts: _Texts) -> pa.StringArray:
    """Sentences tile the texts, so they are the same bytes, cut at other places."""
    starts = texts.byte(sentences.start, sentences.document)
    bounds = np.append(starts, np.int32(texts.last_byte))
    return pa.StringArray.from_buffers(len(sentences), pa.py_buffer(bounds), texts.data)


def _restored_sentences(text: pa.StringArray, of: _Documents, sure: Ints) -> pa.StringArray:
    """Each sentence with its sure flags replaced.

    A flag that runs over the end of its sentence is replaced where it starts, and what it covers
    of the next one is left out there: so the joined sentences are the restored text.
    """
    if not len(sure):
        return text
    changes: dict[int, list[tuple[int, int, str]]] = {}
    for flag, suggestion in zip(sure.tolist(), _suggestions(of, sure), strict=True):
        start, end = int(of.flags.start[flag]), int(of.flags.end[flag])
        sentence, replacement = int(of.home[flag]), suggestion
        while start < end:
            origin, stop = int(of.sentences.start[sentence]), int(of.sentences.end[sentence])
            span = (start - origin, min(end, stop) - origin, replacement)
            changes.setdefault(sentence, []).append(span)
            start, sentence, replacement = stop, sentence + 1, ""
    changed = np.zeros(len(text), np.bool_)
    changed[list(changes)] = True
    new = [restored(text[at].as_py(), changes[at]) for at in sorted(changes)]
    return pc.replace_with_mask(text, pa.array(changed), pa.array(new, pa.string()))


def _suggestions(of: _Documents, sure: Ints) -> list[str]:
    """What to put in; nothing for an injection, whatever is suggested."""
    rows = of.flags.rows.take(pa.array(sure))
    injected = pc.equal(rows.field("kind"), "injection")
    suggestions: list[str] = pc.if_else(injected, "", rows.field("suggestion")).to_pylist()
    return suggestions


def _flags(of: _Documents) -> pa.RecordBatch:
    made = {
        "doc_id": of.batch.column("doc_id").take(pa.array(of.flags.document)),
        "sentence_id": _int32(of.sentences.index()[of.home]),
        "raw_start": of.raw.starts(of.flags),
        "raw_end": of.raw.ends(of.flags),
    }
    return _rows("flags", made, of.flags.rows)


def _rows(table: str, made: Mapping[str, pa.Array], rows: pa.StructArray) -> pa.RecordBatch:
    """The table's columns: those made here, and the others as they came."""
    schema = TABLES[table]
    columns = [made[name] if name in made else rows.field(name) for name in schema.names]
    return pa.record_batch(columns, schema=schema)


def _int64(column: Any) -> Ints:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


def _float32(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values.astype(np.float32))


def _int32(values: Ints) -> pa.Array:
    return pa.array(values.astype(np.int32))
