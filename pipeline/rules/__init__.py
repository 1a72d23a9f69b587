"""The rules of `normalise`. A rule is a function from text to `Rewrite`; to add one, add a file
here, a line to RULES, and one to `look` that says without what the rule does nothing.
"""

from collections.abc import Mapping
from functools import cache

from pipeline.rules import (
    control,
    entities,
    line_ends,
    mojibake,
    punctuation,
    script,
    variants,
    white_space,
    width,
)
from pipeline.rules.cues import Look
from pipeline.rules.rewriting import Rule

RULES: Mapping[str, Rule] = {
    # First: an entity may stand for anything that the others look for.
    "entities": entities.entities,
    # Before those that take away characters, which may have been bytes.
    "mojibake": mojibake.mojibake,
    # Before white_space: one private-use code is a space.
    "variants": variants.variants,
    # Before line_ends: a zero-width character may part \r from \n.
    "control": control.control,
    "line_ends": line_ends.line_ends,
    # After the two that let its runs grow together.
    "white_space": white_space.white_space,
    "width": width.width,
    # After width: P。S。 is written in wide letters too.
    "punctuation": punctuation.punctuation,
    # Last: it judges and converts the document as a whole.
    "script": script.script,
}
"""In order. The names are those of the `edits` column."""


@cache
def look() -> Look:
    """The cues of every rule. Takes 0.4 s, once per process."""
    return Look(
        {
            "entities": entities.CUES,
            "mojibake": mojibake.cues(),
            "variants": variants.CUES,
            "control": control.CUES,
            "line_ends": line_ends.CUES,
            "white_space": white_space.CUES,
            "width": width.CUES,
            "punctuation": punctuation.CUES,
            "script": script.cues(),
        }
    )
