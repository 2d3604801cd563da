"""The days a question asks for: whether they bound when an article appeared, or are those of an event."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from indexer.mentions import Days, Mention, count_of, mentions, shifted
from indexer.models import Span
from indexer.passages import sentences

EventDays: TypeAlias = Callable[[str], Days]


@dataclass(frozen=True, slots=True)
class Window:
    """Days that a question speaks of, `first` to `last` inclusive; None where it leaves an end open.

    `published` bounds when an article appeared. `about` may be the day of the event as well as of its
    report: articles of those days, or speaking of them, are to be preferred, and none is to be left out.
    `event` is the event that stands for a date, as the question has it.
    """

    span: Span
    kind: Literal["published", "about"]
    first: date | None
    last: date | None
    event: str | None = None


class _Dated(NamedTuple):
    """A date in a question with the word before it ("since"), "" without one."""

    span: Span
    lead: str
    first: date
    last: date


def find_windows(
    text: str, asking: list[Span], today: date, event_days: EventDays, ignored: list[Span]
) -> tuple[list[Window], list[Span]]:
    """The windows of a text in their order, and the events whose days are not known.

    `asking` are the sentences that ask; what overlaps `ignored` is no date.
    """
    found: list[Window] = []
    unknown: list[Span] = []
    dates = [one for one in _dates(text, today) if not any(_overlap(one.span, other) for other in ignored)]
    # What a date goes with is looked for without the others: "since March and before May".
    undated = _blanked(text, [one.span for one in dates])
    for event in _events(text, asking):
        if any(one.span.start <= event.start < one.span.end for one in dates):
            continue  # "since the end of May": a date
        own = [one for one in dates if _dates_event(text, one.span, event)]
        dates = [one for one in dates if one not in own]
        days = (own[0].first, own[0].last) if own else event_days(event.phrase)
        span = Span(event.start, max([event.end, *(one.span.end for one in own)]))
        if days is None:
            unknown.append(span)
        else:
            bounds = _bounds(event.lead, days, today, of_event=True)
            found.append(Window(span, "published" if bounds else "about", *(bounds or days), event.phrase))
    for one in dates:
        bounds = _bounds(one.lead, (one.first, one.last), today, of_event=False)
        if bounds and (
            _of_publication(text, one)
            or (_bounding(text, one) and stands_free(undated, asking, one.span, one.lead))
        ):
            if bounds[0] and _THIS_WEEK.search(text, *one.span):
                bounds = min(bounds[0], _week_before(today)), bounds[1]
            found.append(Window(one.span, "published", *bounds))
        else:
            found.append(Window(one.span, "about", one.first, one.last))
    return sorted(found, key=lambda one: one.span), unknown


def _blanked(text: str, spans: list[Span]) -> str:
    for start, end in spans:
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _week_before(today: date) -> date:
    """The first of seven days up to today: what "this week" reaches back to in speech. As the calendar's
    week it left out the article of 4 of 30 questions of newsquiz."""
    return today - timedelta(min(6, today.toordinal() - 1))


_THIS_WEEK = re.compile(r"\bthis week\b", re.IGNORECASE)


def _bounds(
    lead: str, days: tuple[date, date], today: date, *, of_event: bool
) -> tuple[date | None, date | None] | None:
    """What "since" and its like make of days; an event's own day belongs to what came after it.

    None where that bounds nothing: what is to come has not been reported, and all has been by 2028.
    """
    bounds: tuple[date | None, date | None] = days
    with suppress(OverflowError):  # before the first of all days, or after the last
        if lead in _SINCE or (of_event and lead in _AFTER):
            bounds = days[0], None
        elif lead in _AFTER:
            bounds = days[1] + timedelta(1), None
        elif lead in _BEFORE:
            bounds = None, days[0] - timedelta(1)
        elif lead in _UNTIL:
            bounds = None, days[1]
        first, last = bounds
        if first <= today if first else last is not None and last < today:
            return bounds
    return None


_NEWS = r"(?:articles?|stories|news|headlines|coverage|editorials?|columns?|reports)"
_SINCE = {"since", "from on"}
_AFTER = {"after", "later than", "following"}
_BEFORE = {"before", "prior to", "earlier than"}
_UNTIL = {"until", "till", "up to"}
_OPEN_ENDED = _SINCE | _AFTER | _BEFORE | _UNTIL
_LEAD = re.compile(
    r"""\b(?P<lead>since|after|later\ than|following|before|prior\ to|earlier\ than|until|till|up\ to|between
    |from|as\ of|in|on|of|during|over|within|at|by|for)\ (?:the\ |about\ |around\ )?$""",
    re.VERBOSE | re.IGNORECASE,
)
_ONWARDS = re.compile(r" (?:on(?:wards?)?|forward)\b(?! \w+day)", re.IGNORECASE)
_EPOCH = re.compile(rf"[Tt]oday's (?!(?:\w+ )?{_NEWS}\b)")
_PLACES = {"in", "on", "of", "at", "by", "for"}
_ADVERB = re.compile(r"(?:this|last|next|to|yester)", re.IGNORECASE)
_FROM_MAY = re.compile(r"\b(?:from|before|after)(?= (?:early |late )?May\b(?! [A-Z]|'s))")
_JOINED = {" and ", " to ", " until ", " till ", " through ", "-", " - ", " and the "}


def _dates(text: str, today: date) -> Iterator[_Dated]:
    """Every date, ranges of two dates as one, each with the word before it."""
    # In a question "from May" is a month; to `mentions`, which reads names too, only "in May" is for sure.
    read = _FROM_MAY.sub(lambda lead: "in".rjust(len(lead[0])), text)
    found = sorted([*mentions(read, today), *_rough(text, today)])
    at = 0
    while at < len(found):
        span, first, last = found[at]
        at += 1
        if at > 1 and span.start < found[at - 2].span.end:
            continue
        if _EPOCH.match(text, span.start):
            continue
        lead = _LEAD.search(text, max(0, span.start - 20), span.start)
        if lead and lead["lead"].lower() in _PLACES and _ADVERB.match(text, span.start):
            lead = None  # "the show he appeared on this week"
        word = lead["lead"].lower() if lead else ""
        if word in {"between", "from"} and at < len(found):
            until = found[at]
            if text[span.end : until.span.start] in _JOINED:
                at += 1
                if first > until.last:
                    continue
                span, last = Span(span.start, until.span.end), until.last
        if word == "from" and (onwards := _ONWARDS.match(text, span.end)):
            word, span = "from on", Span(span.start, onwards.end())
        yield _Dated(Span(lead.start() if lead else span.start, span.end), word, first, last)


def _rough(text: str, today: date) -> Iterator[Mention]:
    """Stretches up to today that only a question may name so loosely: "last 3 weeks", "recent months"."""
    for match in _ROUGH.finditer(text):
        if match["count"] is None and match["which"].lower() == "last":
            continue  # "last week" is a calendar's, "the last days" anybody's
        count = _FEW if (match["count"] or "few") in _SOME else count_of(match["count"])
        try:
            yield Mention(Span(*match.span()), shifted(today, match["unit"].lower(), -count), today)
        except (ValueError, OverflowError):
            continue
    for match in _START_OF.finditer(text):
        starts = {
            "year": today.replace(month=1, day=1),
            "month": today.replace(day=1),
            "week": today - timedelta(min(today.weekday(), today.toordinal() - 1)),
        }
        first = starts[match["unit"].lower()]
        yield Mention(Span(*match.span()), first, first)


_FEW = 7  # what "a few" may be at most
_SOME = {"few", "couple of", "several"}
_ROUGH = re.compile(
    r"""(?<!his\ )(?<!her\ )(?<!its\ )(?<!their\ )(?<!'s\ )\b(?P<which>last|past|recent)
    \ (?:(?P<count>few|couple\ of|several|two|three|four|five|six|seven|eight|nine|ten|eleven
    |twelve|\d{1,3})\ )?(?P<unit>day|week|month|year)s
    \b(?!\ (?:of|in|before|ago)\b|')""",
    re.VERBOSE | re.IGNORECASE,
)
_START_OF = re.compile(r"\b(?:beginning|start) of the (?P<unit>year|month|week)\b", re.IGNORECASE)


# Whether a date bounds publication.


def _bounding(text: str, one: _Dated) -> bool:
    """Whether a date is of a kind that bounds: "since …" and its like, and what is near to today. A bare
    date or month may be the day of the event, and its reports may stand later."""
    if one.lead in _OPEN_ENDED or one.lead == "between":
        return True
    phrase = text[one.span.start : one.span.end]
    return bool(_NEAR.search(phrase)) and not re.match(r"(?:by|for|later)\b", phrase, re.IGNORECASE)


_NEAR = re.compile(
    r"""\b(?:today|tonight|yesterday|(?:last|this\ past|past)\ (?:night|weekend|week|month|\w+day)
    |this\ (?:morning|afternoon|evening|weekend|week|month|year)|the\ weekend|(?:days?|weeks?)\ ago
    |(?:past|last|recent)\ (?:[\w ]+\ )?(?:hour|day|week|month|year)s)\b""",
    re.VERBOSE | re.IGNORECASE,
)


def asking_sentences(text: str) -> list[Span]:
    """The sentences that ask: those with a question mark, or the only one. What is told before the
    question sets its scene."""
    found = sentences(text)
    asking = [span for span in found if "?" in text[span.start : span.end]]
    return asking or (found if len(found) == 1 else found[-1:])


def stands_free(text: str, asking: list[Span], span: Span, lead: str = "") -> bool:
    """Whether a date goes with what the question asks, and not with a noun or another clause in it."""
    start, end = span
    for sentence in asking:
        if sentence.start <= start and end <= sentence.end:
            before = OPENING.sub("", text[sentence.start : start])
            after = text[end : sentence.end]
            break
    else:
        return False
    if re.match(r"['\w-]", after):
        return False
    if not before.strip(" ,") and not OPENING.match(text[sentence.start : start]):
        return True
    if CLAUSE.search(before) or _VERB_FOLLOWS.search(after):
        return False
    if lead in _OPEN_ENDED:
        return _RANKED.search(before) is None
    governed = _GOVERNED.search(before)
    return governed is None or bool(_AUXILIARY.search(governed[0]))


_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|been|do|does|did|has|have|had|will|would|can|could|should|may|might|must)\b"
)
_QUESTION_WORD = r"(?:what|who|whom|whose|which|when|where|why|how)(?:'s|'re|'d)?"
OPENING = re.compile(
    rf"""^\W*(?:according\ to\ [^,?]{{1,80}},\ )?(?:(?:and|but|so|also|then|about|approximately|roughly)\ )?
    (?:(?:can|could|would|will)\ you\ |please\ |i\ want\ to\ |i'd\ like\ to\ )*
    (?:(?:do\ you\ know|know|tell|show|explain|remind|list|find|give|summari[sz]e)(?:\ me|\ us)?\ )?
    (?:(?:to|in|on|at|by|for|from|of|with|under)\ )?{_QUESTION_WORD}\b\s?""",
    re.VERBOSE | re.IGNORECASE,
)
CLAUSE = re.compile(
    rf"\b(?:{_QUESTION_WORD}|that|while|because|after|before|since|if|whether|although|though|than|once)\b",
    re.IGNORECASE,
)
_VERB_FOLLOWS = re.compile(rf"(?:{_AUXILIARY.pattern}|\b{_QUESTION_WORD}\b)")
_GOVERNED = re.compile(
    r"(?:\bof (?:the )?[\w'.-]+|\b(?:about|on|over|following|during|regarding|concerning|from|against|behind)"
    r"(?: [\w'.-]+){1,4})\s*$"
)
_RANKED = re.compile(
    r"\b(?:first|only|highest|lowest|biggest|largest|worst|best|longest|strongest|deadliest|most|fewest"
    r"|record)\b",
    re.IGNORECASE,
)


def _of_publication(text: str, one: _Dated) -> bool:
    """Whether a date is said outright to be that of articles."""
    before, after = text[: one.span.start], text[one.span.end :]
    if _NEWS_OF_IT.match(after):
        return True
    # "articles about the flood in May" may be of any month, "articles about the flood from May" of May.
    apart = one.lead in _OPEN_ENDED | {"from", "between"} or _NEAR.search(text, *one.span)
    pattern = _PUBLISHED if apart else _PUBLISHED_DIRECTLY
    return bool(pattern.search(before))


_NEWS_OF_IT = re.compile(rf"'s? (?:\w+ )?{_NEWS}\b", re.IGNORECASE)
_APPEARED = r"(?:published|printed|written|posted|reported|dated)"
_PUBLISHED_DIRECTLY = re.compile(
    rf"(?:\b{_NEWS}(?: (?:that|which)(?: (?:was|were))?)?(?: {_APPEARED}| that appeared)?"
    rf"|^\W*(?:what|which things) (?:was|were|has been|have been) {_APPEARED}"
    rf"|^\W*what (?:did|has|have) [^?]{{1,60}} (?:reported|report|published|publish|written|write)"
    rf"|\b{_NEWS}\b[^,?]{{1,60}} {_APPEARED}|^\W*{_APPEARED}) ?$",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(
    rf"(?:{_PUBLISHED_DIRECTLY.pattern[:-3]}|\b{_NEWS} (?:about|on) [^,?]{{1,60}}"
    r"|^\W*what (?:did|has|have) [^?]{1,60} (?:report|publish|write)\w* (?:about|on|of) [^,?]{1,60}) ?$",
    re.IGNORECASE,
)


# Events.


class _Event(NamedTuple):
    """ "since the invasion": `phrase` is the event, `clause_end` where what is said of it ends."""

    start: int
    end: int
    lead: str
    phrase: str
    clause_end: int


def _dates_event(text: str, date_span: Span, event: _Event) -> bool:
    """Whether a date is told of an event: "since the invasion began on February 24"."""
    if not event.start < date_span.start < event.clause_end:
        return False
    return len(text[event.end : date_span.start].split()) <= _FEW_WORDS


_FEW_WORDS = 2  # between an event and its own date


def _events(text: str, asking: list[Span]) -> Iterator[_Event]:
    for match in _EVENT.finditer(text):
        phrase = _EVENT_ENDS.split(match["event"])[0].rstrip()
        if _DOES.search(phrase) or _DOES.match(match["event"][len(phrase) :]):
            continue  # "after the council refused": what somebody did
        start, end = match.start(), match.start("event") + len(phrase)
        lead = match["lead"].lower()
        if lead in _BEFORE and _BODY.search(phrase):
            continue  # "before the court" is a place
        if _NAMED_AFTER.search(text, 0, start):
            continue
        if stands_free(text, asking, Span(start, match.end())):
            yield _Event(start, end, lead, phrase, match.end())


_EVENT = re.compile(
    r"""\b(?P<lead>[Ss]ince|[Aa]fter|[Bb]efore|[Uu]ntil|[Tt]ill|[Ff]ollowing|[Pp]rior\ to)
    \ (?P<event>(?:[Tt]he|[Hh]is|[Hh]er|[Ii]ts|[Tt]heir|[A-Z][\w.]*(?:\ [A-Z][\w.]*){0,3}'s?)
    \ (?:[\w'.-]+(?:\ |\b)){1,8})""",
    re.VERBOSE,
)
_EVENT_ENDS = re.compile(
    rf" (?:{_AUXILIARY.pattern}|\b(?:came|took|began|started|broke|happened|occurred|hit|struck|ended"
    r"|that|which|who|when|where|to|about|regarding|and|or|but|so)\b)"
)
_DOES = re.compile(rf"(?:\w [\w'-]+ \w+ed\b|^ {_AUXILIARY.pattern})")
_BODY = re.compile(r"\b(?:council|court|committee|judges?|panel|board|parliament|congress|commission|jury)\b")
_NAMED_AFTER = re.compile(r"\b(?:named|looks?|looking|looked|called|taken|takes?|go|goes) $", re.IGNORECASE)
