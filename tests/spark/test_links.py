"""Links that Spark finds are those that processes find."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.errors import StageError
from pipeline.links.engines import start
from tests.links.test_links import article, copy

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(3)
    folder = tmp_path_factory.mktemp("links")
    articles = [article(rng) for _ in range(30)]
    texts = [*articles, *(copy(text, rng) for text in articles[:4] * 3)]
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    (folder / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    small = ["--set", "shard_chars=3000"]
    assert main(["run", str(folder / "in.jsonl"), str(folder / "out"), *small]) == 0
    assert len(list((folder / "out" / "corpus" / "documents").iterdir())) > 2
    return folder / "out"


def test_the_same_links(output: Path) -> None:
    (links := output / "links").mkdir()
    made = []
    for engine in ("spark", "local"):
        (links / "_made_from.json").unlink(missing_ok=True)
        assert main(["links", str(output), "--engine", engine, "--workers", "2"]) == 0
        (part,) = links.glob("part-*")
        made.append(part.read_bytes())
    assert made[0] == made[1]
    assert pq.read_metadata(part).num_rows >= 12


def test_what_no_executor_has_written_is_told(tmp_path: Path) -> None:
    with start("spark", 1, tmp_path) as engine, pytest.raises(StageError, match="folder shared"):
        list(engine.ordered([tmp_path / "absent.parquet"]))


def test_what_goes_wrong_in_a_task_is_told(tmp_path: Path) -> None:
    with start("spark", 1, tmp_path) as engine, pytest.raises(StageError, match="links"):
        engine.map(len, [1])  # type: ignore[list-item]
