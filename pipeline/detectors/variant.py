"""Traditional characters that a spinner put into simplified text: 記者採访, 參加.

A text without any is rejected by one search. In the others every run of such characters is weighed
by whether it spells an ordinary word (參加 does, the name 梁靖崑 does not), and by what surrounds
it: a quotation, a title or a name in traditional script is traditional as a whole, while a spinner
changes single characters inside simplified clauses.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import distribution
from math import log, log1p, log10
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.config import Config
from pipeline.detectors.pieces import moved, pieces
from pipeline.hanzi import HAN_CLASS, HAN_RANGES
from pipeline.lexicon import table
from pipeline.model.odds import probability
from pipeline.rules.script import MIXED_SHARE, evidence, simplified
from pipeline.spans import Evidence, Flag, Suggestion, Verdict
from pipeline.verdicts import Verdicts

NAME = "variant"

AMBIGUOUS = "乾後徵於夥菸麽瞭"
"""Characters that simplified text writes too (乾隆, 皇后 of old, 於 the surname, 瞭望). They count
where their context makes OpenCC change them, and the result is an ordinary word (以後, 由於)."""

FEW = 2
"""So many traditional characters beyond a share make no text mixed: of a sentence a share says
little. But the simplified must be as many."""

COMMON_WORD = 20
"""Occurrences in jieba's dictionary from which on a word is ordinary: 60 million words in all."""
COMMON_CHARACTER = 10_000
"""The same of a character that stands alone, like 這 and 為."""
LONGEST_WORD = 4

NEARBY = 25
"""Characters to either side that count as near."""
REACH = 12
"""Characters to either side in which the stretch that nothing simplified breaks is looked for."""

PAIRS = {"“": "”", "‘": "’", "《": "》", "〈": "〉", "「": "」", "『": "』", "【": "】", "[": "]"}
PAIRS |= {"(": ")", "（": "）", '"': '"', "'": "'", "〔": "〕"}
_MARKS = re.escape("".join({*PAIRS, *PAIRS.values()}))
BREAK = re.compile(f"[。！？!?；;\n{_MARKS}]")
"""What ends a segment: the smallest piece that is judged to be traditional as a whole."""

FOREIGN = re.compile("[A-Za-zÀ-ɏЀ-ӿぁ-ヿ가-힣·・]")
"""Beside a run it speaks of a brand or a foreign name."""

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏"
    "魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵"
    "万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝"
)
AFTER_NAME = (
    "先生|女士|同志|老师|教授|院士|博士|医生|主任|局长|市长|书记|总经理|董事长|说|表示|指出|认为|"
    "介绍|告诉|透露|坦言|回忆|强调|称|等人"
)
BEFORE_NAME = (
    "记者|通讯员|作者|编辑|主席|总裁|董事长|理事长|总经理|教授|院士|导演|演员|歌手|选手|队员|书记|"
    "画家|书法家|诗人|作家|摄影|律师|医生|主任|校长|局长|市长"
)
PERSON = re.compile(
    f"(?:{BEFORE_NAME})(?P<introduced>[{SURNAMES}][{HAN_CLASS}]{{1,2}})"
    f"|(?P<speaking>[{SURNAMES}][{HAN_CLASS}]{{1,2}})(?={AFTER_NAME})"
)
"""Where a personal name stands, in simplified text, to judge by its neighbours."""


class Features(NamedTuple):
    """What is known of a run, and in `WEIGHTS` what it adds to the log odds."""

    bias: float
    document: float
    """Log odds that a character of one script alone is simplified, in the document; at most 5."""
    segment: float
    """The same between two marks, from -3 to 3."""
    nearby: float
    """The same within 25 characters to either side, whatever stands between."""
    crowd: float
    """Other traditional characters, at most 4, in the stretch that no simplified one breaks."""
    enclosed: float
    """Whether quotation marks or brackets hold it, and no simplified character."""
    word: float
    """Common logarithm of the frequency of the ordinary word that it is part of, simplified."""
    others: float
    """log(1 + how many other traditional characters stand in ordinary words in the document)."""
    person: float
    """Whether it is part of what looks like somebody's name."""
    surname: float
    """Whether a surname stands in it or up to two characters before, and no ordinary word."""
    kept: float
    """Whether it is a character that names keep (`lexica/kept_variants.tsv`)."""
    fixed: float
    """Log of how often it stands here, if always among the same characters, as a name does."""
    foreign: float
    """Whether a letter of another script touches it."""
    rare: float
    """Whether its simplified form is in the second level of GB2312, the rarer half."""
    ambiguous: float
    """Whether simplified text writes one of its characters elsewhere (`AMBIGUOUS`)."""


WEIGHTS = Features(
    bias=-1.2,
    document=-1.2,
    segment=0.6,
    nearby=2.8,
    crowd=-1.8,
    enclosed=-2.9,
    word=0.3,
    others=1.8,
    person=-2.4,
    surname=-1.7,
    kept=-4.0,
    fixed=-0.5,
    foreign=-0.4,
    rare=-1.0,
    ambiguous=-4.5,
)
"""A logistic regression on 30,000 runs: in pages, and pieces of pages, of ordinary text with
characters swapped in as spinners do (one of a few characters everywhere, a share of all, whole
words), in pages with names, titles, quotations and sentences in traditional script, and what stands
so in 285,000 clean texts. Simulated runs count half. A long document counts against a run: a
spinner would have left more than this one in it. The weight of `kept` alone was set by hand, since
the simulation swaps those characters like any others."""


class Run(NamedTuple):
    """Adjacent traditional characters, and the ordinary word that they are part of, if any."""

    start: int
    end: int
    surface: str
    suggestion: str
    word: str
    frequency: int
    """That of ``word``; of the single character where there is no word; else 0."""


class Page(NamedTuple):
    """One document in which something is to be judged."""

    text: str
    converted: str
    shape: str
    """For each character: t traditional only, s simplified only, h other Han, else a full stop."""
    runs: list[Run]
    surfaces: Counter[str]
    persons: list[tuple[int, int]]
    ordinary: frozenset[str]
    """The traditional characters in ordinary words."""
    document: float


def detect(texts: Sequence[str], config: Config) -> Verdicts:
    """One verdict for each text, without an opinion on the whole.

    >>> [(f.surface, f.suggestion) for f in detect(["他报名參加了比赛。"], Config())[0].flags]
    [('參', '参')]
    """
    return Verdicts.of([Verdict(_flags(text, config.keep_probability)) for text in texts])


def _flags(text: str, at_least: float) -> list[Flag]:
    if not characters().search(text):
        return []
    return [
        moved(flag, start) for start, piece in pieces(text) for flag in _of_piece(piece, at_least)
    ]


def _of_piece(text: str, at_least: float) -> list[Flag]:
    if not characters().search(text):
        return []
    shape = shape_of(text)
    if not is_simplified(shape):
        return []
    page = read(text, shape)
    judged = ((run, float(probability(log_odds(features(page, run))))) for run in page.runs)
    return [_flag(page, run, chance) for run, chance in judged if chance >= at_least]


def _flag(page: Page, run: Run, chance: float) -> Flag:
    seen = Evidence(
        0.0, 0.0, page.document, page.text.count(run.surface), page.text.count(run.suggestion)
    )
    suggestions = (Suggestion(run.suggestion, chance),)
    span = (run.start, run.end, run.surface, run.suggestion)
    return Flag(*span, suggestions, chance, "variant", NAME, seen)


def log_odds(seen: Features) -> float:
    """Of a run being a spinner's."""
    return sum(weight * value for weight, value in zip(WEIGHTS, seen, strict=True))


# --- what counts as a candidate


@cache
def characters() -> re.Pattern[str]:
    """Characters that simplified text does not write, as a class that rejects 500 MB/s.

    Those whose simplified form GB2312 lacks are not among them: 頔 and 鱇 have one on paper, which
    few fonts show, so that simplified text writes the traditional.
    """
    traditional = "".join(map(chr, np.flatnonzero(evidence().classes == 1)))
    known = zip(traditional, simplified("\n".join(traditional)).split("\n"), strict=True)
    chosen = {one for one, to in known if _level(to)}
    return re.compile("[" + "".join(sorted({*chosen, *AMBIGUOUS})) + "]")


def _level(character: str) -> int:
    """1 or 2 for the halves of GB2312, the common and the rare; 0 outside.

    >>> _level("参"), _level("鳐"), _level("𬱖")
    (1, 2, 0)
    """
    code = character.encode("gb2312", "ignore")
    return 0 if len(code) < 2 else 1 if code[0] < 0xD8 else 2


class Kept(NamedTuple):
    """What simplified text keeps: see the header of the list."""

    names: frozenset[str]
    words: re.Pattern[str]


@cache
def kept() -> Kept:
    listed = table("kept_variants")
    names = frozenset(entry for entry, use in listed.items() if use == "name")
    words = sorted((entry for entry, use in listed.items() if use == "word"), key=len, reverse=True)
    return Kept(names, re.compile("|".join(map(re.escape, words))))


@cache
def words() -> Mapping[str, int]:
    """Ordinary words and single characters, with their frequencies, from jieba's dictionary.

    Read only once something is to be judged: takes 0.4 s. Names of people are left out.
    """
    path = Path(str(distribution("jieba").locate_file("jieba/dict.txt")))
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = (line.split(" ") for line in lines)
    return {
        word: int(count)
        for word, count, tag in fields
        if len(word) <= LONGEST_WORD
        and int(count) >= (COMMON_WORD if len(word) > 1 else COMMON_CHARACTER)
        and not tag.startswith("nr")
    }


# --- reading a document


def is_simplified(shape: str) -> bool:
    """Whether a text of this shape is in simplified script by and large.

    >>> is_simplified(shape_of("他报名參加了")), is_simplified(shape_of("這裡的学生"))
    (True, False)
    """
    traditional, simple = shape.count("t"), shape.count("s")
    strays = FEW + MIXED_SHARE * (traditional + simple)
    return traditional <= min(simple, strays)


def read(text: str, shape: str) -> Page:
    """Everything that the features look at."""
    converted = simplified(text)
    if len(converted) != len(text):  # has not been seen
        converted = text
    runs = list(_runs(text, converted))
    ordinary = frozenset(c for run in runs if run.frequency for c in run.surface)
    return Page(
        text,
        converted,
        shape,
        runs,
        Counter(run.surface for run in runs),
        [found.span(found.lastgroup or 0) for found in PERSON.finditer(converted)],
        ordinary,
        _odds(shape),
    )


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(0x110000, ord("."), dtype=np.uint8)
    for first, last in HAN_RANGES:
        kinds[first : last + 1] = ord("h")
    classes = evidence().classes
    kinds[:0x10000][classes == 1] = ord("t")
    kinds[:0x10000][classes == 2] = ord("s")
    return kinds


def shape_of(text: str) -> str:
    """For each character what script writes it: see `Page`."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return _kinds()[codes].tobytes().decode("ascii")


def _odds(shape: str) -> float:
    """Log odds that what only one script writes is simplified."""
    return log((shape.count("s") + 1) / (shape.count("t") + 1))


def _runs(text: str, converted: str) -> Iterator[Run]:
    """Maximal runs of candidates, less what the list of kept words covers."""
    spared = {at for found in kept().words.finditer(text) for at in range(*found.span())}
    places = [
        found.start()
        for found in characters().finditer(text)
        if found.start() not in spared and text[found.start()] != converted[found.start()]
    ]
    start = 0
    for at, place in enumerate(places):
        if at + 1 == len(places) or places[at + 1] != place + 1:
            run = _run(text, converted, places[start], place + 1)
            if run.word or not set(run.surface) & set(AMBIGUOUS):
                yield run
            start = at + 1


def _run(text: str, converted: str, start: int, end: int) -> Run:
    word = _word(converted, start, end)
    suggestion = converted[start:end]
    frequency = words().get(word or (suggestion if end == start + 1 else ""), 0)
    return Run(start, end, text[start:end], suggestion, word, frequency)


def _word(converted: str, start: int, end: int) -> str:
    """The most frequent ordinary word of two characters or more that covers part of a run."""
    known = words()
    found = [
        converted[first:last]
        for first in range(max(0, start - LONGEST_WORD + 1), end)
        for last in range(max(start + 1, first + 2), first + LONGEST_WORD + 1)
        if converted[first:last] in known
    ]
    return max(found, key=lambda word: known[word], default="")


# --- judging a run


def features(page: Page, run: Run) -> Features:
    """What is known of one run."""
    left, right = _segment(page.text, run)
    others = len(page.ordinary - set(run.surface))
    is_named = not run.word and _has_surname(page.converted, run)
    is_kept = not kept().names.isdisjoint(run.surface)
    return Features(
        bias=1.0,
        document=min(page.document, 5.0),
        segment=max(-3.0, min(3.0, _odds(page.shape[left:right]))),
        nearby=max(
            -3.0, min(3.0, _odds(page.shape[max(0, run.start - NEARBY) : run.end + NEARBY]))
        ),
        crowd=_crowd(page.shape, run),
        enclosed=float(_is_enclosed(page.text, left, right) and "s" not in page.shape[left:right]),
        word=log10(run.frequency) if run.word else 0.0,
        others=log1p(others),
        person=float(any(a < run.end and run.start < b for a, b in page.persons)),
        surname=float(is_named),
        kept=float(is_kept),
        fixed=_fixed(page, run),
        foreign=float(any(FOREIGN.match(c) for c in _around(page.text, run))),
        rare=float(all(_level(c) == 2 for c in run.suggestion)),
        ambiguous=float(not set(AMBIGUOUS).isdisjoint(run.surface)),
    )


def _segment(text: str, run: Run) -> tuple[int, int]:
    left = run.start
    while left and not BREAK.match(text[left - 1]):
        left -= 1
    after = BREAK.search(text, run.end)
    return left, after.start() if after else len(text)


def _is_enclosed(text: str, left: int, right: int) -> bool:
    return left > 0 and right < len(text) and PAIRS.get(text[left - 1]) == text[right]


def _crowd(shape: str, run: Run) -> float:
    before = re.split("[s.]", shape[max(0, run.start - REACH) : run.start])[-1]
    after = re.split("[s.]", shape[run.end : run.end + REACH])[0]
    return float(min(4, before.count("t") + after.count("t")))


def _around(text: str, run: Run) -> str:
    return text[max(0, run.start - 1) : run.start] + text[run.end : run.end + 1]


def _has_surname(converted: str, run: Run) -> bool:
    return any(c in SURNAMES for c in converted[max(0, run.start - 2) : run.start + 1])


def _fixed(page: Page, run: Run) -> float:
    if page.surfaces[run.surface] < 2:
        return 0.0
    text = page.text
    same = [other for other in page.runs if other.surface == run.surface]
    windows = ((2, 0), (1, 1), (0, 2))
    contexts = [
        {text[max(0, one.start - before) : one.end + after] for one in same}
        for before, after in windows
    ]
    return log(len(same)) if min(map(len, contexts)) == 1 else 0.0
