"""What a question says about time and about who speaks, and how that is understood."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from indexer.mentions import plain
from indexer.models import Span
from service.asking.speakers import Speaker, find_speaker
from service.asking.windows import (
    CLAUSE,
    OPENING,
    EventDays,
    Window,
    asking_sentences,
    find_windows,
    stands_free,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of the question and what it was taken to mean, in words for its reader."""

    span: Span
    kind: Literal["published", "about", "newest_first", "speaker", "not_understood"]
    meaning: str


@dataclass(frozen=True, slots=True)
class Interpretation:
    """All that was found. `newest` is the word that asks for the latest, `not_understood` the events that
    nothing is known of: nothing follows from them. The published windows have days in common."""

    windows: tuple[Window, ...] = ()
    newest: Span | None = None
    speaker: Speaker | None = None
    not_understood: tuple[Span, ...] = ()

    @property
    def newest_first(self) -> bool:
        """Whether the question asks for the state of things or the latest: a preference, no filter."""
        return self.newest is not None

    @property
    def published(self) -> tuple[date | None, date | None]:
        """The first and the last day of publication that all windows allow; None where any is allowed."""
        return _common([one for one in self.windows if one.kind == "published"])

    @property
    def about(self) -> tuple[Window, ...]:
        return tuple(one for one in self.windows if one.kind == "about")

    @property
    def findings(self) -> list[Finding]:
        """Everything that was found, in the order of the question."""
        found = [Finding(one.span, one.kind, _in_words(one)) for one in self.windows]
        if self.newest:
            found.append(Finding(self.newest, "newest_first", "newer articles first"))
        if self.speaker:
            found.append(Finding(self.speaker.span, "speaker", f"said by {self.speaker.name or 'anybody'}"))
        found += [
            Finding(span, "not_understood", "the articles do not tell when that was")
            for span in self.not_understood
        ]
        return sorted(found, key=lambda one: one.span)


def interpret(question: str, today: date, event_days: EventDays = lambda _: None) -> Interpretation:
    """What an English question, asked on the day `today`, says of time and of who speaks.

    `event_days` tells the days of an event ("the invasion"), None where they are not known. Precision
    first: a date inside a clause of its own or attached to a noun is never a bound.
    """
    text = _capitalised(plain(question))
    asking = asking_sentences(text)
    newest = list(_newest(text, asking))
    windows, unknown = find_windows(text, asking, today, event_days, newest)
    published = [one for one in windows if one.kind == "published"]
    first, last = _common(published)
    if first and last and first > last:
        windows = [Window(one.span, "about", one.first, one.last, one.event) for one in windows]
    return Interpretation(
        windows=tuple(windows),
        newest=newest[0] if newest else None,
        speaker=_without_dates(find_speaker(question), question, windows),
        not_understood=tuple(unknown),
    )


def _common(windows: list[Window]) -> tuple[date | None, date | None]:
    return (
        max((one.first for one in windows if one.first), default=None),
        min((one.last for one in windows if one.last), default=None),
    )


def _in_words(window: Window) -> str:
    what = "published" if window.kind == "published" else "published in or speaking of"
    event = f" ({window.event})" if window.event else ""
    first, last = window.first, window.last
    if first and last:
        days = f"{first}" if first == last else f"{first} to {last}"
        if window.kind == "published":
            days = f"on {first}" if first == last else f"from {first} to {last}"
    elif first:
        days = f"from {first} on" if window.kind == "published" else f"{first} or later"
    else:
        days = f"up to {last}" if window.kind == "published" else f"{last} or earlier"
    return f"{what} {days}{event}"


def _without_dates(speaker: Speaker | None, question: str, windows: list[Window]) -> Speaker | None:
    """The same speaker, with a topic that does not name the days of publication."""
    if speaker is None:
        return None
    start, end = speaker.topic_span
    kept = list(question[start:end])
    for one in windows:
        if one.kind == "published" or one.span.start == start:
            for at in range(max(start, one.span.start), min(end, one.span.end)):
                kept[at - start] = ""
    topic = re.sub(r"^\s*(?:about|of|on|regarding) ", "", "".join(kept))
    topic = " ".join(topic.split()).strip(" ,?")
    return Speaker(speaker.span, speaker.name, speaker.named, topic, speaker.topic_span)


def _capitalised(text: str) -> str:
    """Months and weekdays as they are written, where a hasty question has them small."""
    return _SMALL.sub(lambda match: match[0][:-1] + match[0][-1].upper(), text)


# "march" and "may" are months only where they can be nothing else.
_SMALL = re.compile(
    r"""\b(?:j(?=anuary\b|une\b|uly\b)|f(?=ebruary\b)|a(?=pril\b|ugust\ (?!body|company))|s(?=eptember\b)
    |o(?=ctober\b)|n(?=ovember\b)|d(?=ecember\b)|m(?=onday\b)|t(?=uesday\b|hursday\b)|w(?=ednesday\b)|f(?=riday\b)
    |s(?=aturday\b|unday\b)
    |(?:in|since|until|during|last|this|next|early|late|mid|between|of|from)\ [ma](?=arch\b|ay\b|ugust\b)
    |\d\ m(?=arch\b|ay\b)|m(?=arch\ \d|ay\ \d))""",
    re.VERBOSE,
)


def _newest(text: str, asking: list[Span]) -> Iterator[Span]:
    for sentence in asking:
        for match in _NEWEST.finditer(text, *sentence):
            if not CLAUSE.search(OPENING.sub("", text[sentence.start : match.start()])):
                yield Span(*match.span())
        for match in re.finditer(r"\btoday\b", text[slice(*sentence)]):
            span = Span(sentence.start + match.start(), sentence.start + match.end())
            if _state_of_things(text, asking, span):
                yield span


def _state_of_things(text: str, asking: list[Span], today: Span) -> bool:
    """Whether "today" means the present: "Where do things stand today?", not "What happened today?"."""
    if not stands_free(text, asking, today):
        return False
    before = text[: today.start]
    return bool(_PRESENT.search(before)) and not _PAST.search(before)


_PRESENT = re.compile(r"\b(?:is|are|do|does|stands?)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:was|were|did|had|happen\w*|happening|being|opening|going)\b", re.IGNORECASE)
_NEWEST = re.compile(
    r"""\b(?:(?i:latest|newest|most\ recent(?:ly)?|right\ now|at\ the\ moment|at\ present|so\ far|nowadays
    |these\ days|up\ to\ date|what(?:'s|\ is)\ new|any\ (?:news|updates?)|updates?\ on|just\ now)
    |(?<!-)currently|recently|now(?!-|\ that\b|\ and\ then)
    |(?<!electric\ )(?<!alternating\ )(?<!direct\ )(?<!ocean\ )(?<!under\ )current
        (?=\ [a-z])(?!\ (?:accounts?|affairs|events|of|in|flow)\b))
    \b(?!-)""",
    re.VERBOSE,
)
