"""Documents to learn from: any folder that `ingest` can read, normalised as the pipeline would."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.config import Config
from pipeline.records import Reject
from pipeline.stages.ingest import ingest
from pipeline.stages.normalise import normalise

log = logging.getLogger(__name__)

COMMON = "的是在一有不了和人中"
"""Ten characters that make up 12% of ordinary text; in mis-decoded text they make up none."""
LEAST_COMMON = 0.01
PROBE_CHARS = 100


class Document(NamedTuple):
    name: str
    """The record's own id, or name of the file and number of the record."""
    text: str


def documents(folder: Path) -> Iterator[Document]:
    """All readable documents of a file or folder, in order. What is rejected is logged."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else [folder]
    for path in files:
        with path.open("rb") as stream:
            for found in ingest(path.name, stream, Config()):
                if isinstance(found, Reject):
                    log.warning("%s: %s: %s", path, found.reason, found.detail)
                    continue
                text = normalise(found.raw).text
                if _is_prose(text):
                    yield Document(found.record_id or f"{path.name}#{found.record}", text)
                else:
                    log.info("%s, record %d: mis-decoded or no prose, left out", path, found.record)


def _is_prose(text: str) -> bool:
    return len(text) < PROBE_CHARS or sum(map(text.count, COMMON)) >= LEAST_COMMON * len(text)


def is_held_out(name: str, per_mille: int) -> bool:
    """Whether a document is kept from the counts, to fit on text that the counts have not seen."""
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) % 1000 < per_mille
