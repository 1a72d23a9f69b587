"""What can happen to a run: it ends with one line that says what to do, and can go on."""

import errno
import fcntl
import io
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import runner, storage
from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.errors import StageError, UsageError
from pipeline.inputs import kept_stdin
from pipeline.parts import Advance, Job, SourceFile
from pipeline.readers import parquet as parquet_reader
from pipeline.runners.local import Workers
from pipeline.stages import STAGES
from pipeline.stages.ingest import ingest
from pipeline.storage import Part, read_manifest
from tests.conftest import ROOT, Cli, contents, write_texts
from tests.torture import inputs, looking
from tests.torture.__main__ import torture
from tests.torture.jobs import dies, does_nothing, finds_the_disk_full, raises_what_cannot_be_sent

SETTINGS = ["--set", "shard_chars=800"]
STOPPED = "stopped; the same command goes on from here"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An input, and what a run makes of it."""
    folder = tmp_path_factory.mktemp("prepared")
    texts = write_texts(folder / "in", 6)
    runner.run(texts, folder / "out", Config(shard_chars=800), 1)
    main(["report", str(folder / "out")])
    return texts, folder / "out"


@pytest.fixture
def source(prepared: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared[0], tmp_path / "in"))


@pytest.fixture
def whole(prepared: tuple[Path, Path]) -> dict[str, bytes]:
    return contents(prepared[1])


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """`main` sets them for its process, which here is that of the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said last: nothing before it is about what went wrong."""
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if "Traceback" in line or "Error" in line]
    assert [line for line in lines if line.startswith("pipeline ")] == lines[-1:]
    return lines[-1]


def run(source: Path, output: Path) -> int:
    return main(["run", str(source), str(output), "--workers", "1", *SETTINGS])


def nothing_half_done(output: Path) -> None:
    assert not list(output.rglob("*.tmp"))
    for stage in STAGES.values():
        manifest = read_manifest(output / stage.directory)
        for part in manifest.parts if manifest else ():
            assert storage.on_disk(output / stage.directory, part)


# --- the disk


@pytest.mark.parametrize(
    "victim",
    [
        *("1-ingested/_files.json", "1-ingested/_rejects/part", "1-ingested/part-00001"),
        *("1-ingested/_manifest", "2-normalised/part", "3-flagged/_manifest", "4-segmented/part"),
        *("corpus/documents/part", "corpus/rejects/part", "corpus/_manifest", "report.html"),
    ],
)
def test_a_full_disk(
    victim: str,
    source: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    folder, _, name = f"{output}/{victim}".rpartition("/")
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(f"{folder}/.{name}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert run(source, output) == 1
    line = one_line(capsys)
    assert line.startswith(f"pipeline run: {folder}/{name}")
    advice = "No space left on device: make room; the same command goes on from here"
    assert line.endswith(advice)
    nothing_half_done(output)
    assert run(source, output) == 0
    assert contents(output) == whole


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_fills_up_in_a_worker(workers: str, source: Path, tmp_path: Path) -> None:
    """The limit of a file's size stands for it: the kernel breaks off a write all the same."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    arguments = ["run", source, tmp_path / "out", "--workers", workers, *SETTINGS]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert ": File too large: raise the limit on the size of files (ulimit -f); " in lines[-1]
    nothing_half_done(tmp_path / "out")


def test_standard_input_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OSError, match="No space") as error,
        kept_stdin(io.BytesIO(b"x"), tmp_path / "0-stdin", ".txt"),
    ):
        pass
    assert error.value.filename == str(tmp_path / "0-stdin" / "stdin.txt")
    assert [path.name for path in (tmp_path / "0-stdin").iterdir()] == [".lock"]


def test_a_full_disk_is_no_reason_to_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpacked to be read twice goes through a temporary file."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr(parquet_reader, "_seekable", full)
    with pytest.raises(OSError, match="No space left"):
        list(ingest("a.parquet", Pipe(b"PAR1"), Config()))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Read-only file system: name an output that can be written to"),
        (errno.EACCES, "Permission denied: mend its permissions, or name another"),
    ],
)
def test_an_output_that_cannot_be_written(
    number: int,
    advice: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    assert run(source, tmp_path / "out") == 1
    assert one_line(capsys) == f"pipeline run: {tmp_path}/out/1-ingested: {advice}"


# --- the folders


@pytest.mark.parametrize("stage", STAGES)
def test_an_output_that_is_deleted_under_the_run(
    stage: str,
    source: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever writes makes the folders anew. A manifest must not list what went before that."""
    do_all = Workers.map

    def then_deleted(self, jobs, report):
        for number, made in enumerate(do_all(self, jobs, report)):
            if jobs[0].stage == stage and number == 1:
                shutil.rmtree(tmp_path / "out")
            yield made

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "map", then_deleted)
        assert run(source, tmp_path / "out") == 1
    assert "removed" in one_line(capsys)
    nothing_half_done(tmp_path / "out")
    assert run(source, tmp_path / "out") == 0
    assert contents(tmp_path / "out") == whole


@pytest.mark.parametrize("change", ["vanishes", "is cut short", "vanishes as a whole"])
def test_an_input_that_does_not_stay(
    change: str,
    source: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was there is in the tables all the same; and once it is back, so is the rest."""
    path, kept = source / "0" / "003.txt", tmp_path / "kept"
    list_files = runner.list_files

    def then_changed(*args):
        files = list_files(*args)
        if change == "vanishes":
            path.rename(kept)
        elif change == "is cut short":
            shutil.copy2(path, kept)
            path.write_bytes(path.read_bytes()[:40])
        else:
            source.rename(kept)
        return files

    with monkeypatch.context() as patch:
        patch.setattr(runner, "list_files", then_changed)
        assert run(source, tmp_path / "out") == 1
    line = one_line(capsys)
    assert line.endswith(("run again", "these rejects: changed 6"))
    nothing_half_done(tmp_path / "out")
    kept.rename(source if change == "vanishes as a whole" else path)
    assert run(source, tmp_path / "out") == 0
    assert contents(tmp_path / "out") == whole


# --- signals


def told(code: str, source: Path, output: Path) -> "subprocess.CompletedProcess[str]":
    """A run in which ``code`` was executed first."""
    script = (
        "import os, signal, sys, threading, time\n"
        "import pipeline.__main__ as command\n"
        f"{code}\n"
        f"sys.exit(command.main(['run', *sys.argv[1:], '--workers', '1', *{SETTINGS}]))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, source, output],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


SEND = "os.kill(os.getpid(), signal.{})"
EARLY = "import time; command._parser = lambda: ({send}, time.sleep(5))"
REPORT = "import pipeline.report as r; r.render = lambda *_: {send}"
TWICE = """
import pipeline.runner as r
tidy, told = r._tidy, []
def first(*_):
    told.append(True)
    {send}
def second(directories):
    if told:
        {send}
    tidy(directories)
r.list_files, r._tidy = first, second
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("code", "line"),
    [
        (EARLY, "pipeline: stopped before it began"),
        (REPORT, f"pipeline run: {STOPPED}"),
        (TWICE, f"pipeline run: {STOPPED}"),
    ],
)
def test_told_to_stop(name: str, code: str, line: str, source: Path, tmp_path: Path) -> None:
    done = told(code.format(send=SEND.format(name)), source, tmp_path / "out")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, line)
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_told_when_all_is_done(name: str, source: Path, tmp_path: Path) -> None:
    script = (
        "import atexit, os, runpy, signal, sys\n"
        f"atexit.register(lambda: {SEND.format(name)})\n"
        "runpy.run_module('pipeline', run_name='__main__', alter_sys=True)"
    )
    arguments = ["run", source, tmp_path / "out", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_nohup_is_obeyed(source: Path, tmp_path: Path) -> None:
    code = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + (
        "import pipeline.report as r\n"
        f"r.render = lambda *a, render=r.render: ({SEND.format('SIGHUP')}, render(*a))[1]"
    )
    assert told(code, source, tmp_path / "out").returncode == 0


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_ctrl_c_while_workers_start(delay: float, source: Path, tmp_path: Path) -> None:
    """A terminal tells them, too, when they are still importing what they will need."""
    command = [sys.executable, "-m", "pipeline", "run", source, tmp_path / "out"]
    with subprocess.Popen(
        [*map(str, command), "--workers", "2", *SETTINGS],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not (tmp_path / "out/1-ingested/_files.json").exists():
            time.sleep(0.001)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=100)[1].splitlines()
    assert errors[-1:] == [f"pipeline run: {STOPPED}"]
    assert not [line for line in errors if "Traceback" in line]
    nothing_half_done(tmp_path / "out")


# --- two runs


def held(path: Path) -> io.TextIOWrapper:
    lock = path.open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@pytest.mark.parametrize(
    ("command", "directory"),
    [
        (["run", "{in}", "{out}"], "1-ingested"),
        (["run", "{in}", "{out}"], "corpus"),
        (["ingest", "{in}", "{out}/1-ingested"], "1-ingested"),
        (["flag", "{out}/2-normalised", "{out}/3-flagged"], "3-flagged"),
        (["flag", "{out}/2-normalised", "{out}/3-flagged"], "2-normalised"),
        (["write", "{out}/4-segmented", "{out}/corpus"], "1-ingested"),
        (["report", "{out}"], "corpus"),
    ],
)
def test_the_second_run_refuses(
    command: list[str],
    directory: str,
    prepared: tuple[Path, Path],
    source: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Path(shutil.copytree(prepared[1], tmp_path / "out"))
    names = {"in": str(source), "out": str(output)}
    with held(output / directory / ".lock"):
        assert main([word.format(**names) for word in command]) == 2
    line = one_line(capsys)
    assert f"run is at work in {output / directory}: wait for it, or end it" in line
    assert contents(output) == whole


def test_two_real_runs(cli: Cli, tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "in", 24)
    command = [sys.executable, "-m", "pipeline", "run", texts, tmp_path / "out", *SETTINGS]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as first:
        while first.poll() is None and not list((tmp_path / "out").glob("1-ingested/part-*")):
            time.sleep(0.001)
        second = cli("run", texts, tmp_path / "out", *SETTINGS)
        assert first.wait(timeout=200) == 0
    assert second.returncode == 2
    assert "another run is at work in" in second.stderr.splitlines()[-1]


def test_standard_input_stays_as_long_as_it_is_read(tmp_path: Path) -> None:
    with kept_stdin(io.BytesIO(b"first"), tmp_path, ".txt") as path:
        with (
            pytest.raises(UsageError, match="another run is at work"),
            kept_stdin(io.BytesIO(b"second"), tmp_path, ".txt"),
        ):
            pass
        assert path.read_bytes() == b"first"


# --- workers


def jobs(make: Callable[[Job, Advance], list[Part]], count: int = 4) -> list[Job]:
    """Each larger than what a pipe holds."""
    file = SourceFile("x" * 300_000, "", 0, 0, 0, 0, "", "")
    return [Job(make, "flag", "part-0", "", "", 1, Path(), Config(), (), (file,))] * count


def map_all(crew: Workers, work: list[Job]) -> None:
    list(crew.map(work, lambda _: None))


def test_a_worker_that_is_killed_while_it_waits() -> None:
    """With a queue that all of them read from, this hung: who waits there holds its lock."""
    with Workers(2) as crew:
        map_all(crew, jobs(does_nothing))
        os.kill(crew._crew[0].process.pid or 0, signal.SIGKILL)
    with Workers(2) as crew:
        map_all(crew, jobs(does_nothing))
        os.kill(crew._crew[1].process.pid or 0, signal.SIGKILL)
        with pytest.raises(StageError, match="flag: expected every worker to finish"):
            map_all(crew, jobs(does_nothing))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (dies, StageError, "found one that was killed .is there enough memory"),
        (finds_the_disk_full, OSError, "No space left on device: '/a/part'"),
        (raises_what_cannot_be_sent, StageError, "found DamagedError: of two arguments"),
    ],
)
def test_what_ends_a_worker_ends_the_run(
    make: Callable[[Job, Advance], list[Part]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message), Workers(2) as crew:
        map_all(crew, jobs(make))
    assert not multiprocessing.active_children()


# --- the same bytes


def test_the_same_bytes_however_it_is_done(tmp_path: Path) -> None:
    """Workers, single stages, and an output that is begun by one and ended by another."""
    source = tmp_path / "in"
    inputs.build(source, 32)
    config = Config(shard_chars=2_000)
    runner.run(source, tmp_path / "one", config, 1)
    expected = contents(tmp_path / "one")
    assert len([name for name in expected if name.startswith("1-ingested/part-")]) > 8
    for workers in (2, 3):
        runner.run(source, tmp_path / f"out{workers}", config, workers)
        assert contents(tmp_path / f"out{workers}") == expected
    before = source
    for number, (name, stage) in enumerate(STAGES.items()):
        target = tmp_path / "steps" / stage.directory
        runner.run_stage(name, before, target, config, 1 + number % 3)
        before = target
    assert contents(tmp_path / "steps") == expected
    for stage in STAGES.values():
        folder = tmp_path / "out2" / stage.directory
        for path in [folder / "_manifest.json", *sorted(folder.rglob("part-*"))[::3]]:
            path.unlink()
    runner.run(source, tmp_path / "out2", config, 3)
    assert contents(tmp_path / "out2") == expected


# --- the torture


def test_a_little_torture(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = []
    found = torture(tmp_path, kills=5, seconds=12, seed=7, lines=16, log=lines.append)
    assert [line for line in lines if line["differences"]] == []
    assert found["kills"] > 0
    assert found["reruns"] > 0


def test_the_torture_sees_what_is_wrong(
    prepared: tuple[Path, Path], whole: dict[str, bytes], tmp_path: Path
) -> None:
    output = Path(shutil.copytree(prepared[1], tmp_path / "out"))
    assert [*looking.at_any_moment(output, [whole], whole=True)] == []
    assert [*looking.at_the_end(output, whole)] == []
    part, other = sorted((output / "3-flagged").glob("part-*"))[:2]
    part.write_bytes(part.read_bytes()[:-9])
    other.unlink()
    (output / "corpus" / ".part-00000.parquet.7.tmp").touch()
    assert [*looking.at_any_moment(output, [whole], whole=True)] == [
        f"3-flagged/{part.name} is not as it should be",
        f"3-flagged/_manifest.json lists {part.name}, which is not there",
    ]
    assert [*looking.at_the_end(output, whole)] == [
        f"3-flagged/{part.name} differs",
        f"3-flagged/{other.name} is missing",
        "corpus/.part-00000.parquet.7.tmp is too many",
    ]
