"""What a rule returns, the three ways to rewrite a text, and how their alignments are joined.

A rule replaces characters one for one (`translate`), removes some (`delete`), or replaces spans
(`replace`). An alignment lists what changed a length.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.spans import Edit


class Rewrite(NamedTuple):
    """A rule's result. ``changed`` is how many code points of its input it changed or removed."""

    text: str
    changed: int = 0
    edits: tuple[Edit, ...] = ()


Rule = Callable[[str], Rewrite]


def translate(text: str, character: re.Pattern[str], table: Mapping[str, str]) -> Rewrite:
    """Replace one for one. The pattern matches the single characters that the table maps.

    A class without a quantifier is twice as fast to search as one with, and most texts hold none.

    >>> translate("１年", re.compile("[０-９]"), {"１": "1"})
    Rewrite(text='1年', changed=1, edits=())
    """
    return Rewrite(*character.subn(lambda found: table[found[0]], text))


def delete(text: str, spans: Iterable[tuple[int, int]]) -> Rewrite:
    """Remove spans, given in order and disjoint.

    >>> delete("a??b", [(1, 3)])
    Rewrite(text='ab', changed=2, edits=(Edit(start=1, end=1, raw_start=1, raw_end=3),))
    """
    kept, edits, done, removed = [], [], 0, 0
    for start, end in spans:
        kept.append(text[done:start])
        edits.append(Edit(start - removed, start - removed, start, end))
        removed += end - start
        done = end
    return Rewrite("".join([*kept, text[done:]]), removed, tuple(edits)) if edits else Rewrite(text)


class Replacement(NamedTuple):
    """``text`` goes in the place of ``source[start:end]``."""

    start: int
    end: int
    text: str


def replace(text: str, replacements: Iterable[Replacement]) -> Rewrite:
    """Replace spans, given in order and disjoint. One that keeps its length needs no edit.

    >>> replace("a&lt;b--c", [Replacement(1, 5, "<"), Replacement(6, 8, "——")])
    Rewrite(text='a<b——c', changed=6, edits=(Edit(start=1, end=2, raw_start=1, raw_end=5),))
    """
    kept, edits, done, changed, grown = [], [], 0, 0, 0
    for start, end, new in replacements:
        kept += [text[done:start], new]
        changed += end - start
        if len(new) != end - start:
            edits.append(Edit(start + grown, start + grown + len(new), start, end))
            grown += len(new) - (end - start)
        done = end
    return Rewrite("".join([*kept, text[done:]]), changed, tuple(edits)) if done else Rewrite(text)


def compose(first: Sequence[Edit], second: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits from `raw` to `text`, given those from `raw` to a middle text and from there on.

    Edits that share a character of the middle text become one; those that only touch stay apart.

    >>> compose([Edit(1, 1, 1, 3)], [Edit(2, 2, 2, 4)])  # "a??bcd" became "abcd", then "ab"
    (Edit(start=1, end=1, raw_start=1, raw_end=3), Edit(start=2, end=2, raw_start=4, raw_end=6))
    """
    if not first or not second:
        return tuple(first or second)
    middle = sorted(
        [(edit.start, edit.end, True, edit) for edit in first]
        + [(edit.raw_start, edit.raw_end, False, edit) for edit in second]
    )
    edits: list[Edit] = []
    to_raw = to_text = at = 0
    while at < len(middle):
        start, end = middle[at][:2]
        raw_start, text_start = start + to_raw, start + to_text
        while True:
            is_first, edit = middle[at][2:]
            if is_first:
                to_raw = edit.raw_end - edit.end
            else:
                to_text = edit.end - edit.raw_end
            end, at = max(end, middle[at][1]), at + 1
            if at == len(middle) or middle[at][0] >= end:
                break
        edits.append(Edit(text_start, end + to_text, raw_start, end + to_raw))
    return tuple(edits)
