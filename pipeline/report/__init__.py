"""The report: one page of HTML about a finished corpus, for people to read.

`write_report` counts the tables (`counting`), chooses documents to read (`reading`), groups those
that share substitutions (`vocabularies`), draws (`charts`) and puts it into a page (`page`). All
of it depends on the tables alone: the same tables give the same bytes.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.keys import digest
from pipeline.report.content import gather
from pipeline.report.page import GENERATOR, render
from pipeline.stages import STAGES
from pipeline.storage import Manifest, file_hash, locked, read_manifest, replacing

REPORT = "report.html"
HEAD_BYTES = 4096
"""The mark by which a report is known stands within so many bytes."""


def write_report(output: Path) -> Path:
    """Write ``output/report.html``, unless it is there and says what it would say now.

    Raises UsageError if there are no finished tables, if a run is at work on them, or if a file of
    that name is there that this did not write.
    """
    corpus, path = output / STAGES["write"].directory, output / REPORT
    try:
        with locked([], [corpus]):
            manifest = read_manifest(corpus)
            if manifest is None:
                message = f"{corpus} holds no finished tables: run `python -m pipeline run` first"
                raise UsageError(message)
            key = _key(manifest)
            if _key_of(path) != key:
                html = render(gather(corpus, manifest), key)
                with replacing(path) as temporary:
                    temporary.write_bytes(html)
    except BlockingIOError as error:
        message = f"a run is at work in {error.filename}: wait for it, or end it"
        raise UsageError(message) from None
    return path


def check_place(output: Path) -> None:
    """Raises UsageError if a report cannot be written there. To be asked before hours of work."""
    _key_of(output / REPORT)


def _key(manifest: Manifest) -> str:
    """Hash of all that decides what the report says: the tables, the thresholds, this code."""
    tables = [(part.name, part.rows, part.content) for part in manifest.parts]
    return digest([tables, manifest.rows_in, manifest.made_from["config"], _code()])


def _code() -> Mapping[str, str]:
    folder = Path(__file__).parent
    return {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _key_of(path: Path) -> str | None:
    """The key of a report that is there; None if there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder: it is where the report belongs") from None
    found = re.search(rb'<meta name="generator" content="%b ([0-9a-f]+)"' % GENERATOR, head)
    if found is None and head:
        raise UsageError(f"{path} is no report of ours: move it away, or name another folder")
    return found[1].decode() if found else None
