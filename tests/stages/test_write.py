"""The tables against a slow, obvious version, one document at a time."""

import unicodedata
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.hanzi import count_han
from pipeline.schema import STAGE_COLUMNS, TABLES
from pipeline.spans import Alignment, Edit
from pipeline.stages.write import restored, run

EVIDENCE = dict.fromkeys(["gain", "channel", "document"], 0.5) | dict.fromkeys(
    ["surface_count", "suggestion_count"], 1
)
Row = dict[str, object]


def document(number: int, raw: str, text: str, edits: list[Edit], ends: list[int]) -> Row:
    starts = [0, *ends][: len(ends)]
    return {
        "doc_id": f"{number:04d}",
        "source": "a.txt",
        "record": number,
        "record_id": None,
        "url": None,
        "encoding": "utf-8",
        "damaged": 0,
        "raw": raw,
        "script": "Hans",
        "title": None,
        "published_at": None,
        "publisher": None,
        "author": None,
        "editor": None,
        "text": text,
        "text_hash": "0" * 32,
        "line_repetition": 0.25,
        "shuffled": 0.25,
        "alignment": [edit._asdict() for edit in edits],
        "edits": [],
        "flags": [],
        "n_flags": 0,
        "spin_rate": 0.0,
        "spun_probability": 0.0,
        "perplexity": 40.0,
        "duplicate_of": None,
        "sentences": [
            {
                "start": start,
                "end": end,
                "paragraph": 0,
                "role": "injected" if n % 3 == 2 else "body",
            }
            for n, (start, end) in enumerate(zip(starts, ends, strict=True))
        ],
    }


def flag(text: str, span: tuple[int, int], suggestion: str, probability: float, kind: str) -> Row:
    start, end = span
    return {
        "start": start,
        "end": end,
        "surface": text[start:end],
        "suggestion": suggestion,
        "suggestions": [{"text": suggestion, "probability": probability}],
        "probability": probability,
        "kind": kind,
        "detector": "substitution",
        "evidence": EVIDENCE,
    }


def batch_of(documents: list[Row]) -> pa.RecordBatch:
    schemas = (TABLES["documents"], *STAGE_COLUMNS.values())
    fields = {field.name: field for schema in schemas for field in schema}
    names = documents[0] if documents else document(0, "", "", [], [])
    schema = pa.schema([fields[name] for name in names])
    return pa.RecordBatch.from_pylist(documents, schema=schema)


@st.composite
def documents(draw: st.DrawFn) -> Row:
    """A text made by edits of raw, cut into sentences, with disjoint flags."""
    pieces = draw(
        st.lists(
            st.tuples(st.text("好的。a𠀀🙂豈", max_size=4), st.text("  \r〇", max_size=2)),
            max_size=8,
        )
    )
    raw, text, edits = "", "", []
    for kept, dropped in pieces:
        raw, text = raw + kept, text + kept
        if dropped:
            new = draw(st.sampled_from(["", "x", "xyz"]))
            edits.append(Edit(len(text), len(text) + len(new), len(raw), len(raw) + len(dropped)))
            raw, text = raw + dropped, text + new
    edits = [e for e in edits if e.end - e.start != e.raw_end - e.raw_start]
    inner = st.sets(st.integers(1, len(text) - 1), max_size=5) if len(text) > 1 else st.just(set())
    ends = [*sorted(draw(inner)), len(text)] if text else []
    row = document(draw(st.integers(0, 9999)), raw, text, edits, ends)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6))) if text else []
    row["flags"] = [
        flag(
            text,
            span,
            draw(st.sampled_from(["", "原", "原来"])),
            draw(st.sampled_from([0.1, 0.5, 0.8, 0.95])),
            draw(st.sampled_from(["substitution", "injection"])),
        )
        for span in list(pairwise(cuts))[::2]
    ]
    return row


def as_tables(row: Row, config: Config) -> dict[str, list[Row]]:
    """The rows of one document, written out."""
    text, alignment = row["text"], Alignment([Edit(**edit) for edit in row["alignment"]])
    assert isinstance(text, str)

    def at(span: Row) -> Row:
        start, end = span["start"], span["end"]
        return {"raw_start": alignment.raw_start(start), "raw_end": alignment.raw_end(end)}

    replaced = {}  # what becomes of each character
    for span in row["flags"]:
        if span["probability"] >= config.restore_probability:
            new = "" if span["kind"] == "injection" else span["suggestion"]
            replaced |= dict.fromkeys(range(span["start"], span["end"]), "") | {span["start"]: new}
    sentences, flags = [], []
    for number, sentence in enumerate(row["sentences"]):
        inside = range(sentence["start"], sentence["end"])
        mine = [span for span in row["flags"] if span["start"] in inside]
        key = {"doc_id": row["doc_id"], "sentence_id": number}
        flags += [{**key, **span, **at(span)} for span in mine]
        sentences.append({
            **key,
            **sentence,
            **at(sentence),
            "text": text[sentence["start"] : sentence["end"]],
            "restored": "".join(replaced.get(i, text[i]) for i in inside),
            "n_flags": sum(span["probability"] >= config.flag_probability for span in mine),
            "max_flag_probability": max((span["probability"] for span in mine), default=0.0),
        })  # fmt: skip
    document = {**row, **figures(row, config)}
    return {"documents": [document], "sentences": sentences, "flags": flags}


def figures(row: Row, config: Config) -> Row:
    """What the stage counts in a document."""
    text = row["text"]
    visible = [char for char in text if not char.isspace()]
    body = [s["end"] - s["start"] for s in row["sentences"] if s["role"] == "body"]
    injected = [
        *(s for s in row["sentences"] if s["role"] == "injected"),
        *(
            flag
            for flag in row["flags"]
            if flag["kind"] == "injection" and flag["probability"] >= config.flag_probability
        ),
    ]
    covered = {at for span in injected for at in range(span["start"], span["end"])}
    marks = sum(unicodedata.category(char)[0] == "P" for char in visible)
    return {
        "n_chars": len(text),
        "n_han": count_han(text),
        "han_share": count_han(text) / max(1, len(visible)),
        "punctuation_share": marks / max(1, len(visible)),
        "mean_sentence_chars": sum(body) / len(body) if body else None,
        "injected_share": len(covered) / max(1, len(text)),
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=4))
def test_tables_are_those_of_the_slow_version(rows: list[Row]) -> None:
    expected = [as_tables(row, Config()) for row in rows]
    for table, found in run(batch_of(rows), Config()).items():
        slow = [row for tables in expected for row in tables[table]]
        wanted = pa.Table.from_pylist(slow, schema=TABLES[table])
        assert pa.Table.from_batches([found]).to_pylist() == wanted.to_pylist()


@settings(max_examples=50, deadline=None)
@given(st.lists(documents(), min_size=2, max_size=4))
def test_a_slice_gives_what_its_rows_give(rows: list[Row]) -> None:
    """A batch may begin in the middle of its buffers."""
    sliced = run(batch_of(rows).slice(1), Config())
    copied = run(batch_of(rows[1:]), Config())
    for table in sliced:
        assert sliced[table].to_pylist() == copied[table].to_pylist()


def test_no_document() -> None:
    for table, rows in run(batch_of([]), Config()).items():
        assert rows.num_rows == 0
        assert rows.schema.equals(TABLES[table])


def test_a_flag_over_the_end_of_a_sentence() -> None:
    row = document(0, "甲乙。丙丁。", "甲乙。丙丁。", [], [3, 6])
    row["flags"] = [flag(row["text"], (1, 4), "换", 0.9, "substitution")]
    tables = run(batch_of([row]), Config())
    assert tables["sentences"]["restored"].to_pylist() == ["甲换", "丁。"]
    assert tables["sentences"]["n_flags"].to_pylist() == [1, 0]
    assert tables["flags"]["sentence_id"].to_pylist() == [0]


def test_an_injection_is_taken_out_whatever_is_suggested() -> None:
    row = document(0, "会议2018开码召开", "会议2018开码召开", [], [10])
    row["flags"] = [flag(row["text"], (2, 8), "什么", 0.9, "injection")]
    assert run(batch_of([row]), Config())["sentences"]["restored"].to_pylist() == ["会议召开"]


@pytest.mark.parametrize("ends", [[2], [2, 2, 3], []])
def test_sentences_that_do_not_tile_are_a_bug(ends: list[int]) -> None:
    rows = [document(0, "好。", "好。", [], [2]), document(1, "甲乙丙", "甲乙丙", [], ends)]
    if ends == [2, 2, 3]:
        rows[1]["sentences"][1]["start"] = 1  # they overlap
    with pytest.raises(ValueError, match="the sentences of 0001 do not tile"):
        run(batch_of(rows), Config())


def test_restored() -> None:
    assert restored("形式", []) == "形式"
    assert restored("一二三四", [(0, 1, ""), (1, 2, "贰"), (3, 4, "肆五")]) == "贰三肆五"
