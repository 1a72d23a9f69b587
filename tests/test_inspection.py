"""`inspect`: nothing that a stranger wrote reaches the terminal as anything but text."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.errors import StageError
from pipeline.inspection import STEERING, inspect, visible
from tests.conftest import ROOT, Cli

CLEAR, TITLE, C1, BIDI = "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\u202e"
STEERED = f"标题{CLEAR}{TITLE}{C1}{BIDI}"
SPUN = "情势主义害逝世人，轨制畸形。"


def shown(records: list[dict], *, as_json: bool = False) -> str:
    lines = "\n".join(json.dumps(record) for record in records).encode()
    out = io.StringIO()
    inspect("some.jsonl", io.BytesIO(lines), Config(), out, as_json=as_json)
    return out.getvalue()


@given(st.text())
def test_what_is_visible_steers_nothing(text: str) -> None:
    assert not STEERING.search(visible(text))
    assert visible(visible(text)) == visible(text)
    assert not re.search(r"[\x00-\x1f]", visible(text, line=True))


@given(st.text("甲乙，。 \n", max_size=30))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_every_text_of_a_record_is_made_visible() -> None:
    record = {"text": SPUN + STEERED, "title": STEERED, "publisher": STEERED, "url": STEERED}
    printed = shown([record])
    assert not STEERING.search(printed)
    assert SPUN[:2] in printed


def test_a_name_that_steers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"a{CLEAR}.txt"
    path.write_text(SPUN, encoding="utf-8")
    assert main(["inspect", str(path)]) == 0
    assert "a\\x1b[2J.txt, record 0" in capsys.readouterr().out
    path.write_bytes(b"")
    assert main(["inspect", str(path)]) == 1
    printed = capsys.readouterr()
    assert not STEERING.search(printed.out + printed.err)


def test_json_has_the_rows_of_the_tables() -> None:
    [line] = shown([{"text": SPUN, "title": "甲", "date": "2021-02-03"}], as_json=True).splitlines()
    found = json.loads(line)
    assert set(found) == {"document", "sentences", "flags"}
    cleaned = pipeline.clean(SPUN)
    assert found["document"]["text"] == cleaned.text
    assert found["document"]["published_at"].startswith("2021-02-03")
    assert "".join(sentence["restored"] for sentence in found["sentences"]) == cleaned.restored
    assert [flag["surface"] for flag in found["flags"]] == [f["surface"] for f in cleaned.flags]
    assert found["flags"][0].keys() == cleaned.flags[0].keys()


def test_json_is_a_line_for_each_and_steers_nothing() -> None:
    records = [{"text": STEERED + "甲\u2028乙\x7f\U000e0041😀"}, {"text": SPUN}]
    printed = shown(records, as_json=True)
    assert printed.count("\n") == 2
    assert not STEERING.search(printed.replace("\n", ""))
    raw = [json.loads(line)["document"]["raw"] for line in printed.splitlines()]
    assert raw == [record["text"] for record in records]


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_rejected_is_told(as_json: bool) -> None:
    out = io.StringIO()
    lines = json.dumps({"text": ""}) + "\n" + json.dumps({"text": SPUN})
    with pytest.raises(StageError, match="empty_text"):
        inspect("x.jsonl", io.BytesIO(lines.encode()), Config(), out, as_json=as_json)
    assert "empty_text" in out.getvalue().splitlines()[0]
    assert SPUN in out.getvalue() or "形式" in out.getvalue()
    if as_json:
        reject, document = map(json.loads, out.getvalue().splitlines())
        assert (reject["reject"]["reason"], reject["reject"]["record"]) == ("empty_text", 0)
        assert document["document"]["record"] == 1


def test_json_from_standard_input_where_only_ascii_is_written() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "inspect", "--json", "-"],
        input=(SPUN + "😀").encode(),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout.decode("ascii"))["document"]["raw"] == SPUN + "😀"


def test_no_colour_in_a_pipe(cli: Cli) -> None:
    done = cli("inspect", "-", input=SPUN + CLEAR)
    assert "\x1b" not in done.stdout
    assert re.search(r"\[逝世→死 [01]\.\d\d\]", done.stdout)


def test_colours_on_a_terminal_and_none_of_a_strangers(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{SPUN * 3}\n", encoding="utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "inspect", path],
        env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", "PYTHONIOENCODING": "utf-8"},
        cwd=ROOT,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # how a terminal ends
                break
            if not block:
                break
            printed += block
    os.close(ours)
    assert process.returncode == 0
    text = printed.decode()
    assert re.search("\x1b\\[31m(逝世|情势)\x1b\\[0m\x1b\\[1;32m", text)
    assert set(re.findall("\x1b(.)", text)) == {"["}
    assert set(re.findall("\x1b\\[[0-9;]*(.)", text)) == {"m"}
