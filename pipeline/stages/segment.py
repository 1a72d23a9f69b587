"""Sentences of Chinese text: where they end, and why there.

A line break always ends a sentence. Within a line, one regular expression finds every run of marks
that could end one, another the quotations and brackets that hold such a mark, and short rules judge
each run. Both expressions are linear in the text: what they repeat is possessive or bounded.
"""

import re
import sys
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pyarrow as pa

from pipeline.config import Config
from pipeline.schema import STAGE_COLUMNS
from pipeline.spans import Offsets, Sentence

# --- the marks ------------------------------------------------------------------------------------

# ﹖ and ﹗ come from Big5, so from Hong Kong and Taiwan; ︒ ︕ ︖ are the forms of vertical text.
LOUD = "！？!?﹗﹖︕︖‼⁇⁈⁉"
STOPS = "。｡︒"
# A full-width ． ends sentences in science journals, and divides foreign names in Taiwan: like ".".
DOTS = ".．"
# ⋯ is the ellipsis of Hong Kong and Taiwan, centred in the line.
ELLIPSES = "…‥⋯"
ENDERS = LOUD + STOPS + DOTS + ELLIPSES

# Straight double quotes have no direction: `_directed` turns those that pair into 〝 and 〞.
QUOTES = {"“": "”", "‘": "’", "「": "」", "『": "』", "﹁": "﹂", "﹃": "﹄", "〝": "〞"}
TITLES = {"《": "》", "〈": "〉"}
BRACKETS = TITLES | dict(zip("（([［【〔〖{｛", "）)］]】〕〗}｝", strict=True))
PAIRS = QUOTES | BRACKETS
UNSURE = "〝"  # one straight quote too many, and all after it pair the wrong way round
CLOSERS = "".join(PAIRS.values()) + "'\"〟"  # an unpaired straight quote after an ender closes

# What can stand before no sentence: the one before it goes on. GSDSimp and CFL have ；inside a
# sentence 20 times and at its end 3 times, so it is no ender.
CONTINUING = "，、；：,;:﹐﹑﹔﹕､·"

IDEOGRAPHIC = "㐀-䶿一-鿿豈-\N{CJK COMPATIBILITY IDEOGRAPH-FAD9}\U00020000-\U0003ffff々〇"
ALNUM = "0-9A-Za-z０-９Ａ-Ｚａ-ｚ"
BLANK = " \t\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"

# In 7.3 M characters of news and self-media the longest of 18,812 brackets has 137 characters, and
# the longest of 37,609 quotations 448. What never closes must not glue a page together.
LONGEST_BRACKET = 200
LONGEST_QUOTATION = 2000
# The suites keep “太冷了吧？我们怎么办？” and split quotations of 35 characters and more.
SHORT_QUOTATION = 20
# An ellipsis after fewer characters is a pause (早晨…它来了, 我……我不去).
SHORT_CLAUSE = 4


def _class(characters: str) -> str:
    return f"[{re.escape(characters)}]"


def _not(characters: str) -> str:
    return f"[^{re.escape(characters)}]"


def _span(opener: str, closer: str, longest: int) -> str:
    """What follows `opener` up to `closer`, if an ender stands between and neither is nested."""
    before = _not(opener + closer + ENDERS) + f"{{0,{longest}}}+"
    after = _not(opener + closer) + f"{{0,{longest}}}+"
    return f"(?<={re.escape(opener)}){before}{_class(ENDERS)}{after}{re.escape(closer)}"


# --- the expressions ------------------------------------------------------------------------------

LINE = re.compile(r"\S[^\n]*+\s*+")
"""A line with content, and all white space up to the next one."""

STOP = re.compile(
    # Starts with one class, which `re` looks for fastest. Decimals and domain names leave at once.
    rf"{_class(ENDERS)}(?!(?<=[{ALNUM}]{_class(DOTS)})[{ALNUM}])"
    # Group 1 takes part in the plainest case, which is most: 。 or ？ between two characters.
    rf"(?:(?<=[^{ALNUM}]{_class(LOUD + STOPS)})(?=[{IDEOGRAPHIC}])(?!的)())?"
    rf"(?:{_class(ENDERS)}|[{BLANK}]*+{_class(CLOSERS)})*+\s*+"
)
"""A run of enders and closers with the white space after it: the end of a sentence, or not."""

SPAN = re.compile(
    _class("".join(PAIRS))
    + "(?:"
    + "|".join(
        [_span(*pair, LONGEST_QUOTATION) for pair in QUOTES.items()]
        + [_span(*pair, LONGEST_BRACKET) for pair in BRACKETS.items()]
    )
    + ")"
)
"""A quotation or bracket that holds an ender."""

URL = re.compile(r"(?:https?://|www\.)[!-~]+(?<![!?.,;:)\"'])")
STRAIGHT = re.compile(r'"([^"]*)"')

LOUD_MARK = frozenset(LOUD)
SINGLE_STOP = re.compile(
    rf"(?:{_class(ELLIPSES)}+|.*[{BLANK}{re.escape(CLOSERS)}])?{_class(STOPS)}"
)
ORDINAL = re.compile(r"[（(]?(?:[0-9０-９]{1,3}|[一二三四五六七八九十]{1,3}|[A-Za-z])[）)]?")
"""What stands alone before a stop is no sentence but its number: 3。头发 (damaged), 一．总则."""

LONGEST_ORDINAL = 5

# Yahoo！的首页: the name goes on. But 的确 and 的士 begin sentences.
SUFFIX = re.compile("的(?![确確士])")
# What goes on after a quotation that ends in an ender: “…！”的口号, “…？”这句话, “救命！”一声.
AFTER_QUOTATION = re.compile(
    r"(?:“[^“”]{0,40}+”|「[^「」]{0,40}+」){0,4}+"  # “好！”“太棒了！”的叫声
    r"(?:的(?![确確士])|等(?![到待他她我你了])|[时時](?![间間候])|之[类類后後中声聲]"
    r"|[这這那](?:[一个個句种種番样樣些首段则則类類条條]|[声聲])|一[声聲句词詞语語类類]"
    r"|是(?![的啊否])|[为為][题題名由]|[和与與及或][“「『〝]|字[样樣]|[几幾两兩三]个?字)"
)
# The same where the quotation is itself a word of the clause: 大喊“救命！”就跑了.
AFTER_EMBEDDED = re.compile(
    r"[就便才再又来來而都也并並还還已即](?![在算像是连連有])|[表回][达達应應]|[成作][为為]"
)

# Who spoke, after the words: “真的吗？”她问。 The tag ends its sentence, or the speech resumes.
TAG = re.compile(
    rf"{_not(ENDERS + CONTINUING + ''.join(PAIRS) + CLOSERS)}{{1,40}}+"
    r"(?:(?<=[说說説])(?<![小传傳学學听聽再来來据據不没沒虽雖][说說説])"
    r"|(?<=[问問])(?<![学學疑顾顧访訪慰][问問])|(?<=[喊叫嚷吼曰答])"
    r"|(?<=[说說説问問答喊叫笑叹嘆写寫骂罵吼应應接]道)|(?<=[问問][我你他她道])|(?<=告[诉訴][我你他她])"
    r"|(?<=表示|指出|介绍|介紹|告诉|告訴|透露|强调|強調|解释|解釋|回忆|回憶|坦言|直言|认为|認為"
    r"|补充|補充|感叹|感嘆|感慨|回应|回應|呼吁|呼籲|回复|回覆|提醒|心想|比方|称赞|稱讚))"
    rf"(?:\s*+\Z|{_class(LOUD + STOPS)}|[，,][{BLANK}]*[“「『〝])"
)

# A clause goes on after an ellipsis with one of these: lists (梨、桃……都是), 从而, a suffix.
AFTER_ELLIPSIS = re.compile(
    r"的(?![确確士])|[地得等却卻使令让讓都也就吗嗎吧呢]|[这這那]些|[从從]而|以及|[还還][没沒有]"
)
# After one of these a short clause is complete: 好吧……, 食咗喇⋯⋯.
PARTICLES = "了吧呢吗嗎啊呀啦喇嘛哦喔啰囉咯㗎嘅"
CLAUSE = re.compile(
    rf"(?:{_not(ENDERS + CONTINUING.replace('、', '') + ''.join(QUOTES))}|(?<=[0-9])\.(?=[0-9]))+"
)

# Before a dot these are words cut short, not the end of a sentence. Single letters always are.
ABBREVIATION = re.compile(
    "al|approx|ave|capt|cf|co|col|corp|dept|dr|ed|eds|eg|est|etc|figs?|gen|gov|hon|ie|inc|jr|lt|ltd"
    "|mr|mrs|ms|mt|nos?|op|pp|prof|pt|rep|rev|sen|sgt|sr|st|univ|vols?|vs"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)
WORD = re.compile(r"(?<![.A-Za-z])[A-Za-z][a-z]+\Z")
LONGEST_WORD = 20
NEARBY = 200  # bounds the search for another stop
NUMERALS = "一二三四五六七八九十"
# 在Yahoo!工作: a capitalised word without spaces between two characters is a name.
NAME = re.compile(rf"(?:[{IDEOGRAPHIC}][A-Z][a-z]+|Yahoo|Jeopardy)\Z")
FAMOUS_NAME = re.compile(r"(?:Yahoo|Jeopardy)\Z")  # whatever stands around them, and with ！
LONGEST_NAME = 16

# More than any offset: keeps the documents of a batch apart on one axis.
FAR = 1 << 32
NOWHERE = (sys.maxsize, sys.maxsize)


# --- the kernel -----------------------------------------------------------------------------------


def segment(text: str) -> list[Sentence]:
    r"""The sentences of `text`, which tile it.

    >>> text = "“真的吗？”她问。\n我看了《你好吗？》。好看！！"
    >>> [text[s.start : s.end] for s in segment(text)]
    ['“真的吗？”她问。\n', '我看了《你好吗？》。', '好看！！']

    White space belongs to the sentence before it; only the first may begin with some.
    """
    sentences, start = [], 0
    for paragraph, line in enumerate(LINE.finditer(text)):
        first = line.start()
        for end in _ends(line[0]):
            sentences.append(Sentence(start, first + end, paragraph))
            start = first + end
    return sentences or [Sentence(0, len(text), 0)][: len(text)]


def _ends(line: str) -> Iterator[int]:
    """The offsets at which a sentence of `line` ends, the last of them its length."""
    line = _directed(line)
    spans, opened = _spans(line)
    whole = iter(spans)
    inside, outside = next(whole, NOWHERE)
    start = 0
    for run in STOP.finditer(line):
        at, end = run.span()
        while outside <= at:
            inside, outside = next(whole, NOWHERE)
        if inside < at and end < outside:
            continue
        if end < len(line) and _is_end(line, start, run, opened):
            yield end
            start = end
    yield len(line)


def _directed(line: str) -> str:
    """The line with straight quotes turned into 〝 and 〞, if they pair; of the same length."""
    count = line.count('"')
    return STRAIGHT.sub(r"〝\1〞", line) if count and count % 2 == 0 else line


def _spans(line: str) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """The spans that no sentence ends in, in order; and by where it closed, where each opened."""
    whole, opened, position = [], {}, 0
    while span := SPAN.search(line, position):
        start, end = span.span()
        opened[end] = start
        position = start + 1
        if _is_whole(line, start, end):
            whole.append((start, end))
            position = end
    if "://" in line or "www." in line:
        whole = sorted(chain(whole, (url.span() for url in URL.finditer(line))))
    return whole, opened


def _is_whole(line: str, start: int, end: int) -> bool:
    """Whether no sentence ends inside a span: brackets, what is short, what is part of a clause.

    A longer quotation that stands by itself holds sentences of its own.
    """
    length = end - start - 2
    if line[start] in BRACKETS or length <= SHORT_QUOTATION:
        return True
    if length > LONGEST_BRACKET or line[start] in UNSURE:
        return False
    if line[end - 2] in ENDERS:
        return AFTER_QUOTATION.match(line, end) is not None
    return line[end - 2] not in "，," and line[end : end + 1] not in ENDERS + "，,"


def _is_end(line: str, start: int, run: re.Match[str], opened: dict[int, int]) -> bool:
    """Whether the sentence from `start` ends with this run, which is not the last of the line."""
    at, end = run.span()
    if (
        at - start <= LONGEST_ORDINAL
        and line[at] in STOPS + DOTS
        and ORDINAL.fullmatch(line, start, at)
    ):
        return False
    if run.lastindex:
        return True
    if line[end] in CONTINUING:
        return False
    marks = run[0].rstrip()
    if marks[-1] in ENDERS:
        return _marks_end(line, start, run, marks)
    return _closes(line, start, run, opened.get(at + len(marks)))


def _marks_end(line: str, start: int, run: re.Match[str], marks: str) -> bool:
    """Whether a sentence ends with the ender that ends this run: each kind has its own doubt."""
    at, end = run.span()
    if not LOUD_MARK.isdisjoint(marks):
        return not (SUFFIX.match(line, end) or _is_latin(line, run))
    if marks in DOTS:
        return _dot_ends(line, at, end)
    if SINGLE_STOP.fullmatch(marks):
        return not _abbreviates(line, at, end)
    return not _pauses(line, start, run)


def _closes(line: str, start: int, run: re.Match[str], opener: int | None) -> bool:
    """Whether a sentence ends with the closer that ends this run."""
    closer = run[0].rstrip()[-1]
    if closer in TITLES.values():
        return False
    paused = line[run.start()] in ELLIPSES + DOTS
    if closer in BRACKETS.values():
        return not paused and (opener is None or opener == start)
    if AFTER_QUOTATION.match(line, run.end()) or TAG.match(line, run.end()):
        return False
    if opener is None or opener == start or not line[opener - 1].isalnum():
        return True
    if paused or (line[run.end()] in QUOTES and run.start() - opener <= SHORT_QUOTATION):
        return False
    return AFTER_EMBEDDED.match(line, run.end()) is None


def _is_latin(line: str, run: re.Match[str]) -> bool:
    """Whether a half-width ! or ? after Latin text is part of it: b?c=1, Yahoo!."""
    at, end = run.span()
    if not line[at - 1 : at].isascii():
        return False
    if run[0] in "!?" and line[end].isascii():
        return True
    name = NAME if run[0] == "!" else FAMOUS_NAME
    return line[at] in "!！" and name.search(line[max(0, at - LONGEST_NAME) : at]) is not None


def _abbreviates(line: str, at: int, end: int) -> bool:
    """Whether 。 was the dot of initials, which width conversion damages: P。S。."""
    before, letter = line[max(0, at - 3) : at - 1], line[at - 1 : at]
    if not _is_letter(letter) or _is_letter(before[-1:]):
        return False
    if _is_letter(before[:1]) and before[1:] in (*STOPS, *DOTS):
        return before[1:] in STOPS or _is_letter(line[end])
    return _is_letter(line[end]) and line[end + 1 : end + 2] in (*STOPS, *DOTS)


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _dot_ends(line: str, at: int, end: int) -> bool:
    """Whether a single dot ends a sentence: after Chinese, or after a Latin word written out."""
    before, after, spaced = line[at - 1 : at], line[end], end > at + 1
    if not before.isascii():
        if not (before.isalnum() or before in CLOSERS):
            return False
        if spaced or before in PARTICLES:
            return True
        return _is_text(after) and not _divides(line, at, after)
    word = WORD.search(line[max(0, at - LONGEST_WORD) : at])
    if not word or ABBREVIATION.fullmatch(word[0]):
        return False
    return not after.isascii() or (spaced and after.isupper())


def _is_text(character: str) -> bool:
    return not character.isascii() or character.isdigit()


def _divides(line: str, at: int, after: str) -> bool:
    """Whether the dot divides a name (乔治.布什) or a date (五.四).

    It does where other marks stop the sentences.
    """
    stopped = "。" in line[max(0, at - NEARBY) : at + NEARBY]
    return stopped or (line[at - 1] in NUMERALS and after in NUMERALS)


def _pauses(line: str, start: int, run: re.Match[str]) -> bool:
    """Whether the sentence goes on after an ellipsis."""
    at, end = run.span()
    if at == start or (line[at] in DOTS and line[end].isascii()):
        return True
    if AFTER_ELLIPSIS.match(line, end):
        return True
    needed = SHORT_CLAUSE // 2 if line[at - 1] in PARTICLES else SHORT_CLAUSE
    clause = CLAUSE.fullmatch(line, max(start, at - needed), at)
    return line[at - 1] not in CLOSERS and (not clause or len(clause[0]) < needed)


# --- the stage ------------------------------------------------------------------------------------


def run(docs: pa.RecordBatch, config: Config) -> pa.RecordBatch:  # noqa: ARG001 - every stage takes it
    """The column `sentences`, each with the role of the line in which it begins."""
    texts = docs.column("text").to_pylist()
    found = [segment(text) for text in texts]
    counts = np.fromiter(map(len, found), np.int64, len(found))
    flat = chain.from_iterable(chain.from_iterable(found))
    start, end, paragraph = np.fromiter(flat, np.int32, 3 * counts.sum()).reshape(-1, 3).T
    offsets = np.concatenate([[0], np.cumsum(counts)])
    # Only the first sentence of a document may begin with white space, before its first line.
    content = start.astype(np.int64)
    content[offsets[:-1][counts > 0]] = [len(t) - len(t.lstrip()) for t in texts if t]
    roles = _roles(docs.column("lines"), np.repeat(np.arange(len(found)), counts), content)
    kind = STAGE_COLUMNS["segment"].field("sentences").type
    columns = [pa.array(np.ascontiguousarray(c)) for c in (start, end, paragraph)]
    sentences = pa.StructArray.from_arrays([*columns, roles], fields=list(kind.value_type))
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), sentences, type=kind)
    return pa.record_batch([lists], schema=STAGE_COLUMNS["segment"])


def _roles(lines: pa.ListArray, document: Offsets, content: Offsets) -> pa.StringArray:
    """The role of the line that holds `content[i]` in the document `document[i]`; else body."""
    line = lines.flatten()
    lengths = lines.value_lengths().to_numpy(zero_copy_only=False)
    owner = np.repeat(np.arange(len(lines)), lengths) * FAR
    # Line and offset in one number: where each document's offsets begin, far from the next one's.
    starts, ends = (owner + line.field(name).to_numpy() for name in ("start", "end"))
    where = document * FAR + content
    index = np.searchsorted(starts, where, side="right") - 1
    held = index >= 0
    held[held] = where[held] < ends[index[held]]
    roles = line.field("role").take(pa.array(index, mask=~held))
    return roles.fill_null("body")
