"""The days a text speaks of: those it states, and those that "last week" means on its day of publication.

Precision first: what may as well be another day is no mention. Decades, holidays and whatever counts
from another day of the story ("two days later") are left alone.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from indexer.models import Span


class Mention(NamedTuple):
    """A stretch of a text that speaks of days: `first` to `last`, both inclusive."""

    span: Span
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
    for candidate in _ANY_RULE.finditer(text):
        rule, pattern = _COMPILED[int((candidate.lastgroup or "")[1:])]
        start, end = candidate.span()
        match = pattern.match(text, start)
        if match is None or (published is None and rule.relative):
            continue
        days: Days | None = None
        with suppress(ValueError, OverflowError):  # 31 February; a week before the year 1
            days = rule.days(match, _Place(text, start, end), published or date.max)
        if days is None:
            continue
        if part := _PART.search(text, max(0, start - _LONGEST_PART), start):
            start = part.start()
            days = _narrowed(days, part["part"].lower(), published)
        found.append(Mention(Span(start, end), *days))
    return found


Days: TypeAlias = tuple[date, date]
Tense: TypeAlias = Literal["past", "future", "unsure"]

_PLAIN = (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"'), ("–", "-"), ("\xa0", " "))


class _Place:
    """A candidate and what surrounds it in its sentence."""

    _REACH = 100  # characters on either side; bounds the work for each candidate
    _OPENING = 25  # characters of a sentence whose verb is yet to come

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._start, self._end = text, start, end

    @cached_property
    def before(self) -> str:
        return _SENTENCE_END.split(self._text[max(0, self._start - self._REACH) : self._start])[-1]

    @cached_property
    def after(self) -> str:
        return _SENTENCE_END.split(self._text[self._end : self._end + self._REACH], maxsplit=1)[0]

    def fits(self, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern is found in "so it was in <March> that ..."."""
        marked = f"{self.before}<{self._text[self._start : self._end]}>{self.after}"
        return pattern.search(marked) is not None

    def tense(self, reach: int = _REACH) -> Tense | None:
        """Whether the sentence looks back or ahead, by the nearest verb in front; None if none tells."""
        if _GOES_ON_AHEAD.match(self.after):
            return "future"
        cues = list(_CUE.finditer(self.before))[-1:]
        if cues and len(self.before) - cues[0].end() > reach:
            return None
        if not cues and len(self.before) < self._OPENING:
            cues = list(_CUE.finditer(self.after))[:1]
        if not cues:
            return "unsure" if _UP_TO.search(self.before) else None
        return "past" if cues[0]["past"] else "future" if cues[0]["future"] else "unsure"


_SENTENCE_END = re.compile(r"""\n|(?:[a-z]{3}| [a-z]{1,2}|[\d)%"'])[.!?]["')]* +(?=[A-Z"'])""")
# A verb that looks ahead takes its next words along: "will be released on Friday" is not past.
_CUE = re.compile(
    r"""\b(?:
    (?P<unsure>(?:(?:would|could|might|should)(?!\ have)|planned\ to|ahead\ of|(?:was|were|been)\ (?:\w+ly\ )?
        (?:to|due|set|expected|scheduled|slated|planned|supposed))\b(?:\ (?!said|told)\w+){0,4})
    |(?P<future>(?:'ll|will|won't|shall|must|may(?!\ have)|starting|beginning|going\ to|ha(?:s|ve)\ until
        |plan(?:s|ning)?\ to|hop(?:es?|ing)\ to|expects?|expected|scheduled|slated|due|set\ (?:to|for)|poised
        |likely|(?:is|are)\ forecast|aims?\ to|intends?\ to|upcoming|begins|starts|opens|kicks\ off|takes\ place
        |returns|airs|premieres|faces|plays|hosts|meets|deadline)\b(?:\ (?!said|told)\w+){0,4})
    |(?P<past>(?:earlier|sa(?:id|ys)|t(?:old|ells)|according|was|were|had|did|ha(?:s|ve)|came|went|took|made|saw
        |won|lost|met|began|gave|became|held|got|fell|rose|shot|left|led|spoke|ran|wrote|found|sent|sold|paid
        |put|kept|grew|flew|struck|broke|heard|stood|bought|brought|caught|built|chose|\w\w+ed)\b)
    )""",
    re.VERBOSE,
)
_GOES_ON_AHEAD = re.compile(r",? (?:will|is (?:set|expected|scheduled|due|likely))\b")
_UP_TO = re.compile(r"\b(?i:until|till|by|through|for)(?: at least)? $")


def _iso(match: re.Match[str], _place: _Place, _published: date) -> Days:
    return _one(date.fromisoformat(match[0]))


def _full_date(match: re.Match[str], _place: _Place, _published: date) -> Days | None:
    over_new_year = match["month2"] and _number(_MONTHS, match["month2"]) < _number(_MONTHS, match["month"])
    return _dates(match, int(match["year"]) - bool(over_new_year))


def _date_without_year(match: re.Match[str], place: _Place, published: date) -> Days | None:
    """The year is that of publication or a neighbour: by the weekday, else by nearness and tense."""
    if match["which"]:
        return _dates(match, _year_of(match, published))
    choices = []
    for year in (published.year - 1, published.year, published.year + 1):
        with suppress(ValueError):  # 29 February, or the years 0 and 10000
            if days := _dates(match, year):
                choices.append(days)
    choices.sort(key=lambda days: abs(days[0] - published))
    if match["weekday"]:
        weekday = _number(_WEEKDAYS, match["weekday"])
        return next((days for days in choices if days[0].weekday() == weekday), None)
    if not choices or (choices[0][0].month, choices[0][0].day) in _EVENTS:
        return None
    nearest, distance = choices[0], abs(choices[0][0] - published)
    tense = None if distance <= _NEAR else place.tense()
    if tense in {"past", "future"}:
        return next((days for days in choices if (days[0] <= published) == (tense == "past")), None)
    sure = nearest[0].year == published.year and tense is None
    return nearest if sure or distance <= _NOT_FAR else None


def _month_of_year(match: re.Match[str], _place: _Place, published: date) -> Days | None:
    year = _year_of(match, published)
    first, last = _months(date(year, _number(_MONTHS, match["month"]), 1))
    if match["from"]:
        first = date(year, _number(_MONTHS, match["from"]), 1)
    return (first, last) if first < last else None


def _part_of_year(match: re.Match[str], _place: _Place, published: date) -> Days | None:
    length = 6 if match["size"] == "half" else 3
    offset = length * (_NTH[match["nth"].lower()] - 1)
    return _months(date(_year_of(match, published), 1, 1), offset, length) if offset < len(_MONTHS) else None


def _season_of_year(match: re.Match[str], _place: _Place, _published: date) -> Days:
    return _months(date(int(match["year"]), _number(_SEASONS, match["season"]), 1), length=3)


def _bare_year(match: re.Match[str], place: _Place, _published: date) -> Days | None:
    """A number is a year after words that few other numbers follow."""
    first, until = int(match["year"]), match["until"]
    if until:
        last = int(match["year"][: -len(until)] + until)
        return _years(first, last) if first < last <= first + _LONGEST_YEARS else None
    return _years(first, first) if place.fits(_IS_YEAR) else None


def _month(match: re.Match[str], place: _Place, published: date) -> Days | None:
    """ "in March": the latest, but the next where the verb looks ahead; neither where nothing tells."""
    month = _number(_MONTHS, match["month"])
    back, this_year = (published.month - month) % 12, month - published.month
    which = _which(match)
    if not which and (place.fits(_NO_MONTH) or not place.fits(_IS_MONTH)):
        return None
    tense = "past" if place.before.lower().endswith("since ") else place.tense(reach=40)
    # The longer ago a month, the more has to speak for it; an election is told of long before.
    past_to: dict[Tense | None, int] = {"past": 8} if place.fits(_ELECTION) else {"past": 11, None: 8}
    offset = {
        "last": this_year - 12,  # of that calendar year: one of this year would be "in February"
        "this past": -(back or 12),
        "this": this_year,
        "this coming": 12 - back,
        "next": this_year + 12 if this_year <= 0 else None,
        "": _toward(tense, back, 12 - back, past_to, {"future": 8}),
    }[which]
    return None if offset is None else _months(published, offset)


def _weekday(match: re.Match[str], place: _Place, published: date) -> Days | None:
    """ "Friday's vote": the latest, but the next where the verb looks ahead; neither where nothing tells."""
    if place.fits(_NO_WEEKDAY):
        return None
    back = (published.weekday() - _number(_WEEKDAYS, match["weekday"])) % 7
    tense, ahead = place.tense(), 7 - back
    offset = {
        "last": None if back == 1 else -(back or 7),
        "this past": -(back or 7),
        "this": -back if tense == "past" and back <= 2 else ahead % 7,
        "this coming": ahead,
        "next": ahead if back <= published.weekday() else None,  # "next Friday" of a Monday may be either
        # A story of Tuesday that has "said Wednesday" was updated the day after: not six days back.
        "": _toward(tense, back, ahead, {"past": 5, None: 4}, {"future": 7, "unsure": 2}),
    }[_which(match)]
    return None if offset is None else _one(published + timedelta(offset))


def _toward(
    tense: Tense | None, back: int, ahead: int, past_to: dict[Tense | None, int], future_to: dict[Tense | None, int]
) -> int | None:
    """The step back or ahead that a tense allows, each as far as that tense is to be believed."""
    if back <= past_to.get(tense, 0):
        return -back
    return ahead if ahead <= future_to.get(tense, 0) else None


def _weekend(match: re.Match[str], place: _Place, published: date) -> Days | None:
    today, tense = published.weekday(), place.tense()
    past = -1 if tense == "past" else None
    this = 0 if tense == "future" or today >= _SATURDAY else None
    offset = {
        "last": -1,
        "this past": -1,
        "this": 0 if today >= _WEDNESDAY else this or past,
        "this coming": today // 6,
        "next": 1 if today > _WEDNESDAY + 1 else None,
        "the": this if this is not None else past
    }
    return None
