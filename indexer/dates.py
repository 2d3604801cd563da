"""Publication dates: ISO 8601 out of what sources write, or nothing. Never a guess."""

import re
from contextlib import suppress
from datetime import date, datetime
from email.utils import parsedate_to_datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|"
        "september sept sep|october oct|november nov|december dec".split("|"),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(_MONTHS)
_LABEL = r"(?:(?:first |last )?(?:published|posted|updated)(?: on| at)?\s*:?\s*)?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_CLOCK = r"(?:\s*[,|·—–-]?\s*(?:at )?\d{1,2}[:.]\d{2}(?:\s*[ap]\.?m\.?)?(?:\s+[A-Z]{2,5})?)?"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)|\d{8}$")
_ISO_DAY_LENGTH = len("2023-10-16")
_YEAR = r"(?P<year>[12]\d{3})"
_WHOLE_LINE = tuple(
    re.compile(rf"\s*{_LABEL}{_WEEKDAY}{day}{_CLOCK}\s*\.?\s*", re.IGNORECASE)
    for day in (
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{_MONTH})\.?,?\s+{_YEAR}",
        rf"(?P<month>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}",
        rf"{_YEAR}-(?P<month>\d{{2}})-(?P<day>\d{{2}})",
    )
)


def date_line(line: str) -> str | None:
    """The day that a whole line states ("16 Oct, 2023", "Updated: March 3, 2026"), as ISO 8601.

    Returns None for anything else: a line with other words is no date line.
    """
    for pattern in _WHOLE_LINE:
        if match := pattern.fullmatch(line):
            month = match["month"].lower()
            try:
                return date(
                    int(match["year"]),
                    _MONTHS[month] if month in _MONTHS else int(month),
                    int(match["day"]),
                ).isoformat()
            except ValueError:  # 31 February
                return None
    return None


def parse_published(stated: str) -> str | None:
    """A source's own statement of its date as ISO 8601: a day, or a moment with its offset.

    Reads ISO 8601, the mail format of feeds (RFC 2822) and the forms of `date_line`. Returns
    None for what it cannot read: the caller says so.
    """
    stated = stated.strip()
    if _ISO.match(stated):  # fromisoformat alone takes the seconds of an epoch for a day of 1612
        with suppress(ValueError):
            whole_day = len(stated) <= _ISO_DAY_LENGTH
            return (date if whole_day else datetime).fromisoformat(stated).isoformat()
    if day := date_line(stated):
        return day
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (ValueError, TypeError, OverflowError):
        return None
