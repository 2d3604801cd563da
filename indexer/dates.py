"""Publication dates: ISO 8601 out of what sources write, or nothing. Never a guess."""

import re
import warnings
from contextlib import suppress
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

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
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)|\d{8}(?:T\d|$)")
_ISO_DAY_LENGTH = len("2023-10-16")
_FIGURES = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?!\d)")
# A day, a year and a word that could be a month: dateparser would make dates of less.
_REUTERS = re.compile(
    r"(\d{1,2}-[A-Z]{3}-\d{4} \d\d:\d\d:\d\d)\.\d+[A-Z]{0,3}$"
)  # "27-MAR-1987 15:01:01.79RM"
_NAMES_ALL = re.compile(r"(?=.*\b\d{1,2}\b)(?=.*\b\d{4}\b)(?=.*[^\W\d_]{3})")
_LONGEST_DATE = 60  # characters
_URL_DAY = re.compile(
    rf"/(?P<year>\d{{4}})/(?P<month>\d{{1,2}}|{_MONTH})/(?P<day>\d{{1,2}})(?=/|[._-]|$)"
    r"|[/_-](?P<year2>\d{4})-(?P<month2>\d\d)-(?P<day2>\d\d)(?!\d)"
    r"|/(?P<year3>(?:19|20)\d\d)(?P<month3>[01]\d)(?P<day3>[0-3]\d)(?=[/._-]|$)",
    re.IGNORECASE,
)
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

    Reads ISO 8601, the mail format of feeds (RFC 2822), the forms of `date_line`, seconds since 1970,
    and a day with a month's name in other languages. Returns None for what it cannot read, or could
    read in two ways ("03/04/2023"): the caller says so.
    """
    stated = _REUTERS.sub(r"\1", re.sub(r"(?<=\d) ?UTC$", "+00:00", " ".join(stated.split())))
    for read in (_iso_date, date_line, _epoch, _numeric, _mail, _spelt):
        if (found := read(stated)) and 1600 <= int(found[:4]) <= _latest_year():  # noqa: PLR2004
            return found
    return None


def url_day(url: str) -> str | None:
    """The day in a url's path ("/2023/10/16/", "/2023/oct/16/", "-2023-10-16", "/20231016"), ISO 8601."""
    for match in _URL_DAY.finditer(url):
        month = match["month"] or match["month2"] or match["month3"]
        with suppress(ValueError):
            number = _MONTHS.get(month.lower()) or int(month)
            year = int(match["year"] or match["year2"] or match["year3"])
            day = date(year, number, int(match["day"] or match["day2"] or match["day3"]))
            if 1990 <= day.year <= _latest_year():  # noqa: PLR2004  before there was a web
                return day.isoformat()
    return None


def _latest_year() -> int:
    return datetime.now(UTC).year + 1


def _iso_date(stated: str) -> str | None:
    if _ISO.match(stated):  # fromisoformat alone takes the seconds of an epoch for a day of 1612
        with suppress(ValueError):
            if len(stated) <= _ISO_DAY_LENGTH:
                return date.fromisoformat(stated).isoformat()
            return datetime.fromisoformat(stated).isoformat(timespec="seconds")
        with suppress(ValueError):  # a fraction or an offset that only its day can be read of
            return date.fromisoformat(stated[:_ISO_DAY_LENGTH]).isoformat()
    return None


def _epoch(stated: str) -> str | None:
    if re.fullmatch(r"\d{9,10}(?:\d{3})?(?:\.\d+)?", stated):
        seconds = float(stated) if len(stated.split(".", maxsplit=1)[0]) <= 10 else float(stated) / 1000  # noqa: PLR2004
        return datetime.fromtimestamp(int(seconds), UTC).isoformat()
    return None


def _numeric(stated: str) -> str | None:
    """Day and month in figures, where only one of them can be the month."""
    if match := _FIGURES.match(stated):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        if first > 12 or first == second:  # noqa: PLR2004  months
            first, second = second, first
        elif second <= 12 and "." not in match[0]:  # noqa: PLR2004  with points it is the day that comes first
            return None
        elif "." in match[0]:
            first, second = second, first
        with suppress(ValueError):
            return date(year, first, second).isoformat()
    return None


def _mail(stated: str) -> str | None:
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


@lru_cache(maxsize=4096)
def _spelt(stated: str) -> str | None:
    """By dateparser, which knows other languages' months: only where day, month and year are all named."""
    if not _NAMES_ALL.search(stated) or len(stated) > _LONGEST_DATE:
        return None
    import dateparser  # noqa: PLC0415  half a second, and rarely needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = dateparser.parse(
                stated, settings={"REQUIRE_PARTS": ["day", "month", "year"], "PARSERS": ["absolute-time"]}
            )
        except (ValueError, OverflowError, RecursionError):
            return None
    if found is None:
        return None
    return str(found.replace(microsecond=0).isoformat() if ":" in stated else found.date().isoformat())
