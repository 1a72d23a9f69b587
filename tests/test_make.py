"""`make`, run for real on three small texts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.stages import STAGES
from tests.conftest import ROOT, contents, write_texts


def make(*arguments: object) -> subprocess.CompletedProcess[str]:
    """With the Python of these tests, so that no `.venv` is set up."""
    stamps = (".venv/.ready", ".venv/.ready-dev", ".venv/.ready-spark")
    ready = [*(word for stamp in stamps for word in ("-o", stamp)), f"PY={sys.executable}"]
    command = ["make", "--no-print-directory", *ready, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    folder = tmp_path / "two words"  # quoted everywhere, or this fails
    return [f"INPUT={write_texts(folder / 'in', 3)}", f"OUTPUT={folder / 'out'}"]


def test_make_and_make_again(paths: list[str], tmp_path: Path) -> None:
    done = make(*paths, "WORKERS=1")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert len(pipeline.read("documents", tmp_path / "two words" / "out")) == 3
    again = make(*paths)
    assert again.stderr.splitlines() == [f"{name}: up to date" for name in STAGES]


def test_the_targets_of_the_stages_make_the_same(paths: list[str], tmp_path: Path) -> None:
    out = tmp_path / "two words" / "out"
    assert make(*paths).returncode == 0
    whole = contents(out)
    make("clean", *paths)
    assert make("write", *paths).returncode == 0
    assert make("report", *paths).returncode == 0
    assert contents(out) == whole


def test_a_failure_is_a_failure_of_make(tmp_path: Path) -> None:
    done = make(f"INPUT={tmp_path / 'none'}", f"OUTPUT={tmp_path / 'out'}")
    assert done.returncode == 2
    assert f"pipeline run: {tmp_path / 'none'} does not exist" in done.stderr


def test_clean_deletes_what_was_made_and_nothing_else(paths: list[str], tmp_path: Path) -> None:
    out = tmp_path / "two words" / "out"
    make(*paths)
    (out / ".gitkeep").touch()
    before = contents(tmp_path / "two words" / "in")
    assert make("clean", *paths).returncode == 0
    assert contents(out) == {".gitkeep": b""}
    assert contents(tmp_path / "two words" / "in") == before


@pytest.mark.parametrize("name", ["INPUT", "OUTPUT"])
def test_an_empty_path_is_refused(paths: list[str], name: str) -> None:
    for target in ("clean", "run"):
        done = make("--dry-run", target, *paths, f"{name}=")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name} is empty: name a folder" in done.stderr


def test_workers_are_passed_on_only_if_they_are_named(paths: list[str]) -> None:
    assert "--workers" not in make("--dry-run", *paths).stdout
    assert '--workers "3"' in make("--dry-run", *paths, "WORKERS=3").stdout


def test_help_lists_every_target() -> None:
    listed = {line.split()[0] for line in make("help").stdout.splitlines()}
    assert {"run", "test", "lint", "clean", "help", *STAGES} <= listed


def test_another_engine_is_passed_on(paths: list[str]) -> None:
    assert '--engine "spark"' in make("--dry-run", *paths, "ENGINE=spark").stdout
    assert '--engine "local"' in make("--dry-run", *paths).stdout


def test_spark_is_installed_when_it_is_asked_for(paths: list[str]) -> None:
    command = ["make", "--dry-run", "-B", *paths]
    for engine, wanted in (("local", "requirements.txt"), ("spark", "requirements-spark.txt")):
        done = subprocess.run(
            [*command, f"ENGINE={engine}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert re.findall(r"-r (\S+)", done.stdout) == [wanted]


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").touch()
    old = tmp_path / "python3"
    code = "import sys; sys.version_info = (3, 10); exec(sys.argv[2])"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    old.chmod(0o755)
    command = ["make", "run", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Python 3.11 or later is needed: name one with make PYTHON=")
    assert not (tmp_path / ".venv").exists()


def test_half_a_venv_is_removed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").touch()
    half = tmp_path / "python3"
    fails = "{ mkdir -p .venv/bin; touch .venv/bin/python; false; }"
    half.write_text(f"#!/bin/sh\n[ $1 = -c ] || {fails}\n")
    half.chmod(0o755)
    command = ["make", "run", f"PYTHON={half}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not (tmp_path / ".venv").exists()
