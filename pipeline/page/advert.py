"""Lines that a stranger put on the page: betting, medicine, sales, and what feeds search engines.

What the site says for itself (扫码关注, 下载客户端) is boilerplate. A line is foreign only if
nearly all of it is what advertisers write: newspapers write of casinos, too. Advertisements in
mid-sentence are for the detector `injection`, which asks the language model.
"""

import re

from pipeline.lexicon import entries

LONGEST_LINE = 120
MOST, WHOLE = 0.6, 0.9
"""Shares of a line's letters, digits and Han characters that advertisers' words make up."""

CONTACT = re.compile(
    r"(?:微信|薇信|威信|QQ|扣扣|企鹅|电话|手机|TEL|Tel|加[微薇Vv]|\+[微薇Vv])"
    r"[^。，,A-Za-z0-9]{0,6}[A-Za-z0-9_\-]{5,20}|(?<!\d)1[3-9]\d{9}(?!\d)|(?:www|WWW)\.[a-z0-9\-]"
)
"""How to reach the seller."""
_OTHER = r"(?:19|20)\d\d年?|[A-Za-z0-9_\-]{1,12}"
_LETTERS = re.compile(r"\w")


def _alternatives(*, filler: bool) -> str:
    """Terms that sell something, or what stands beside them; longest first: 开码资料, 开码."""
    terms = (term for term, kind in entries("advertising") if (kind == "filler") == filler)
    return "|".join(map(re.escape, sorted(terms, key=lambda term: (-len(term), term))))


TERM = re.compile(_alternatives(filler=False))
WORD = re.compile(f"({TERM.pattern})|{_alternatives(filler=True)}|{_OTHER}")


def is_foreign(line: str) -> bool:
    """Whether a line as a whole is an advertisement of somebody else.

    >>> is_foreign("2018香港开码资料"), is_foreign("澳门赌场"), is_foreign("警方捣毁一赌博网站")
    (True, False, False)
    """
    if len(line) > LONGEST_LINE or "。" in line or TERM.search(line) is None:
        return False  # a full stop is of a sentence; adverts have none
    words = list(WORD.finditer(line))
    sold = {word[0] for word in words if word[1]}
    share = sum(len(word[0]) for word in words) / max(1, len(_LETTERS.findall(line)))
    if share >= WHOLE:
        # A term alone is a heading: 澳门赌场. With what searches add to it, it is bait.
        return len(words) >= 3 or len(sold) >= 2
    return (share >= MOST and len(sold) >= 3) or _sells(line, sold)


def _sells(line: str, sold: set[str]) -> bool:
    return bool(sold) and CONTACT.search(line) is not None
