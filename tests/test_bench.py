"""What `make bench` measures: the figures are the machine's, the shape of them is ours."""

import json
from pathlib import Path

from pipeline.bench import Host, Settings, bench, save, table
from pipeline.config import Config
from pipeline.stages import STAGES
from tests.conftest import SENTENCES

LISTS = frozenset({"a"})
PAIRS = {("检查", "检讨"): LISTS, ("时间", "时光"): LISTS, ("问题", "题目"): LISTS}


def test_every_stage_is_measured_beside_jieba(tmp_path: Path) -> None:
    lines = [json.dumps({"text": sentence * 20}) for sentence in SENTENCES]
    (tmp_path / "dev.jsonl").write_text("\n".join(lines), encoding="utf-8")
    small = Settings(chars=2_000, spun_chars=500, repeats=1, copies=1)
    figures = bench(tmp_path / "dev.jsonl", PAIRS, Config(), small)
    of_mixed = {figure.what: figure for figure in figures if figure.text == "5% spun"}
    assert {"jieba.lcut", "OpenCC t2s", *STAGES, "all stages", "two workers"} <= {*of_mixed}
    assert of_mixed["jieba.lcut"].ratio == 1
    assert {figure.text for figure in figures} == {"5% spun", "all spun"}
    for figure in figures:
        assert figure.seconds > 0
        assert figure.what in table(figures)
    saved = json.loads(save(figures, tmp_path / "out").read_text(encoding="utf-8"))
    assert set(saved) == {*Host._fields, "figures"}
    assert saved["figures"][0]["what"] == "jieba.lcut"
    assert len(saved["figures"]) == len(figures)
    assert all(of_mixed[what].peak_mb > 50 for what in ("one worker", "two workers"))
    assert "times as fast as one" in table(figures)
