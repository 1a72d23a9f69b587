"""One session of Spark for all of them: to start one takes ten seconds."""

import gzip
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import write_texts

if find_spec("pyspark") is None:  # an extra: `make test-spark` installs it
    collect_ignore_glob = ["test_*.py"]

HANT = "記者昨日在臺北報導了這件事情,許多讀者表示關心。他問道:「為什麼會這樣?」沒有人回答。"


@pytest.fixture(scope="session")
def session() -> Iterator[object]:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    os.environ["PYSPARK_PYTHON"] = sys.executable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        made = made.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of everything: formats, scripts, an exact copy, and what cannot be read."""
    folder = write_texts(tmp_path_factory.mktemp("mixed") / "in", 12)
    (folder / "copy.txt").write_bytes((folder / "0" / "000.txt").read_bytes())
    (folder / "traditional.txt").write_text(HANT * 3, encoding="utf-8")
    (folder / "gbk.txt").write_bytes("国标码的文章,编码要靠猜。".encode("gb18030") * 20)
    lines = [f'{{"text": "第{i}条,情势主义害逝世人。", "url": "u{i}"}}' for i in range(5)]
    (folder / "lines.jsonl").write_text("\n".join([*lines, "{broken"]), encoding="utf-8")
    (folder / "rows.csv").write_text("id,text\n1,一行文字,\n2,又一行文字。\n", encoding="utf-8")
    (folder / "broken.txt.gz").write_bytes(gzip.compress(b"x" * 10_000)[:30])
    (folder / "empty.txt").touch()
    return folder
