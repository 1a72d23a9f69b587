"""The detectors: one file for each kind of evidence. To add one, write it and list it here."""

from collections.abc import Callable, Mapping, Sequence

from pipeline.config import Config
from pipeline.detectors import injection, substitution, variant
from pipeline.verdicts import Verdicts

Detector = Callable[[Sequence[str], Config], Verdicts]
"""From texts to one verdict for each, in order."""

DETECTORS: Mapping[str, Detector] = {
    "substitution": substitution.detect,
    "injection": injection.detect,
    "variant": variant.detect,
}
"""By name; where flags of two detectors overlap, the more probable one stays."""
