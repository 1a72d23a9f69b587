"""What a run tells of itself, for people and for machines: the numbers are those of the tables."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline import progress, runner
from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.outcome import block
from pipeline.parts import Job
from pipeline.progress import EVENTS, FIELDS, reasons
from pipeline.stages import STAGES
from pipeline.tally import Made
from tests.conftest import Cli

COSTS = {"seconds", "worker_seconds", "mb_per_s", "peak_worker_bytes", "peak_parent_bytes"}


CLEAN = "今天上午，市图书馆的读书会坐满了人。大家谈到各自喜欢的小说，一直聊到中午。\n" * 4
SPUN = "; spun 85.7%"


@pytest.fixture
def mixed(texts: Path) -> Path:
    """Six texts that are spun, one that is not, and three that are rejected for two reasons."""
    (texts / "clean.txt").write_text(CLEAN, encoding="utf-8")
    (texts / "a.txt").touch()
    (texts / "b.txt").touch()
    (texts / "c.docx").write_bytes(b"PK\3\4")
    return texts


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def of(events: Sequence[dict[str, Any]], event: str, **fields: Any) -> list[dict[str, Any]]:
    wanted = {"event": event, **fields}
    return [one for one in events if wanted.items() <= one.items()]


def check_against_tables(told: dict[str, Any], output: Path) -> None:
    documents, rejects = (pipeline.read(table, output) for table in ("documents", "rejects"))
    assert told["documents"] == len(documents)
    assert told["spun"] == (documents.spun_probability >= 0.5).sum() == 6
    assert told["spun_share"] == pytest.approx(told["spun"] / len(documents))
    assert told["rejects"] == rejects.reason.value_counts().to_dict()
    assert told["rows_in"] == len(documents) + len(rejects)
    for table, rows in told["rows_out"].items():
        assert rows == len(pipeline.read(table, output))
    size = sum(len(raw.encode()) for raw in documents.raw)
    assert size <= told["text_bytes"] <= size + 400 * len(documents)  # of one short text a part


@pytest.mark.parametrize("workers", [1, 2])
def test_the_numbers_are_those_of_the_tables(
    mixed: Path, tmp_path: Path, cli: Cli, workers: int
) -> None:
    out = tmp_path / "out"
    small = ("--workers", workers, "--set", "shard_chars=800", "--log-json")
    done = cli("run", mixed, out, *small)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    [summary] = of(events, "summary", command="run")
    assert events[-1] == summary
    check_against_tables(summary, out)
    assert [*summary["stage_seconds"]] == [*STAGES, "report"]
    for stage in STAGES:
        [end] = of(events, "end", stage=stage)
        parts = len(list((out / STAGES[stage].directory).rglob("part-*.parquet")))
        assert (end["parts_made"], end["parts_kept"]) == (parts, 0)
        assert end["peak_worker_bytes"] > 20e6
        if stage in ("flag", "segment", "write"):
            assert (end["spun"], end["spun_share"]) == (summary["spun"], summary["spun_share"])
        if stage == "write":
            check_against_tables(end, out)


@pytest.mark.parametrize("stage", ["ingest", "flag", "write"])
def test_parts_that_were_there_are_counted_too(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    out = tmp_path / "out"
    command = ["run", str(mixed), str(out), "--workers", "1", "--set", "shard_chars=800"]
    assert main(command) == 0
    directory = out / STAGES[stage].directory
    parts = [*directory.glob("part-*.parquet"), *directory.glob("documents/part-*.parquet")]
    sorted(parts)[1].unlink()
    (directory / "_manifest.json").unlink()
    capsys.readouterr()
    assert main([*command, "--log-json"]) == 0
    events = objects(capsys)
    [end] = of(events, "end", stage=stage)
    assert end["parts_made"] >= 1 <= end["parts_kept"]
    check_against_tables(of(events, "summary")[0], out)
    if stage == "flag":
        assert (end["spun"], end["documents"]) == (6, 7)


def test_when_nothing_is_to_do_machines_are_told_the_same(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(mixed), str(tmp_path / "out"), "--workers", "1", "--log-json"]
    main(command)
    first = of(objects(capsys), "summary")[0]
    main(command)
    events = objects(capsys)
    second = of(events, "summary")[0]
    assert not of(events, "stage")
    costs = COSTS | {"time", "stage_seconds"}
    assert {k: v for k, v in first.items() if k not in costs} == {
        k: v for k, v in second.items() if k not in costs
    }


class OnlyFinished:
    """An engine that says nothing of a job but that it is finished, and what it made."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> "OnlyFinished":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, jobs: Sequence[Job], report: progress.Report) -> Iterator[Made]:
        yield from (Made(job.make(job, lambda _: None)) for job in jobs)


def test_an_engine_that_counts_nothing_comes_to_the_same(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(shard_chars=800)
    ours = runner.run(mixed, tmp_path / "ours", config, 1)
    monkeypatch.setattr(runner, "Workers", OnlyFinished)
    theirs = runner.run(mixed, tmp_path / "theirs", config, 1)
    for one, other in zip(ours, theirs, strict=True):
        left_out = COSTS | {"output"}
        assert {k: v for k, v in one.fields().items() if k not in left_out} == {
            k: v for k, v in other.fields().items() if k not in left_out
        }


# --- the objects


def test_every_field_and_event_is_described_and_every_description_is_used(
    mixed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    out = tmp_path / "out"
    options = ["--workers", "1", "--log-json"]
    assert main(["run", str(mixed), str(out), *options]) == 0
    assert main(["ingest", str(mixed), str(tmp_path / "one"), *options]) == 0
    assert main(["run", str(tmp_path / "none"), str(out), *options]) == 2
    progress.say("anything")
    events = objects(capsys)
    progress.log_json(False)
    assert {one["event"] for one in events} == {*EVENTS}
    assert {name for one in events for name in one} == {*FIELDS}
    for one in of(events, "progress"):
        assert 0 < one["done"] <= one["total"]
        assert one["rate"] > 0
        assert one["remaining_s"] >= 0
    flagged = of(events, "progress", stage="flag")[-1]
    assert (flagged["documents"], flagged["rejects"]["empty_file"]) == (0, 2)  # its job goes on


def test_a_name_that_is_not_described_is_a_bug() -> None:
    with pytest.raises(ValueError, match="colour"):
        progress.assert_known("message", {"colour": 1})
    with pytest.raises(ValueError, match="party"):
        progress.assert_known("party", {})


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run", "{tmp}/nothing", "{tmp}/out"], 2, "nothing does not exist"),
        (["run", "{tmp}/in", "/proc/nowhere"], 1, "/proc/nowhere"),
        (["run", "{tmp}/in", "{tmp}/out", "--workers", "none"], 2, "must be 1 or more"),
        (["run", "{tmp}/empty", "{tmp}/out"], 1, "at least one document"),
        (["flag", "{tmp}/in", "{tmp}/out"], 2, "holds no finished stage"),
        (["run", "{tmp}/no\x1b[2J", "{tmp}/out"], 2, "no\\x1b[2J does not exist"),
    ],
)
def test_an_error_is_one_object(
    arguments: list[str], status: int, message: str, texts: Path, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "empty").mkdir()
    done = cli(*(argument.format(tmp=tmp_path) for argument in arguments), "--log-json")
    assert done.returncode == status
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[-1]["event"] == "error"
    assert len(of(events, "error")) == 1
    assert (events[-1]["status"], events[-1]["command"]) == (status, arguments[0])
    assert message in events[-1]["message"]


# --- for people


def test_a_run_ends_with_a_screen_of_what_it_made(mixed: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("run", mixed, tmp_path / "out", "--workers", 2, "--set", "shard_chars=800")
    lines = done.stderr.splitlines()
    told = lines[len(STAGES) :]
    assert [line.split()[0] for line in told] == [
        *("rows", "spun", "time", "memory", "output", "report"),
    ]
    assert told[0].endswith("rejects 3 (empty_file 2, unsupported_format 1)")
    assert told[1].endswith("85.7%, 6 of 7 documents")
    assert all(f"{stage} " in told[2] for stage in (*STAGES, "report"))
    one = cli("normalise", tmp_path / "out" / "1-ingested", tmp_path / "two", "--workers", 1)
    assert [line.split()[0] for line in one.stderr.splitlines()] == [
        *("normalise:", "rows", "time", "memory", "output"),
    ]


def test_a_line_tells_what_was_found_so_far(
    mixed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    main(["run", str(mixed), str(tmp_path / "out"), "--workers", "1", "--set", "shard_chars=800"])
    lines = capsys.readouterr().err.splitlines()
    rejected = "; rejects 3 (empty_file 2, unsupported_format 1)"
    spun = [line for line in lines if line.startswith("segment: ") and SPUN in line]
    assert spun
    assert all(rejected in line and " s left" in line for line in spun)


def test_many_reasons_do_not_make_a_long_line() -> None:
    assert reasons({f"r{n}": n for n in range(1, 7)}) == "21 (r6 6, r5 5, r4 4, 3 more reasons)"


def test_what_is_not_known_is_left_out() -> None:
    told = block({"rows_in": 0, "rows_out": {"documents": 0}, "rejects": {}, "spun_share": None})
    assert told == "rows      0 in: documents 0, rejects 0"
