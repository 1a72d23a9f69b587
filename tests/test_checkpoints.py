"""A large file whose reading was interrupted goes on where it was, and makes the same bytes."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parts, runner
from pipeline.config import Config
from pipeline.parquet import describe
from pipeline.readers import html, jsonl
from pipeline.records import Record, Reject
from pipeline.stages.ingest import ingest
from pipeline.storage import CHECKPOINTS, read_manifest
from tests.conftest import contents

CONFIG = Config(shard_chars=4_000)  # the first parts hold 500 characters


class StoppedError(Exception):
    """In place of a kill."""


def text(number: int) -> str:
    return f"第{number}条消息说,今天的天气很好,大家都到公园里去玩。" * 2


def json_lines(count: int) -> bytes:
    """Every third line is a reject, and so are the last five."""
    lines = [
        json.dumps({"text": text(i)}, ensure_ascii=False) if i % 3 and i < count - 5 else "[]"
        for i in range(count)
    ]
    return ("\n".join(lines) + "\n").encode()


def csv(count: int) -> bytes:
    rows = [f'{i},"{text(i) if i % 3 else ""}"\n' for i in range(count)]
    return ("id,text\n" + "".join(rows)).encode()


def parquet(count: int) -> bytes:
    rows = {"text": [text(i) if i % 3 else None for i in range(count)]}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(rows), sink, row_group_size=7)
    return sink.getvalue().to_pybytes()


def warc(count: int) -> bytes:
    """Pages, with requests, other statuses, a page without content, and damage between them."""
    records = []
    for i in range(count):
        page = f"<title>第{i}页</title><p>{text(i)}</p>" if i % 5 else "<a href=x>首页</a>"
        status = "404 Not Found" if i % 7 == 3 else "200 OK"
        body = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
        kind = "request" if i % 11 == 4 else "response"
        head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a/{i}\r\n"
        length = "" if i % 13 == 6 else f"Content-Length: {len(body)}\r\n"
        records.append(f"{head}{length}\r\n".encode() + body + b"\r\n\r\n")
    return b"".join(records)


FILES: dict[str, Callable[[int], bytes]] = {
    "a.jsonl": json_lines,
    "a.jsonl.gz": lambda count: gzip.compress(json_lines(count), mtime=0),
    "a.json": lambda count: json.dumps(
        [{"text": text(i)} if i % 3 else {"title": "无"} for i in range(count)]
    ).encode(),
    "a.csv": csv,
    "a.parquet": parquet,
    "a.warc": warc,
}


@pytest.fixture(params=FILES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    path.write_bytes(FILES[request.param](150))
    return path


def run(source: Path, target: Path) -> None:
    runner.run_stage("ingest", source, target, CONFIG, 1)


def stopped(source: Path, target: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends when so many parts are there."""
    write_part = parts._write_part
    left = after

    def one_less(*args: object) -> bool:
        nonlocal left
        if not left:
            raise StoppedError
        left -= 1
        return write_part(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_write_part", one_less)
        with pytest.raises(StoppedError):
            run(source, target)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_it_goes_on_after_the_last_checkpoint(
    source: Path, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / "whole")
    stopped(source, tmp_path / "out", after, monkeypatch)
    there = {path: path.stat().st_ino for path in (tmp_path / "out").glob("part-*")}
    assert len(there) == after
    run(source, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert {path: path.stat().st_ino for path in there} == there  # not written again


def test_every_place_to_stop_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.jsonl"
    source.write_bytes(json_lines(60))
    run(source, tmp_path / "whole")
    count = len(list((tmp_path / "whole").glob("part-*")))
    assert count > 3
    stopped_at = 0
    while stopped_at < count - 1:  # each time one part more
        stopped_at += 1
        stopped(source, tmp_path / "out", 1, monkeypatch)
        assert len(list((tmp_path / "out").glob("part-*"))) == stopped_at
    run(source, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module, function in (
        ("a.warc", "pipeline.readers.warc.read_page_bytes", html.read_page_bytes),
        ("a.jsonl", "pipeline.readers.jsonl.read_value", jsonl.read_value),
    ):
        source, seen = tmp_path / name, []
        source.write_bytes(FILES[name](150))
        out = tmp_path / f"{name}-out"
        stopped(source, out, 8, monkeypatch)
        last = pq.read_table(max(out.glob("part-*")))["record"][-1].as_py()

        def noted(*args, call=function, seen=seen):
            item = call(*args)
            seen.append(item.record)
            return item

        monkeypatch.setattr(module, noted)
        run(source, out)
        assert seen
        assert min(seen) > last


@pytest.mark.parametrize("damage", ["checkpoint lost", "part lost", "part cut short", "input"])
def test_what_a_checkpoint_does_not_cover_is_made_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.jsonl"
    source.write_bytes(json_lines(150))
    stopped(source, tmp_path / "out", 5, monkeypatch)
    name = "part-00000-00002.parquet"
    if damage == "checkpoint lost":
        (tmp_path / "out" / CHECKPOINTS / name).unlink()
    elif damage == "part lost":
        (tmp_path / "out" / name).unlink()
    elif damage == "part cut short":
        path = tmp_path / "out" / name
        path.write_bytes(path.read_bytes()[:-30])
    else:
        source.write_bytes(json_lines(151))
    run(source, tmp_path / "whole")
    run(source, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_no_checkpoint_is_left_and_small_files_make_none(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    writing = parts.writing

    def noted(directory, name, *args):
        made.append(name)
        return writing(directory, name, *args)

    monkeypatch.setattr(parts, "writing", noted)
    runner.run_stage("ingest", texts, tmp_path / "small", Config(), 1)
    assert not [name for name in made if name.startswith(CHECKPOINTS)]
    source = tmp_path / "a.jsonl"
    source.write_bytes(json_lines(150))
    run(source, tmp_path / "large")
    assert len([name for name in made if name.startswith(CHECKPOINTS)]) > 5
    assert not (tmp_path / "large" / CHECKPOINTS).exists()


def test_a_file_that_changes_while_it_is_read_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts are of neither version. Should the old one come back, they must not be kept."""
    source = tmp_path / "a.jsonl"
    source.write_bytes(json_lines(150))
    run(source, tmp_path / "whole")
    old, list_files = source.read_bytes(), runner.list_files

    def then_changed(*args):
        files = list_files(*args)
        source.write_bytes(json_lines(140))
        return files

    with monkeypatch.context() as patch:
        patch.setattr(runner, "list_files", then_changed)
        stopped(source, tmp_path / "out", 5, monkeypatch)
    checkpoint = describe(tmp_path / "out", f"{CHECKPOINTS}/part-00000-00000.parquet")
    assert checkpoint is not None
    assert checkpoint.files == 0
    source.write_bytes(old)
    run(source, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_file_that_was_away_is_read_when_it_is_back(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same bytes, so the same hash: what was rejected as `changed` is not up to date."""
    run(texts, tmp_path / "whole")
    list_files = runner.list_files

    def then_away(*args):
        files = list_files(*args)
        texts.rename(tmp_path / "away")
        return files

    monkeypatch.setattr(runner, "list_files", then_away)
    run(texts, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest is not None
    assert manifest.rejects == {"changed": 6}
    monkeypatch.undo()
    (tmp_path / "away").rename(texts)
    run(texts, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(FILES)),
    count=st.integers(1, 40),
    at=st.integers(0, 39),
    junk=st.binary(max_size=30),
)
def test_after_a_record_comes_what_comes_after_it(
    name: str, count: int, at: int, junk: bytes
) -> None:
    """For every reader, damaged files included."""
    data = FILES[name](count) + (b"" if name.endswith((".gz", ".parquet")) else junk)

    def items(after: int | None) -> Iterator[Record | Reject]:
        return ingest(name, pa.BufferReader(data), Config(), after)

    found = list(items(None))
    places = [i for i, item in enumerate(found) if isinstance(item, Record)]
    if places:
        place = places[at % len(places)]
        assert list(items(found[place].record)) == found[place + 1 :]
