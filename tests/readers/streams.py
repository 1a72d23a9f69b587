"""Streams that hand out their bytes as the system might."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.readers.compression import BlockStream


def in_pieces(data: bytes, sizes: Sequence[int]) -> Any:
    """A stream over ``data``: each read gives as many bytes as ``sizes`` say, the last the rest."""

    def pieces() -> Iterator[bytes]:
        start = 0
        for size in [*sizes, len(data)]:
            yield data[start : start + size]
            start += size

    return BlockStream(pieces())
