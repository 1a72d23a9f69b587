"""Dates as Chinese pages print them. Year, month and day are needed, a time is not.

A zone is dropped: the tables hold local time as printed.
"""

import re
from datetime import datetime

DIGITS = "〇一二三四五六七八九"
ZEROES = dict.fromkeys(map(ord, "○Ｏ零"), "〇")
"""What stands for 〇 in a year: a circle, a letter, and 零."""

_NUMERIC = (
    r"(?P<year>(?:19|20)\d\d) ?[-/.年] ?(?P<month>\d{1,2}) ?[-/.月] ?(?P<day>\d{1,2})(?!\d)日?"
)
_CHINESE = (
    r"(?P<han_year>(?:一九|二[〇○Ｏ零])[〇○Ｏ零一二三四五六七八九]{2})年"
    r"(?P<han_month>[一二三四五六七八九十]{1,2})月(?P<han_day>[一二三四五六七八九十]{1,3})日"
)
_COMPACT = r"(?P<compact>(?:19|20)\d{6})(?!\d)"
_WEEKDAY = r"(?:,? ?[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?)?"
_TIME = (
    r"(?:[T ,，]{0,2}(?P<half>上午|下午|晚上|凌晨|中午)? ?"
    r"(?P<hour>\d{1,2})[:：时点](?P<minute>\d\d)(?:[:：分](?P<second>\d\d))?"
    r"(?:分|秒|\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?"
)
DATE = re.compile(rf"(?<!\d)(?:{_NUMERIC}|{_CHINESE}|{_COMPACT}){_WEEKDAY}{_TIME}")
"""Every repetition is bounded, so a search is linear in the text."""


def read_date(text: str) -> datetime | None:
    """The first date in a short text.

    >>> read_date("2021年1月30日 星期六 05:03")
    datetime.datetime(2021, 1, 30, 5, 3)
    >>> read_date("二〇二一年十二月三十日"), read_date("1月30日")
    (datetime.datetime(2021, 12, 30, 0, 0), None)
    """
    found = DATE.search(text)
    return to_datetime(found) if found else None


def to_datetime(found: re.Match[str]) -> datetime | None:
    """The date of a match of DATE; None if the calendar or the clock has no such day or time."""
    part = found.groupdict()
    if part["year"]:
        day = int(part["year"]), int(part["month"]), int(part["day"])
    elif part["compact"]:
        day = int(part["compact"][:4]), int(part["compact"][4:6]), int(part["compact"][6:])
    else:
        day = _year(part["han_year"]), _number(part["han_month"]), _number(part["han_day"])
    try:
        return datetime(*day, *_clock(part))
    except ValueError:
        return None


def _clock(part: dict[str, str | None]) -> tuple[int, int, int]:
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    if part["half"] in ("下午", "晚上") and hour < 12:
        hour += 12
    return hour, minute, second


def _year(han: str) -> int:
    return int("".join(str(DIGITS.index(digit)) for digit in han.translate(ZEROES)))


def _number(han: str) -> int:
    """一 to 九十九; 0, which no calendar has, for what is no number.

    >>> _number("十"), _number("三十一"), _number("一二"), _number("十十")
    (10, 31, 0, 0)
    """
    tens, ten, ones = han.rpartition("十")
    if len(tens) > 1 or len(ones) > 1 or tens == "十":
        return 0
    return (DIGITS.index(tens or "一") * 10 if ten else 0) + (DIGITS.index(ones) if ones else 0)
