"""The rules of `normalise`. A rule is a function from text to `Rewrite`; to add one, add a file
here and a line to RULES.
"""

from collections.abc import Mapping

from pipeline.rules.control import control
from pipeline.rules.entities import entities
from pipeline.rules.line_ends import line_ends
from pipeline.rules.mojibake import mojibake
from pipeline.rules.punctuation import punctuation
from pipeline.rules.rewriting import Rule
from pipeline.rules.script import script
from pipeline.rules.variants import variants
from pipeline.rules.white_space import white_space
from pipeline.rules.width import width

RULES: Mapping[str, Rule] = {
    "entities": entities,  # first: an entity may stand for anything that the others look for
    "mojibake": mojibake,  # before those that take away characters, which may have been bytes
    "variants": variants,  # before white_space: one private-use code is a space
    "control": control,  # before line_ends: a zero-width character may part \r from \n
    "line_ends": line_ends,
    "white_space": white_space,  # after the two that let its runs grow together
    "width": width,
    "punctuation": punctuation,  # after width: P。S。 is written in wide letters too
    "script": script,  # last: it judges and converts the document as a whole
}
"""In order. The names are those of the `edits` column."""
