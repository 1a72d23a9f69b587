r"""Which rules may concern a text, told in one look at it: most texts concern few, or none.

Every rule looks for something without which it does nothing: a character of some kind, or two such
side by side. That is its cue. A rule is only called where one of its cues stands, so a text is not
searched once for each regular expression that it does not match. A cue may stand where the rule
finds nothing after all; that costs time and changes nothing.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint32]

LOOKED_AT = 1 << 16
"""UTF-16 code units in one look, so that memory does not grow with the text."""

UNITS = 0x10000
SURROGATES = slice(0xD800, 0xE000)
ANYTHING = re.compile("(?s:.)")


class Cue(NamedTuple):
    r"""Two neighbours, each matched by a class of single characters.

    A text is looked at as if a line break stood before and after it.
    """

    first: re.Pattern[str]
    second: re.Pattern[str] = ANYTHING
    words: str = ""
    """What must stand somewhere in the text besides, where two characters say too little."""


class Look:
    """The cues of some rules, as tables: at most 32 cues."""

    def __init__(self, cues: Mapping[str, tuple[Cue, ...]]) -> None:
        self._first, self._second = np.zeros(UNITS, np.uint32), np.zeros(UNITS, np.uint32)
        self._words: list[tuple[int, str]] = []
        self.bits: dict[str, int] = {}
        """The bits of each rule in what `at` returns."""
        number = 0
        for rule, of_rule in cues.items():
            self.bits[rule] = 0
            for cue in of_rule:
                bit = 1 << number
                self._first[_members(cue.first)] |= np.uint32(bit)
                self._second[_members(cue.second)] |= np.uint32(bit)
                self.bits[rule] |= bit
                if cue.words:
                    self._words.append((bit, cue.words))
                number += 1
        if number > 32:
            raise ValueError(f"{number} cues: a table has room for 32")
        # Half of a character beyond U+FFFF may be half of anything.
        self._first[SURROGATES] = self._second[SURROGATES] = np.uint32((1 << number) - 1)

    def at(self, text: str) -> int:
        """The bits of the cues that stand in a text."""
        units = np.frombuffer(f"\n{text}\n".encode("utf-16-le", "surrogatepass"), np.uint16)
        found = 0
        for start in range(0, len(units) - 1, LOOKED_AT):
            some = units[start : start + LOOKED_AT + 1]
            pairs = self._first.take(some[:-1], mode="clip")  # no unit is out of range: faster
            pairs &= self._second.take(some[1:], mode="clip")
            found |= int(np.bitwise_or.reduce(pairs))
        for bit, words in self._words:
            if found & bit and words not in text:
                found &= ~bit
        return found


def _members(kind: re.Pattern[str]) -> npt.NDArray[np.intp]:
    """The code units that are a character of a class."""
    return np.array([ord(found) for found in kind.findall(_characters())], np.intp)


@cache
def _characters() -> str:
    return "".join(map(chr, range(UNITS)))
