"""Where documents are compared. Whichever does it, the links are the same to the byte.

What there is to know of two documents is in `joining`, `sampling` and `judging`; what stands here
only has it done, by some process, on some machine.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

import pyarrow as pa

Item = TypeVar("Item")
Made = TypeVar("Made")


class Engine(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def map(self, function: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
        """What the function, which others can import, makes of each, in order."""

    def meet(
        self, samples: Sequence[Path], documents: Sequence[Path], texts: Sequence[Path]
    ) -> list[Path]:
        """Files of the pairs of documents that may be copies, with both texts, in row groups of
        `joining.GROUP_ROWS`; of shingles, of who has them, and of the table `documents`.
        """

    def ordered(self, links: Sequence[Path]) -> Iterator[pa.RecordBatch]:
        """The links of all files, sorted: of each document the most similar first."""


def start(name: str, count: int, folder: Path) -> Engine:
    """The engine of that name in `runners.RUNNERS`, which works in ``folder``.

    Raises UsageError if something that it needs is not installed.
    """
    made: Engine = import_module(f"{__name__}.{name}").Links(count, folder)
    return made
