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
    text = plain(text)
    found = []
    for candidate in _ANY.finditer(text):
        rule, pattern = _RULES[int((candidate.lastgroup or "")[1:])]
        start, end = candidate.span()
        match = pattern.match(text, start)
        if match is None or (published is None and rule.relative):
            continue
        days: Days = None
        with suppress(ValueError, OverflowError):  # 31 February; a week before the year 1
            days = rule.days(match, _Place(text, start, end), published or date.max)
        if days is None:
            continue
        if part := _PART.search(text, max(0, start - _LONGEST_PART), start):
            start = part.start()
            days = _narrowed(*days, part["part"].lower(), published)
        found.append(Mention(Span(start, end), *days))
    return found


def plain(text: str) -> str:
    """A text with plain quotes, dashes and spaces for the typographic ones: every offset stays."""
    return text.translate(_PLAIN)


def shifted(day: date, unit: str, count: int) -> date:
    """The day `count` hours, days, weeks, months or years from `day`: 31 March less a month is the last
    day of February. Raises ValueError or OverflowError beyond the years 1 to 9999."""
    if unit in _IN_DAYS:
        return day + timedelta(round(count * _IN_DAYS[unit]))
    first, last = _month(day, count * (12 if unit == "year" else 1))
    return first.replace(day=min(day.day, last.day))


def count_of(word: str | None) -> int:
    """A number in words or figures; 1 for "a" and for no word."""
    word = (word or "one").lower()
    if word.isdigit():
        return int(word)
    return _COUNTS.index(word) + 1 if word in _COUNTS else 1


Days: TypeAlias = tuple[date, date] | None
"""First and last, both inclusive."""
Tense: TypeAlias = Literal["past", "future", "unsure"] | None

_PLAIN = str.maketrans("’‘“”–\xa0", "''\"\"- ")
_REACH = 100  # characters on either side that may decide; bounds the work for each candidate
_SENTENCE_END = re.compile(r"""\n|(?:[a-z]{3}| [a-z]{1,2}|[\d)%"'])[.!?]["')]* +(?=[A-Z"'])""")


class _Place:
    """What surrounds a candidate inside its sentence."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.before = _SENTENCE_END.split(text[max(0, start - _REACH) : start])[-1]
        self.after = _SENTENCE_END.split(text[end : end + _REACH], maxsplit=1)[0]

    def tense(self) -> Tense:
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
        (?:to|due|set|expected|scheduled|slated|planned|supposed))\b(?:\ (?!said|told)\w+){0,4})
    |(?P<future>(?:'ll|will|won't|shall|must|may|going\ to|ha(?:s|ve)\ until|plan(?:s|ning)?\ to
        |hop(?:es?|ing)\ to|expects?|expected|scheduled|slated|due|set\ (?:to|for)|poised|likely|forecast
        |aims?\ to|intends?\ to|upcoming|ahead\ of|begins|starts|opens|kicks\ off|takes\ place|returns|airs
        |premieres|deadline)\b(?:\ (?!said|told)\w+){0,4})
    |(?P<past>(?:sa(?:id|ys)|t(?:old|ells)|according|was|were|had|did|ha(?:s|ve)|came|went|took|made|saw|won
        |lost|met|began|gave|became|held|got|fell|rose|shot|left|led|spoke|ran|wrote|\w\w+ed)\b)
    )""",
    re.VERBOSE,
)
_GOES_ON_AHEAD = re.compile(r",? (?:will|is (?:set|expected|scheduled|due|likely))\b")
_UP_TO = re.compile(
    r"\b(?:[Uu]ntil|[Tt]ill|[Bb]y|[Tt]hrough|[Ss]tarting|[Bb]eginning|[Ff]or)(?: at least)? $"
)


# How words become days.


def _month(day: date, offset: int = 0, length: int = 1) -> tuple[date, date]:
    """`length` months, the first of them `offset` months from that of `day`."""
    months = day.year * 12 + day.month - 1 + offset
    first = date(months // 12, months % 12 + 1, 1)
    year, month = divmod(months + length - 1, 12)
    return first, date(year, month + 1, monthrange(year, month + 1)[1])


def _years(first: int, last: int | None = None) -> tuple[date, date]:
    return date(first, 1, 1), date(last or first, 12, 31)


def _week(day: date, offset: int = 0) -> tuple[date, date]:
    monday = day + timedelta(7 * offset - day.weekday())
    return monday, monday + timedelta(6)


def _one(day: date) -> tuple[date, date]:
    return day, day


def _unit(day: date, unit: str, offset: int) -> tuple[date, date]:
    """The calendar week, month or year `offset` of them from that of `day`."""
    if unit == "year":
        return _years(day.year + offset)
    return _week(day, offset) if unit == "week" else _month(day, offset)


def _narrowed(first: date, last: date, part: str, published: date | None) -> tuple[date, date]:
    """Of a month its first ten days, its next ten or the rest, of a year four months; else all of it."""
    if part in {"earlier", "later"}:
        if published and first <= published <= last:
            return (first, published) if part == "earlier" else (published, last)
        return first, last
    third = {"early": 0, "mid": 1, "middle of": 1, "late": 2, "end of": 2}.get(part, 0)
    if (first, last) == _month(first):
        return first.replace(day=1 + 10 * third), first.replace(day=10 + 10 * third) if third < 2 else last
    return _month(first, 4 * third, 4) if (first, last) == _years(first.year) else (first, last)


def _dates(match: re.Match[str], year: int) -> Days:
    """The day or days "Oct. 14-16" or "Dec. 30 to Jan. 2" of a year, that of the first."""
    found = match.groupdict()
    month = _number(_MONTHS, found["month"])
    first = date(year, month, int(found["day"]))
    if not found["day2"]:
        return first, first
    month2 = _number(_MONTHS, found.get("month2") or found["month"])
    last = date(year + (month2 < month), month2, int(found["day2"]))
    return (first, last) if first < last else None


def _number(names: dict[str, int], word: str) -> int:
    return names[word[:3].lower()]


_MONTHS = {
    name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_WEEKDAYS = {name: n for n, name in enumerate("mon tue wed thu fri sat sun".split())}
_SEASONS = {"spr": 3, "sum": 6, "aut": 9, "fal": 9, "win": 12}  # their first months, as the north has them
_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_COUNTS = "one two three four five six seven eight nine ten eleven twelve".split()
_IN_DAYS = {"hour": 1 / 24, "day": 1, "week": 7}
_OFFSETS = {"last": -1, "this": 0, "next": 1}
# Names of events in the American press, seldom this year's day.
_EVENTS = {(1, 6), (9, 11)}


# Dates with their year.


def _iso(match: re.Match[str], _place: _Place, _published: date) -> Days:
    return _one(date.fromisoformat(match[0]))


def _full_date(match: re.Match[str], _place: _Place, _published: date) -> Days:
    found = match.groupdict()
    turns = found.get("month2") and _number(_MONTHS, found["month2"]) < _number(_MONTHS, found["month"])
    return _dates(match, int(found["year"]) - bool(turns))


def _month_of_year(match: re.Match[str], _place: _Place, published: date) -> Days:
    year = _year_of(match, published)
    first, last = _month(date(year, _number(_MONTHS, match["month"]), 1))
    if month2 := match.groupdict().get("month2"):
        first = date(year, _number(_MONTHS, month2), 1)
    return (first, last) if first < last else None


def _part_of_year(match: re.Match[str], _place: _Place, published: date) -> Days:
    months = 6 if match["size"] == "half" else 3
    nth = _NTH[match["nth"].lower()]
    january = date(_year_of(match, published), 1, 1)
    return _month(january, months * (nth - 1), months) if months * nth <= 12 else None


def _season_of_year(match: re.Match[str], _place: _Place, _published: date) -> Days:
    return _month(date(int(match["year"]), _number(_SEASONS, match["season"]), 1), 0, 3)


def _year(match: re.Match[str], place: _Place, _published: date) -> Days:
    """A bare number is a year after words that a number seldom follows, and before no noun it counts."""
    year = int(match["year"])
    if match["until"]:
        until = match["until"]
        last = int(until) if len(until) > 2 else year - year % 100 + int(until)
        return _years(year, last) if year < last <= year + 30 else None
    if _YEAR_AFTER.search(place.before) or (place.before.endswith("(") and place.after[:1] == ")"):
        return _years(year)
    return None


def _year_of(match: re.Match[str], published: date) -> int:
    found = match.groupdict()
    return int(found["year"]) if found.get("year") else published.year + _OFFSETS[found["which"]]


_YEAR_AFTER = re.compile(
    r"""(?:\b(?:[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Ff]rom|[Tt]hrough|[Tt]hroughout|[Dd]uring|[Bb]efore|[Aa]fter|[Ii]nto
    |of|for|[Aa]s|early|[Ee]arly|late|[Ll]ate|mid|[Aa]round|[Cc]irca|[Bb]etween|year|[Tt]he|[Aa]n?|[Hh]is|[Hh]er
    |[Ii]ts|[Tt]heir|[Oo]ur|[Mm]y|than\ in|back\ to|'s|winter)[ -]
    |\b[12]\d{3}(?:,|,?\ and|,?\ or|\ to|\ vs\.)\ )$""",
    re.VERBOSE,
)


# Days as the day of publication resolves them.


def _yearless(match: re.Match[str], place: _Place, published: date) -> Days:
    """The year is that of publication or a neighbour: by the weekday, else by nearness and tense."""
    found = match.groupdict()
    if found.get("which"):
        return _dates(match, _year_of(match, published))
    days = []
    for year in (published.year - 1, published.year, published.year + 1):
        with suppress(ValueError):  # 29 February of other years
            days.append(_dates(match, year))
    near = sorted((d for d in days if d), key=lambda d: abs(d[0] - published))
    if weekday := found.get("weekday"):
        return next((d for d in near if d[0].weekday() == _number(_WEEKDAYS, weekday)), None)
    if not near or (near[0][0].month, near[0][0].day) in _EVENTS:
        return None
    distance = abs(near[0][0] - published).days
    if distance <= 60:
        return near[0]
    tense = place.tense()
    if tense in {"past", "future"}:
        return next((d for d in near if (d[0] <= published) == (tense == "past")), None)
    return near[0] if near[0][0].year == published.year or distance <= 100 else None


def _named_month(match: re.Match[str], place: _Place, published: date) -> Days:
    """ "in March": the latest, but the next where the verb looks ahead; neither where nothing tells."""
    back = (published.month - _number(_MONTHS, match["month"])) % 12
    which = (match["which"] or "").lower()
    if which in {"last", "next"}:  # of that calendar year, so that "last February" is not this year's
        later = which == "next" and _number(_MONTHS, match["month"]) > published.month
        year = date(published.year + _OFFSETS[which], _number(_MONTHS, match["month"]), 1)
        return None if later else _month(year)
    if which == "this":
        return _month(date(published.year, _number(_MONTHS, match["month"]), 1))
    if which == "this past":
        return _month(published, -(back or 12))
    if which == "this coming":
        return _month(published, 12 - back)
    if not _is_month(match, place):
        return None
    if back == 0:
        return _month(published)
    tense = "past" if place.before.lower().endswith("since ") else place.tense()
    if tense == "past" or (tense != "future" and back <= 8):
        return _month(published, -back)
    return _month(published, 12 - back) if tense == "future" and back > 3 else None


def _is_month(match: re.Match[str], place: _Place) -> bool:
    """Whether a capitalised "May" or "August" is the month, and no person, march or modal verb."""
    name, after = match["month"], place.after
    if re.match(r"-[A-Z]|/| (?:Jones|Madness|Fourth|First)", after):
        return False
    if re.search(
        r"\b(?:weekend|week|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s? (?:in|of) $", place.before
    ):
        return False  # "the last Thursday of November"
    if re.search(
        r"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Dd]uring|[Tt]hrough|[Tt]hroughout|[Bb]etween) (?:early |late |mid-)?$",
        place.before,
    ) or _PART.search(place.before):
        return True
    person = name in {"April", "May", "June", "August"}
    if re.search(r"\b(?:[Bb]y|[Ff]rom|[Bb]efore|[Aa]fter|of|for|[Ll]ate|[Ee]arly) $", place.before):
        return not (person and re.match(r"'s| [A-Z]", after)) and name != "May"
    if re.search(rf"\b(?:{_MONTH_NAMES}),? (?:and|to|through|or|until) $", place.before):
        return not (person and re.match(r"'s| [A-Z]", after))
    if re.search(r"\b(?:[Tt]he|[Aa]n?|[Ii]ts|[Hh]is|[Hh]er|[Tt]heir|'s) $", place.before):
        return bool(re.match(r" (?!(?:on|for)\b)[a-z]", after))
    return not person and bool(re.match(r"'s [a-z]", after))


def _named_weekday(match: re.Match[str], place: _Place, published: date) -> Days:
    """The latest such weekday, of "Friday's vote will …" the next; nothing where both may be meant."""
    weekday = _number(_WEEKDAYS, match["weekday"])
    back = (published.weekday() - weekday) % 7
    which = (match["which"] or "").lower()
    latest, coming = published - timedelta(back), published + timedelta((7 - back) % 7)
    tense = place.tense()
    if _NO_DAY_BEFORE.search(place.before) or _NO_DAY_AFTER.match(place.after):
        return None
    if which in {"last", "past", "this past"}:
        return None if which == "last" and back == 1 else _one(published - timedelta(back or 7))
    if which == "next":  # said on a Monday, "next Friday" may be either
        return _one(published + timedelta(7 - back)) if weekday <= published.weekday() else None
    if which in {"this coming", "coming"}:
        return _one(published + timedelta(7 - back))
    if which == "this":
        return _one(latest if tense == "past" else coming)
    if back == 0 or tense == "past" or tense is None:
        return _one(latest)
    return _one(coming) if tense == "future" else None


_NO_DAY_BEFORE = re.compile(
    r"""(?:\b(?:[Ee]very|[Ee]ach|[Aa]ny|[Ss]ome|[Mm]ost|[Oo]ne|[Tt]hat|[Aa]nother|[Oo]n\ an?|[Ww]as\ an?|is\ an?
    |[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth|[Ff]ifth|[Ff]inal|[Pp]revious|[Ff]ollowing|[Ss]ame|Black|Good|Super
    |Easter|Palm|Cyber|Giving|Ash|Holy|Bloody|Fat|Shrove|Bowl|Sheffield|Ruby|Selection|Election|Mail\ on
    |(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?:\ through|\ to|-))\ ?|[-"])$""",
    re.VERBOSE,
)
_NO_DAY_AFTER = re.compile(
    r"""-|"|\ (?:(?:through|to|until)\ (?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|the\ \d|before|after|following|in\
    |of\b|Times|Telegraph|Mirror|Mail|Ticket|Post|Herald|Addams|[Nn]ight\ [A-Z]|Night|Morning|Nights?\b)""",
    re.VERBOSE,
)


def _weekend(match: re.Match[str], place: _Place, published: date) -> Days:
    saturday = published + timedelta(5 - published.weekday())
    which = match["which"].lower()
    tense = place.tense()
    offset: int | None
    if which in {"last", "this past", "next", "this coming"}:
        offset = {"last": -1, "this past": -1, "next": 1}.get(which, int(published.weekday() == 6))
    elif published.weekday() >= 5 or tense == "future":
        offset = 0
    elif which == "this":
        offset = 0 if published.weekday() >= 2 else -1 if tense == "past" else None
    else:
        offset = -1 if tense == "past" or published.weekday() <= 2 else None
    if offset is None:
        return None
    saturday += timedelta(7 * offset)
    return saturday, saturday + timedelta(1)


def _season(match: re.Match[str], place: _Place, published: date) -> Days:
    """ "this summer" is this year's; "last summer" said in October may be either."""
    month, which = _number(_SEASONS, match["season"]), match["which"].lower()
    if month == 12:
        if which == "this" and (published.month >= 9 or published.month <= 3):
            return _month(date(published.year - (published.month <= 3), 12, 1), 0, 3)
        if which == "last":
            return _month(date(published.year - 1 - (published.month <= 2), 12, 1), 0, 3)
        return None
    days = _month(date(published.year + _OFFSETS[which], month, 1), 0, 3)
    over = published > _month(date(published.year, month, 1), 0, 3)[1]
    begun = published.month >= month
    if which == "this" and over and place.tense() == "future":
        return None
    return None if (which == "last" and over) or (which == "next" and not begun) else days


def _calendar_unit(match: re.Match[str], place: _Place, published: date) -> Days:
    which = match["which"].lower()
    if which != "this" and re.search(
        r"(?:\b(?:the|a|an|his|her|its|their|our|my|your|every|each|very|to)|'s|-) ?$",
        place.before,
        re.IGNORECASE,
    ):
        return None
    return _unit(published, match["unit"], _OFFSETS[which])


def _stretch(match: re.Match[str], place: _Place, published: date) -> Days:
    """ "the past three months": up to the day of publication, or from it on."""
    count = count_of(match["count"])
    if match["which"] in {"next", "coming"}:
        return (published, shifted(published, match["unit"], count)) if place.tense() == "future" else None
    return shifted(published, match["unit"], -count), published


def _ago(match: re.Match[str], place: _Place, published: date) -> Days:
    if _NOT_EXACTLY.search(place.before):
        return None
    unit = match["exact"] or match["unit"]
    day = shifted(published, match["unit"], -count_of(match["count"]))
    return _one(day) if unit in {"day", "today"} else _unit(day, unit, 0)


_NOT_EXACTLY = re.compile(
    r"(?:\b(?:more than|over|at least|less than|fewer than|nearly|almost|about|around|roughly|some|under|up to|or|to|and"
    r"|than|half)|[-.,]) ?$",
    re.IGNORECASE,
)


def _near_day(match: re.Match[str], place: _Place, published: date) -> Days:
    word = match[0].lower()
    if match[0] in {"Today", "Tomorrow", "Yesterday"} and re.search(r'[\w,;] ?"?$', place.before):
        return None  # a name: USA Today
    if re.match(r"'s (?:world|society|age|era|dollars|money|terms|youth|standards)\b", place.after):
        return None
    if "before yesterday" in word:
        return _one(published - timedelta(2))
    if "after tomorrow" in word:
        return _one(published + timedelta(2))
    return _one(published + timedelta({"yesterday": -1, "last night": -1, "tomorrow": 1}.get(word, 0)))


# The rules, the longer before the shorter: the first that matches wins.


class _Rule(NamedTuple):
    pattern: str
    days: Callable[[re.Match[str], _Place, date], Days]
    relative: bool


_FULL_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_MONTH_NAMES = _FULL_MONTH
_MONTH_NAME = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_WEEKDAY = (
    r"(?P<weekday>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?)"
)
_TO = "(?: ?- ?| to | through | and | until | or | into )"
_ORDINAL = r"(?:st|nd|rd|th)?\b(?![.,:]?\d|%| ?[ap]\.?m\b)"
_MONTH_DAY = (
    rf"(?P<month>{_MONTH_NAME}) (?:the )?(?P<day>\d{{1,2}}){_ORDINAL}"
    rf"(?:{_TO}(?:(?P<month2>{_MONTH_NAME}) )?(?P<day2>\d{{1,2}}){_ORDINAL})?"
)
_DAY_MONTH = (
    rf"(?P<day>\d{{1,2}}){_ORDINAL}(?:{_TO}(?P<day2>\d{{1,2}}){_ORDINAL})? (?:of )?(?P<month>{_MONTH_NAME})"
)
_YEAR = r"(?P<year>[12]\d{3})(?![\d-]|[.,]\d)"
_NO_COUNT = (
    r"(?! (?:people|percent|per cent|million|billion|men|women|children|others?|more|years?|months?|weeks|days|hours"
    r"|minutes|points|miles|kilomet|km|met(?:er|re)s|feet|pounds|dollars|euros|troops|soldiers|votes|jobs|tons|cases"
    r"|yards|deaths|students|workers|times|GMT|or so)\b)"
)
_UNIT = "(?P<unit>week|month|year)"
_THIS = "(?P<which>[Tt]his past|[Tt]his coming|[Tt]his|[Ll]ast|[Nn]ext)"
_OF_THIS_YEAR = ",? (?:of )?(?P<which>last|this|next) year"
_COUNT = rf"(?P<count>[Aa]n?|{'|'.join(f'[{w[0].upper()}{w[0]}]{w[1:]}' for w in _COUNTS)}|\d{{1,3}})"
_ALL = (
    _Rule(r"(?<![\d-])\d{4}-\d\d-\d\d(?![\d-])", _iso, relative=False),
    _Rule(rf"(?:{_WEEKDAY},? (?:the )?)?{_MONTH_DAY},? (?:of )?{_YEAR}", _full_date, relative=False),
    _Rule(
        rf"(?:{_WEEKDAY},? (?:the )?)?(?<![\d.,-]){_DAY_MONTH},? (?:of )?{_YEAR}", _full_date, relative=False
    ),
    _Rule(
        rf"(?P<month2>{_MONTH_NAME}){_TO}(?P<month>{_MONTH_NAME}),? (?:of )?{_YEAR}",
        _month_of_year,
        relative=False,
    ),
    _Rule(rf"(?P<month>{_MONTH_NAME}),? (?:of )?{_YEAR}", _month_of_year, relative=False),
    _Rule(
        rf"(?P<nth>[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth)[ -](?P<size>quarter|half) (?:of )?{_YEAR}",
        _part_of_year,
        relative=False,
    ),
    _Rule(rf"(?P<size>Q)(?P<nth>[1-4]) (?:of )?{_YEAR}", _part_of_year, relative=False),
    _Rule(
        rf"(?P<season>[Ss]pring|[Ss]ummer|[Aa]utumn|[Ff]all) (?:of )?{_YEAR}", _season_of_year, relative=False
    ),
    _Rule(
        r"(?<![\d.,:/$£€#-])(?P<year>[12]\d{3})(?:(?:-| to | through )(?P<until>\d{4}|\d\d))?(?![\w/%-]|[.,:]\d)(?!'s\b\d)"
        + _NO_COUNT,
        _year,
        relative=False,
    ),
    _Rule(
        rf"(?:{_WEEKDAY},? (?:the )?)?{_MONTH_DAY}{_NO_COUNT}(?:{_OF_THIS_YEAR})?", _yearless, relative=True
    ),
    _Rule(
        rf"(?:{_WEEKDAY},? (?:the )?)?(?<![\d.,-]){_DAY_MONTH}(?:{_OF_THIS_YEAR})?", _yearless, relative=True
    ),
    _Rule(rf"(?P<month>{_FULL_MONTH}){_OF_THIS_YEAR}", _month_of_year, relative=True),
    _Rule(
        rf"(?P<nth>[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth)[ -](?P<size>quarter|half){_OF_THIS_YEAR}",
        _part_of_year,
        relative=True,
    ),
    _Rule(rf"(?:{_THIS} )?(?P<month>{_FULL_MONTH})\b(?! \d{{4}})", _named_month, relative=True),
    _Rule(
        rf"(?:{_THIS} )?(?P<weekday>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b(?: morning| afternoon| evening| night)?(?!\w)",
        _named_weekday,
        relative=True,
    ),
    _Rule(
        r"(?P<which>[Tt]his past|[Tt]his coming|[Tt]his|[Ll]ast|[Nn]ext|(?:[Oo]ver|[Aa]t|[Dd]uring|[Oo]n|[Tt]hroughout) the) weekend\b(?! of| before| after)",
        _weekend,
        relative=True,
    ),
    _Rule(
        r"(?P<which>[Tt]his|[Ll]ast|[Nn]ext) (?P<season>spring|summer|autumn|fall|winter)\b",
        _season,
        relative=True,
    ),
    _Rule(
        rf"(?:[Tt]he|[Tt]his) (?P<which>past|last|next|coming) (?:{_COUNT} )?(?P<unit>hour|day|week|month|year)s?\b(?! of\b| in\b| before| when)",
        _stretch,
        relative=True,
    ),
    _Rule(rf"(?P<which>[Tt]his|[Ll]ast|[Nn]ext) {_UNIT}\b", _calendar_unit, relative=True),
    _Rule(
        rf"{_COUNT} (?P<unit>day|week|month|year)s? ago(?: (?:today|this (?P<exact>week|month)))?\b",
        _ago,
        relative=True,
    ),
    _Rule(
        r"(?:the )?day (?:before yesterday|after tomorrow)|[Yy]esterday\b|[Tt]omorrow\b|[Tt]oday\b|[Tt]onight\b|[Ll]ast night\b|[Tt]his (?:morning|afternoon|evening)\b",
        _near_day,
        relative=True,
    ),
)
_RULES = [(rule, re.compile(rule.pattern)) for rule in _ALL]
# Every rule begins with one of these; tried first, they make the search several times as fast.
_HEAD = (
    r"\b(?=\d|Jan|Feb|Ma[ry]|Apr|Ju[nl]|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Q\d|[Tt]his |[Ll]ast |[Nn]ext "
    r"|[Tt]he (?:past|last|next|coming|day) |day (?:be|af)|(?:[Oo]ver|[Aa]t|[Dd]uring|[Oo]n|[Tt]hroughout) the w"
    r"|[Yy]est|[Tt]od|[Tt]om|[Tt]oni|[Ss]pr|[Ss]um|[Aa]utumn|[Ff]all|(?:[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth)[ -][qh]"
    rf"|{_COUNT} (?:day|week|month|year)s? ago)"
)
_ANY = re.compile(
    _HEAD.replace("?P<count>", "?:")
    + "(?:"
    + "|".join(
        f"(?P<r{n}>{re.sub(r'[(][?]P<[a-z0-9]+>', '(?:', rule.pattern)})" for n, rule in enumerate(_ALL)
    )
    + ")"
)
_PART = re.compile(
    r"\b(?P<part>[Ee]arl(?:y|ier)|[Ll]ater?|[Mm]id|(?:[Bb]eginning|[Ss]tart|[Mm]iddle|[Ee]nd) of)(?: in)?[ -]$"
)
_LONGEST_PART = len("x beginning of in ")
