"""When an event was, by what the articles themselves say: "the invasion of Ukraine last February"."""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from indexer.generation import Generation
from indexer.mentions import Days
from indexer.models import EVERYTHING, Article, Passage, Span
from indexer.passages import sentences
from indexer.words import content_terms, occurrences

_PASSAGES = 60  # looked at for one event
_MOST_TERMS = 6  # of one event; a longer phrase is a sentence
_NEAR = 3  # words between event and date, for the date to be the event's own
_FAR = 9  # words between them, for the date to count at all
_NEAR_WEIGHT, _FAR_WEIGHT = 3, 1
_LONGEST = 31  # days of a date that says anything of an event
_ALLOWED, _NAMED = 0.75, 0.3  # of all votes: those that allow the days elected, and those that name them


class _Vote(NamedTuple):
    """Days that one story names beside the event."""

    story: tuple[int | None, int]
    first: date
    last: date


def event_days(generation: Generation, phrase: str) -> Days:
    """The days of an event as the collection dates it, first and last; None where it does not, or does not
    agree with itself: "the election" is many, "the flood" may be one.

    Each story votes once for each date that stands in a sentence with all of the event's words, by how near
    it stands to them. Elected are the shortest days, a month at most, that most votes allow and a good part
    of them name; where only one story names them, no other may speak of different days.
    """
    terms = set(content_terms(phrase))
    if not terms or len(terms) > _MOST_TERMS or generation.fulltext.lacking:
        return None
    rows = generation.fulltext.search(sorted(terms), _PASSAGES, EVERYTHING)[0].tolist()
    mentioned = generation.corpus.mentions(rows)
    votes: dict[_Vote, int] = {}
    for (passage, article), (number, story), row in zip(
        generation.corpus.read(rows), generation.columns.articles_of(rows), rows, strict=True
    ):
        for mention in mentioned.get(row, []):
            days = date.fromisoformat(mention.first), date.fromisoformat(mention.last)
            between = _words_between(terms, passage, article, mention.span)
            if between is None or between > _FAR or (days[1] - days[0]).days >= _LONGEST:
                continue
            vote = _Vote((None, number) if story is None else (story, 0), *days)
            votes[vote] = max(votes.get(vote, 0), _NEAR_WEIGHT if between <= _NEAR else _FAR_WEIGHT)
    return _elected(votes)


def _words_between(terms: set[str], passage: Passage, article: Article, mention: Span) -> int | None:
    """How many words part a date from the nearest word of the event; None where its sentence has not all
    of the event's words, or a comma parts them."""
    start, end = mention.start - passage.start, mention.end - passage.start
    for sentence in _around(passage, article, start):
        found = [
            (term, Span(sentence.start + place.start, sentence.start + place.end))
            for term, place in occurrences(passage.text[slice(*sentence)], terms)
        ]
        if {term for term, _ in found} != terms:
            return None
        gaps = [
            passage.text[place.end : start] if place.end <= start else passage.text[end : place.start]
            for _, place in found
            if place.end <= start or place.start >= end
        ]
        return min((len(_WORD.findall(gap)) for gap in gaps if not _PARTED.search(gap)), default=None)
    return None


def _around(passage: Passage, article: Article, at: int) -> Iterator[Span]:
    for sentence in sentences(passage.text, article.language):
        if sentence.start <= at < sentence.end:
            yield sentence


_WORD = re.compile(r"\w+")
_PARTED = re.compile(r"[,;:()]")


def _elected(votes: dict[_Vote, int]) -> Days:
    total = sum(votes.values())
    elected: list[tuple[int, int, date, date]] = []
    for first, last in {(vote.first, vote.last) for vote in votes}:
        inside = {vote: weight for vote, weight in votes.items() if first <= vote.first and vote.last <= last}
        named = sum(inside.values())
        allowed = named + sum(
            weight
            for vote, weight in votes.items()
            if vote not in inside and vote.first <= first and last <= vote.last
        )
        needed = total if len({vote.story for vote in inside}) == 1 else _ALLOWED * total
        if allowed >= needed and named >= _NAMED * total and max(inside.values()) == _NEAR_WEIGHT:
            elected.append(((last - first).days, -named, first, last))
    return min(elected)[2:] if elected else None
