"""Which documents share shingles: what is asked, in the SQL that both engines understand.

A shingle that very many documents have is a set phrase, and says nothing. Of one that is left every
document meets the FIRST of its holders and the two before it, so a text with a thousand copies
makes some thousands of pairs, and not half a million. Documents that nothing is suspected of come
first in order, so a copy meets an original if there is one.

An engine has the views ``samples`` and ``documents`` (`sampling`), ``texts`` (the table
`documents`) and ``links`` (`judging`), and gives each answer of STEPS the name that the next one
asks for.
"""

# ruff: noqa: S608 - what is put into the queries are the numbers below
from collections.abc import Mapping

from pipeline.links.alignment import MOST_CHARS

MOST_HOLDERS = 1_000
"""Documents that have a shingle; beyond, it is passed over."""
FIRST = 4

LEAST_SHARED, LEAST_SHARE = 3, 0.05
"""Sampled shingles that two documents must share to be looked at, and of those of the smaller one
the share. Alignment is what decides; of a text that has 40% of its characters replaced one shingle
in five stays."""
MOST_PARTNERS = 6
"""Documents that one is compared with: those that share most."""

GROUP_ROWS = 512
"""Pairs that a worker aligns at a time."""

STEPS: Mapping[str, str] = {
    "placed": f"""
SELECT * FROM (
  SELECT hash, number,
    row_number() OVER shingle AS place,
    lag(number, 1) OVER shingle AS before_1,
    lag(number, 2) OVER shingle AS before_2,
    count(*) OVER (PARTITION BY hash) AS holders
  FROM samples
  WINDOW shingle AS (PARTITION BY hash ORDER BY number)
) AS every WHERE holders BETWEEN 2 AND {MOST_HOLDERS}
""",
    "shared": f"""
SELECT number, other, count(*) AS shingles FROM (
  SELECT later.number, first.number AS other
  FROM placed AS later JOIN placed AS first ON later.hash = first.hash
  WHERE first.place <= {FIRST} AND first.place < later.place
  UNION ALL SELECT number, before_1 FROM placed WHERE place > {FIRST + 1}
  UNION ALL SELECT number, before_2 FROM placed WHERE place > {FIRST + 2}
) AS meetings GROUP BY number, other HAVING count(*) >= {LEAST_SHARED}
""",
    "pairs": f"""
SELECT one_id, two_id, one_spun, two_spun FROM (
  SELECT one.doc_id AS one_id, two.doc_id AS two_id,
    one.spun_probability AS one_spun, two.spun_probability AS two_spun,
    row_number() OVER (PARTITION BY shared.number ORDER BY shingles DESC, other) AS place
  FROM shared
  JOIN documents AS one ON one.number = shared.number
  JOIN documents AS two ON two.number = shared.other
  WHERE shingles >= {LEAST_SHARE} * least(one.sampled, two.sampled)
) AS partners WHERE place <= {MOST_PARTNERS}
""",
}

WITH_TEXTS = f"""
SELECT pairs.*, left(one.text, {MOST_CHARS}) AS one_text, left(two.text, {MOST_CHARS}) AS two_text
FROM pairs JOIN texts AS one ON one.doc_id = one_id JOIN texts AS two ON two.doc_id = two_id
"""

ORDERED = """
SELECT doc_id, other_doc_id, similarity, spun_probability, paragraphs
FROM links ORDER BY doc_id, similarity DESC, other_doc_id
"""
