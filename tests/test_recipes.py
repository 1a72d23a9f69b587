"""Each recipe of tests/recipes, run as a user does, on the seed and a few other texts."""

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.__main__ import main
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "recipes"
NEEDS = {
    "duckdb_summary": "duckdb",
    "polars_summary": "polars",
    "huggingface_datasets": "datasets",
    "spark_summary": "pyspark",
}
"""Packages that a recipe is about, and that the project itself does not need."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed, its copy, a page with a few of its substitutions, two clean ones, and a formula."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "in").mkdir()
    seed = next((ROOT / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    clean = "昨天上午，市图书馆举行了新书发布会。作者介绍了写作的经过，并回答了读者的提问。\n"
    texts = {
        "seed.txt": seed,
        "copy.txt": seed,
        "half.txt": seed[: len(seed) // 2],
        "clean.txt": clean,
        "other.txt": "这家工厂去年生产了三千台机器。工人们每天工作八个小时。\n" * 2,
        "formula.txt": '=HYPERLINK("x")主义害逝世人，情势主义。' + seed[len(seed) // 2 :],
    }
    for name, text in texts.items():
        (folder / "in" / name).write_text(text, encoding="utf-8")
    assert main(["run", str(folder / "in"), str(folder / "out"), "--workers", "1"]) == 0
    return folder / "out"


def recipe(name: str, *arguments: object) -> str:
    """What the script prints. Skips where the package that it is about is not installed."""
    package = NEEDS.get(name)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install {package}")
    if name == "spark_summary" and shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", ["pandas_summary", "duckdb_summary", "polars_summary", "spark_summary"]
)
def test_summaries_agree(name: str, output: Path) -> None:
    printed = recipe(name, output)
    lines = [re.sub("[│┆|]", " ", line).split() for line in printed.splitlines()]
    for source, spun in (("seed.txt", "1"), ("clean.txt", "0")):
        assert [source, "1", spun] in lines
    flags = pipeline.read("flags", output)
    sure = flags[flags.probability >= 0.9]
    counts = sure.groupby(["surface", "suggestion"])["doc_id"].agg(["size", "nunique"])
    most = counts["size"].max()
    top = [line for line in lines if line[2:] and line[2] == str(most)]
    assert top
    for surface, suggestion, *numbers in top:
        assert [*map(int, numbers)] == [*counts.loc[surface, suggestion]]


def test_huggingface_datasets(output: Path) -> None:
    printed = recipe("huggingface_datasets", output)
    sentences = pipeline.read("sentences", output)
    body = sentences[sentences.role == "body"].restored
    assert f"num_rows: {len(body)}" in printed
    assert printed.splitlines()[-1] == body.iloc[0].strip()


def test_drop_spun(output: Path, tmp_path: Path) -> None:
    printed = recipe("drop_spun", output, tmp_path / "clean.parquet")
    assert printed == "2 of 6 documents kept\n"
    kept = pq.read_table(tmp_path / "clean.parquet")
    assert sorted(kept["source"].to_pylist()) == ["clean.txt", "other.txt"]


def test_train_on_restored(output: Path, tmp_path: Path) -> None:
    recipe("train_on_restored", output, tmp_path / "text.txt")
    text = (tmp_path / "text.txt").read_text(encoding="utf-8")
    assert text.count("\n\n") == 5  # six documents
    assert "昨天上午，市图书馆举行了新书发布会。\n" in text
    assert "轨制" in "".join(pipeline.read("documents", output).text)
    assert "轨制" not in text  # 制度, or left out
    assert "制度" in text


def test_unflagged_sentences(output: Path) -> None:
    printed = recipe("unflagged_sentences", output).splitlines()
    assert "工人们每天工作八个小时。" in printed
    flagged = pipeline.read("flags", output)
    assert not any(surface in line for line in printed[1:] for surface in ("轨制", "畸形"))
    assert len(flagged) > 100


def test_which_tool(output: Path) -> None:
    documents = pipeline.read("documents", output).set_index("source").doc_id
    printed = recipe("which_tool", output, documents["seed.txt"]).splitlines()
    assert printed[0].startswith(f"page {documents['seed.txt']}: ")
    assert printed[3].split()[0] == documents["copy.txt"]  # nothing agrees as its copy does
    assert {line.split()[0] for line in printed[3:]} == {
        *(documents["copy.txt"], documents["half.txt"], documents["formula.txt"])
    }
    assert len(recipe("which_tool", output).splitlines()) > 3


def test_annotation_sample(output: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    recipe("annotation_sample", output, small, 2)
    recipe("annotation_sample", output, large, 4)
    with small.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert 10 <= len(rows) <= 20
    for row in rows:
        text = row["text"].removeprefix("'")
        assert text[int(row["start"]) : int(row["end"])] == row["surface"]
        assert float(row["probability"]) * 10 // 1 in {int(row["tenth"]), 10}
    assert set(small.read_text("utf-8").split("\n")) <= set(large.read_text("utf-8").split("\n"))


def test_a_table_program_is_not_handed_a_formula(output: Path, tmp_path: Path) -> None:
    recipe("annotation_sample", output, tmp_path / "all.csv", 10_000)
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    assert any(text.startswith("'=HYPERLINK") for text in texts)
    assert not any(text.startswith(("=", "+", "-", "@")) for text in texts)


def test_export_jsonl(output: Path, tmp_path: Path) -> None:
    assert recipe("export_jsonl", output, tmp_path / "all.jsonl") == "6 documents written\n"
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["source"]: row for row in map(json.loads, lines)}
    seed = next((ROOT / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    cleaned = pipeline.clean(seed)
    assert rows["seed.txt"]["restored"] == cleaned.restored
    assert len(rows["seed.txt"]["flags"]) == len(cleaned.flags)
    assert rows["clean.txt"]["n_flags"] == 0


def test_every_recipe_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    names = {path.stem for path in FOLDER.glob("[a-z]*.py")}
    assert {name for name in names if f'"{name}"' not in here} == set()
