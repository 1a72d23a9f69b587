"""The README, the Makefile, the command line and the tables say the same.

Of the README it wants: for each table one row `| `name` | `column`, `column`, … |` with every
column in order; every make target as `make target` and every command as `python -m pipeline
command`, each at least once and none that does not exist; and the directory of every stage.
"""

import re
from pathlib import Path

import pytest

import pipeline
from pipeline.__main__ import COMMANDS, main
from pipeline.config import Config
from pipeline.schema import TABLES
from pipeline.stages import STAGES, load
from tests.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
CODE = r"`([^`\n]+)`"


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", TABLES)
def test_readme_lists_the_columns(readme: str, table: str) -> None:
    row = re.search(rf"^\| `{table}` \|(.*)\|", readme, re.MULTILINE)
    assert row is not None
    assert re.findall(CODE, row[1]) == TABLES[table].names


def test_readme_names_every_target_and_no_other(readme: str) -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)\b(?=[^`\n]*`)|^make ([a-z-]+)", readme, re.MULTILINE))
    named = {name for pair in named for name in pair if name}
    assert named == TARGETS - {"run"} | (named & {"run"})  # `make` alone is `make run`


def test_readme_names_every_command_and_no_other(readme: str) -> None:
    named = set(re.findall(r"python -m pipeline ([a-z]+)", readme))
    assert named == set(COMMANDS)


def test_readme_names_every_directory(readme: str) -> None:
    for stage in STAGES.values():
        assert stage.directory in readme


def test_a_stage_has_one_name_everywhere() -> None:
    for name, stage in STAGES.items():
        assert load(name).__name__ == f"pipeline.stages.{name}"
        assert name in COMMANDS
        assert name in TARGETS
        assert f'"$(OUTPUT)/{stage.directory}"' in MAKEFILE


def test_every_target_says_what_it_does_and_is_one_line() -> None:
    recipes = re.findall(r"^([a-z-]+):[^\n]*\n((?:\t[^\n]*\n)*)", MAKEFILE, re.MULTILINE)
    assert {name for name, _ in recipes} == TARGETS
    assert all(recipe.count("\n") == 1 for _, recipe in recipes)
    [phony] = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


def test_settings_that_stages_name_exist() -> None:
    named = {setting for stage in STAGES.values() for setting in stage.settings}
    assert named | {"model"} == set(Config._fields)


def test_lock_files_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-spark.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--hash=sha256:" in text


def test_the_readmes_example_runs_on_the_seed(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(ROOT / "seeds"), str(tmp_path / "data"), "--workers", "1"]) == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    [example] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "000_d0eda88e532151bc.txt" in printed
    assert re.search(r"逝世 +死 ", printed)


def test_the_readmes_sample_is_what_comes_out(readme: str) -> None:
    text = next((ROOT / "seeds").iterdir()).read_text(encoding="utf-8")
    cleaned = pipeline.clean(text)
    found: dict[tuple[str, str], list[float]] = {}  # a word may be flagged more than once
    for flag in cleaned.flags:
        found.setdefault((flag["surface"], flag["suggestion"]), []).append(flag["probability"])
    shown = re.findall(r"\[(\w+)→(\w*) ([01]\.\d\d)\]", readme)
    assert len(shown) >= 10
    for surface, suggestion, probability in shown:
        there = found[surface, suggestion]
        assert any(p == pytest.approx(float(probability), abs=0.02) for p in there)
