"""The annotation loop: flags to a sheet, a sheet to answers, whatever Excel did in between."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.__main__ import main
from pipeline.annotation import answers, choosing, export, gather, sheets
from pipeline.annotation.answers import Question, id_of
from pipeline.config import Config
from pipeline.errors import UsageError
from tests.conftest import ROOT

MODEL = Config().model


def question(surface: str = "逝世", suggestion: str = "死", **others: object) -> Question:
    id_ = id_of("00ab12", 4, 4 + len(surface), surface, suggestion)
    made = Question(
        id_, "a.txt", "形式主义\n害", surface, "人。\n", suggestion, ["去世"], 0.5, "sure"
    )
    return made._replace(**others)


THREE = [question(), question("畸形", "正常"), question("轨制", "制度")]


def sheet_of(questions: list[Question], said: list[str]) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(sheets.as_csv(questions).decode("utf-8-sig"))))
    return [{**row, "answer": answer} for row, answer in zip(rows, said, strict=True)]


def text_of(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, rows[0], delimiter=delimiter, lineterminator=end)
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed, half of it, a clean text, and the seed after what Excel takes for a formula."""
    folder = tmp_path_factory.mktemp("annotation")
    (folder / "in").mkdir()
    seed = next((ROOT / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    texts = {
        "seed.txt": seed,
        "half.txt": seed[: len(seed) // 2],
        "clean.txt": "昨天上午，市图书馆举行了新书发布会。作者介绍了写作的经过。\n",
        "=formula.txt": "=1+1逝世人，情势主义。" + seed[len(seed) // 2 :],
    }
    for name, text in texts.items():
        (folder / "in" / name).write_text(text, encoding="utf-8")
    assert main(["run", str(folder / "in"), str(folder / "out"), "--workers", "1"]) == 0
    return folder / "out"


# --- which flags are asked about


def test_the_sheet_asks_about_doubts_first_and_spreads_them(output: Path, tmp_path: Path) -> None:
    kinds = export(output, tmp_path / "sheet.csv", 50, MODEL)
    assert list(kinds) == ["uncertain", "sure", "unflagged"]
    assert sum(kinds.values()) == 50
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    flags = pipeline.read("flags", output).set_index(["doc_id", "start", "end"])
    texts = pipeline.read("documents", output).set_index("doc_id").text
    assert len({row["id"] for row in rows}) == 50
    samples = [row["sample"] for row in rows]
    assert samples == sorted(samples, key=list(choosing.SHARES).index)
    for row in rows:
        doc_id, start, end, _ = answers.ID.fullmatch(row["id"]).groups()
        text, place = texts[doc_id], (doc_id, int(start), int(end))
        before, after = (row[name].replace("‖", "\n") for name in ("text_before", "text_after"))
        assert text[int(start) - len(before.removeprefix("'")) :].startswith(
            before.removeprefix("'") + row["surface"] + after
        )
        assert row["left"].removeprefix("'") in row["text_before"]
        p = float(row["probability"])
        if row["sample"] == "unflagged":
            assert place not in flags.index
            assert p <= Config().keep_probability  # rounded
        else:
            assert flags.loc[place].probability == pytest.approx(p, abs=0.001)
            low, high = choosing.DOUBT if row["sample"] == "uncertain" else (0.8, 1.0)
            assert low <= p <= high
    first = [row for row in rows if row["sample"] == "uncertain"][:3]
    assert len({row["id"].partition(":")[0] for row in first}) == 3, "a document each"


def test_the_same_tables_give_the_same_sheet(output: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "a.json", "b.json"):
        export(output, tmp_path / name, 20, MODEL)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_doubts_come_in_rounds() -> None:
    def place(doc_id: str, start: int, surface: str, p: float) -> choosing._Place:
        return choosing._Place("part", doc_id, start, start + 2, surface, "原文", p)

    near, also = place("d1", 0, "甲甲", 0.5), place("d1", 9, "乙乙", 0.51)
    same, far = place("d2", 0, "甲甲", 0.52), place("d3", 0, "丙丙", 0.7)
    assert choosing._in_rounds([far, same, also, near]) == [near, far, also, same]


def test_a_sheet_that_may_hold_answers_is_not_written_over(output: Path, tmp_path: Path) -> None:
    export(output, tmp_path / "sheet.csv", 5, MODEL)
    with pytest.raises(UsageError, match="may hold answers"):
        export(output, tmp_path / "sheet.csv", 5, MODEL)


@pytest.mark.parametrize(
    ("name", "problem"), [("sheet.xlsx", r"suffix must be \.csv"), ("sheet.csv", "no finished")]
)
def test_export_says_what_is_wrong(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        export(tmp_path, tmp_path / name, 5, MODEL)


def test_where_nothing_is_flagged_there_is_nothing_to_ask(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("今天天气很好。", encoding="utf-8")
    assert main(["run", str(tmp_path / "a.txt"), str(tmp_path / "out"), "--workers", "1"]) == 0
    with pytest.raises(UsageError, match="nothing to ask"):
        export(tmp_path / "out", tmp_path / "sheet.csv", 5, MODEL)


# --- what Excel is handed


def test_excel_sees_utf_8_and_no_formula(output: Path, tmp_path: Path) -> None:
    export(output, tmp_path / "sheet.csv", 400, MODEL)
    data = (tmp_path / "sheet.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfid,source,")
    assert data.count(b"\r\n") == data.count(b"\n")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert not any(cell.lstrip().startswith(tuple("=+-@＝＋－＠")) for cell in cells)
    assert any(cell.startswith("'=1+1") for cell in cells)
    assert any(cell.startswith("'=formula.txt") for cell in cells)


@pytest.mark.parametrize(
    "cell",
    [
        "=cmd|' /C calc'!A0",
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        " =1",
        "＝1",
        "'=1",
        "''=1",
        "\r=1",
        "正常",
        "'正",
        "",
    ],
)
def test_what_is_escaped_comes_back(cell: str) -> None:
    escaped = sheets._harmless(cell)
    assert sheets._as_it_was(escaped) == cell
    assert not escaped.lstrip().startswith(tuple("=+-@＝＋－＠"))


# --- what comes back


def answered(path: Path, rows: list[dict[str, str]] | None = None) -> list[tuple[str, str]]:
    found, _, bad = sheets.read(path)
    assert bad == []
    return [(answer.surface, answer.says) for answer in found]


SAVED: dict[str, Callable[[str], bytes]] = {
    "as it was": lambda text: text.encode("utf-8-sig"),
    "without its mark": lambda text: text.encode("utf-8"),
    "as GBK": lambda text: text.encode("gbk"),
    "as Unicode text": lambda text: text.replace(",", "\t").encode("utf-16"),
    "with semicolons": lambda text: text.replace(",", ";").encode("utf-8-sig"),
    "with semicolons as GBK": lambda t: t.replace(",", ";").encode("gbk"),
    "with full-width commas": lambda text: text.replace(",", "，").encode("utf-8"),
    "with sep=;": lambda text: ("sep=;\r\n" + text.replace(",", ";")).encode("utf-8-sig"),
    "with Unix's line ends": lambda text: text.replace("\r\n", "\n").encode("utf-8"),
    "with blank lines": lambda text: text.replace("\r\n", "\r\n,,,,,,,,,,,\r\n\r\n").encode(
        "utf-8"
    ),
}


@pytest.mark.parametrize("saved", SAVED)
def test_excels_habits(tmp_path: Path, saved: str) -> None:
    rows = sheet_of(THREE, ["yes", "no", "规章"])
    (tmp_path / "sheet.csv").write_bytes(SAVED[saved](text_of(rows)))
    expected = [("逝世", "yes"), ("畸形", "no"), ("轨制", "规章")]
    assert answered(tmp_path / "sheet.csv") == expected


def test_rows_may_be_sorted_and_columns_moved_or_left_out(tmp_path: Path) -> None:
    rows = sheet_of(THREE, ["yes", "no", ""])[::-1]
    few = [{name: row[name] for name in ("answer", "suggestion", "surface", "id")} for row in rows]
    (tmp_path / "sheet.csv").write_text(text_of(few), encoding="utf-8")
    found, unanswered, bad = sheets.read(tmp_path / "sheet.csv")
    assert [answer.says for answer in found] == ["no", "yes"]
    assert (unanswered, bad) == (1, [])


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        *(
            (said, ("yes", "死"))
            for said in ("yes", "Y", " 是", "１", "√", "ＹＥＳ。", "true", "死")
        ),
        *((said, ("no", "")) for said in ("no", "N", "否", "0", "×", "false ", "Ｎｏ")),
        ("去世", ("other", "去世")),
        ("“是”", ("other", "是")),  # the word, and not yes
        ("不对", ("other", "不对")),  # 不对 may be an original: 错误 stood for it
        ("去世，", ("other", "去世")),
    ],
)
def test_what_an_answer_says(said: str, verdict: tuple[str, str]) -> None:
    assert sheets._verdict(said, "逝世", "死") == verdict


BAD = {
    "the surface itself": ("answer", "逝世", "write no"),
    "a remark": (
        "answer",
        "我觉得这里应该是死，不太确定，请再看一下吧",
        "neither yes, no nor a word",
    ),
    "a question mark": ("answer", "?", "neither yes, no nor a word"),
    "control characters": ("answer", "去\x1b[2J世", "neither yes, no nor a word"),
    "another surface": ("surface", "去世", "does not belong"),
    "another suggestion": ("suggestion", "去世", "does not belong"),
    "an id that Excel made a number of": ("id", "1.2E+05", "does not belong"),
    "no id": ("id", "", "does not belong"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_and_costs_no_other(tmp_path: Path, case: str) -> None:
    column, cell, problem = BAD[case]
    rows = sheet_of(THREE, ["yes", "no", "yes"])
    rows[0][column] = cell
    (tmp_path / "sheet.csv").write_text(text_of(rows), encoding="utf-8")
    found = gather(tmp_path / "sheet.csv", tmp_path / "answers.jsonl")
    assert found.added == 2
    named = [bad for bad in found.bad if bad.where == "line 2"]
    assert len(named) == 1
    assert problem in named[0].problem


def test_one_column_sorted_without_the_others_is_seen(tmp_path: Path) -> None:
    rows = sheet_of(THREE, ["yes", "no", "yes"])
    ids = [row["id"] for row in rows]
    for row, moved in zip(rows, [*ids[1:], ids[0]], strict=True):
        row["id"] = moved
    (tmp_path / "sheet.csv").write_text(text_of(rows), encoding="utf-8")
    assert len(gather(tmp_path / "sheet.csv", tmp_path / "answers.jsonl").bad) == 3
    assert not (tmp_path / "answers.jsonl").exists()


def test_an_open_quotation_mark_swallows_rows_but_not_unnamed(tmp_path: Path) -> None:
    text = text_of(sheet_of(THREE, ["yes", "no", "yes"]))
    lines = text.split("\r\n")
    lines[2] = lines[2].replace(",no,", ',"no,')
    (tmp_path / "sheet.csv").write_text("\r\n".join(lines), encoding="utf-8")
    found = gather(tmp_path / "sheet.csv", tmp_path / "answers.jsonl")
    assert found.added == 1
    assert any(bad.where == "line 4" and "inside a cell" in bad.problem for bad in found.bad)
    assert len(found.bad) == 2


def test_a_cell_too_many_is_named(tmp_path: Path) -> None:
    lines = text_of(sheet_of(THREE, ["yes", "no", "yes"])).split("\r\n")
    lines[1] += ",再看"
    (tmp_path / "sheet.csv").write_text("\r\n".join(lines), encoding="utf-8")
    found = gather(tmp_path / "sheet.csv", tmp_path / "answers.jsonl")
    assert [bad.where for bad in found.bad] == ["line 2"]
    assert "再看" in found.bad[0].problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no columns"),
        ("编号,答案\n1,是\n".encode(), "no columns"),
        (b"PK\x03\x04 an Excel file", "ZIP archive"),
        (b"id,id,surface,suggestion,answer\n", "same name"),
        (b"[1, 2", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"data": {}}', "no list"),
        (b"\x00\x01\x02\x03" * 100, ""),
    ],
)
def test_what_is_no_sheet_is_refused_in_one_line(
    tmp_path: Path, data: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sheet.csv").write_bytes(data)
    assert main(["import", str(tmp_path / "sheet.csv"), str(tmp_path / "answers.jsonl")]) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1
    assert not (tmp_path / "answers.jsonl").exists()


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "sheet.csv"
    path.write_text("id,surface,suggestion,answer\n" + text, encoding="utf-8", newline="")
    with suppress(UsageError):  # of all errors
        assert sheets.read(path)[0] == []


@given(st.lists(st.text("死正常,;\"'\n\r=+-@ \t‖“”，a1", max_size=8), min_size=4, max_size=4))
def test_any_words_come_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    before, surface, after, suggestion = texts
    asked = question(surface, suggestion, before=before, after=after)
    path = tmp_path_factory.mktemp("round") / "sheet.csv"
    path.write_text(text_of(sheet_of([asked], ["no"])), encoding="utf-8", newline="")
    [found], _, bad = sheets.read(path)
    assert bad == []
    assert (found.surface, found.suggestion, found.says) == (surface, suggestion, "no")
    kept = [text.replace("‖", "\n").replace("\r\n", "\n") for text in (before, after)]
    assert [found.before, found.after] == kept


# --- Label Studio


def annotation(choice: str = "", original: str = "", **others: object) -> dict[str, object]:
    result = []
    if choice:
        value: dict[str, object] = {"choices": [choice]}
        result.append({"from_name": "answer", "to_name": "text", "type": "choices", "value": value})
    if original:
        value = {"text": [original]}
        result.append({"from_name": "original", "type": "textarea", "value": value})
    return {"result": result, "was_cancelled": False, **others}


def test_a_task_marks_the_flag_as_a_browser_counts() -> None:
    asked = question(before="\U0001f600好")
    [task] = json.loads(sheets.as_studio([asked]))
    [prediction] = task["predictions"]
    [result] = prediction["result"]
    assert (result["value"]["start"], result["value"]["end"]) == (3, 5)
    assert result["value"]["text"] == asked.surface
    assert task["data"]["text"] == "\U0001f600好逝世人。\n"
    for name in (result["from_name"], result["to_name"]):
        assert f'name="{name}"' in sheets.STUDIO_INTERFACE


def test_label_studios_export_is_read(tmp_path: Path) -> None:
    tasks = json.loads(sheets.as_studio([*THREE, question("吐槽", "抱怨")]))
    made = [
        [annotation("yes")],
        [annotation("no", was_cancelled=True), annotation("no")],
        [annotation("no", "规章")],
        [],
    ]
    for task, annotations in zip(tasks, made, strict=True):
        task["annotations"] = annotations
    (tmp_path / "project.json").write_text(json.dumps(tasks), encoding="utf-8")
    found, unanswered, bad = sheets.read(tmp_path / "project.json")
    assert [answer.says for answer in found] == ["yes", "no", "规章"]
    assert found[0].before == "形式主义\n害"
    assert (unanswered, bad) == (1, [])


def test_label_studios_short_forms_are_read(tmp_path: Path) -> None:
    tasks = [task["data"] for task in json.loads(sheets.as_studio(THREE))]
    tasks[0]["answer"], tasks[1]["original"] = "yes", "正当"
    (tmp_path / "min.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert answered(tmp_path / "min.json") == [("逝世", "yes"), ("畸形", "正当")]
    rows = [{"original": "", "answer": "", **task} for task in tasks]
    (tmp_path / "short.csv").write_text(text_of(rows), encoding="utf-8")
    assert answered(tmp_path / "short.csv") == [("逝世", "yes"), ("畸形", "正当")]


@pytest.mark.parametrize(
    "task",
    [
        *(None, 7, "a", [], {"data": 3}, {"data": {}, "annotations": [3]}),
        {"data": {}, "annotations": [{"result": [{"from_name": "answer", "value": None}]}]},
    ],
)
def test_a_task_of_another_form_is_named(tmp_path: Path, task: object) -> None:
    [good] = json.loads(sheets.as_studio([question()]))
    good["annotations"] = [annotation("yes")]
    (tmp_path / "project.json").write_text(json.dumps([task, good]), encoding="utf-8")
    found, _, bad = sheets.read(tmp_path / "project.json")
    assert [answer.says for answer in found] == ["yes"]
    assert [row.where for row in bad] == ["task 1"]


NAMES = st.sampled_from(
    [
        *("data", "annotations", "result", "value", "from_name", "answer", "original", "choices"),
        *("text", "id", "surface", "suggestion", "was_cancelled"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


@given(st.lists(ANYTHING, max_size=4))
def test_no_tasks_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, tasks: list[object]
) -> None:
    path = tmp_path_factory.mktemp("tasks") / "project.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    found, _, bad = sheets.read(path)
    assert found == []
    assert all(row.where.startswith("task ") and "\n" not in row.where for row in bad)


# --- the file of answers


def imported(folder: Path, said: list[str], **options: bool) -> tuple[object, list[str]]:
    text = text_of(sheet_of(THREE, said))
    (folder / "sheet.csv").write_text(text, encoding="utf-8")
    found = gather(folder / "sheet.csv", folder / "answers.jsonl", **options)
    return found, [answer.says for answer in answers.read(folder / "answers.jsonl")]


def test_answers_gather_and_importing_twice_adds_nothing(tmp_path: Path) -> None:
    first, _ = imported(tmp_path, ["yes", "", ""])
    second, _ = imported(tmp_path, ["yes", "no", ""])
    before = (tmp_path / "answers.jsonl").read_bytes()
    third, said = imported(tmp_path, ["yes", "no", ""])
    assert (first.added, second.added, third.added) == (1, 1, 0)
    assert (second.known, third.known, third.unanswered) == (1, 2, 1)
    assert sorted(said) == ["no", "yes"]
    assert (tmp_path / "answers.jsonl").read_bytes() == before


def test_a_dispute_is_shown_kept_and_settled(tmp_path: Path) -> None:
    imported(tmp_path, ["yes", "", ""])
    found, said = imported(tmp_path, ["去世", "", ""])
    [line] = found.disputed
    assert "yes before, 去世 now" in line
    assert said == ["yes"]
    [held] = answers.read(tmp_path / "answers.jsonl")
    assert held.disputed == "去世"
    found, said = imported(tmp_path, ["去世", "", ""], replace=True)
    [held] = answers.read(tmp_path / "answers.jsonl")
    assert (said, held.disputed, found.disputed, found.changed) == (["去世"], "", [], 1)


def test_the_first_answer_said_again_may_settle_a_dispute(tmp_path: Path) -> None:
    imported(tmp_path, ["yes", "", ""])
    imported(tmp_path, ["no", "", ""])
    imported(tmp_path, ["yes", "", ""], replace=True)
    [held] = answers.read(tmp_path / "answers.jsonl")
    assert (held.says, held.disputed) == ("yes", "")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '"a"',
        "{}",
        json.dumps({"id": "a:1-2:00000000"}),
    ],
)
def test_a_file_that_holds_no_answers_is_not_written_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "answers.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 1"):
        imported(tmp_path, ["yes", "", ""])
    assert (tmp_path / "answers.jsonl").read_text(encoding="utf-8") == line + "\n"


def test_the_commands_say_what_they_did(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    sheet, target = tmp_path / "sheet.csv", tmp_path / "answers.jsonl"
    assert main(["export", str(output), str(sheet), "--rows", "10"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{sheet}: 6 uncertain, 2 sure, 2 unflagged")
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["answer"], rows[1]["answer"], rows[2]["answer"] = "yes", "no", "?"
    sheet.write_text(text_of(rows), encoding="utf-8-sig", newline="")
    assert main(["import", str(sheet), str(target)]) == 1
    told = capsys.readouterr()
    assert f"{target}: 2 added, 0 changed, 0 known, 7 unanswered, 0 disputed, 1 bad" in told.out
    assert "line 4: the answer is neither" in told.err
    assert "found 1 bad, 0 disputed: mend them and import again; all others are in" in told.err
    assert main(["import", str(tmp_path / "none.csv"), str(target)]) == 2
    shutil.rmtree(tmp_path)
