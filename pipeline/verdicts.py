"""What detectors say of a batch of documents, in columns: densely spun text has a flag for every
eight characters, and an object for each of them would cost more than finding it.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Evidence, Flag, Loss, Suggestion, Verdict

FLAGS: pa.DataType = STAGE_COLUMNS["flag"].field("flags").type
FLAG: pa.StructType = FLAGS.value_type

Ints = npt.NDArray[np.int64]


class Verdicts(Sequence[Verdict]):
    """A verdict for each document: one by one, as a sequence, or all of them, as columns."""

    def __init__(
        self, flags: pa.ListArray, spun_log_odds: Sequence[float | None], loss: Sequence[Loss]
    ) -> None:
        self.flags = flags
        """Of each document its flags, of type FLAGS: disjoint and in order."""
        self.spun_log_odds = spun_log_odds
        self.loss = loss

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> "Verdicts":
        """From objects. For a detector that finds little."""
        rows = [[_row(flag) for flag in one.flags] for one in verdicts]
        spun = [one.spun_log_odds for one in verdicts]
        return cls(pa.array(rows, FLAGS), spun, [one.loss for one in verdicts])

    def __len__(self) -> int:
        return len(self.flags)

    @overload
    def __getitem__(self, at: int) -> Verdict: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Verdict]: ...

    def __getitem__(self, at: int | slice) -> Verdict | Sequence[Verdict]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return Verdict(flags_of(self.flags[at].as_py()), self.spun_log_odds[at], self.loss[at])


def flags_of(rows: Sequence[dict[str, Any]]) -> list[Flag]:
    """Objects of the rows of one document."""
    return [
        Flag(
            **{
                **row,
                "suggestions": tuple(Suggestion(**one) for one in row["suggestions"]),
                "evidence": Evidence(**row["evidence"]),
            }
        )
        for row in rows
    ]


def _row(flag: Flag) -> dict[str, Any]:
    return {
        **flag._asdict(),
        "suggestions": [one._asdict() for one in flag.suggestions],
        "evidence": flag.evidence._asdict(),
    }


def in_lists(flags: pa.StructArray, document: Ints, n: int) -> pa.ListArray:
    """The flags of ``n`` documents, given those of all of them in order, and whose each is."""
    offsets = np.searchsorted(document, np.arange(n + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flags, type=FLAGS)


def documents_of(lists: pa.ListArray) -> Ints:
    """Whose each flag is."""
    counts = np.diff(lists.offsets.to_numpy())
    return np.repeat(np.arange(len(lists)), counts)


def merged(lists: Sequence[pa.ListArray]) -> pa.ListArray:
    """The flags of several detectors on the same documents. Of flags that overlap, the most
    probable stays.
    """
    found = [one for one in lists if len(one.flatten())]
    if len(found) < 2:
        return found[0] if found else lists[0]
    flags = pa.concat_arrays([one.flatten() for one in found])
    document = np.concatenate([documents_of(one) for one in found])
    start, end, probability = (
        flags.field(name).to_numpy() for name in ("start", "end", "probability")
    )
    order = np.lexsort((start, document))
    dropped = set(_beaten(order, document, start, end, probability))
    kept = np.array([row for row in order.tolist() if row not in dropped], dtype=np.int64)
    return in_lists(flags.take(pa.array(kept)), document[kept], len(lists[0]))


def _beaten(order: Ints, document: Ints, start: Ints, end: Ints, probability: Any) -> Iterator[int]:
    """Rows that overlap a more probable one that stays."""
    bounds = np.flatnonzero(np.diff(document[order], prepend=-1, append=-1))
    for low, high in itertools.pairwise(bounds.tolist()):
        rows = order[low:high]
        if (start[rows][1:] >= np.maximum.accumulate(end[rows])[:-1]).all():
            continue
        taken: set[int] = set()
        for row in rows[np.argsort(-probability[rows], kind="stable")].tolist():
            span = range(start[row], end[row])
            if taken.isdisjoint(span):
                taken.update(span)
            else:
                yield row
