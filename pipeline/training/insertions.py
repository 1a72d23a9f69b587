"""Advertisement strings, as they stand in mid-sentence on spun pages."""

import random
from collections.abc import Sequence

from pipeline import lexicon

_YEARS = range(2010, 2027)
_MARKS = ("", "", ",", "。", ":", "!", "_", "-", " ", "(", "[")


def advertisement(foreign: Sequence[str], rng: random.Random) -> str:
    """One string: of the lexicon's terms, or a line's fragment from another document."""
    if foreign and rng.random() < 0.3:
        line = rng.choice(foreign)
        length = rng.randint(4, 16)
        start = rng.randrange(max(1, len(line) - length))
        return line[start : start + length].strip()
    terms = [term for term, kind in lexicon.entries("advertising") if kind != "filler"]
    filler = [term for term, kind in lexicon.entries("advertising") if kind == "filler"]
    parts = [rng.choice(terms)]
    if rng.random() < 0.5:
        parts.insert(0, rng.choice(filler))
    if rng.random() < 0.25:
        parts.insert(0, str(rng.choice(_YEARS)) + rng.choice(("", "年")))
    if rng.random() < 0.3:
        parts.append(rng.choice(filler))
    if rng.random() < 0.3:
        parts.append(rng.choice(("", "_", "-", ",")) + rng.choice(terms))
    return "".join(parts) + rng.choice(_MARKS)
