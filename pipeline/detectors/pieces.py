"""Long documents are judged in pieces, so that time and memory are bounded, whoever wrote them."""

from collections.abc import Iterator

from pipeline.spans import Flag

PIECE_CHARS = 20_000
"""Of one piece at most. Evidence inside a document is rich long before this: ten sites suffice, and
20,000 characters of spun text have a thousand."""


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of each; cut at a line's or a sentence's end where there is one."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        window = text[start + PIECE_CHARS // 2 : start + PIECE_CHARS]
        cut = max(window.rfind("\n"), window.rfind("。")) + 1
        end = start + (PIECE_CHARS // 2 + cut if cut else PIECE_CHARS)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def moved(flag: Flag, offset: int) -> Flag:
    """A flag of a piece, as one of the document."""
    return flag._replace(start=flag.start + offset, end=flag.end + offset)
