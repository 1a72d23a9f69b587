"""The README, the Makefile, the command line and the tables say the same.

Of the README it wants: for each table one row `| `name` | `column`, `column`, … |` with every
column in order; every make target as `make target`, every command as `python -m pipeline command`
and every `--option`, each at least once and none that does not exist; the directory of every stage;
figures that are those of the shipped model's card; examples that are what comes out; and of the
data card the tables that `column_table` and `lexica_table` make.
"""

import argparse
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pipeline
from pipeline.__main__ import COMMANDS, _parser, main
from pipeline.annotation.answers import Answer
from pipeline.annotation.choosing import AROUND, SHARES
from pipeline.annotation.sheets import STUDIO_INTERFACE
from pipeline.config import Config
from pipeline.progress import EVENTS, FIELDS
from pipeline.schema import LINKS, TABLES
from pipeline.stages import STAGES, load
from pipeline.training.evaluation import SEED
from pipeline.training.model_card import MATERIALS
from pipeline.training.trials import annotated
from tests.conftest import ROOT
from tests.report.picture import PICTURE, SIZE

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
CODE = r"`([^`\n]+)`"
CARD = ROOT / "pipeline" / "model" / "shipped" / "card.md"
DATA_CARD = ROOT / "data" / "README.md"
DESCRIBED = {**TABLES, "links": LINKS}


def column_table(table: str) -> str:
    """The columns of a table for the data card, as the schema has them."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for field in DESCRIBED[table]:
        meaning = field.metadata[b"description"].decode()
        if pa.types.is_list(field.type):
            meaning += f". Each has {_fields(field.type.value_type)}"
        elif pa.types.is_struct(field.type):
            meaning += f". It has {_fields(field.type)}"
        lines.append(
            f"| `{field.name}` | {_kind(field.type)} | {meaning.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines)


def _fields(struct: pa.StructType) -> str:
    return "; ".join(f"`{f.name}`: {f.metadata[b'description'].decode()}" for f in struct)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "list"
    names = {"timestamp[ms]": "timestamp", "float": "float32"}
    return "struct" if pa.types.is_struct(kind) else names.get(str(kind), str(kind))


def lexica_table() -> str:
    """What ships in `pipeline/lexica`, as each file's header says."""
    lines = ["| `pipeline/lexica/` | entries | what it holds |", "|---|---|---|"]
    for path in sorted((ROOT / "pipeline" / "lexica").glob("*.tsv")):
        rows = path.read_text(encoding="utf-8").splitlines()
        entries = sum(bool(row) and not row.startswith("#") for row in rows)
        lines.append(f"| `{path.name}` | {entries:,} | {rows[0].lstrip('# ')} |")
    return "\n".join(lines)


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


MARKED = re.compile(r"\[(\w+)→(\w*) ([01]\.\d\d)\]")
SAMPLE_TOLERANCE = 0.02


def blocks(readme: str) -> tuple[str, str]:
    """What `inspect` prints of the seed, and of the sentences under Questions."""
    first, asked = re.compile(r"```text\n(.*?)```", re.DOTALL), readme.index("野生智能?")
    seed, question = first.search(readme), first.search(readme, asked)
    assert seed is not None
    assert question is not None
    return seed[1], question[1]


def found_in(text: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """A word may be flagged more than once."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for flag in pipeline.clean(text).flags:
        found.setdefault((flag["surface"], flag["suggestion"]), []).append(flag)
    return found


@pytest.fixture(scope="module")
def seed_flags() -> dict[tuple[str, str], list[dict[str, Any]]]:
    return found_in(next((ROOT / "seeds").iterdir()).read_text(encoding="utf-8"))


def test_the_readmes_sample_is_what_comes_out(readme: str, seed_flags: dict) -> None:
    shown = MARKED.findall(blocks(readme)[0])
    assert len(shown) >= 10
    for surface, suggestion, probability in shown:
        assert any(
            flag["probability"] == pytest.approx(float(probability), abs=SAMPLE_TOLERANCE)
            for flag in seed_flags[surface, suggestion]
        ), surface


def test_the_answer_to_a_question_is_what_comes_out(readme: str) -> None:
    shown = blocks(readme)[1].replace("\n", "")
    text = MARKED.sub(r"\1", shown)
    flags = [flag for flag in pipeline.clean(text).flags if flag["probability"] >= 0.5]
    marks = list(MARKED.finditer(shown))
    assert [(m[1], m[2]) for m in marks] == [(f["surface"], f["suggestion"]) for f in flags]
    for mark, flag in zip(marks, flags, strict=True):
        assert flag["probability"] == pytest.approx(float(mark[3]), abs=SAMPLE_TOLERANCE)
    unspun = MARKED.sub(r"\2", shown).replace("智能在改变", "智能正在改变")
    assert pipeline.clean(unspun).document["n_flags"] == 0


def test_little_text_has_little_evidence_as_the_readme_says(readme: str) -> None:
    [line] = re.findall(r"to lean on\.\s+(\S+) alone is enough;\s+(\S+) is not\.", readme)
    enough, too_little = (pipeline.clean(text).document["n_flags"] for text in line)
    assert (enough, too_little) == (2, 0)


EXPLAINED = {"gain": 0.1, "channel": 0.1, "document": 0.1}
"""Rows of the worked example, in nats, and how far they may be off."""


def test_the_worked_example_is_what_comes_out(readme: str, seed_flags: dict) -> None:
    section = readme[readme.index("## How the detector thinks") :].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    by_name = {(re.findall(CODE, name) or [name])[0]: cells for name, *cells in rows}
    counts = by_name["times on the page: the word, the original"]
    [head] = re.findall(r"^\| \| (.*) \|$", section, re.MULTILINE)
    surfaces = re.findall(CODE, head)
    for at, surface in enumerate(surfaces):
        flag = next(
            flag
            for flag in seed_flags[surface, by_name["the likeliest original"][at]]
            if flag["probability"]
            == pytest.approx(float(by_name["probability"][at]), abs=SAMPLE_TOLERANCE)
            and flag["evidence"]["gain"] == pytest.approx(float(by_name["gain"][at]), abs=0.1)
        )
        for name, tolerance in EXPLAINED.items():
            shown = float(by_name[name][at])
            assert flag["evidence"][name] == pytest.approx(shown, abs=tolerance), (surface, name)
        evidence = flag["evidence"]["surface_count"], flag["evidence"]["suggestion_count"]
        assert ", ".join(map(str, evidence)) == counts[at]
    gain = float(by_name["gain"][0])
    assert f"e^{gain}, or 80,000" in section
    assert math.exp(gain) == pytest.approx(80_000, rel=0.05)


# --- figures


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    """The rows of the shipped model's card."""
    lines = [line for line in CARD.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    table = lines[next(n for n, line in enumerate(lines) if line.startswith("| test |")) :]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {
        row[0]: {k: float(v) for k, v in zip(header[1:], row[1:], strict=True) if v} for row in rows
    }


MEASURED = {
    "the seed, 175 spans read by hand": "seed",
    "simulated pages, eight lists, pairs that the model has": "all lists (known pairs)",
    "the same, pairs that nothing has seen": "all lists (unseen pairs)",
}
MEASURES = ("precision", "recall", "f1", "original_right", "ece")
FALSE_FLAGS = {
    "web news": "clean chinanews",
    "broadcast news": "clean xwlb",
    "health portals": "clean sina2018_health",
    "single newspaper sentences joined": "clean sxu_news2007",
}


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_those_of_the_card(readme: str, figures: dict, name: str) -> None:
    [row] = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", readme, re.MULTILINE)
    of_card = figures[MEASURED[name]]
    for shown, measure in zip(row.split(" | "), MEASURES, strict=True):
        assert shown == f"{of_card[measure]:.{len(shown) - 2}f}", measure


@pytest.mark.parametrize("name", FALSE_FLAGS)
def test_false_flags_are_those_of_the_card(readme: str, figures: dict, name: str) -> None:
    sentence = readme[readme.index("False flags for each 1,000") :]
    [shown] = re.findall(rf"\b{name}\s(\d\.\d+)", sentence[: sentence.index(";")])
    measured = figures[FALSE_FLAGS[name]]["false_flags_per_1000_han"]
    assert shown == f"{measured:.{len(shown) - 2}f}"


def test_figures_in_sentences_are_those_of_the_card(readme: str, figures: dict) -> None:
    plain = " ".join(readme.split())
    known, unseen = (figures[f"all lists ({pairs} pairs)"] for pairs in ("known", "unseen"))
    [shown] = re.findall(r"nobody has listed (\d+)% are found, of listed ones (\d+)%", plain)
    assert shown == (f"{unseen['recall']:.0%}"[:-1], f"{known['recall']:.0%}"[:-1])
    assert f"{figures['seed']['spans']:.0f} spans read by hand" in plain
    [few] = re.findall(r"Of ten thousand clean documents (\w+) are called spun\.", plain)
    counted = (
        "none",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
    )
    assert round(10_000 * known["called_spun"]) == counted.index(few)


def test_what_the_model_was_made_from_is_what_its_card_says(readme: str) -> None:
    made_from = json.loads((CARD.parent / "card.json").read_text(encoding="utf-8"))["made_from"]
    known = [MATERIALS[digest].what for digest in made_from.values()]
    plain = " ".join(readme.split())
    [chars] = re.findall(r"trained on (\d+ million) characters", plain)
    [lists] = re.findall(r"on (\w+) word lists of spinning tools", plain)
    assert any(what.startswith(f"{chars} characters") for what in known)
    assert any(what.startswith(f"{lists.capitalize()} word lists") for what in known)


def test_what_the_sheet_asks_is_what_export_does(readme: str) -> None:
    [rows] = re.findall(r"export data flags\.csv --rows (\d+)", readme)
    for sample, share in SHARES.items():
        assert f"{int(rows) * share:.0f} *{sample}*" in " ".join(readme.split())
    assert f"up to {AROUND} characters" in " ".join(readme.split())
    assert f"```xml\n{STUDIO_INTERFACE}\n```" in readme


# --- what is named exists


def options() -> set[str]:
    parser = _parser()
    [subparsers] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    parsers = [parser, *subparsers.choices.values()]
    return {name for p in parsers for a in p._actions for name in a.option_strings} - {
        "-h",
        "--help",
    }


def test_readme_names_every_option_and_no_other(readme: str) -> None:
    # What a shell passes on in quotation marks is another program's.
    ours = re.sub(r"```sh\n.*?```", lambda b: re.sub(r'"[^"]*"', "", b[0]), readme, flags=re.DOTALL)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours)) == options()


def test_settings_in_the_readme_exist(readme: str) -> None:
    for name in re.findall(r"--set ([a-z_]+)=", readme):
        assert name in Config._fields


def test_readme_lists_every_recipe(readme: str) -> None:
    section = readme[readme.index("## Recipes") :].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+\.py)`", section))
    assert named == {path.name for path in (ROOT / "tests" / "recipes").glob("[a-z]*.py")}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", text)
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        elif "://" not in link:
            assert (path.parent / link).exists(), link


def test_the_picture_is_there_and_small(readme: str) -> None:
    assert f"]({PICTURE.relative_to(ROOT)})" in readme[: readme.index("\n## ")]
    data = PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", data[16:24]) == SIZE
    assert len(data) < 200_000


# --- the data card


def test_the_data_card_has_every_column_as_the_schema_has_it() -> None:
    text = DATA_CARD.read_text(encoding="utf-8")
    for table in DESCRIBED:
        assert f"### `{table}`" in text
        assert column_table(table) in text, f"it should say:\n{column_table(table)}"


def test_the_data_card_has_every_lexicon() -> None:
    assert lexica_table() in DATA_CARD.read_text(encoding="utf-8"), lexica_table()


def test_the_data_card_has_the_fields_of_an_answer() -> None:
    [fields] = re.findall(r"with the fields (.*?)\(`yes`", _plain(DATA_CARD))
    assert re.findall(CODE, fields) == list(Answer._fields)[: fields.count("`") // 2]
    for name in Answer._fields:
        assert f"`{name}`" in _plain(DATA_CARD)


def test_the_data_card_counts_the_seeds_spans() -> None:
    [document] = map(json.loads, SEED.read_text(encoding="utf-8").splitlines())
    [example] = annotated(SEED)
    assert f"{len(document['spans'])} spans" in _plain(DATA_CARD)
    assert f"{sum(span.counts for span in example.spans)} of them are sure" in _plain(DATA_CARD)


def _plain(path: Path) -> str:
    return " ".join(path.read_text(encoding="utf-8").split())


def test_readme_names_every_event_and_field_of_the_log(readme: str) -> None:
    for name, meaning in (*EVENTS.items(), *FIELDS.items()):
        assert f"| `{name}` | {meaning} |" in readme
