"""Dates as Chinese pages print them. Year, month and day are needed, a time is not.

What the text does not settle is no date: 1月30日 (no year), 3小时前 and 昨天 (no day to count
from), 21-01-30 and 7/5/2005 (which is the day?), 正月初一 and 十二月廿三 (the lunar calendar).

A zone is dropped: the tables hold local time as printed. A count of seconds or milliseconds since
1970, as JSON records hold, is printed nowhere: it is read as China Standard Time (UTC+8), which is
what a Chinese page would print.
"""

import re
from datetime import datetime, timedelta

DIGITS = "〇一二三四五六七八九"
ZEROES = dict.fromkeys(map(ord, "○Ｏ零"), "〇")
"""What stands for 〇 in a year: a circle, a letter, and 零."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_REPUBLICAN_YEAR = 1912
"""民国元年, by which Taiwan counts."""
CHINA_STANDARD_TIME = timedelta(hours=8)
EPOCH = re.compile(r"(?P<seconds>[1-4]\d{9}|9[5-9]\d{8})(?:(?P<milli>\d{3})|\.\d{1,9})?")
"""2000 to 2128: ten digits, or thirteen with the milliseconds."""

_MONTH_NAME = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_NUMERIC = (
    r"(?P<year>(?:19|20)\d\d) ?[-/.年] ?(?P<month>\d{1,2}) ?[-/.月] ?(?P<day>\d{1,2})(?!\d)[日号]?"
)
_CHINESE = (
    r"(?P<han_year>(?:一九|二[〇○Ｏ零])[〇○Ｏ零一二三四五六七八九]{2})年"
    r"(?P<han_month>[一二三四五六七八九十]{1,2})月(?P<han_day>[一二三四五六七八九十]{1,3})日"
)
_REPUBLICAN = (
    r"民[国國] ?(?P<rep_year>\d{1,3}) ?[-/.年] ?(?P<rep_month>\d{1,2}) ?[-/.月] ?"
    r"(?P<rep_day>\d{1,2})(?!\d)日?"
)
_COMPACT = r"(?P<compact>(?:19|20)\d{6})(?P<compact_time>\d{6})?(?!\d)"
_ENGLISH = (
    rf"(?:(?P<day_first>\d{{1,2}})(?:st|nd|rd|th)? )?(?P<month_name>{_MONTH_NAME})\.?,? "
    r"(?:(?P<day_last>\d{1,2})(?:st|nd|rd|th)?,? )?(?P<name_year>(?:19|20)\d\d)(?!\d)"
)
_YEAR_LAST = r"(?P<one>\d{1,2})/(?P<other>\d{1,2})/(?P<last_year>(?:19|20)\d\d)(?!\d)"
_WEEKDAY = r"(?:,? ?[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?)?"
_TIME = (
    r"(?:[T ,，]{0,2}(?P<half>上午|早上|早晨|清晨|下午|傍晚|晚上|夜间|凌晨|中午)? ?"
    r"(?P<hour>\d{1,2})[:：时点](?P<minute>\d\d)(?:[:：分](?P<second>\d\d))?"
    r"(?:分|秒|\.\d{1,9})?(?: ?(?P<meridiem>[AaPp][Mm])(?![A-Za-z]))?(?:Z|[+-]\d\d:?\d\d)?)?"
)
DATE = re.compile(
    rf"(?<![0-9A-Za-z])(?:{_NUMERIC}|{_CHINESE}|{_REPUBLICAN}|{_COMPACT}|{_ENGLISH}|{_YEAR_LAST})"
    rf"{_WEEKDAY}{_TIME}"
)
"""Every repetition is bounded, so a search is linear in the text."""

Day = tuple[int, int, int]
Parts = dict[str, str | None]


def read_date(text: str) -> datetime | None:
    """The first date in a short text.

    >>> read_date("2021年1月30日 星期六 05:03")
    datetime.datetime(2021, 1, 30, 5, 3)
    >>> read_date("二〇二一年十二月三十日"), read_date("1月30日")
    (datetime.datetime(2021, 12, 30, 0, 0), None)
    >>> read_date("1611954180"), read_date("1611954180000")
    (datetime.datetime(2021, 1, 30, 5, 3), datetime.datetime(2021, 1, 30, 5, 3))
    """
    if counted := EPOCH.fullmatch(text.strip()):
        return datetime(1970, 1, 1) + CHINA_STANDARD_TIME + timedelta(seconds=int(counted[1]))
    found = DATE.search(text)
    return to_datetime(found) if found else None


def to_datetime(found: re.Match[str]) -> datetime | None:
    """The date of a match of DATE; None if the calendar or the clock has no such day or time."""
    part = found.groupdict()
    try:
        return datetime(*_day(part), *_clock(part))
    except ValueError:
        return None


def _day(part: Parts) -> Day:
    """Year, month and day; zeroes, which no calendar has, where they cannot be told."""
    if part["year"]:
        return _integers(part, "year", "month", "day")
    if compact := part["compact"]:
        return int(compact[:4]), int(compact[4:6]), int(compact[6:])
    if part["rep_year"]:
        year, month, day = _integers(part, "rep_year", "rep_month", "rep_day")
        return FIRST_REPUBLICAN_YEAR - 1 + year, month, day
    if name := part["month_name"]:
        day = int(part["day_first"] or part["day_last"] or 0)
        return int(part["name_year"] or 0), MONTHS.index(name[:3]) + 1, day
    if part["last_year"]:
        return _year_last(*_integers(part, "last_year", "one", "other"))
    han_year, han_month, han_day = (part[f"han_{unit}"] or "" for unit in ("year", "month", "day"))
    return _year(han_year), _number(han_month), _number(han_day)


def _year_last(year: int, one: int, other: int) -> Day:
    """1/30/2021 and 30/1/2021 can only be one day; 7/5/2005 may be two."""
    if one != other and max(one, other) <= 12:
        return 0, 0, 0
    return year, min(one, other), max(one, other)


def _integers(part: Parts, *names: str) -> Day:
    first, second, third = (int(part[name] or 0) for name in names)
    return first, second, third


def _clock(part: Parts) -> tuple[int, int, int]:
    if compact := part["compact_time"]:
        return int(compact[:2]), int(compact[2:4]), int(compact[4:])
    hour, minute, second = _integers(part, "hour", "minute", "second")
    half = part["half"] or (part["meridiem"] or "").lower()
    if half in ("下午", "傍晚", "晚上", "夜间", "pm") and hour < 12:
        hour += 12
    elif half in ("凌晨", "am") and hour == 12:
        hour = 0
    elif half == "中午" and hour < 3:
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
