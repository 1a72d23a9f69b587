"""What came of a stage or of a whole run, for people and for machines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.accounts import counted
from pipeline.progress import reasons
from pipeline.schema import TABLES
from pipeline.storage import Manifest
from pipeline.tally import Tally


class Outcome(NamedTuple):
    """A stage that is finished."""

    stage: str
    directory: Path
    manifest: Manifest
    parts_made: int
    parts_kept: int
    seconds: float
    tally: Tally | None = None
    """None if everything was there: then nothing was read to count it."""
    parent_bytes: int = 0
    """The most memory that the process that planned it has held."""

    def fields(self) -> Mapping[str, Any]:
        """As `--log-json` writes it (`progress.FIELDS`)."""
        tally = self.tally or counted(self.directory, self.manifest.parts)
        return {
            "stage": self.stage,
            "parts_made": self.parts_made,
            "parts_kept": self.parts_kept,
            "seconds": round(self.seconds, 3),
            "worker_seconds": round(tally.seconds, 3),
            "documents": self.manifest.rows_out["documents"],
            "spun": tally.spun,
            "spun_share": tally.spun_share,
            "rejects": self.manifest.rejects,
            "rows_in": self.manifest.rows_in,
            "rows_out": self.manifest.rows_out,
            "text_bytes": tally.text_bytes,
            "mb_per_s": _rate(tally.text_bytes, self.seconds) if self.parts_made else None,
            "peak_worker_bytes": tally.peak_bytes,
            "peak_parent_bytes": self.parent_bytes,
            "output": str(self.directory),
        }


def run_fields(outcomes: Sequence[Outcome], more: Mapping[str, float]) -> Mapping[str, Any]:
    """The same of all stages of a run; ``more`` are the seconds of what came after them."""
    last = outcomes[-1]
    tallies = [outcome.tally for outcome in outcomes if outcome.tally]
    written = last.tally or counted(last.directory, last.manifest.parts)
    size = next((tally.text_bytes for tally in tallies if tally.text_bytes), written.text_bytes)
    spent = {outcome.stage: outcome.seconds for outcome in outcomes} | dict(more)
    return {
        "rows_in": last.manifest.rows_in,
        "rows_out": last.manifest.rows_out,
        "documents": written.documents,
        "spun": written.spun,
        "spun_share": written.spun_share,
        "rejects": last.manifest.rejects,
        "seconds": round(sum(spent.values()), 3),
        "stage_seconds": {stage: round(seconds, 3) for stage, seconds in spent.items()},
        "worker_seconds": round(sum(tally.seconds for tally in tallies), 3),
        "text_bytes": size,
        "mb_per_s": _rate(size, sum(spent.values())) if tallies else None,
        "peak_worker_bytes": max((tally.peak_bytes for tally in tallies), default=0),
        "output": str(last.directory),
    }


def _rate(size: int, seconds: float) -> float:
    return round(size / 1e6 / max(1e-3, seconds), 3)


def block(fields: Mapping[str, Any]) -> str:
    """The same for people: a line for each thing, some ten in all.

    >>> print(block({"rows_in": 3, "rows_out": {"documents": 2}, "rejects": {"empty_file": 1}}))
    rows      3 in: documents 2, rejects 1 (empty_file 1)
    """
    rows = fields["rows_out"]
    out = ", ".join(f"{table} {rows[table]:,}" for table in TABLES if table in rows)
    out = out.partition(", rejects")[0]
    lines = [("rows", f"{fields['rows_in']:,} in: {out}, rejects {reasons(fields['rejects'], 8)}")]
    if fields.get("spun_share") is not None:
        share = f"{fields['spun']:,} of {fields['documents']:,} documents"
        lines.append(("spun", f"{fields['spun_share']:.1%}, {share}"))
    if "seconds" in fields:
        lines.append(("time", _time(fields)))
    if fields.get("peak_worker_bytes"):
        lines.append(("memory", _memory(fields)))
    lines += [(name, fields[name]) for name in ("output", "report") if fields.get(name)]
    return "\n".join(f"{name:<9} {told}" for name, told in lines)


def _time(fields: Mapping[str, Any]) -> str:
    told = f"{fields['seconds']:,.1f} s"
    if fields.get("mb_per_s") is not None:
        told += f" for {fields['text_bytes'] / 1e6:,.1f} MB of text, {fields['mb_per_s']:.2f} MB/s"
    stages = fields.get("stage_seconds", {})
    return told + "".join(
        f"{': ' if at == 0 else ', '}{stage} {seconds:,.1f}"
        for at, (stage, seconds) in enumerate(stages.items())
    )


def _memory(fields: Mapping[str, Any]) -> str:
    worker, parent = fields["peak_worker_bytes"], fields["peak_parent_bytes"]
    if parent >= worker:  # it did the work itself
        return f"{parent / 1e6:,.0f} MB at most"
    return f"{worker / 1e6:,.0f} MB at most in a worker, {parent / 1e6:,.0f} MB in the parent"
