"""What Spark makes is what processes make, and what goes wrong there is told as here."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import parts, runner
from pipeline.config import SHIPPED_MODEL, Config
from pipeline.errors import StageError, UsageError
from pipeline.keys import ingredients
from pipeline.parts import Job, SourceFile
from pipeline.runners import spark
from pipeline.stages import STAGES
from pipeline.storage import lock_holder, locked, read_manifest
from tests.conftest import ROOT, contents, made_again, stamps, write_texts
from tests.spark import faulty

pytestmark = pytest.mark.usefixtures("session")

SMALL = Config(shard_chars=800)


QUICK = "--conf spark.ui.enabled=false --driver-java-options -XX:TieredStopAtLevel=1 pyspark-shell"
"""Spark's own way to be configured; half the time to start."""


def run(source: Path, output: Path, engine: str = "spark", config: Config = SMALL):
    return runner.run(source, output, config, 2, engine)[-1].manifest


def command(source: Path, output: Path, *more: str) -> list[str]:
    arguments = ["run", str(source), str(output), "--engine", "spark", "--set", "shard_chars=800"]
    return [sys.executable, "-m", "pipeline", *arguments, *more]


def by_command(source: Path, output: Path, *more: str, **environment: str):
    return subprocess.run(
        command(source, output, *more),
        cwd=ROOT,
        env={**os.environ, "PYSPARK_SUBMIT_ARGS": QUICK, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def local(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("local") / "out"
    run(mixed, output, "local")
    return output


@pytest.fixture(scope="module")
def sparked(mixed: Path, tmp_path_factory: pytest.TempPathFactory, session: object) -> Path:
    output = tmp_path_factory.mktemp("sparked") / "out"
    run(mixed, output)
    return output


# --- the same


def test_all_files_are_those_of_the_local_engine(mixed: Path, local: Path, sparked: Path) -> None:
    made = {name: content for name, content in contents(local).items() if name != "report.html"}
    assert contents(sparked) == made  # tables, manifests, what was rejected
    manifest = read_manifest(sparked / "corpus")
    assert manifest is not None
    assert sum(manifest.rejects.values()) == 3
    assert len(list((sparked / "1-ingested").glob("part-*"))) > 3


def test_a_second_run_starts_no_session(
    mixed: Path,
    sparked: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(spark, "session", None)
    run(mixed, sparked)
    assert capsys.readouterr().err.splitlines() == [f"{name}: up to date" for name in STAGES]


def test_each_engine_keeps_what_the_other_made(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "in", 12)
    run(texts, tmp_path / "out", "local")
    before = stamps(tmp_path / "out")
    (texts / "1" / "004.txt").write_text("另一篇文章。\n", encoding="utf-8")
    run(texts, tmp_path / "out")
    changed = made_again(before, tmp_path / "out")
    assert 0 < len(changed["flag"]) < 3
    before = stamps(tmp_path / "out")
    run(texts, tmp_path / "out", "local")
    assert stamps(tmp_path / "out") == before
    run(texts, tmp_path / "whole", "local")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_the_command_line_with_one_worker(mixed: Path, local: Path, tmp_path: Path) -> None:
    done = by_command(mixed, tmp_path / "out", "--workers", "1")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    made = contents(tmp_path / "out")
    del made["report.html"]
    assert made == contents(local)


def test_executors_elsewhere_get_the_package(mixed: Path, local: Path, tmp_path: Path) -> None:
    """Processes that work in other folders, as on other machines; the master from outside."""
    done = by_command(mixed, tmp_path / "out", MASTER="local-cluster[2,1,1024]")
    assert done.returncode == 0, done.stderr
    made = contents(tmp_path / "out")
    del made["report.html"]
    assert made == contents(local)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_and_run_again_it_makes_the_same(how: signal.Signals, tmp_path: Path) -> None:
    texts, output = write_texts(tmp_path / "in", 30), tmp_path / "out"
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(
            command(texts, output),
            cwd=ROOT,
            env={**os.environ, "PYSPARK_SUBMIT_ARGS": QUICK},
            stderr=errors,
        ) as process,
    ):
        while process.poll() is None and not list((output / "3-flagged").glob("part-*")):
            time.sleep(0.01)
        process.send_signal(how)
        process.wait(timeout=60)
    assert read_manifest(output / "corpus") is None
    if how == signal.SIGTERM:
        last = (tmp_path / "errors").read_text().splitlines()[-1]
        assert last == "pipeline run: stopped; the same command goes on from here"
        assert not list(output.rglob("*.tmp"))
    before = stamps(output)
    run(texts, output)
    assert not made_again(before, output).keys() & {"ingest", "normalise"}
    run(texts, tmp_path / "whole", "local")
    assert contents(output) == contents(tmp_path / "whole")


# --- what goes wrong


def test_a_bug_names_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = write_texts(tmp_path / "in", 12)
    maker = runner._maker
    monkeypatch.setattr(
        runner, "_maker", lambda name: faulty.with_a_bug if name == "segment" else maker(name)
    )
    expected = r"^segment, part-\d+-\d+, document \w+: expected no error, found ValueError: a bug"
    with pytest.raises(StageError, match=expected) as raised:
        run(texts, tmp_path / "out")
    documents = {row["doc_id"]: row["raw"] for row in _ingested(tmp_path / "out")}
    assert faulty.VICTIM in documents[raised.value.args[2]]
    assert read_manifest(tmp_path / "out" / "4-segmented") is None
    assert not list((tmp_path / "out").rglob("*.tmp"))
    monkeypatch.undo()
    run(texts, tmp_path / "out")
    run(texts, tmp_path / "whole", "local")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def _ingested(output: Path) -> list[dict[str, object]]:
    tables = [pq.read_table(path) for path in (output / "1-ingested").glob("part-*")]
    return [row for table in tables for row in table.to_pylist()]


def job(target: Path, make=parts.ingest_shard, **more) -> Job:
    return Job(make, "ingest", "part-00000", "marker", "key", 1, target, Config(), **more)


def done(jobs: list[Job]) -> list:
    reported = []
    with locked([jobs[0].target], []), spark.Workers(2) as workers:
        made = list(workers.map(jobs, reported.append))
    assert reported[-1] == sum(job.weight for job in jobs)
    return made


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (faulty.killed, StageError, "ingest: expected every executor to finish, found one that"),
        (faulty.full, OSError, r"^\[Errno 28\] No space left on device: '/data/part'$"),
        (faulty.misused, UsageError, "^lower max_document_chars$"),
        (faulty.failing, StageError, "^ingest, part-00000: expected no error, found TypeError: no"),
        (faulty.elsewhere, StageError, "found none: is the folder shared"),
    ],
)
def test_an_error_comes_back_as_it_was(make, kind, message: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=message) as raised:
        done([job(tmp_path / "out", make)])
    assert "\n" not in str(raised.value)


def source_file(path: Path) -> SourceFile:
    return SourceFile(path.name, str(path), 1, 1, 1, 1, "hash", "")


def test_a_file_that_vanished_is_rejected_as_it_is_here(tmp_path: Path) -> None:
    gone = source_file(tmp_path / "in" / "gone.txt")
    [by_tasks, here] = done([job(tmp_path / "out", files=(gone,))])
    assert not by_tasks.parts
    assert [(part.name, part.rows) for part in here.parts][-1] == ("marker", 1)


def test_an_input_that_only_the_driver_sees_is_no_reject(tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("x")
    with pytest.raises(StageError, match="all machines must see INPUT at the same path"):
        spark._vanished(job(tmp_path / "out", files=(source_file(tmp_path / "here.txt"),)))


def told(target: Path, **more: object) -> dict[str, object]:
    made_from = json.loads(json.dumps(ingredients("ingest", Config())))
    model = str(SHIPPED_MODEL)
    return {
        "holder": lock_holder(target),
        "ingredients": made_from,
        "model": model,
        "mark": "m",
        **more,
    }


def test_other_packages_are_refused_by_name(tmp_path: Path) -> None:
    with locked([tmp_path], []):
        good = told(tmp_path)
        packages = {**good["ingredients"]["packages"], "lxml": "0.1"}
        other = told(tmp_path, ingredients={**good["ingredients"], "packages": packages})
        with pytest.raises(RuntimeError, match=r"expected packages lxml 0\.1, found lxml \d"):
            spark._do(job(tmp_path), other)


def test_another_folder_or_another_run_is_refused(tmp_path: Path) -> None:
    with locked([tmp_path], []):
        before = told(tmp_path)
    with locked([tmp_path], []), pytest.raises(RuntimeError, match="or another run in it"):
        spark._do(job(tmp_path), before)
    with pytest.raises(RuntimeError, match="to be the folder that the run was started on"):
        spark._do(job(tmp_path / "other"), before)


def test_a_task_that_outlives_its_run_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "LOOK_EVERY", 0)
    with locked([tmp_path], []):
        advance = spark._looking(job(tmp_path), lock_holder(tmp_path))
        advance(1)
    with locked([tmp_path], []), pytest.raises(StageError, match="another run in it"):
        advance(1)
