"""`make links`, on the tables of a finished run."""

import json
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.links import find
from pipeline.remote import remote
from pipeline.stages import STAGES
from pipeline.storage import MANIFEST, Manifest, file_hash, read_manifest, write_json

LINKS = "links"
MADE_FROM = "_made_from.json"
"""Written last: if it is there and says the same as now, so is the table. Readers of a folder of
Parquet pass over what begins with `_`."""


def link_from(folder: Path, model: Path, workers: int, engine: str = "local") -> Path:
    """Find the links among the tables in ``folder``, and write `links` beside them; nothing if they
    are there already. Returns where.

    Raises UsageError if there are no finished tables, or if they are in a store.
    """
    if remote(folder):
        raise UsageError(f"{folder} is in a store: copy its corpus/ to a folder on this machine")
    corpus = folder / STAGES["write"].directory
    manifest = finished(corpus)
    target = folder / LINKS
    made_from = {"tables": file_hash(corpus / MANIFEST), "model": file_hash(model / "card.json")}
    marker = target / MADE_FROM
    if not marker.exists() or json.loads(marker.read_text(encoding="utf-8")) != made_from:
        marker.unlink(missing_ok=True)
        find(corpus, manifest, target, model, workers, engine)
        write_json(marker, made_from)
    return target


def finished(corpus: Path) -> Manifest:
    """Raises UsageError if there are no finished tables."""
    manifest = read_manifest(corpus)
    if manifest is None:
        raise UsageError(f"{corpus} holds no finished tables: run `make` first")
    return manifest
