"""The whole way: from texts to tables to links."""

import json
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.links import joining
from pipeline.links.engines import start
from pipeline.schema import LINKS
from tests.learning.pages import LINES, SENTENCES

WORDS = [
    *"".join(SENTENCES).replace("，", "。").split("。"),
    "山路弯弯曲曲", "湖面结了厚冰", "集市上人来人往", "他修好了旧钟", "火车晚点四十分钟",
    "菜价跌了一成", "她把信寄了出去", "窗外的槐树开花了", "队员们轮流守夜", "锅里炖着排骨",
    "新校舍九月启用", "渔船一早出海", "展览免费对外开放", "工人正在更换水管", "电影下周三上映",
    "月亮升到了屋顶", "院子里晒满玉米", "牧民赶着羊群回家",
]  # fmt: skip
ARTICLES, COPIED, COPIES = 40, 4, 5


def article(rng: random.Random) -> str:
    lines = []
    for _ in range(6):
        pieces = [piece for piece in rng.sample(WORDS, 4) if piece]
        lines.append(f"第{rng.randint(1000, 9999)}号{rng.randint(10, 99)}组：{'，'.join(pieces)}。")
    return "\n".join(lines)


def copy(text: str, rng: random.Random) -> str:
    for original in rng.sample(sorted(LINES), 10):
        text = text.replace(original, LINES[original])
    lines = text.split("\n")
    return "\n".join(rng.sample(lines, len(lines)))


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    rng = random.Random(7)
    folder = tmp_path_factory.mktemp("links")
    articles = [article(rng) for _ in range(ARTICLES)]
    rows = [{"id": f"{at}", "text": text} for at, text in enumerate(articles)]
    rows += [
        {"id": f"{at}-{number}", "text": copy(articles[at], rng)}
        for at in range(COPIED)
        for number in range(COPIES)
    ]
    rows.append({"id": "same", "text": articles[-1]})
    rng.shuffle(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "in.jsonl").write_text(lines, encoding="utf-8")
    output = folder / "out"
    assert main(["run", str(folder / "in.jsonl"), str(output), "--workers", "1"]) == 0
    assert main(["links", str(output), "--workers", "2"]) == 0
    return output


@pytest.fixture(scope="module")
def tables(linked):
    documents = pd.read_parquet(linked / "corpus" / "documents").set_index("doc_id")
    links = pd.read_parquet(linked / "links")
    for name in ("doc_id", "other_doc_id"):
        links[name.removesuffix("doc_id") + "name"] = documents.record_id[links[name]].to_numpy()
    return documents, links


def test_every_copy_is_linked_to_its_source_and_nothing_else_is(tables):
    documents, links = tables
    copies = {name for name in documents.record_id if "-" in name}
    sources = links.name.str.split("-").str[0]
    assert (sources == links.other_name.str.split("-").str[0]).all()
    assert set(links.name) | set(links.other_name) == copies | {str(at) for at in range(COPIED)}


def test_the_spun_one_comes_first(tables):
    _, links = tables
    to_source = links[~links.other_name.str.contains("-") | ~links.name.str.contains("-")]
    assert len(to_source) >= COPIED * COPIES
    right = to_source.name.str.contains("-")
    assert right.mean() >= 0.95
    assert to_source.spun_probability[right].median() > 0.5


def test_paragraphs_correspond(tables):
    documents, links = tables
    for link in links.itertuples():
        own, other = (documents.text[key] for key in (link.doc_id, link.other_doc_id))
        assert len(link.paragraphs)
        for at in link.paragraphs:
            here = own[at["start"] : at["end"]]
            there = other[at["other_start"] : at["other_end"]]
            assert here[:6] == there[:6]  # the number, which no tool replaces
    assert links.similarity.between(0.3, 1).all()
    assert links.spun_probability.between(0, 1).all()


def test_the_table_is_as_the_schema_says_and_sorted(linked, tables):
    _, links = tables
    table = pq.read_table(linked / "links")
    assert table.schema.equals(LINKS)
    assert links.doc_id.is_monotonic_increasing
    assert not (linked / "links" / "_work").exists()


def test_links_are_the_same_with_any_number_of_workers_and_are_not_made_twice(linked, tmp_path):
    (part,) = (linked / "links").glob("part-*")
    before, made = part.read_bytes(), part.stat().st_mtime_ns
    assert main(["links", str(linked), "--workers", "1"]) == 0
    assert part.stat().st_mtime_ns == made
    (linked / "links" / "_made_from.json").unlink()
    assert main(["links", str(linked), "--workers", "1"]) == 0
    assert part.stat().st_mtime_ns != made
    assert part.read_bytes() == before


def test_a_text_with_many_copies_does_not_make_a_pair_of_each_two(tmp_path):
    n = 300
    samples, known = tmp_path / "samples.parquet", tmp_path / "known.parquet"
    numbers = [number for number in range(n) for _ in range(9)]
    pq.write_table(pa.table({"hash": list(range(9)) * n, "number": numbers}), samples)
    names = [f"{number:04d}" for number in range(n)]
    columns = {
        "number": list(range(n)),
        "doc_id": names,
        "spun_probability": [0.0] * n,
        "sampled": [9] * n,
    }
    pq.write_table(pa.table(columns), known)
    pq.write_table(pa.table({"doc_id": names, "text": names}), tmp_path / "texts.parquet")
    with start("local", 1, tmp_path) as engine:
        (path,) = engine.meet([samples], [known], [tmp_path / "texts.parquet"])
    pairs = pq.read_table(path)
    assert len(pairs) <= joining.MOST_PARTNERS * n
    assert len(pairs["one_id"].unique()) == n - 1


def test_without_tables_there_is_advice(tmp_path, capsys):
    assert main(["links", str(tmp_path)]) != 0
    assert "run `make` first" in capsys.readouterr().err
