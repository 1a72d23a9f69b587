"""Figures of a text, and texts that come twice."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.duplicates import exact_copies
from pipeline.quality import line_repetition, text_hash


def test_text_hash_depends_on_every_character() -> None:
    texts = ["", "没时间", "没时间 ", "没時间", "\x00", "𠀀"]
    assert len({text_hash(text) for text in texts}) == len(texts)


@given(st.lists(st.sampled_from(["", " ", "甲", "甲乙", "甲 乙", "丙"]), max_size=8))
def test_line_repetition_is_that_of_the_slow_version(lines: list[str]) -> None:
    sizes = [len(line.replace(" ", "")) for line in lines]
    again = [size for at, size in enumerate(sizes) if lines[at] in lines[:at]]
    expected = sum(again) / sum(sizes) if sum(sizes) else 0.0
    assert line_repetition("\n".join(lines)) == expected


def parts(folder: Path, texts: list[list[str]]) -> list[Path]:
    """Parts as `normalise` makes them; `doc_id` tells part and row."""
    paths = []
    for number, of_part in enumerate(texts):
        ids = [f"{number}-{row}" for row in range(len(of_part))]
        hashes = pa.array(map(text_hash, of_part), pa.string())
        paths.append(folder / f"part-{number}.parquet")
        pq.write_table(pa.table({"doc_id": ids, "text_hash": hashes}), paths[-1])
    return paths


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("甲乙丙丁戊己庚辛"), max_size=5), max_size=4))
def test_copies_are_those_of_the_slow_version(tmp_path_factory, texts: list[list[str]]) -> None:
    first: dict[str, str] = {}
    expected = []
    for number, of_part in enumerate(texts):
        copies = []
        for row, text in enumerate(of_part):
            if text in first:
                copies.append((row, first[text]))
            first.setdefault(text, f"{number}-{row}")
        expected.append(tuple(copies))
    folder = tmp_path_factory.mktemp("parts")
    assert exact_copies(parts(folder, texts)) == expected
