"""DuckDB: the same in SQL, straight from the files, on more rows than memory holds."""

# ruff: noqa: T201 - it shows what it finds

import sys

import duckdb

output = sys.argv[1]
for table in ("documents", "flags"):
    files = f"{output}/corpus/{table}/*.parquet"
    duckdb.sql(f"CREATE VIEW {table} AS FROM read_parquet('{files}')")

print(
    duckdb.sql("""
        SELECT source, count(*) AS documents,
               count(*) FILTER (spun_probability >= 0.5) AS spun
        FROM documents GROUP BY source ORDER BY source
    """)
)
print(
    duckdb.sql("""
        SELECT surface, suggestion, count(*) AS flags, count(DISTINCT doc_id) AS documents
        FROM flags WHERE probability >= 0.9
        GROUP BY surface, suggestion ORDER BY flags DESC, surface LIMIT 10
    """)
)
