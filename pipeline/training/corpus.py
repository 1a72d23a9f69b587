"""Documents to learn from: any folder that `ingest` can read, normalised as the pipeline would."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from pipeline.config import Config
from pipeline.readers import COMPRESSIONS
from pipeline.readers.compression import DamagedError
from pipeline.records import Reject
from pipeline.stages.ingest import ingest, suffixes
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


def sources_of(corpus: Path) -> dict[str, str]:
    """The ``source`` of each ``id``, in JSON lines of a file or folder that have both."""
    files = sorted(p for p in corpus.rglob("*") if p.is_file()) if corpus.is_dir() else [corpus]
    found: dict[str, str] = {}
    for path in files:
        form, compression = suffixes(path.name)
        if form not in {".jsonl", ".ndjson"}:
            continue
        with path.open("rb") as stream, suppress(DamagedError):  # `documents` tells of damage
            lines = COMPRESSIONS[compression](stream) if compression else stream
            found.update(_ids_with_source(lines))
    return found


def _ids_with_source(lines: BinaryIO) -> Iterator[tuple[str, str]]:
    for line in io.BufferedReader(cast(io.RawIOBase, lines), 1 << 20):
        with suppress(ValueError):  # no JSON: `documents` tells of it
            record = json.loads(line)
            if isinstance(record, dict) and {"id", "source"} <= record.keys():
                yield str(record["id"]), str(record["source"])
