"""What every stage, reader and detector must keep to, whichever is added."""

import io
import json
import random
import zlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import keys
from pipeline.config import Config
from pipeline.detectors import DETECTORS
from pipeline.parts import clean_record, new_columns, table_rows, with_copies
from pipeline.readers import READERS
from pipeline.records import Record, Reject
from pipeline.schema import KINDS, REASONS, ROLES, SCRIPTS, STAGE_COLUMNS, TABLES
from pipeline.stages import STAGES, load
from tests.conftest import ROOT, SENTENCES

SEED = next((ROOT / "seeds").glob("*.txt")).read_text(encoding="utf-8")
TEXTS = [
    SEED,
    "".join(SENTENCES),
    "短。",
    "\n\n  \n标题\n\n来源:新华社\n正文在此。\n",
    "臺灣的電腦軟體發展迅速,參訪的人很多。" * 3,
    "𠀀𠀁是生僻字,🙂不是。",
    "ABC only, no Han at all.\r\nSecond line\u200b.",
]
MIDDLE = [name for name in STAGES if name in STAGE_COLUMNS and name != "ingest"]


def batch_before(stage: str, texts: list[str]) -> pa.RecordBatch:
    """What the runner hands a stage: the columns that it says it reads, and `doc_id`."""
    records = [Record(i, text, "utf-8") for i, text in enumerate(texts)]
    batch = load("ingest").documents_batch("a.jsonl", records)
    for name in MIDDLE[: MIDDLE.index(stage) if stage in MIDDLE else None]:
        new = new_columns(name, batch, Config())
        fields = pa.schema([*batch.schema, *new.schema])
        batch = pa.record_batch([*batch.columns, *new.columns], schema=fields)
    columns = batch.select(["doc_id", *STAGES[stage].reads])
    return with_copies(columns, {}) if stage == "write" else columns


class Watched(Config):
    """A config that remembers which of its fields were read."""

    read: set[str] = set()  # noqa: RUF012 - emptied by each test

    def __getattribute__(self, name: str) -> object:
        if name in Config._fields:
            Watched.read.add(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("stage", MIDDLE)
def test_a_stage_returns_its_columns_row_for_row(stage: str) -> None:
    batch = batch_before(stage, TEXTS)
    columns = load(stage).run(batch, Config())
    assert columns.schema.equals(STAGE_COLUMNS[stage])
    assert columns.num_rows == batch.num_rows
    columns.validate(full=True)


@pytest.mark.parametrize("stage", MIDDLE)
def test_a_stage_takes_no_rows(stage: str) -> None:
    batch = batch_before(stage, TEXTS[:1]).slice(0, 0)
    assert load(stage).run(batch, Config()).num_rows == 0


@pytest.mark.parametrize("stage", MIDDLE)
def test_one_batch_equals_many(stage: str) -> None:
    batch = batch_before(stage, TEXTS)
    whole = load(stage).run(batch, Config()).to_pylist()
    single = [load(stage).run(batch.slice(i, 1), Config()).to_pylist() for i in range(len(TEXTS))]
    assert whole == [row for rows in single for row in rows]


@pytest.mark.parametrize("stage", [*MIDDLE, "write"])
def test_a_stage_reads_no_setting_that_it_does_not_name(stage: str) -> None:
    batch = batch_before(stage, TEXTS)
    Watched.read.clear()
    load(stage).run(batch, Watched())
    named = {*STAGES[stage].settings, *(["model"] if STAGES[stage].model else [])}
    assert Watched.read <= named


def test_a_stage_reads_what_earlier_stages_make() -> None:
    made: set[str] = set()
    for name, stage in STAGES.items():
        assert set(stage.reads) <= made
        made |= set(STAGE_COLUMNS[name].names) if name in STAGE_COLUMNS else set()


def test_every_lexicon_belongs_to_a_stage() -> None:
    used = {path for stage in STAGES for path in keys.lexica(keys.code(stage))}
    assert used == set((keys.PACKAGE / "lexica").glob("*.tsv"))


def test_write_makes_the_tables() -> None:
    tables = table_rows(batch_before("write", TEXTS), Config())
    assert set(tables) == set(TABLES) - {"rejects"}
    for table, rows in tables.items():
        assert rows.schema.equals(TABLES[table])
        rows.validate(full=True)


def test_every_column_says_what_it_means() -> None:
    for schema in (*TABLES.values(), *STAGE_COLUMNS.values()):
        assert all(field.metadata[b"description"] for field in schema)


# What makes the stages do something: spun words, dates, labels, tables, what is rewritten.
PIECES = """
情势主义 害逝世人 踊跃 轨制 年夜 错误称 基层干部 扶贫 发展 的 了 臺灣 软体 Ａ １ ㈱
2021年十十月 2021年1月30日 2018-07-09 2021 08:30 月 日 记者 来源： 作者： 来源
责任编辑 （责任编辑：张三） 新华社 点击查看 | 。 ， : ： “ ” ( ） …… ！
"""
SPACES = ("\u3000\u3000", "\n", "\r\n", "\t", " ", "\u200b", "\ufeff", "\0")
some_text = st.lists(
    st.sampled_from([*PIECES.split(), *SPACES]) | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=40,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(some_text)
@example("2021年十十月30日,来源:新华社\n" + "情势主义害逝世人。踊跃发展轨制。年夜错误称。" * 3)
def test_any_text_comes_through(text: str) -> None:
    tables = clean_record("a.txt", Record(0, text, "utf-8"), Config())
    [document] = tables["documents"].to_pylist()
    sentences = tables["sentences"].to_pylist()
    assert document["raw"] == text
    assert "".join(s["text"] for s in sentences) == document["text"]
    assert document["n_chars"] == len(document["text"])
    assert document["script"] in SCRIPTS
    for row in sentences:
        assert row["role"] in ROLES
        assert 0 <= row["raw_start"] <= row["raw_end"] <= len(text)
    for row in tables["flags"].to_pylist():
        assert row["kind"] in KINDS
        assert 0 <= row["raw_start"] < row["raw_end"] <= len(text)
        assert document["text"][row["start"] : row["end"]] == row["surface"]
        home = sentences[row["sentence_id"]]
        assert home["start"] <= row["start"] < home["end"]


# --- readers


def samples(text: str) -> Mapping[str, bytes]:
    noise = random.Random(7).randbytes(3000)
    return {
        "nothing": b"",
        "space": b" \n\r\n\t",
        "noise": noise,
        "text": text.encode(),
        "cut": text.encode()[:-1],
        "gb18030": text.encode("gb18030"),
        "utf-16": text.encode("utf-16"),
        "zeros": bytes(5000),
        "deflated": zlib.compress(noise),
        "object": b'{"text": "\\ud800"}\n[1]\n{"text": null}\n{"text":',
    }


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("sample", samples(""))
def test_a_reader_yields_records_or_reasons_and_never_raises(suffix: str, sample: str) -> None:
    stream = io.BytesIO(samples(SEED)[sample])
    items = list(load("ingest").ingest(f"a{suffix}", stream, Config()))
    assert items
    for item in items:
        assert isinstance(item, Record) or item.reason in REASONS
        assert not isinstance(item, Record) or item.raw.encode()  # no half of a UTF-16 pair
    numbers = [item.record for item in items if isinstance(item, Record) or item.record is not None]
    assert numbers == sorted(set(numbers))


def file_of(suffix: str, text: str) -> bytes:
    """A file of one document, in the format of that suffix."""
    page = f"<html><head><title>甲</title></head><body><p>{text}</p></body></html>"
    response = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}"
    if suffix in {".jsonl", ".ndjson", ".json"}:
        return json.dumps({"text": text}).encode()
    if suffix in {".csv", ".tsv"}:
        return f"text\n{text}\n".encode()
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": [text]}), file := io.BytesIO())
        return file.getvalue()
    if suffix == ".warc":
        return warc_record("response", "application/http; msgtype=response", response)
    if suffix == ".wet":
        return warc_record("conversion", "text/plain", text)
    return (page if "ml" in suffix else text).encode()


def warc_record(kind: str, content_type: str, content: str) -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        "WARC-Date: 2021-01-30T00:00:00Z\r\nWARC-Target-URI: http://example.com/\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(content.encode())}\r\n\r\n"
    )
    return f"{head}{content}\r\n\r\n".encode()


@pytest.mark.parametrize("suffix", READERS)
def test_a_reader_reads_what_is_long_and_refuses_what_is_too_long(suffix: str) -> None:
    text = "河边的小桥修好了，昨天行人都很高兴。" * 300
    for limit in (100_000, 1_000):
        stream = io.BytesIO(file_of(suffix, text))
        config = Config(max_document_chars=limit)
        [item] = load("ingest").ingest(f"a{suffix}", stream, config)
        if limit < len(text):
            assert isinstance(item, Reject)
            assert item.reason == "too_large"
        else:
            assert isinstance(item, Record)
            assert item.raw == text


# --- detectors


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_gives_disjoint_flags_in_order(name: str) -> None:
    texts = [text for text in TEXTS if "\r" not in text]
    verdicts = DETECTORS[name](texts, Config())
    assert len(verdicts) == len(texts)
    for text, verdict in zip(texts, verdicts, strict=True):
        done = 0
        for found in verdict.flags:
            assert done <= found.start < found.end <= len(text)
            assert found.surface == text[found.start : found.end]
            assert found.kind in KINDS
            assert Config().keep_probability <= found.probability <= 1
            assert found.suggestions[:1] == () or found.suggestions[0].text == found.suggestion
            done = found.end
