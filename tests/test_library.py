"""The functions of `import pipeline`, as a notebook calls them.

What they compute is tested with the stages.
"""

import shutil
import statistics
import time
from pathlib import Path

import pytest

import pipeline
from pipeline.__main__ import main
from pipeline.errors import UsageError
from pipeline.schema import TABLES

SENTENCE = "产生在内蒙古某旗的频繁评比检查,捣乱了基层扶贫工作的畸形节奏。"
MOST_SECONDS = 0.25
"""For one sentence. 15 ms were measured, and 50 are promised; machines that test are busy."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "a.txt").write_text("这种情势主义害逝世人。", encoding="utf-8")
    assert main(["run", str(folder / "a.txt"), str(folder / "out"), "--workers", "1"]) == 0
    return folder / "out"


def test_a_sentence_is_flagged_at_once() -> None:
    pipeline.flag(SENTENCE)  # loads the model
    seconds = []
    for _ in range(9):
        begun = time.perf_counter()
        pipeline.flag(SENTENCE)
        seconds.append(time.perf_counter() - begun)
    assert statistics.median(seconds) < MOST_SECONDS


@pytest.mark.parametrize("function", ["normalise", "flag", "segment", "clean"])
@pytest.mark.parametrize("value", [None, float("nan"), b"text", 7, ["text"]])
def test_what_is_no_text_is_refused_with_advice(function: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(value).__name__}: decode bytes, leave out"):
        getattr(pipeline, function)(value)


@pytest.mark.parametrize("text", ["", "\n", "a", "。", "\U00020000"])
def test_any_text_is_cleaned(text: str) -> None:
    cleaned = pipeline.clean(text)
    assert "".join(row["text"] for row in cleaned.sentences) == cleaned.text
    assert cleaned.restored == cleaned.text
    assert cleaned.flags == []


@pytest.mark.parametrize(
    ("table", "columns", "problem"),
    [
        ("flag", None, "no table is named 'flag': there are documents, sentences, flags, rejects"),
        ("flags", ["surfaces"], "flags has no column 'surfaces': it has doc_id"),
        ("flags", "surface", r"columns is the text 'surface': write \['surface'\]"),
    ],
)
def test_read_says_what_there_is_instead(
    output: Path, table: str, columns: object, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        pipeline.read(table, output, columns)


def test_read_says_how_to_make_tables_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished tables: run `python -m pipeline run"):
        pipeline.read("flags", tmp_path)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_part_that_is_gone_or_cut_is_named(output: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(output, tmp_path / "out")
    [part] = (tmp_path / "out" / "corpus" / "flags").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    if damage == "gone":
        part.unlink()
    with pytest.raises(UsageError, match=f"{part.name} is gone or changed: run the same command"):
        pipeline.read("flags", tmp_path / "out")
    assert len(pipeline.read("documents", tmp_path / "out")) == 1


def test_help_shows_every_function_with_an_example() -> None:
    for name in set(pipeline.__all__) - {"Cleaned", "read"}:
        text = getattr(pipeline, name).__doc__
        assert ">>> " in text, name
        assert "Raises" in text, name
    assert "Raises" in pipeline.read.__doc__
    for table in TABLES:
        assert f"`{table}`" in pipeline.read.__doc__
