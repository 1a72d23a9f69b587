"""What is made, what is made again, and what is left behind when something goes wrong."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline import keys, parquet, parts, runner
from pipeline.config import Config
from pipeline.errors import StageError, UsageError
from pipeline.runners import local
from pipeline.schema import TABLES
from pipeline.stages import STAGES
from pipeline.storage import CHECKPOINTS, read_manifest, write_json
from pipeline.tables import read_table
from tests.conftest import ROOT, contents, made_again, stamps, write_texts

SMALL = Config(shard_chars=800)  # a file of 200 characters fills a part


def run(source: Path, output: Path, config: Config = SMALL, workers: int = 1):
    return runner.run(source, output, config, workers)[-1].manifest


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


def test_a_text_that_comes_twice_is_a_copy_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, text in (("a", "甲。"), ("b", "乙。"), ("c", "甲。\r\n"), ("d", "甲。")):
        (folder / f"{name}.txt").write_bytes(text.encode())
    run(folder, tmp_path / "out", Config(shard_chars=1), 1)  # each file has a part of its own
    documents = read_table("documents", tmp_path / "out").set_index("source")
    first = documents.doc_id["a.txt"]
    assert documents.duplicate_of.fillna("").to_list() == ["", "", first, first]
    (folder / "a.txt").write_bytes("丙。".encode())
    run(folder, tmp_path / "out", Config(shard_chars=1), 1)
    documents = read_table("documents", tmp_path / "out").set_index("source")
    assert documents.duplicate_of.fillna("").to_list() == ["", "", "", documents.doc_id["c.txt"]]


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


def test_a_link_that_the_user_names_is_followed(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "link.txt").symlink_to(texts / "0" / "000.txt")
    run(tmp_path / "links" / "link.txt", tmp_path / "out")
    assert [row["source"] for row in rows(tmp_path / "out", "documents")] == ["link.txt"]
    (tmp_path / "folder").symlink_to(texts)
    run(tmp_path / "folder", tmp_path / "all")
    assert len(rows(tmp_path / "all", "documents")) == 6


def test_file_names_that_are_no_utf8_stay_apart(tmp_path: Path) -> None:
    for name in (b"\xd6\xd0.txt", rb"\xd6\xd0.txt", rb"a\b.txt"):
        path = tmp_path / "in" / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("好。", encoding="utf-8")
    run(tmp_path / "in", tmp_path / "out")
    documents = rows(tmp_path / "out", "documents")
    expected = {r"\xd6\xd0.txt", r"\x5cxd6\x5cxd0.txt", r"a\b.txt"}
    assert {row["source"] for row in documents} == expected
    assert len({row["doc_id"] for row in documents}) == 3


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


def test_another_input_of_the_same_look_is_read(tmp_path: Path) -> None:
    for name, text in (("a", "甲甲。"), ("b", "乙乙。")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(text, encoding="utf-8")
        os.utime(tmp_path / name / "x.txt", ns=(1, 1))
        run(tmp_path / name, tmp_path / "out")
        assert [row["raw"] for row in rows(tmp_path / "out", "documents")] == [text]


def test_a_change_that_keeps_size_and_time_is_seen(texts: Path, output: Path) -> None:
    path = texts / "0" / "003.txt"
    os.utime(path, ns=(1, 1))
    run(texts, output)
    path.write_bytes(path.read_bytes().replace("第3篇".encode(), "第9篇".encode()))
    os.utime(path, ns=(1, 1))
    run(texts, output)
    assert any(str(row["raw"]).startswith("第9篇") for row in rows(output, "documents"))


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
    (model / "card.md").unlink(missing_ok=True)
    (model / "card.md").write_text("other figures")  # for people: it changes no table
    run(texts, tmp_path / "out", config)
    assert made_again(was, tmp_path / "out") == {}
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


def test_a_part_with_a_damaged_footer_is_made_again(texts: Path, output: Path) -> None:
    before = contents(output)
    (output / "3-flagged" / "_manifest.json").unlink()
    path = next((output / "3-flagged").glob("part-*.parquet"))
    data = bytearray(path.read_bytes())
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[start:-8] = b"\xff" * (len(data) - 8 - start)
    path.write_bytes(data)
    run(texts, output)
    assert contents(output) == before


@pytest.mark.parametrize("content", ["null", "[]", '{"x": 3}', "{", '{"parts": [3]}'])
@pytest.mark.parametrize("name", ["_manifest.json", "_files.json"])
def test_misshapen_notes_are_none(texts: Path, output: Path, name: str, content: str) -> None:
    before = contents(output)
    (output / "1-ingested" / name).write_text(content)
    run(texts, output)
    assert contents(output) == before


@pytest.mark.parametrize("value", [None, 3, [], [3]])
def test_notes_with_a_misshapen_field_are_none(texts: Path, output: Path, value: object) -> None:
    before = contents(output)
    for name in ("_files.json", "_manifest.json"):
        path = output / "1-ingested" / name
        noted = json.loads(path.read_bytes())
        for field in noted:
            write_json(path, {**noted, field: value})
            run(texts, output)
            assert contents(output) == before
            assert json.loads(path.read_bytes()) == noted


def test_folders_that_are_no_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xd6\xd0")
    texts = write_texts(folder / "in", 3)
    run(texts, folder / "out")
    before = contents(folder / "out")
    run(texts, folder / "out", workers=2)
    for stage in STAGES.values():
        (folder / "out" / stage.directory / "_manifest.json").unlink()
    next((folder / "out" / "3-flagged").glob("part-*")).unlink()
    run(texts, folder / "out", workers=2)
    assert contents(folder / "out") == before
    shutil.move(folder, tmp_path / "moved")
    assert len(rows(tmp_path / "moved" / "out", "documents")) == 3


# --- the files of others


def test_files_of_others_stay(texts: Path, output: Path) -> None:
    names = (
        *("other/part-00000.parquet", "other/.part-00000.parquet.7.tmp", "notes.txt"),
        *("part-00000-mine.parquet", "documents/part-mine.parquet", "documents/.x.7.tmp", ".x.tmp"),
    )
    others = [output / "1-ingested" / name for name in names]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (texts / "2" / "005.txt").unlink()
    run(texts, output)
    runner.run_stage("ingest", texts, output / "1-ingested", SMALL._replace(shard_chars=900), 1)
    assert all(path.read_text() == "mine" for path in others)


@pytest.mark.parametrize("name", ["notes.txt", "1-ingested/part-00000-00000.parquet", ".gitkeep"])
def test_a_folder_of_others_is_refused(texts: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="out holds other files: name an empty folder"):
        runner.run_stage("ingest", texts, tmp_path / "out", SMALL, 1)
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [path]


def test_the_output_of_another_stage_is_refused(texts: Path, output: Path) -> None:
    before = contents(output)
    with pytest.raises(UsageError, match=r"2-normalised holds what `normalise` made"):
        runner.run_stage("ingest", texts, output / "2-normalised", SMALL, 1)
    assert contents(output) == before


def test_beside_the_stages_others_may_have_files(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".gitkeep").touch()
    (tmp_path / "out" / "part-00000.parquet").write_text("mine")
    for _ in range(2):
        run(texts, tmp_path / "out")
    assert (tmp_path / "out" / "part-00000.parquet").read_text() == "mine"


def test_an_unfinished_copy_without_hidden_files_is_ours(texts: Path, output: Path) -> None:
    before = contents(output)
    for name in (".lock", "_manifest.json"):
        (output / "1-ingested" / name).unlink()
    run(texts, output)
    assert contents(output) == before


# --- what goes wrong


def stopped(folder: Path, seen: str, how: signal.Signals) -> tuple[Path, int, list[str]]:
    """A run that was sent a signal when ``seen`` had its first part, and before it was done."""
    for attempt in range(6):
        here = folder / f"{attempt}"
        texts = write_texts(here / "in", 24 << attempt)
        command = [sys.executable, "-m", "pipeline", "run", texts, here / "out", "--workers", "2"]
        with (
            (here / "errors").open("w") as errors,
            subprocess.Popen(
                [*command, "--set", "shard_chars=800"], cwd=ROOT, stderr=errors
            ) as process,
        ):
            while process.poll() is None and not list((here / "out" / seen).glob("part-*")):
                time.sleep(0.002)
            process.send_signal(how)
            process.wait(timeout=60)
        if read_manifest(here / "out" / "corpus") is None:
            return here, process.returncode, (here / "errors").read_text().splitlines()
    pytest.fail("each run was done before it could be stopped")


@pytest.mark.parametrize("seen", ["1-ingested", "3-flagged", "corpus/sentences"])
def test_killed_and_run_again_it_makes_the_same(seen: str, tmp_path: Path) -> None:
    here, status, _ = stopped(tmp_path, seen, signal.SIGKILL)
    assert status == -signal.SIGKILL
    run(here / "in", here / "out")
    run(here / "in", here / "whole")
    assert contents(here / "out") == contents(here / "whole")


def test_what_a_killed_runs_worker_leaves_meanwhile_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives some milliseconds longer than its run, and may write when the next one has begun."""
    texts, out = write_texts(tmp_path / "in", 3), tmp_path / "out"
    left = out / "1-ingested" / CHECKPOINTS / ".part-00000-00000.parquet.1a.tmp"
    make = runner._make

    def beside(jobs: Any, *given: Any) -> Any:
        if jobs[0].stage == "ingest":
            left.parent.mkdir(parents=True, exist_ok=True)
            left.touch()
        return make(jobs, *given)

    monkeypatch.setattr(runner, "_make", beside)
    run(texts, out)
    assert not left.parent.exists()


def test_stopped_politely_it_says_one_line(tmp_path: Path) -> None:
    here, status, errors = stopped(tmp_path, "3-flagged", signal.SIGTERM)
    assert status == 1
    assert errors[-1] == "pipeline run: stopped; the same command goes on from here"
    assert "Traceback" not in "".join(errors)
    assert not list((here / "out").rglob("*.tmp"))


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
    monkeypatch.setattr(local.Workers, "_alone", lambda *_: True)  # a patch reaches no process
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


def test_a_file_of_which_nothing_is_read_is_rejected(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.load("ingest").READERS, ".txt", lambda *_: iter(()))
    run(texts, tmp_path / "out")
    rejects = rows(tmp_path / "out", "rejects")
    assert [row["reason"] for row in rejects] == ["empty_file"] * 6


@pytest.mark.parametrize("change", ["grows", "vanishes"])
def test_a_file_that_changes_under_our_hands_is_rejected_and_then_done_again(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = texts / "growing.jsonl"
    path.write_text('{"text": "甲。"}\n', encoding="utf-8")
    list_files = runner.list_files

    def then_changed(*args):
        files = list_files(*args)
        if change == "vanishes":
            path.unlink()
        else:
            path.write_text('{"text": "甲。"}\n{"text": "乙。"}\n', encoding="utf-8")
        return files

    monkeypatch.setattr(runner, "list_files", then_changed)
    run(texts, tmp_path / "out")
    [reject] = rows(tmp_path / "out", "rejects")
    assert (reject["source"], reject["reason"]) == ("growing.jsonl", "changed")
    monkeypatch.undo()
    run(texts, tmp_path / "out")
    assert rows(tmp_path / "out", "rejects") == []
    texts_of = [row["raw"] for row in rows(tmp_path / "out", "documents")]
    assert texts_of[6:] == ([] if change == "vanishes" else ["甲。", "乙。"])


@pytest.mark.parametrize("lose", ["a file", "rows"])
def test_what_vanishes_in_ingest_is_a_bug(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    if lose == "rows":
        monkeypatch.setattr(parquet.PartFile, "write", lambda *_: None)
    else:
        monkeypatch.setattr(parts.load("ingest"), "ingest", lambda *_: iter(()))
    expected = {"rows": "expected 1 rows, found 0", "a file": r"found none: \d/\d+\.txt"}
    with pytest.raises(StageError, match=expected[lose]):
        run(texts, tmp_path / "out")
    monkeypatch.undo()
    run(texts, tmp_path / "out")  # nothing is taken for finished
    assert len(rows(tmp_path / "out", "documents")) == 6


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


def test_a_stage_on_what_somebody_deleted_from(texts: Path, output: Path) -> None:
    next((output / "2-normalised").glob("part-*")).unlink()
    with pytest.raises(UsageError, match=r"2-normalised lacks part-\S+: run `normalise` again"):
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


def test_memory_does_not_grow_with_the_other_fields(tmp_path: Path) -> None:
    record = json.dumps({"text": "短。", "title": "长" * 300_000}, ensure_ascii=False)
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([record] * 12), encoding="utf-8")
    runner.run_stage("ingest", source, tmp_path / "out", Config(), 1)
    files = [pq.read_metadata(path) for path in (tmp_path / "out").glob("part-*.parquet")]
    rows = [file.row_group(i).num_rows for file in files for i in range(file.num_row_groups)]
    assert (sum(rows), max(rows)) == (12, 2)


def test_rows_that_do_not_fit_in_one_batch_are_not_lost() -> None:
    table = pa.table({"a": pa.chunked_array([["x"], ["y"]])})
    assert parquet.one_batch(table).num_rows == 2
    overfull: Any = SimpleNamespace(combine_chunks=lambda: table)  # as Arrow does beyond 2 GB
    with pytest.raises(UsageError, match="lower max_document_chars"):
        parquet.one_batch(overfull)
