"""Nothing is learned that raises false flags: what is flagged on clean pages decides."""

from collections import Counter
from collections.abc import Sequence, Set
from typing import NamedTuple

from pipeline.config import Config
from pipeline.detectors.substitution import judge_with
from pipeline.learning.evidence import batches
from pipeline.model.scorer import Scorer

MOST_SUSPECT = -2.0
"""Log odds of being spun up to which a page counts as clean, by the model that judges it: what the
taught one finds spun, and the untaught did not, is what it was taught for."""


class Flags(NamedTuple):
    """On pages that a model holds for clean."""

    chars: int
    pairs: Counter[tuple[str, str]]
    """(original, surface) of the flags."""

    @property
    def per_thousand(self) -> float:
        """Flags for 1,000 characters."""
        return 1000 * self.pairs.total() / max(1, self.chars)


def flags_on(scorer: Scorer, texts: Sequence[str], config: Config) -> Flags:
    chars = 0
    pairs: Counter[tuple[str, str]] = Counter()
    for batch in batches(texts):
        for text, verdict in zip(batch, judge_with(scorer, batch, config), strict=True):
            if verdict.spun_log_odds is not None and verdict.spun_log_odds > MOST_SUSPECT:
                continue
            chars += len(text)
            pairs.update(
                (flag.suggestion, flag.surface)
                for flag in verdict.flags
                if flag.probability >= config.flag_probability
            )
    return Flags(chars, pairs)


def guilty(before: Flags, after: Flags, learned: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The learned pairs that must go, if flags on clean pages are not to become more frequent:
    those with the most new flags first, and no more than it takes.
    """
    surplus = after.pairs.total() - before.pairs.total() * after.chars / max(1, before.chars)
    found: set[tuple[str, str]] = set()
    more = {pair: n - before.pairs[pair] for pair, n in after.pairs.items() if pair in learned}
    for pair, n in sorted(more.items(), key=lambda item: (-item[1], item[0])):
        if surplus <= 0 or n <= 0:
            break
        found.add(pair)
        surplus -= n
    return found
