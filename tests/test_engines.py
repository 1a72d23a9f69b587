"""What an engine needs is asked for before any work, and by name."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.__main__ import main
from pipeline.runners import RUNNERS, spark, start


def message(texts: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["run", str(texts), str(output), "--engine", "spark"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("pipeline run: the engine `spark` needs ")
    return line


def test_without_pyspark(
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert "pip install 'chinese-corpus-pipeline[spark]'" in message(
        texts, tmp_path / "out", capsys
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", "Java 17 or later, and none is found"),
        ("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n", "java is older"),
        ("#!/bin/sh\necho 'java version \"1.8.0_292\"' >&2\n", "java is older"),
        ("#!/bin/sh\necho 'something else' >&2\nexit 1\n", "java is older"),
    ],
)
def test_without_java(
    script: str,
    expected: str,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", ModuleType("pyspark"))
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    java = tmp_path / "bin" / "java"
    if script:
        java.parent.mkdir()
        java.write_text(script)
        java.chmod(0o755)
    assert expected in message(texts, tmp_path / "out", capsys)


def test_what_spark_says_of_its_failures_is_one_line() -> None:
    told = spark.raised("Job aborted: ExecutorLostFailure (executor 1 exited)\n\tat x", "m", "flag")
    assert str(told).startswith("flag: expected every executor to finish, found one that was")
    for text in ("\nNo disk\n\tat org.apache", "An error while calling o1.x\n: No disk\n\tat x"):
        told = spark.raised(text, "m", "flag")
        assert str(told) == "flag: expected no error of Spark's, found No disk"


def test_every_engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "check_installed", lambda: None)
    for name in RUNNERS:
        with start(name, 3) as workers:
            assert workers.count == 3
