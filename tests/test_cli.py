"""The command line: exit statuses, and one clear line when something is wrong."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import pipeline
from pipeline.__main__ import COMMANDS, _cores, main
from pipeline.errors import UsageError
from pipeline.schema import TABLES
from pipeline.stages import STAGES
from tests.conftest import ROOT, Cli

TEXT = "形式主义害死人。他说:“好的。”\n会议在北京召开了。"


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    errors = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "".join(errors)
    assert errors[-1].startswith("pipeline ")
    return errors[-1]


def test_run_as_a_user_does(cli: Cli, texts: Path, tmp_path: Path) -> None:
    done = cli("run", texts, tmp_path / "out", "--workers", 2)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "documents 6" in done.stdout
    assert all(
        any(line.startswith(f"{name}:") for line in done.stderr.splitlines()) for name in STAGES
    )


def test_a_second_run_is_quick_and_loads_no_model(cli: Cli, texts: Path, tmp_path: Path) -> None:
    cli("run", texts, tmp_path / "out")
    started = time.monotonic()
    done = cli("run", texts, tmp_path / "out")
    assert time.monotonic() - started < 5  # 0.6 s on a quiet machine
    assert done.stderr.splitlines() == [f"{name}: up to date" for name in STAGES]


def test_cores_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= _cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert _cores() == os.cpu_count()


def test_a_terminal_gets_a_bar(texts: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline", "run", texts, tmp_path / "out", "--workers", "1"]
    shown = b""
    with subprocess.Popen(command, cwd=ROOT, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        timer = threading.Timer(120, process.kill)
        timer.start()
        with suppress(OSError):  # which is how it ends when the other end is closed
            while block := os.read(ours, 65536):
                shown += block
        timer.cancel()
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b[" in shown
    assert b"write" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{tmp}/nothing", "{tmp}/out"], "nothing does not exist"),
        (["run", "{tmp}/no\nsuch", "{tmp}/out"], "no such does not exist"),
        (["ingest", "{tmp}/in", "{tmp}"], "must not lie in one another"),
        (["ingest", "{tmp}/in", "{tmp}/taken"], "taken holds other files: name an empty folder"),
        (["run", "{tmp}/in", "{tmp}/file"], "file is a file: name a directory"),
        (["run", "{tmp}/in", "{tmp}/file/deeper"], "file is a file: name a directory"),
        (["run", "{tmp}/in", "{tmp}/in"], "must not lie in one another"),
        (["run", "{tmp}/in", "{tmp}/in/out"], "must not lie in one another"),
        (["run", "{tmp}/in", "{tmp}/out", "--model", "{tmp}/no"], "no model in"),
        (["normalise", "{tmp}/in", "{tmp}/out"], "holds no finished stage: run `ingest` first"),
        (["inspect", "{tmp}/nothing"], "is no file"),
    ],
)
def test_wrong_use_is_2_and_one_line(
    arguments: list[str],
    message: str,
    texts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("x")
    assert main([argument.format(tmp=tmp_path) for argument in arguments]) == 2
    assert message in last_line(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["clean"],
        ["run", "a"],
        ["run", "a", "b", "--workers", "0"],
        ["run", "a", "b", "--workers", "two"],
        ["run", "a", "b", "--engine", "ray"],
        ["run", "a", "b", "--set", "colour=red"],
        ["run", "a", "b", "--set", "shard_chars=many"],
    ],
)
def test_arguments_that_make_no_sense_are_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_a_name_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no\x1b[2Jsuch", "out"]) == 2
    assert last_line(capsys) == "pipeline run: no\\x1b[2Jsuch does not exist"


def test_an_empty_folder_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for _ in range(2):  # the second time everything is up to date, and still there is nothing
        assert main(["run", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
        assert "expected at least one document, found none" in last_line(capsys)


def test_nothing_but_rejects_is_1_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"")
    (tmp_path / "in" / "b.docx").write_bytes(b"PK\3\4")
    assert main(["run", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    line = last_line(capsys)
    assert "empty_file 1" in line
    assert "unsupported_format 1" in line
    assert len(pipeline.read("rejects", tmp_path / "out")) == 2


def test_gb18030_is_not_silently_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_bytes((TEXT * 20).encode("gb18030"))
    assert main(["run", str(tmp_path / "a.txt"), str(tmp_path / "out")]) == 0
    [raw] = pipeline.read("documents", tmp_path / "out")["raw"]
    assert raw == TEXT * 20


def test_a_folder_that_cannot_be_written_is_1(
    texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(texts), "/proc/nowhere"]) == 1
    assert "/proc/nowhere" in last_line(capsys)


def test_a_bug_is_one_line(texts: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pipeline.runner\n"
        "from pipeline.__main__ import main\n"
        "pipeline.runner.summary = None\n"
        "sys.exit(main(['run', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, texts, tmp_path / "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pipeline run: TypeError: ")


def test_a_bad_output_leaves_the_input_alone(texts: Path, tmp_path: Path) -> None:
    before = sorted(texts.rglob("*"))
    main(["run", str(texts), str(texts)])
    assert sorted(texts.rglob("*")) == before


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(texts: Path, tmp_path: Path, closed: str) -> None:
    command = f'"$0" -m pipeline run "$1" "$2" --workers 2 --set shard_chars=800 {closed}'
    arguments = ["sh", "-c", command, sys.executable, texts, tmp_path / "out"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.count("\n") == (closed == "2>&-")
    assert len(pipeline.read("documents", tmp_path / "out")) == 6


def test_folders_that_are_no_utf8(cli: Cli, texts: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xd6\xd0")
    texts.rename(folder)
    for _ in range(2):
        done = cli("run", folder, tmp_path / os.fsdecode(b"out\xff"))
        assert done.returncode == 0
        assert [line for line in done.stderr.splitlines() if line.startswith("write:")]
        assert r"out\udcff/corpus: documents 6" in done.stdout
    frame = pipeline.read("documents", tmp_path / os.fsdecode(b"out\xff"))
    assert len(frame) == 6


def test_standard_input_is_kept_and_told_by_its_content(cli: Cli, tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in ("甲。", "乙。"))
    for format_ in ([], ["--format", "jsonl"]):
        out = tmp_path / f"out{len(format_)}"
        done = cli("run", "-", out, *format_, input=lines)
        assert done.returncode == 0, done.stderr
        assert pipeline.read("documents", out).raw.to_list() == ["甲。", "乙。"]
    again = cli("run", "-", out, *format_, input=lines)
    assert again.stderr.splitlines()[-1] == "write: up to date"
    wrong = cli("run", "-", out, "--format", "docx", input="")
    assert (wrong.returncode, ".jsonl" in wrong.stderr) == (2, True)


def test_a_pattern_chooses_files(cli: Cli, tmp_path: Path) -> None:
    for name in ("a/1.txt", "a/b/2.txt", "a/b/c/3.txt", "a/b/4.md", "5.txt", "[x]/6.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("甲。", encoding="utf-8")
    for pattern, expected in (
        ("in/a/*.txt", ["1.txt"]),
        ("in/a/**/[!1].txt", ["b/2.txt", "b/c/3.txt"]),
        ("in/**/?.txt", ["5.txt", "[x]/6.txt", "a/1.txt", "a/b/2.txt", "a/b/c/3.txt"]),
        ("in/[x]", ["6.txt"]),
    ):
        done = cli("run", tmp_path / pattern, tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert sorted(pipeline.read("documents", tmp_path / "out").source) == expected
    nothing = cli("run", tmp_path / "in/*.html", tmp_path / "out")
    assert nothing.returncode == 1
    assert "at least one document" in nothing.stderr


# --- inspect


def test_inspect_in_a_pipe(cli: Cli) -> None:
    done = cli("inspect", "-", input="情势主义害逝世人。\n他说。")
    assert done.returncode == 0
    assert "characters: " in done.stdout
    assert "\x1b" not in done.stdout


def test_inspect_where_nothing_but_ascii_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "inspect", next((ROOT / "seeds").glob("*.txt"))],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u" in done.stdout


def test_inspect_a_file_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(json.dumps({"text": TEXT}) for _ in range(2)), encoding="utf-8")
    assert main(["inspect", str(path)]) == 0
    assert capsys.readouterr().out.count("会议在北京召开了。") == 2


def test_inspect_what_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    assert main(["inspect", str(tmp_path / "a.txt")]) == 1
    assert last_line(capsys) == (
        "pipeline inspect: ingest, a.txt: expected no reject, found empty_file"
    )


def test_inspect_into_a_pipe_that_closes() -> None:
    command = f"{sys.executable} -m pipeline inspect seeds/*.txt | head -1"
    done = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


# --- the library


def test_import_is_quick() -> None:
    heavy = ("numpy", "pyarrow", "pandas", "rich")
    code = f"import sys, pipeline; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_clean_gives_what_run_gives(tmp_path: Path) -> None:
    [seed] = (ROOT / "seeds").glob("*.txt")
    main(["run", str(seed), str(tmp_path / "out")])
    cleaned = pipeline.clean(seed.read_bytes().decode())
    assert len(cleaned.flags) > 10
    keys = ["doc_id", "source"]  # they depend on the name of the file
    made = {"documents": [cleaned.document], "sentences": cleaned.sentences, "flags": cleaned.flags}
    for table, rows in made.items():
        there = pipeline.read(table, tmp_path / "out").drop(columns=keys, errors="ignore")
        expected = pa.Table.from_pylist(rows, TABLES[table]).to_pandas(types_mapper=pd.ArrowDtype)
        pd.testing.assert_frame_equal(there, expected.drop(columns=keys, errors="ignore"))
    assert cleaned.text == "".join(str(row["text"]) for row in cleaned.sentences)
    assert cleaned.restored == "".join(str(row["restored"]) for row in cleaned.sentences)


def test_clean_refuses_what_no_table_can_hold() -> None:
    with pytest.raises(ValueError, match=r"raw\[1\] is half of a UTF-16 pair, '\\ud800'"):
        pipeline.clean("a\ud800b")


def test_functions_on_str() -> None:
    assert pipeline.normalise("１２３").text == "123"
    assert [TEXT[s.start : s.end] for s in pipeline.segment(TEXT)][-1] == "会议在北京召开了。"
    assert isinstance(pipeline.flag(TEXT), list)


def test_read(texts: Path, tmp_path: Path) -> None:
    main(["run", str(texts), str(tmp_path / "out")])
    for table, schema in TABLES.items():
        assert pipeline.read(table, tmp_path / "out").columns.tolist() == schema.names
    frame = pipeline.read("documents", tmp_path / "out", columns=["doc_id", "n_chars"])
    assert frame.columns.tolist() == ["doc_id", "n_chars"]
    assert (frame["n_chars"] > 100).all()
    frame = pipeline.read("documents", tmp_path / "out", columns=["raw", "doc_id"])
    assert frame.columns.tolist() == ["raw", "doc_id"]


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("sentence", None, "no table is named 'sentence': there are documents, sentences"),
        ("flags", ["colour"], "flags has no column 'colour': it has doc_id"),
        ("flags", None, "holds no finished tables: run `python -m pipeline run INPUT"),
    ],
)
def test_read_what_is_not_there(
    table: str, columns: list[str] | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        pipeline.read(table, tmp_path, columns)


def test_commands_are_the_stages_and_a_few_more() -> None:
    names = list(COMMANDS)
    assert names[0] == "run"
    assert [name for name in names if name in STAGES] == list(STAGES)
