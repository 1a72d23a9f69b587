"""INPUT and OUTPUT in a store that fsspec reaches: the same rows, and the same rules."""

import errno
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import pipeline
from pipeline import leases, runner
from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.errors import StageError, UsageError
from pipeline.inputs import input_of, list_files
from pipeline.remote import Remote, followed, place, relative, stamp, within
from pipeline.stages import STAGES
from pipeline.storage import locked, read_manifest
from tests.conftest import contents, made_again, stamps

SMALL = Config(shard_chars=800)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "SETTLES_IN", 0.0)


@pytest.fixture
def memory() -> Iterator[str]:
    """A store that has no folder anywhere."""
    store = fsspec.filesystem("memory")
    yield "memory://bucket"
    store.rm("/bucket", recursive=True)


def upload(folder: Path, url: str) -> str:
    fsspec.filesystem("memory").put(str(folder), url.removeprefix("memory:/"), recursive=True)
    return url


def tables(output: str | Path) -> dict[str, list[dict[str, object]]]:
    return {
        table: pipeline.read(table, output).to_dict("records")
        for table in ("documents", "sentences", "flags", "rejects")
    }


def parts(output: Path) -> dict[str, str]:
    """Hash of what is in each part, less what it was made from: stamps are other than hashes."""
    manifest = read_manifest(output / "corpus")
    assert manifest is not None
    return {part.name: part.content for part in manifest.parts}


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)


def test_a_store_without_folders(mixed: Path, memory: str, tmp_path: Path) -> None:
    source = upload(mixed, f"{memory}/in")
    runner.run(place(source), place(f"{memory}/out"), SMALL, 1)
    runner.run(mixed, tmp_path / "out", SMALL, 1)
    assert same(tables(f"{memory}/out"), tables(tmp_path / "out"))
    assert parts(place(f"{memory}/out")) == parts(tmp_path / "out")
    assert not [path for path in fsspec.filesystem("memory").find("/bucket") if ".tmp" in path]


@pytest.mark.parametrize("engine", ["local", "spark"])
def test_either_engine_reads_and_writes_a_url(
    engine: str, mixed: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if engine == "spark":
        request.getfixturevalue("session")
    runner.run(mixed, tmp_path / "plain", SMALL, 2)
    runner.run(place(f"file://{mixed}"), place(f"file://{tmp_path}/out"), SMALL, 2, engine)
    assert parts(tmp_path / "out") == parts(tmp_path / "plain")
    assert same(tables(tmp_path / "out"), tables(tmp_path / "plain"))
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_only_the_output_or_only_the_input(texts: Path, tmp_path: Path) -> None:
    runner.run(texts, place(f"file://{tmp_path}/out"), SMALL, 1)
    runner.run(place(f"file://{texts}"), tmp_path / "other", SMALL, 1)
    assert parts(tmp_path / "out") == parts(tmp_path / "other")


def test_a_rerun_makes_what_changed(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = place(f"file://{texts}"), place(f"file://{tmp_path}/out")
    runner.run(source, output, SMALL, 1)
    before = stamps(tmp_path / "out")
    capsys.readouterr()
    runner.run(source, output, SMALL, 1)
    assert capsys.readouterr().err.splitlines() == [f"{name}: up to date" for name in STAGES]
    assert stamps(tmp_path / "out") == before
    (texts / "0" / "003.txt").write_text("换了一篇文章。", encoding="utf-8")
    (texts / "1" / "004.txt").unlink()
    runner.run(source, output, SMALL, 1)
    assert made_again(before, tmp_path / "out")["flag"]
    whole = tmp_path / "whole"
    runner.run(source, place(f"file://{whole}"), SMALL, 1)
    report = "report.html"
    assert {**contents(tmp_path / "out"), report: b""} == {**contents(whole), report: b""}


def test_a_run_that_was_stopped_goes_on(texts: Path, tmp_path: Path) -> None:
    source, output = place(f"file://{texts}"), place(f"file://{tmp_path}/out")
    runner.run(source, output, SMALL, 1)
    whole = contents(tmp_path / "out")
    flagged = tmp_path / "out" / "3-flagged"
    (flagged / "_manifest.json").unlink()
    lost = min(flagged.glob("part-*"))
    lost.unlink()
    (flagged / f".{lost.name}.{'0' * 32}.tmp").write_bytes(b"half")
    before = stamps(tmp_path / "out")
    runner.run(source, output, SMALL, 1)
    assert contents(tmp_path / "out") == whole
    assert {name: len(made) for name, made in made_again(before, tmp_path / "out").items()} == {
        "flag": 1
    }


def test_the_stages_one_by_one(texts: Path, memory: str, tmp_path: Path) -> None:
    source = upload(texts, f"{memory}/in")
    for stage, entry in STAGES.items():
        target = f"{memory}/out/{entry.directory}"
        assert main([stage, source, target, "--workers", "1"]) == 0
        source = target
    runner.run(texts, tmp_path / "out", Config(), 1)
    assert main(["report", f"{memory}/out"]) == 0
    assert main(["report", str(tmp_path / "out")]) == 0
    html = fsspec.filesystem("memory").cat("/bucket/out/report.html")
    assert b"</html>" in html
    assert same(tables(f"{memory}/out"), tables(tmp_path / "out"))


def test_a_pattern_in_a_store(mixed: Path, memory: str) -> None:
    url = upload(mixed, f"{memory}/in")
    found = list_files(input_of(place(f"{url}/**/00*.txt")), place(f"{memory}/out"), 1)
    assert [file.source for file in found] == [f"{i % 3}/{i:03d}.txt" for i in (0, 3, 6, 9)] + [
        f"{i % 3}/{i:03d}.txt" for i in (1, 4, 7)
    ] + [f"{i % 3}/{i:03d}.txt" for i in (2, 5, 8)]
    [one] = list_files(input_of(place(f"{url}/copy.txt")), place(f"{memory}/out"), 1)
    assert (one.source, one.path) == ("copy.txt", "memory:///bucket/in/copy.txt")


def test_a_file_that_changes_or_vanishes_is_rejected(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = runner.list_files

    def then_changed(*args):
        files = listing(*args)
        (texts / "0" / "000.txt").write_text("换了一篇文章。", encoding="utf-8")
        (texts / "1" / "001.txt").unlink()
        return files

    monkeypatch.setattr(runner, "list_files", then_changed)
    runner.run(place(f"file://{texts}"), tmp_path / "out", SMALL, 1)
    rejects = {row["source"]: row["reason"] for row in tables(tmp_path / "out")["rejects"]}
    assert rejects == {"0/000.txt": "changed", "1/001.txt": "changed"}


# --- who may write


def test_two_runs_into_one_output(texts: Path, tmp_path: Path) -> None:
    output = place(f"file://{tmp_path}/out")
    with locked([output / "corpus"], []), pytest.raises(UsageError, match="another run is at work"):
        runner.run(texts, output, SMALL, 1)
    runner.run(texts, output, SMALL, 1)


def lease(tmp_path: Path, holder: str, age: float) -> Remote:
    (tmp_path / ".lock").write_text(f"{holder}\n{time.time() - age}\n")
    return Remote(fsspec.filesystem("file"), f"{tmp_path}/.lock")


@pytest.mark.parametrize(
    ("holder", "age", "free"),
    [
        ("elsewhere 7 abc", 10, False),
        ("elsewhere 7 abc", 10_000, True),
        (f"{socket.gethostname()} {os.getpid()} abc", 10, False),
        (f"{socket.gethostname()} 1 abc", 10, False),  # not ours to signal, but there
        (f"{socket.gethostname()} 4999999 abc", 10, True),  # killed
        ("", 10, False),
    ],
)
def test_whose_lease_it_is(holder: str, age: float, free: bool, tmp_path: Path) -> None:
    lock = lease(tmp_path, holder, age)
    if free:
        with leases.leased(lock, "mine 1 x"):
            assert lock.read_text().startswith("mine 1 x\n")
        assert lock.read_text() == "mine 1 x\n0\n"
        leases.check_free(lock)
    else:
        with pytest.raises(BlockingIOError) as raised, leases.leased(lock, "mine 1 x"):
            pass
        assert (raised.value.errno, raised.value.filename) == (
            errno.EWOULDBLOCK,
            f"file://{tmp_path}",
        )


def test_of_two_who_write_at_once_one_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lease(tmp_path, "", 10_000)

    def other(_seconds: float) -> None:
        lease(tmp_path, "other 1 y", 0)

    monkeypatch.setattr(leases.time, "sleep", other)
    with pytest.raises(BlockingIOError), leases.leased(lock, "mine 1 x"):
        pass
    assert lock.read_text().startswith("other 1 y\n")


def test_a_lease_is_renewed_but_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.01)
    lock = lease(tmp_path, "", 10_000)
    with leases.leased(lock, "mine 1 x"):
        first = lock.read_text()
        deadline = time.monotonic() + 10
        while lock.read_text() == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock.read_text() != first
        lease(tmp_path, "other 1 y", 0)
        time.sleep(0.1)
        assert lock.read_text().startswith("other 1 y\n")
    assert lock.read_text().startswith("other 1 y\n")


def test_a_killed_run_leaves_a_lease_that_can_be_taken(texts: Path, tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from pipeline.remote import place\n"
        "from pipeline.storage import locked\n"
        f"with locked([place('file://{tmp_path}/out/corpus')], []): os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    runner.run(texts, place(f"file://{tmp_path}/out"), SMALL, 1)


# --- paths


def test_a_store_that_is_not_there_is_2_and_one_line(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, expected in (
        ("xx://a/b", "xx://a/b: Protocol not known: xx"),
        (f"file://{tmp_path}/none", "none does not exist"),
    ):
        assert main(["run", url, str(tmp_path / "out")]) == 2
        assert expected in capsys.readouterr().err.splitlines()[-1]


def test_output_in_input_is_refused(texts: Path) -> None:
    with pytest.raises(UsageError, match="must not lie in one another"):
        runner.run(place(f"file://{texts}"), place(f"file://{texts}/out"), SMALL, 1)


def test_a_folder_of_others_is_refused(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "corpus").mkdir(parents=True)
    (tmp_path / "out" / "corpus" / "thesis.docx").touch()
    with pytest.raises(UsageError, match="holds other files"):
        runner.run(texts, place(f"file://{tmp_path}/out"), SMALL, 1)


def test_nothing_to_read_is_an_error(memory: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").makedirs("/bucket/in")
    manifest = runner.run(place(f"{memory}/in"), tmp_path / "out", SMALL, 1)[-1].manifest
    with pytest.raises(StageError, match="at least one document"):
        runner.summary(tmp_path / "out", manifest)


def test_paths_of_a_store() -> None:
    a, b = place("memory://x/a"), place("memory://x/b")
    assert str(a / "c" / "d") == "memory:///x/a/c/d"
    assert relative(a, b) == "../a"
    assert followed(b, "../a") == a
    assert followed(b, relative(Path("/in"), b)) == Path("/in")
    assert followed(Path("/x"), relative(a, Path("/x"))) == a
    assert followed(Path("/x/b"), relative(Path("/x/a"), Path("/x/b"))) == Path("/x/a")
    assert within(a / "c", a)
    assert not within(a, b)
    assert not within(a, Path("/x"))
    assert not within(Path("/x/a"), a)
    assert pickle.loads(pickle.dumps(a)) == a


def test_a_stamp_changes_with_what_the_store_tells() -> None:
    assert stamp({"size": 1, "ETag": "x"}) == stamp({"size": 1, "ETag": "x", "mtime": 3})
    assert stamp({"size": 1, "ETag": "x"}) != stamp({"size": 1, "ETag": "y"})
    assert stamp({"size": 1, "mtime": 1.5}) != stamp({"size": 2, "mtime": 1.5})
    assert stamp({"size": 1, "odd": "x"}) != stamp({"size": 1, "odd": "y"})
