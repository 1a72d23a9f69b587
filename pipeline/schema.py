"""Every column of every stage and table, declared once with its type and its meaning.

Offsets are code points, half-open: `start`, `end` into `text`; `raw_start`, `raw_end` into `raw`.
A column is nullable only where null means something, and then its description says what.
"""

from collections.abc import Mapping

import pyarrow as pa

SCRIPTS = ("Hans", "Hant", "mixed")
ROLES = ("title", "metadata", "body", "boilerplate", "injected")
KINDS = ("substitution", "variant", "injection")

REASONS: Mapping[str, str] = {
    "bad_row": "the row of the table does not fit its columns",
    "binary_file": "the bytes are no text in any encoding: NUL bytes, or a known binary signature",
    "changed": "the file changed or vanished while it was read",
    "decompression_bomb": "the archive grows out of all proportion when it is unpacked",
    "empty_file": "the file has no bytes, nothing but white space, or no record",
    "empty_text": "the record's text is empty, or nothing but white space",
    "invalid_json": "the line is not valid JSON",
    "lone_surrogate": "the text holds half of a UTF-16 pair, which no encoding can write",
    "missing_text": "the record has no text field, or it is not a string",
    "no_content": "the page has no text of its own: only navigation, or nothing",
    "not_a_page": "the record of the web archive is no page: an error, a redirection, an image",
    "not_an_object": "the line is valid JSON, but no object",
    "too_large": "the record is longer than `max_document_chars`, or its mark-up beyond all bounds",
    "truncated": "the file, or a packed page in it, ends in mid-stream",
    "undecodable": "the bytes are valid in no encoding tried, or too many are wrong",
    "unreadable": "the system would not let the file be read, or it is damaged beyond reading",
    "unsupported_format": "no reader is known for the file's suffix",
}


def field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": meaning})


def struct_list(*fields: pa.Field) -> pa.DataType:
    return pa.list_(pa.field("element", pa.struct(fields), nullable=False))


DOC_ID = field("doc_id", pa.string(), "hash of source and record: the key of a document")
SOURCE = field("source", pa.string(), "path of the file, relative to INPUT")
START = field("start", pa.int32(), "first code point in the document's text")
END = field("end", pa.int32(), "one past the last code point in the document's text")
RAW_START = field("raw_start", pa.int32(), "first code point in the document's raw")
RAW_END = field("raw_end", pa.int32(), "one past the last code point in the document's raw")
PROBABILITY = field("probability", pa.float32(), "calibrated probability, 0 to 1")

SUGGESTION_FIELDS = (field("text", pa.string(), "what may have stood there"), PROBABILITY)
HERE = "in this document (of a longer one, in the piece of 20,000 characters)"
EVIDENCE_FIELDS = (
    field(
        "gain",
        pa.float32(),
        "log P(window with the suggestion) - log P(as it stands), other likely substitutions in it "
        "undone, nats",
    ),
    field("channel", pa.float32(), "log odds that a spinner writes this surface for it, nats"),
    field("document", pa.float32(), "log odds that the rest of the document adds, nats"),
    field("surface_count", pa.int32(), f"how often the surface stands {HERE}"),
    field("suggestion_count", pa.int32(), f"how often the suggestion stands {HERE}"),
)
FLAG_FIELDS = (
    START,
    END,
    field("surface", pa.string(), "the suspected text: text[start:end]"),
    field("suggestion", pa.string(), "the most probable original; empty for an injection"),
    field("suggestions", struct_list(*SUGGESTION_FIELDS), "originals, most probable first"),
    PROBABILITY,
    field("kind", pa.string(), "one of: " + ", ".join(KINDS)),
    field("detector", pa.string(), "name of the detector, a key of DETECTORS"),
    field("evidence", pa.struct(EVIDENCE_FIELDS), "what moved the decision"),
)

STAGE_COLUMNS: Mapping[str, pa.Schema] = {
    "ingest": pa.schema(
        [
            DOC_ID,
            SOURCE,
            field("record", pa.int64(), "0-based index of the record in its file"),
            field("record_id", pa.string(), "id in the record; null: none", nullable=True),
            field("url", pa.string(), "url in the record; null: none", nullable=True),
            field("encoding", pa.string(), "encoding the bytes were decoded with"),
            field("record_title", pa.string(), "title in the record; null: none", nullable=True),
            field("record_date", pa.string(), "date in the record; null: none", nullable=True),
            field("record_publisher", pa.string(), "publisher in it; null: none", nullable=True),
            field("record_author", pa.string(), "author in it; null: none", nullable=True),
            field("record_editor", pa.string(), "editor in it; null: none", nullable=True),
            field(
                "damaged",
                pa.int32(),
                "wrong bytes of the record; a stretch of them in its text is U+FFFD",
            ),
            field("raw", pa.string(), "the record as decoded, never edited"),
        ]
    ),
    "normalise": pa.schema(
        [
            field("script", pa.string(), "script of raw, one of: " + ", ".join(SCRIPTS)),
            field("title", pa.string(), "title; null: none found", nullable=True),
            field(
                "published_at",
                pa.timestamp("ms"),
                "date of publication, local time as printed; null: none found",
                nullable=True,
            ),
            field("publisher", pa.string(), "来源, as printed; null: none found", nullable=True),
            field("author", pa.string(), "作者, as printed; null: none found", nullable=True),
            field("editor", pa.string(), "责任编辑, as printed; null: none found", nullable=True),
            field("text", pa.string(), "the normalised text"),
            field("text_hash", pa.string(), "128-bit hash of text: the same for the same text"),
            field(
                "line_repetition",
                pa.float32(),
                "share of text, less white space, in lines that stand earlier in it, too",
            ),
            field(
                "shuffled",
                pa.float32(),
                "probability that paragraphs are out of order, if 2% of pages are; 0: fewer than 3",
            ),
            field(
                "alignment",
                struct_list(START, END, RAW_START, RAW_END),
                "edits that were not one character for one, in order; else text and raw go in step",
            ),
            field(
                "edits",
                struct_list(
                    field("rule", pa.string(), "name of the rule, a key of RULES"),
                    field("count", pa.int32(), "code points of raw that it changed or removed"),
                ),
                "what each rule of normalise did",
            ),
            field(
                "lines",
                struct_list(START, END, field("role", pa.string(), "one of: " + ", ".join(ROLES))),
                "lines of text with their part in the page, without line breaks",
            ),
        ]
    ),
    "flag": pa.schema(
        [
            field("flags", struct_list(*FLAG_FIELDS), "suspected spans, in order, disjoint"),
            field("n_flags", pa.int32(), "flags of at least `flag_probability`, by default 0.5"),
            field("spin_rate", pa.float32(), "expected share of Han characters in flags"),
            field("spun_probability", pa.float32(), "probability that the document was spun"),
            field(
                "perplexity",
                pa.float32(),
                "of the language model, per character but white space; null: no character",
                nullable=True,
            ),
        ]
    ),
    "segment": pa.schema(
        [
            field(
                "sentences",
                struct_list(
                    START,
                    END,
                    field(
                        "paragraph",
                        pa.int32(),
                        "0-based index of the line among those with content",
                    ),
                    field("role", pa.string(), "one of: " + ", ".join(ROLES)),
                ),
                "sentences, which tile text",
            )
        ]
    ),
}
"""Columns that each stage adds to those before it."""

SENTENCE_ID = field("sentence_id", pa.int32(), "0-based index of the sentence in its document")


def _of(stage: str, *names: str) -> list[pa.Field]:
    return [STAGE_COLUMNS[stage].field(name) for name in names]


TABLES: Mapping[str, pa.Schema] = {
    "documents": pa.schema(
        [
            *_of("ingest", "doc_id", "source", "record", "record_id", "url", "encoding", "damaged"),
            *_of("normalise", "script", "title", "published_at", "publisher", "author", "editor"),
            *_of("ingest", "raw"),
            *_of("normalise", "text"),
            field("n_chars", pa.int32(), "code points of text"),
            field("n_han", pa.int32(), "Han characters of text"),
            *_of("flag", "n_flags", "spin_rate", "spun_probability"),
            *_of("normalise", "edits", "text_hash"),
            field(
                "duplicate_of",
                pa.string(),
                "doc_id of the first document with the same text; null: this is the first",
                nullable=True,
            ),
            field("han_share", pa.float32(), "Han characters of those that are not white space"),
            field("punctuation_share", pa.float32(), "punctuation marks of the same"),
            *_of("normalise", "line_repetition", "shuffled"),
            field(
                "mean_sentence_chars",
                pa.float32(),
                "mean length of the sentences of role body; null: none",
                nullable=True,
            ),
            *_of("flag", "perplexity"),
            field(
                "injected_share",
                pa.float32(),
                "share of text in lines of role injected, or in counted flags of kind injection",
            ),
        ]
    ),
    "sentences": pa.schema(
        [
            DOC_ID,
            SENTENCE_ID,
            field("paragraph", pa.int32(), "0-based index of the line among those with content"),
            field("role", pa.string(), "one of: " + ", ".join(ROLES)),
            START,
            END,
            RAW_START,
            RAW_END,
            field(
                "text", pa.string(), "the sentence; a document's sentences, joined, are its text"
            ),
            field("restored", pa.string(), "the sentence with every sure flag's suggestion put in"),
            field("n_flags", pa.int32(), "those of the document's n_flags that start in it"),
            field(
                "max_flag_probability",
                pa.float32(),
                "highest probability of a flag that starts in it; 0 without one",
            ),
        ]
    ),
    "flags": pa.schema([DOC_ID, SENTENCE_ID, START, END, RAW_START, RAW_END, *FLAG_FIELDS[2:]]),
    "rejects": pa.schema(
        [
            SOURCE,
            field(
                "record",
                pa.int64(),
                "0-based index in the file; null: the whole file",
                nullable=True,
            ),
            field("stage", pa.string(), "the stage that rejected it"),
            field("reason", pa.string(), "one of: " + ", ".join(REASONS)),
            field("detail", pa.string(), "what was found, and what to do"),
        ]
    ),
}
"""The four tables under `corpus/`."""

LINKS = pa.schema(
    [
        field("doc_id", pa.string(), "a document: if one of the two is spun, then this one"),
        field("other_doc_id", pa.string(), "one that it is a copy of, or that is one of it"),
        field("similarity", pa.float32(), "share of doc_id's characters that stand in the other"),
        field(
            "spun_probability",
            pa.float32(),
            "probability that a tool has made doc_id from the other",
        ),
        field(
            "paragraphs",
            struct_list(
                START,
                END,
                field("other_start", pa.int32(), "first code point in the other's text"),
                field("other_end", pa.int32(), "one past the last code point in it"),
            ),
            "paragraphs that correspond, in the order of doc_id's text",
        ),
    ]
)
"""The table under `links/`, which `make links` writes."""
