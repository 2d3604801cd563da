"""The days a text speaks of: those it states, and those that "last week" means on its day of publication.

Precision first: what could as well be another day is no mention. Decades, holidays and whatever counts
from another day of the story ("two days later") are left alone.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from indexer.models import Span


class Mention(NamedTuple):
    """A stretch of a text that speaks of days: `first` to `last`, both inclusive."""

    span: Span  # code points of the text
    first: date
    last: date


def mentions(text: str, published: date | None) -> list[Mention]:
    """The days an English text speaks of, in order of place, none overlapping another.

    Without `published` only dates with their year are found. A mention is as exact as its words:
    "two weeks ago" is that week from Monday to Sunday, "two years ago" that calendar year.
    """
    for typographic, plain in _PLAIN:
        text = text.replace(typographic, plain)  # one for one: every offset stays
    found = []
    for candidate in _ANY.finditer(text):
        rule = _RULES[int((candidate.lastgroup or "")[1:])]
        start, end = candidate.span()
        match = rule.pattern.match(text, start)
        if match is None or (published is None and rule.relative):
            continue
        days: Days = None
        with suppress(ValueError, OverflowError):  # 31 February; a week before the year 1
            days = rule.days(match, _Place(text, start, end), published or date.max)
        if days is None:
            continue
        if part := _PART.search(text, max(0, start - _LONGEST_PART), start):
            start = part.start()
            days = _narrowed(days, part["part"].lower(), published)
        found.append(Mention(Span(start, end), *days))
    return found


_PLAIN = (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"'), ("–", "-"), ("\xa0", " "))
_REACH = 100  # characters on either side that may decide; bounds the work for each candidate
_SENTENCE_END = re.compile(r"""\n|(?:[a-z]{3}|\ [a-z]{1,2}|[\d)%"'])[.!?]["')]*\ +(?=[A-Z"'])""")

Tense: TypeAlias = Literal["past", "future", "unsure"]
Days: TypeAlias = tuple[date, date] | None


class _Place:
    """What surrounds a candidate inside its sentence."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.before = _SENTENCE_END.split(text[max(0, start - _REACH) : start])[-1]
        self.after = _SENTENCE_END.split(text[end : end + _REACH], maxsplit=1)[0]

    def tense(self) -> Tense | None:
        """Whether the clause looks back or ahead, by its nearest verb; None where no verb tells."""
        if _GOES_ON_AHEAD.match(self.after):
            return "future"
        cues = list(_CUE.finditer(self.before))[-1:] or list(_CUE.finditer(self.after))[:1]
        if not cues:
            return "unsure" if _UP_TO.search(self.before) else None
        return "past" if cues[0]["past"] else "future" if cues[0]["future"] else "unsure"


# A verb that looks ahead takes its next words along: "will be released on Friday" is not past.
_CUE = re.compile(
    r"""\b(?:
    (?P<unsure>(?:would|could|might|should|(?:was|were|been)\ (?:\w+ly\ )?
        (?:to|due|set|expected|scheduled|slated|planned|supposed)\b)(?:\ (?!said|told)\w+){0,4})
    |(?P<future>(?:'ll|will|won't|shall|must|may|going\ to|ha(?:s|ve)\ until|plan(?:s|ning)?\ to|hop(?:es?|ing)\ to
        |expects?|expected|scheduled|slated|due|set\ (?:to|for)|poised|likely|forecast|aims?\ to|intends?\ to
        |upcoming|ahead\ of|begins|starts|opens|kicks\ off|takes\ place|returns|airs|premieres|deadline)\b
        (?:\ (?!said|told)\w+){0,4})
    |(?P<past>(?:sa(?:id|ys)|t(?:old|ells)|according|was|were|had|did|ha(?:s|ve)|came|went|took|made|saw|won|lost
        |met|began|gave|became|held|got|fell|rose|shot|left|led|spoke|ran|wrote|\w\w+ed)\b)
    )""",
    re.VERBOSE,
)
_GOES_ON_AHEAD = re.compile(r",? (?:will|is (?:set|expected|scheduled|due|likely))\b")
_UP_TO = re.compile(r"\b(?:[Uu]ntil|[Tt]ill|[Bb]y|[Tt]hrough|[Ss]tarting|[Bb]eginning|to)(?: at least)?(?: early| late)? $")

# --- what words mean ---

_MONTHS = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}
_WEEKDAYS = {name: n for n, name in enumerate("mon tue wed thu fri sat sun".split())}
_SEASONS = {"spr": 3, "sum": 6, "aut": 9, "fal": 9, "win": 12}  # first month, northern hemisphere
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_COUNTS = {
    word: n
    for n, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)
} | {"a": 1, "an": 1, "": 1}
# Names of events in the American press, seldom the latest such day.
_EVENTS = {(1, 6), (9, 11)}


def _months(day: date, offset: int, length: int = 1) -> tuple[date, date]:
    """The month that begins `offset` months from that of `day`, or several from there."""
    year, month = divmod(day.year * 12 + day.month - 1 + offset, 12)
    end_year, end_month = divmod(day.year * 12 + day.month - 2 + offset + length, 12)
    last = monthrange(end_year, end_month + 1)[1]
    return date(year, month + 1, 1), date(end_year, end_month + 1, last)


def _years(first: int, last: int | None = None) -> tuple[date, date]:
    return date(first, 1, 1), date(last or first, 12, 31)


def _week(day: date, offset: int = 0) -> tuple[date, date]:
    monday = day + timedelta(7 * offset - day.weekday())
    return monday, monday + timedelta(6)


def _one(day: date) -> tuple[date, date]:
    return day, day


def _number(names: dict[str, int], word: str) -> int:
    return names[word[:3].lower()]


def _back(published: date, unit: str, count: int) -> date:
    """The day `count` units before: 31 March less a month is the last day of February."""
    unit = unit[:3].lower()
    if unit in {"hou", "day", "wee"}:
        days = {"hou": -(-count // 24), "day": count, "wee": 7 * count}[unit]
        return published - timedelta(days)
    first, last = _months(published, -count * (12 if unit == "yea" else 1))
    return first.replace(day=min(published.day, last.day))


def _narrowed(days: tuple[date, date], part: str, published: date | None) -> tuple[date, date]:
    """Of a month its first ten days, the next ten or the rest, of a year a third, where one is named."""
    first, last = days
    if part.startswith(("earlier", "later")):
        if published and first <= published <= last:
            return (first, published) if part == "earlier" else (published, last)
        return days
    third = {"e": 0, "b": 0, "s": 0, "m": 1, "l": 2}.get("l" if part == "end of" else part[0], 0)
    if days == _months(first, 0):
        return (first.replace(day=1 + 10 * third), (last if third == 2 else first.replace(day=10 + 10 * third)))
    if days == _years(first.year):
        return _months(first, 4 * third, 4)
    return days


_PART = re.compile(
    r"\b(?P<part>[Ee]arl(?:y|ier)|[Ll]ater?|[Mm]id|(?:[Bb]eginning|[Ss]tart|[Mm]iddle|[Ee]nd) of)(?: in)?[ -]$"
)
_LONGEST_PART = len("x beginning of in ")

# --- the rules ---

_MONTH_NAMES = "January|February|March|April|May|June|July|August|September|October|November|December"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_WEEKDAY_NAMES = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_WEEKDAY = rf"(?P<weekday>{_WEEKDAY_NAMES}|(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?),? (?:the )?"
_TO = "(?:-| - | to | through | and | until | or | into )"
_NO_COUNT = (
    r"(?! (?:people|percent|per cent|million|billion|men|women|children|others?|more|years?|months?|weeks|days|hours"
    r"|minutes|points|miles|kilomet|km|met(?:er|re)s|feet|pounds|dollars|euros|troops|soldiers|votes|jobs|tons|cases"
    r"|yards|deaths|students|workers|times|GMT|or so)\b)"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?![.,:]?\d|%)" + _NO_COUNT
_DAY_TO = rf"(?:{_TO}(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?![.,:]?\d|%|[ ](?:a|p)\.?m))?"
_MONTH_DAY = rf"(?P<month>{_MONTH}) (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:{_TO}(?:(?P<month2>{_MONTH}) )?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.]\d| ?[ap]\.?m))?\b(?![.,:]?\d|%){_NO_COUNT}"
_DAY_MONTH = rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:{_TO}(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)? (?:of )?(?P<month>{_MONTH})"
