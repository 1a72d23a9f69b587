"""What is made, what is made again, and what is left behind when something goes wrong."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline import keys, parts, runner
from pipeline.config import Config
from pipeline.errors import StageError, UsageError
from pipeline.schema import TABLES
from pipeline.stages import STAGES
from pipeline.storage import read_manifest
from tests.conftest import ROOT, contents, made_again, stamps, write_texts

SMALL = Config(shard_chars=800)  # a file of 200 characters fills a part


def run(source: Path, output: Path, config: Config = SMALL, workers: int = 1):
    return runner.run(source, output, config, workers)


def rows(output: Path, table: str) -> list[dict[str, object]]:
    return ds.dataset(output / "corpus" / table, format="parquet").to_table().to_pylist()


# --- the tables


def test_tables_have_the_columns_of_the_contract(texts: Path, tmp_path: Path) -> None:
    run(texts, tmp_path / "out")
    for table, schema in TABLES.items():
        data = ds.dataset(tmp_path / "out" / "corpus" / table, format="parquet")
        assert data.schema.equals(schema)
        for path in data.files:
            on_disk = pq.ParquetFile(path)
            assert all(f.metadata[b"description"] for f in on_disk.schema_arrow)
            for group in range(on_disk.num_row_groups):
                column = on_disk.metadata.row_group(group).column(0)
                assert column.compression == "ZSTD"
                assert column.is_stats_set
                assert column.has_offset_index


def test_every_table_can_be_read_even_without_a_row(texts: Path, tmp_path: Path) -> None:
    run(texts, tmp_path / "out")
    assert rows(tmp_path / "out", "rejects") == []
    assert pq.read_table(tmp_path / "out" / "corpus" / "rejects").schema.equals(TABLES["rejects"])


def test_what_comes_in_goes_out_or_is_rejected(texts: Path, tmp_path: Path) -> None:
    (texts / "empty.txt").write_bytes(b"")
    (texts / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (texts / "some.jsonl").write_text('{"text": "好的。"}\n[]\n{"title": "无"}\n', encoding="utf-8")
    manifest = run(texts, tmp_path / "out")
    documents, rejects = rows(tmp_path / "out", "documents"), rows(tmp_path / "out", "rejects")
    assert (len(documents), len(rejects)) == (7, 4)
    assert manifest.rows_in == 11
    assert sum(manifest.rejects.values()) == 4
    assert {row["source"] for row in rejects} == {"empty.txt", "picture.png", "some.jsonl"}


def test_sentences_tile_the_text_and_flags_lie_in_it(texts: Path, tmp_path: Path) -> None:
    run(texts, tmp_path / "out")
    documents = {row["doc_id"]: row for row in rows(tmp_path / "out", "documents")}
    joined = dict.fromkeys(documents, "")
    for row in rows(tmp_path / "out", "sentences"):
        assert row["start"] == len(joined[row["doc_id"]])
        joined[row["doc_id"]] += row["text"]
    assert joined == {doc_id: row["text"] for doc_id, row in documents.items()}
    for row in rows(tmp_path / "out", "flags"):
        assert documents[row["doc_id"]]["text"][row["start"] : row["end"]] == row["surface"]


def test_links_that_leave_the_input_are_rejected(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("别处的文件。", encoding="utf-8")
    (texts / "away.txt").symlink_to(tmp_path / "secret.txt")
    (texts / "folder").symlink_to(tmp_path)
    (texts / "gone.txt").symlink_to(tmp_path / "nothing")
    os.mkfifo(texts / "pipe.txt")
    run(texts, tmp_path / "out")
    rejects = {row["source"]: row["reason"] for row in rows(tmp_path / "out", "rejects")}
    names = ("away.txt", "folder", "gone.txt", "pipe.txt")
    assert rejects == dict.fromkeys(names, "unreadable")


def test_a_file_name_that_is_no_utf8(texts: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(texts) + b"/\xd6\xd0.txt")).write_text("好。", encoding="utf-8")
    run(texts, tmp_path / "out")
    assert r"\xd6\xd0.txt" in {row["source"] for row in rows(tmp_path / "out", "documents")}


def test_a_large_file_makes_several_parts(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"第{i}条消息,内容不长。"}) for i in range(200)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run(tmp_path / "in", tmp_path / "out")
    assert len(list((tmp_path / "out" / "4-segmented").glob("part-00000-*.parquet"))) > 5
    assert [row["record"] for row in rows(tmp_path / "out", "documents")] == list(range(200))


def test_many_shards_hold_the_same_rows_as_one(texts: Path, tmp_path: Path) -> None:
    run(texts, tmp_path / "one", Config())
    run(texts, tmp_path / "many")
    for table in TABLES:
        assert rows(tmp_path / "one", table) == rows(tmp_path / "many", table)


def test_the_same_bytes_whatever_the_worker_count(texts: Path, tmp_path: Path) -> None:
    run(texts, tmp_path / "one", workers=1)
    run(texts, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# --- what is made again


@pytest.fixture
def output(texts: Path, tmp_path: Path) -> Path:
    run(texts, tmp_path / "out")
    return tmp_path / "out"


def test_a_second_run_does_nothing(texts: Path, output: Path) -> None:
    before, was = contents(output), stamps(output)
    run(texts, output)
    assert contents(output) == before
    assert made_again(was, output) == {}


def test_a_changed_file_is_done_again_and_no_other(texts: Path, output: Path) -> None:
    was = stamps(output)
    (texts / "0" / "003.txt").write_text("换了内容。" * 40, encoding="utf-8")
    run(texts, output)
    again = made_again(was, output)
    source = next(r for r in rows(output, "documents") if r["source"] == "0/003.txt")
    assert source["raw"].startswith("换了内容")
    assert again.keys() == set(STAGES)
    for stage in ("ingest", "normalise", "flag", "segment"):
        assert len([name for name in again[stage] if "/" not in name]) == 1


def test_a_touched_file_changes_nothing(texts: Path, output: Path) -> None:
    was = stamps(output)
    os.utime(texts / "0" / "003.txt", ns=(1, 1))
    run(texts, output)
    assert made_again(was, output) == {}


def test_parts_of_a_removed_file_are_deleted(texts: Path, output: Path, tmp_path: Path) -> None:
    (texts / "2" / "005.txt").unlink()
    run(texts, output)
    run(texts, tmp_path / "fresh")
    assert contents(output) == contents(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("setting", "value", "stages"),
    [
        ("restore_probability", 0.9, {"write"}),
        ("keep_probability", 0.06, {"flag"}),
        ("max_document_chars", 1_000_000, {"ingest"}),
    ],
)
def test_a_changed_setting_runs_its_stages(
    texts: Path, output: Path, setting: str, value: float, stages: set[str]
) -> None:
    """Later stages run again only if what they read became different."""
    was = stamps(output)
    run(texts, output, SMALL._replace(**{setting: value}))
    assert stages <= made_again(was, output).keys() <= stages | {"write"}


def test_a_changed_model_runs_flag(texts: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for path in Path(Config().model).rglob("*"):
        if path.is_file():
            (model / path.name).symlink_to(path)
    config = SMALL._replace(model=str(model))
    run(texts, tmp_path / "out", config)
    was = stamps(tmp_path / "out")
    (model / "note.txt").write_text("another model")
    run(texts, tmp_path / "out", config)
    assert made_again(was, tmp_path / "out").keys() == {"flag"}


@pytest.mark.parametrize("edited", STAGES)
def test_edited_code_runs_its_stage_and_stops_where_nothing_differs(
    texts: Path, output: Path, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = stamps(output)
    real = keys.ingredients

    def changed(stage: str, config: Config):
        return {**real(stage, config), **({"code": "edited"} if stage == edited else {})}

    monkeypatch.setattr(keys, "ingredients", changed)
    run(texts, output)
    assert made_again(was, output).keys() == {edited}


def test_code_is_what_a_stage_imports() -> None:
    names = {path.relative_to(keys.PACKAGE).as_posix() for path in keys.code("ingest")}
    assert {"stages/ingest.py", "readers/__init__.py", "readers/txt.py", "parts.py"} <= names
    assert not names & {"stages/flag.py", "config.py", "runner.py", "__init__.py"}


def test_a_deleted_part_is_made_again(texts: Path, output: Path) -> None:
    before = contents(output)
    next((output / "3-flagged").glob("part-*.parquet")).unlink()
    run(texts, output)
    assert contents(output) == before


def test_parts_of_an_interrupted_run_are_kept(texts: Path, output: Path) -> None:
    before, was = contents(output), stamps(output)
    for stage in STAGES.values():
        (output / stage.directory / "_manifest.json").unlink()
    next((output / "corpus" / "documents").glob("part-*.parquet")).unlink()
    next((output / "3-flagged").glob("part-*.parquet")).write_bytes(b"no Parquet")
    (output / "corpus" / ".part-00000-00000.parquet.77.tmp").write_bytes(b"half")
    run(texts, output)
    assert contents(output) == before
    assert {stage: len(names) for stage, names in made_again(was, output).items()} == {
        "flag": 1,
        "write": 3,
    }


# --- what goes wrong


@pytest.mark.parametrize("seen", ["1-ingested", "3-flagged", "corpus/sentences"])
def test_killed_and_run_again_it_makes_the_same(seen: str, tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "in", 24)
    command = [sys.executable, "-m", "pipeline", "run", texts, tmp_path / "out"]
    options = ["--set", "shard_chars=800", "--workers", "2"]
    with subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list((tmp_path / "out" / seen).glob("part-*")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert read_manifest(tmp_path / "out" / "corpus") is None
    run(texts, tmp_path / "out")
    run(texts, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_stopped_politely_it_says_one_line(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "in", 24)
    command = [sys.executable, "-m", "pipeline", "run", texts, tmp_path / "out", "--workers", "2"]
    with subprocess.Popen(
        [*command, "--set", "shard_chars=800"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not list((tmp_path / "out").glob("3-flagged/part-*")):
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 1
    assert errors[-1] == "pipeline run: stopped; the same command goes on from here"
    assert "Traceback" not in "".join(errors)
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_killed_worker_is_one_line(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "in", 6)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pipeline import parts, runner\n"
        "from pipeline.config import Config\n"
        "if __name__ == '__main__':\n"
        "    runner.run(Path(sys.argv[1]), Path(sys.argv[2]), Config(shard_chars=800), 2)\n"
        "else:\n"
        "    parts.ingest_shard = lambda *_: os._exit(9)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script, texts, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stderr.splitlines()[-1].startswith(
        "pipeline.errors.StageError: ingest: expected every worker to finish, found one that was"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_names_the_document_and_leaves_no_manifest(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    run(texts, tmp_path / "out")
    victim = rows(tmp_path / "out", "documents")[3]["doc_id"]
    load = parts.load

    class Broken:
        @staticmethod
        def run(batch, config):
            if victim in batch["doc_id"].to_pylist():
                raise ValueError("a bug")
            return load("segment").run(batch, config)

    monkeypatch.setattr(parts, "load", lambda name: Broken if name == "segment" else load(name))
    monkeypatch.setattr(runner.Workers, "_alone", lambda *_: True)  # a patch reaches no process
    (tmp_path / "out" / "4-segmented" / "_manifest.json").unlink()
    for path in (tmp_path / "out" / "4-segmented").glob("part-*"):
        path.unlink()
    expected = rf"^segment, part-\d+-\d+, document {victim}: expected no error, found ValueError"
    with pytest.raises(StageError, match=expected):
        run(texts, tmp_path / "out", workers=workers)
    assert read_manifest(tmp_path / "out" / "4-segmented") is None
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_stage_that_drops_a_row_is_stopped(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = parts.load

    class Dropping:
        @staticmethod
        def run(batch, config):
            return load("segment").run(batch.slice(1), config)

    monkeypatch.setattr(parts, "load", lambda name: Dropping if name == "segment" else load(name))
    with pytest.raises(StageError, match="expected 1 rows, found 0"):
        run(texts, tmp_path / "out")


def test_two_runs_into_one_output(texts: Path, output: Path) -> None:
    with (output / "3-flagged" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match=r"another run is at work in .*3-flagged"):
            run(texts, output)
    run(texts, output)


def test_a_stage_on_what_is_out_of_date(texts: Path, output: Path) -> None:
    (texts / "new.txt").write_text("新的。", encoding="utf-8")
    runner.run_stage("ingest", texts, output / "1-ingested", SMALL, 1)
    with pytest.raises(UsageError, match=r"1-ingested has changed since .*2-normalised was made"):
        runner.run_stage("flag", output / "2-normalised", output / "3-flagged", SMALL, 1)


def test_stages_one_by_one_make_the_same(texts: Path, output: Path, tmp_path: Path) -> None:
    source = texts
    for name, stage in STAGES.items():
        target = tmp_path / "steps" / stage.directory
        runner.run_stage(name, source, target, SMALL, 1)
        source = target
    assert contents(tmp_path / "steps") == contents(output)


def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """A part is closed in time, and batches are small, whatever the file."""
    record = json.dumps({"text": "这是一个句子。" * 50}, ensure_ascii=False)
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([record] * 6000), encoding="utf-8")
    runner.run_stage("ingest", source, tmp_path / "out", Config(), 1)
    sizes = [
        pq.read_metadata(path).row_group(group).num_rows * 350
        for path in (tmp_path / "out").glob("part-*.parquet")
        for group in range(pq.read_metadata(path).num_row_groups)
    ]
    assert sum(sizes) == 6000 * 350
    assert max(sizes) <= parts.BATCH_CHARS + 350
