"""Recipes: small scripts on the tables of a finished run, to copy from. A test runs each.

    python tests/recipes/pandas_summary.py data

They read `OUTPUT/corpus/TABLE/*.parquet`, which any tool can; `_manifest.json` beside them says
that the tables are complete.
"""
