"""The article of an HTML page, as lines: mark-up is parsed, made harmless, extracted and trimmed.

1. lxml parses. It is linear in the page but for the attributes of one tag, which are counted
   beforehand, and it stops at a depth of 2,048.
2. The tree is written out again without what no reader sees (scripts, forms, frames), without the
   tags of mere emphasis, and never deeper than `MAX_DEPTH`. Of such mark-up the next step has
   linear time; of a stranger's it has not: 100,000 nested <div> take it minutes.
3. resiliparse keeps the main content: it goes by the names of elements and their classes. Of 37
   Chinese pages of 1996 to 2022 it kept 0.99 of the trigrams of the article (trafilatura 0.93,
   readability 0.90), but of what it kept 0.18 was no article.
4. So the run of lines that is richest in prose is cut out of it, where links weigh against a line:
   the maximum-scoring subsequence of Pasternack and Roth (2009). F1 rose from 0.89 to 0.95; cut in
   the same way, trafilatura made 0.88 (alone 0.86) and readability 0.89 (alone 0.89).

Nothing is fetched, run or expanded: the parsers know no network, and HTML has no entities but
those of the standard.
"""

import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lxml.etree import _Element

# The worst that was found within these bounds took 2.3 s of one core and 500 MB in all.
MAX_MARKUP = 10_000_000
"""Characters of a page, mark-up and all."""
MAX_TAGS = 200_000
"""Signs `<` in a page. The largest of 37 news pages, of 411 kB, has 15,397."""
MAX_ATTRIBUTES = 2_000
"""In one tag: every parser compares each with all before it."""
MAX_DEPTH = 200
"""Deeper elements lose their tags, not their text."""
MAX_VALUE = 200
"""Characters of an attribute that are handed on."""

PROSE_CHARACTERS = 10
"""A line with that many, and a punctuation mark among them, is prose."""
LINE_CAP = 300
"""A paragraph counts no more than this: one long notice must not outweigh an article."""
LINK_PENALTY = 40
"""Of a line with links: an article passes over one or two, but not over a menu."""
LINE_PENALTY = 5
"""Of another line that is no prose: a heading, a caption, a row of a table, 责任编辑."""
LEAST_KEPT = 0.3
"""If the run holds a smaller share of the text, the page is a list, a table or a programme, and
the whole main content is kept."""
LONGEST_LINK = 60
"""A longer <a> is one that was never closed, and holds text."""

# Noncharacters, which no text may hold: they mark where a link starts and ends.
LINK_START, LINK_END = "\ufdd0", "\ufdd1"
MARKS = re.compile(f"[{LINK_START}{LINK_END}\ufdd2-\ufdef\ufffe\uffff]")
LINK_MARK = re.compile(f"([{LINK_START}{LINK_END}])")
SENTENCE_MARK = re.compile("[。！？!?；;，,…]")
SPACE = re.compile(r"\s+")
BLANKS = re.compile(r"[ \t]{2,}")

_UNSEEN = """
head title script style noscript object embed applet iframe frame frameset select textarea template
svg math canvas audio video map input img
"""
_EMPHASIS = """
b i u s font strong em big small tt strike nobr code acronym abbr cite q ins del sub sup bdo kbd
samp var dfn mark wbr ruby rb
"""
_BLOCKS = """
html body address article aside blockquote center dd details dialog div dl dt fieldset figcaption
figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre section
summary table caption colgroup col tbody td tfoot th thead tr ul dir
"""
UNSEEN, EMPHASIS, BLOCKS = (frozenset(n.split()) for n in (_UNSEEN, _EMPHASIS, _BLOCKS))
INLINE = EMPHASIS | {"a", "span", "label", "time", "bdi", "data"}
VOID = frozenset(("hr", "col"))
HANDED_ON = frozenset(("class", "id", "role", "style", "hidden", "aria-hidden", "itemprop"))
CELLS = ("td", "th")

# Tags as HTML has them, where a quotation mark quotes only after `=`; comments and scripts, which
# hold none, are passed over. Nothing here can be tried twice, so the search is linear.
_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+"""
TAG = re.compile(
    r"<!--(?:[^-]++|-(?!->))*+"
    r"|<(script|style)\b(?:[^<]++|<(?!/\1))*+"
    rf"|<[a-z][^\s/>]*+(?:{_ATTRIBUTE}){{0,{MAX_ATTRIBUTES}}}+(?P<more>{_ATTRIBUTE})?+",
    re.IGNORECASE,
)
SMALL = 32_000
"""A page of so many characters is parsed in half a second, whatever its tags hold."""


class PageError(ValueError):
    """A page that cannot be read. `reason` is a key of `schema.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Visible(NamedTuple):
    """What a reader sees of a page."""

    markup: str
    """The page made harmless, with links marked."""
    lines: tuple[str, ...]
    """All its lines, white space collapsed, the cells of a table row in one line."""
    headings: tuple[str, ...]
    """Those that are <h1> to <h3>, in order."""


def parse(markup: str) -> "_Element":
    """The tree of a page; PageError if it is out of all proportion, or there is nothing in it.

    >>> parse("<p>正<b>常").findtext(".//p")
    '正'
    """
    from lxml import etree  # noqa: PLC0415  # 30 ms that readers of plain text need not wait

    _refuse_disproportion(markup)
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(markup.encode("utf-8", "replace"), parser)
    except etree.LxmlError as error:
        raise PageError("no_content", f"no mark-up to speak of: {error}") from error
    if root is None:
        raise PageError("no_content", "the page is empty")
    if any("depth" in entry.message for entry in parser.error_log.filter_from_fatals()):
        raise PageError("too_large", "its tags are nested more than 2,048 deep: no page has that")
    return root


def _refuse_disproportion(markup: str) -> None:
    if len(markup) > MAX_MARKUP:
        raise PageError("too_large", f"more than {MAX_MARKUP} characters with mark-up: split it")
    tags = markup.count("<")
    if tags > MAX_TAGS:
        raise PageError("too_large", f"{tags} tags, more than {MAX_TAGS}: split the page")
    if len(markup) > SMALL and any(tag["more"] for tag in TAG.finditer(markup)):
        raise PageError("too_large", f"a tag with more than {MAX_ATTRIBUTES} attributes")


def visible(root: "_Element") -> Visible:
    """What is seen of a page, in one walk over its tree."""
    writer = _Writer()
    writer.walk(root)
    return Visible("".join(writer.markup), tuple(writer.lines), tuple(writer.headings))


class _Writer:
    """Writes a tree out again, as mark-up and as lines. Only what is written counts as depth: old
    pages open a <font> in each paragraph, and close none.
    """

    def __init__(self) -> None:
        self.markup: list[str] = []
        self.lines: list[str] = []
        self.headings: list[str] = []
        self._line: list[str] = []
        self._depth = 0

    def walk(self, root: "_Element") -> None:
        from lxml import etree  # noqa: PLC0415

        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            if event == "start":
                if element.tag in UNSEEN:
                    walker.skip_subtree()
                else:
                    self._open(element)
            else:
                self._close(element)
        self._end_line()

    def _open(self, element: "_Element") -> None:
        tag = str(element.tag)
        if tag == "a":
            self.markup.append(LINK_START)
        elif tag == "br":
            self.markup.append("<br>")
            self._end_line()
        elif tag not in EMPHASIS:
            self._open_written(element, tag)
        self._text(element.text)

    def _open_written(self, element: "_Element", tag: str) -> None:
        self._depth += 1
        if self._depth <= MAX_DEPTH:
            attributes = "".join(
                f' {name}="{escape(value[:MAX_VALUE])}"'
                for name, value in element.items()
                if name in HANDED_ON
            )
            self.markup.append(f"<{_known(tag)}{attributes}>")
        elif tag in BLOCKS:
            self.markup.append("<br>")
        self._end_block(tag)

    def _close(self, element: "_Element") -> None:
        tag = str(element.tag)
        if tag == "a":
            self.markup.append(LINK_END)
        elif tag not in EMPHASIS and tag not in UNSEEN and tag != "br":
            if self._depth <= MAX_DEPTH and tag not in VOID:
                self.markup.append(f"</{_known(tag)}>")
            elif tag in BLOCKS:
                self.markup.append("<br>")
            self._depth -= 1
            line = self._end_block(tag)
            if line and tag in ("h1", "h2", "h3"):
                self.headings.append(line)
        self._text(element.tail)

    def _end_block(self, tag: str) -> str:
        if tag in CELLS:
            self._line.append(" ")
        return self._end_line() if tag in BLOCKS and tag not in CELLS else ""

    def _text(self, text: str | None) -> None:
        if not text:
            return
        if text.isspace():  # as half of all texts are
            self.markup.append(text)
            self._line.append(" ")
            return
        seen = MARKS.sub("", text)
        self.markup.append(escape(seen, quote=False))
        self._line.append(seen)

    def _end_line(self) -> str:
        line = " ".join("".join(self._line).split())
        self._line.clear()
        if line:
            self.lines.append(line)
        return line


def _known(tag: str) -> str:
    # An element that nobody knows is one of emphasis or a block: seen, either way.
    return tag if tag in BLOCKS or tag in INLINE else "span"


def main_text(page: Visible) -> str:
    r"""The article, a line for each of its paragraphs; empty if the page has none.

    >>> text = "<p>今天天气很好，我们出去玩。<br>玩到了天黑，才回到家里。"
    >>> main_text(visible(parse(f"<a>首页</a>{text}<p><a>下一页</a>")))
    '今天天气很好，我们出去玩。\n玩到了天黑，才回到家里。'
    """
    lines = [line for line in _extracted(page.markup).split("\n") if line.strip()]
    linked = _linked(lines)
    own = [_size(line) - links for line, links in zip(lines, linked, strict=True)]
    if sum(own) <= sum(linked) and not any(map(_is_prose, lines, own, linked)):
        return ""
    scores = list(map(_score, lines, own, linked))
    start, end = _richest(scores)
    if sum(own[start:end]) < LEAST_KEPT * sum(own):
        start, end = 0, len(lines)
    kept = (BLANKS.sub(_one_tab, MARKS.sub("", line)).strip() for line in lines[start:end])
    return "\n".join(filter(None, kept))


def _one_tab(blanks: re.Match[str]) -> str:
    """Between the cells of a table one, however many were empty."""
    return "\t" if "\t" in blanks[0] else blanks[0]


def _extracted(markup: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415  # as above

    try:
        text: str = extract_plain_text(
            markup,
            preserve_formatting=True,
            main_content=True,
            list_bullets=False,
            alt_texts=False,
            links=False,
            form_fields=False,
            noscript=False,
            comments=False,
        )
    except BaseException as error:
        # It documents no errors, but is written in Rust: there a bug is a panic, which Python sees
        # as a class of its own that is no Exception. One page must not end the run.
        if type(error).__name__ != "PanicException":
            raise
        raise PageError("unreadable", f"the extractor fails on this page: {error}") from error
    return text


def _linked(lines: list[str]) -> list[int]:
    """Characters of each line that belong to links. A link may run over several lines."""
    counts = [0] * len(lines)
    parts: list[tuple[int, int]] = []
    inside = False
    for number, line in enumerate(lines):
        for token in LINK_MARK.split(line):
            if token == LINK_START:
                inside, parts = True, []
            elif token == LINK_END:
                if sum(size for _, size in parts) <= LONGEST_LINK:
                    for at, size in parts:
                        counts[at] += size
                inside, parts = False, []
            elif inside:
                parts.append((number, _size(token)))
    return counts


def _size(text: str) -> int:
    return len(SPACE.sub("", MARKS.sub("", text)))


def _score(line: str, own: int, linked: int) -> int:
    if _is_prose(line, own, linked):
        return min(own, LINE_CAP)
    if own == linked == 0:
        return 0
    return -LINK_PENALTY if linked else -LINE_PENALTY


def _is_prose(line: str, own: int, linked: int) -> bool:
    is_text = own >= PROSE_CHARACTERS and 2 * linked <= own
    return is_text and SENTENCE_MARK.search(line) is not None


def _richest(scores: list[int]) -> tuple[int, int]:
    """The run with the greatest sum, half-open; of equal ones the first; empty if none is positive.

    >>> _richest([-5, 3, -1, 4, -9]), _richest([-1])
    ((1, 4), (0, 0))
    """
    best, total, start, run = 0, 0, 0, (0, 0)
    for at, score in enumerate(scores):
        if total <= 0:
            total, start = 0, at
        total += score
        if total > best:
            best, run = total, (start, at + 1)
    return run
