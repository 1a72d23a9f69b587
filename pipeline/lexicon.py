"""Word lists that people edit: `lexica/*.tsv`, read once.

A list is UTF-8, one entry a line, fields divided by one tab, sorted by code point and unique. Its
header, lines that start with `#`, states the format, the source, the licence and who uses it. To
add an entry, put the line in its place; `tests/test_lexicon.py` says what is wrong with it.
"""

from functools import cache
from pathlib import Path

DIRECTORY = Path(__file__).parent / "lexica"

Entry = tuple[str, ...]


@cache
def entries(name: str) -> tuple[Entry, ...]:
    r"""The entries of one list, without its header.

    >>> ("责任编辑", "editor", "anywhere") in entries("labels")
    True
    """
    lines = (DIRECTORY / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("#"))


def table(name: str) -> dict[str, str]:
    """A list of two fields as a mapping from the first to the second.

    >>> table("protected_words")["乾縣"]
    '乾县'
    """
    return {entry[0]: entry[1] for entry in entries(name)}
