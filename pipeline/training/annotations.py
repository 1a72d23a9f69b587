"""What people said of flags (`annotation`), as something to learn from."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.annotation import answers as file
from pipeline.annotation.answers import NO, Answer
from pipeline.hanzi import HAN
from pipeline.training.lexica import Observed
from pipeline.training.pages import Page
from pipeline.training.spinner import Substitution

log = logging.getLogger(__name__)


class JudgedSite(NamedTuple):
    """A real page, of which one span is known to be a substitution, or to be none. Of the rest of
    the page nothing is known.
    """

    page: Page
    """Its truth is the span, whatever was said of it."""
    substituted: bool


def agreed(path: Path) -> list[Answer]:
    """The answers of a file that nobody disputes, by id."""
    answers = file.read(path)
    found = [answer for answer in answers if not answer.disputed]
    log.info("%d answers, %d disputed ones left out", len(found), len(answers) - len(found))
    return sorted(found, key=lambda answer: answer.id)


def site_of(answer: Answer) -> JudgedSite:
    """The text that came with a question, and the span that was asked about."""
    start = len(answer.before)
    original = answer.original or answer.suggestion
    span = Substitution(start, start + len(answer.surface), original)
    text = answer.before + answer.surface + answer.after
    return JudgedSite(Page(text, [span]), answer.answer != NO)


def with_answers(observed: Observed, answers: Sequence[Answer]) -> Observed:
    """Pairs seen on real pages, and those that people have confirmed, each answer once."""
    times = dict(observed)
    for answer in answers:
        pair = answer.original, answer.surface
        if all(HAN.fullmatch(word) for word in pair):  # a `no` has no original
            times[pair] = times.get(pair, 0.0) + 1.0
    return times
