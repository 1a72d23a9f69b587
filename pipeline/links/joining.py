"""Which documents share shingles, counted by a database that needs little memory.

DuckDB, for it spills what does not fit; MIT, kept by many, one wheel of 25 MB. Libraries of MinHash
hold an index of all signatures in memory, 8 GB for ten million documents, and compare whole texts.

A shingle that very many documents have is a set phrase, and says nothing. Of one that is left every
document meets the FIRST of its holders and the two before it, so a text with a thousand copies
makes some thousands of pairs, and not half a million. Documents that nothing is suspected of come
first in order, so a copy meets an original if there is one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.links.alignment import MOST_CHARS
from pipeline.schema import LINKS

MOST_HOLDERS = 1_000
"""Documents that have a shingle; beyond, it is passed over."""
FIRST = 4

LEAST_SHARED, LEAST_SHARE = 3, 0.05
"""Sampled shingles that two documents must share to be looked at, and of those of the smaller one
the share. Alignment is what decides; of a text that has 40% of its characters replaced one shingle
in five stays."""
MOST_PARTNERS = 6
"""Documents that one is compared with: those that share most."""

MEMORY_MB = 600
GROUP_ROWS = 512
"""Pairs in a row group, which is what a worker aligns at a time."""

_PLACED = """
CREATE OR REPLACE TABLE placed AS
SELECT * FROM (
  SELECT hash, number,
    row_number() OVER shingle AS place,
    lag(number, 1) OVER shingle AS before_1,
    lag(number, 2) OVER shingle AS before_2,
    count(*) OVER (PARTITION BY hash) AS holders
  FROM read_parquet($samples)
  WINDOW shingle AS (PARTITION BY hash ORDER BY number)
) WHERE holders BETWEEN 2 AND $most_holders
"""

_SHARED = """
CREATE OR REPLACE TABLE shared AS
SELECT number, other, count(*) AS shingles FROM (
  SELECT later.number, first.number AS other
  FROM placed AS later JOIN placed AS first USING (hash)
  WHERE first.place <= $first AND first.place < later.place
  UNION ALL SELECT number, before_1 FROM placed WHERE place > $first + 1
  UNION ALL SELECT number, before_2 FROM placed WHERE place > $first + 2
) GROUP BY number, other HAVING count(*) >= $least
"""

_PAIRS = """
CREATE OR REPLACE TABLE pairs AS
SELECT one.doc_id AS one_id, two.doc_id AS two_id,
  one.spun_probability AS one_spun, two.spun_probability AS two_spun
FROM shared
JOIN read_parquet($documents) AS one ON one.number = shared.number
JOIN read_parquet($documents) AS two ON two.number = shared.other
WHERE shingles >= $least * least(one.sampled, two.sampled)
QUALIFY row_number() OVER (
  PARTITION BY shared.number ORDER BY shingles DESC, other
) <= $most_partners
"""

_TEXTS = """
SELECT pairs.*, left(one.text, $most) AS one_text, left(two.text, $most) AS two_text
FROM pairs
JOIN read_parquet($tables) AS one ON one.doc_id = one_id
JOIN read_parquet($tables) AS two ON two.doc_id = two_id
"""

_ORDERED = """
SELECT doc_id, other_doc_id, similarity, spun_probability, paragraphs
FROM read_parquet($links) ORDER BY doc_id, similarity DESC, other_doc_id
"""


@contextmanager
def database(folder: Path, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """One that works in ``folder``."""
    with duckdb.connect(
        str(folder / "links.duckdb"),
        config={
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": str(folder / "spill"),
            "threads": threads,
            "preserve_insertion_order": False,
        },
    ) as opened:
        yield opened


def meet(db: duckdb.DuckDBPyConnection, samples: Sequence[Path], documents: Sequence[Path]) -> int:
    """Make the table ``pairs`` of documents that may be copies. Returns how many there are."""
    db.execute(_PLACED, {"samples": _names(samples), "most_holders": MOST_HOLDERS})
    db.execute(_SHARED, {"first": FIRST, "least": LEAST_SHARED})
    limits = {"least": LEAST_SHARE, "most_partners": MOST_PARTNERS}
    db.execute(_PAIRS, {"documents": _names(documents), **limits})
    db.execute("DROP TABLE placed")
    db.execute("DROP TABLE shared")
    (found,) = db.execute("SELECT count(*) FROM pairs").fetchall()
    return int(found[0])


def write_texts(db: duckdb.DuckDBPyConnection, tables: Sequence[Path], target: Path) -> None:
    """The pairs with both texts, from the parts of `documents`, in row groups of GROUP_ROWS."""
    pairs = db.sql(_TEXTS, params={"tables": _names(tables), "most": MOST_CHARS})
    pairs.write_parquet(str(target), row_group_size=GROUP_ROWS)


def ordered(db: duckdb.DuckDBPyConnection, links: Sequence[Path]) -> pa.RecordBatchReader:
    """The links of all files, sorted: of each document the most similar first."""
    if not links:
        return pa.RecordBatchReader.from_batches(LINKS, [])
    return db.sql(_ORDERED, params={"links": _names(links)}).to_arrow_reader()


def _names(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]
