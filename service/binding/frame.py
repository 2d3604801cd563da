"""What may stand around quotations: the source's own words next to them, and who says it, in a few forms."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from indexer.models import Article
from indexer.quotes.words import DAYS
from indexer.words import stems
from service.binding.ground import Place
from service.binding.words import ARTICLES, FIRST_PERSON, PERSONAL, SAYING, words_of
from service.evidence import straightened

_MOST_WORDS = 60  # between two quotations
_JOINS = frozenset({"and", "but", "while"})
_OF_ARTICLE = frozenset({"article", "newspaper", "story"})
_VERB = "|".join(sorted(SAYING))
_ENDS_DAY = "|".join([r"\d[\d-]*", *(day for day in sorted(DAYS) if day.isalpha())])
_DAY = rf"(?: (?P<{{}}>(?:on|in|of) (?:\S+ ){{{{0,3}}}}?(?:{_ENDS_DAY})))?"
_HE_SAYS = "(?:said (?:that )?(?:he|she|they) )?"
_SAYS = (
    rf"(?:(?:has|have|had) )?(?:also )?(?:(?P<no>(?:do|does|did) not|(?:do|does|did)n't) )?(?P<verb>{_VERB})"
)
_TOLD = r"(?: (?P<to>(?<=told )\S+(?: \S+){0,3}?))?"
_WHO = r"(?P<who>\S+(?: \S+)*?)"
_ACCORDING = re.compile(rf"according to {_WHO}{_DAY.format('day')}")
_BEFORE = re.compile(
    rf"(?:in (?:the|this) article )?{_WHO}{_DAY.format('day')} "
    rf"{_HE_SAYS}{_SAYS}{_TOLD}{_DAY.format('also')}(?: that)?(?: (?P<self>he|she|they))?"
)
_TURNED_BEFORE = re.compile(rf"{_SAYS} {_WHO}{_DAY.format('day')}(?: that)?")
_BEHIND = re.compile(rf"{_WHO} {_SAYS}{_TOLD}{_DAY.format('day')}")
_TURNED_BEHIND = re.compile(rf"{_SAYS} {_WHO}{_DAY.format('day')}")


class Telling(NamedTuple):
    """That somebody says it, as a sentence tells it; all in small letters."""

    who: tuple[str, ...]
    verb: str
    is_negated: bool
    refers: bool
    """Whether "he" stands for who speaks, right before the quotation."""
    days: tuple[str, ...]
    to: tuple[str, ...]


@dataclass(frozen=True)
class Joint:
    """A way to read what stands between two quotations, or before the first or behind the last: so many of
    the source's words behind the one and before the other, and between them who says either."""

    behind: int = 0
    tail: Telling | None = None
    joins: bool = False
    head: Telling | None = None
    before: int = 0


def joints(segment: str, left: Place | None, right: Place | None) -> Iterator[Joint]:
    """The ways to read a segment, those with the most of the source's words first."""
    words = tuple(word.text for word in words_of(segment))
    if len(words) > _MOST_WORDS:
        return
    for behind, after in _next_to(words, [word.text for word in left.behind] if left else []):
        reverse = [word.text for word in reversed(right.before)] if right else []
        for before, first in _next_to(tuple(reversed(words[behind:])), reverse):
            rest = words[behind : len(words) - before]
            for tail, joins, head in _tellings(rest, ends=right is None, begins=left is None):
                yield Joint(after, tail, joins, head, first)


def _next_to(words: Sequence[str], source: Sequence[str]) -> Iterator[tuple[int, int]]:
    """How many words are those of the source, most first, and how many these are there: an article of the
    source may be left out next to the quotation."""
    dropped = int(bool(source) and source[0] in ARTICLES)
    for skipped in dict.fromkeys((0, dropped)):
        same = 0
        for one, other in zip(words, source[skipped:], strict=False):
            if one != other:
                break
            same += 1
        for size in range(same, 0, -1):
            yield size, size + skipped
    yield 0, 0


def _tellings(
    words: Sequence[str], *, begins: bool, ends: bool
) -> Iterator[tuple[Telling | None, bool, Telling | None]]:
    if begins or ends:
        text = " ".join(words)
        telling = _told(text, begins)
        if telling or not words:
            yield (None, False, telling) if begins else (telling, False, None)
        return
    for cut in range(len(words) + 1):
        joins = cut < len(words) and words[cut] in _JOINS
        left, right = words[:cut], words[cut + joins :]
        tail, head = _told(" ".join(left), False), _told(" ".join(right), True)
        if (tail or not left) and (head or not right) and (joins or not (tail and head)):
            yield tail, joins, head


@lru_cache(maxsize=256)
def _told(text: str, before: bool) -> Telling | None:
    """What a text tells of who speaks, where it tells nothing else."""
    for pattern in (_ACCORDING, *((_BEFORE, _TURNED_BEFORE) if before else (_BEHIND, _TURNED_BEHIND))):
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            return Telling(
                tuple(found["who"].split()),
                found.get("verb") or "",
                bool(found.get("no")),
                bool(found.get("self")),
                tuple(day for day in (found.get("day"), found.get("also")) if day),
                tuple((found.get("to") or "").split()),
            )
    return None


# Whether it is so.


def is_said(telling: Telling, place: Place) -> bool:
    """Whether those are the words of whom a sentence names: of a speaker for whom the index has them, or of
    the article, where they are nobody's else."""
    if telling.to and not place.says_outside((telling.verb, *telling.to)):
        return False
    if not all(_is_day(day, place) for day in telling.days):
        return False
    if telling.refers and not (place.told and place.before and place.before[-1].text in FIRST_PERSON):
        return False
    if telling.is_negated and not _negates_too(telling, place):
        return False
    if _is_article(telling.who, place.ground.article):
        return not place.is_told
    return telling.who[0] in PERSONAL or _is_speaker(telling.who, place)


def names_speaker(telling: Telling) -> bool:
    return telling.who[0] not in PERSONAL


def _is_article(who: Sequence[str], article: Article) -> bool:
    bare = _bare(who)
    called = [_texts(name) for name in (article.source, article.author) if name]
    return (len(bare) == 1 and bare[0] in _OF_ARTICLE) or bare in [_bare(name) for name in called]


def _is_speaker(who: Sequence[str], place: Place) -> bool:
    """Whether somebody is named as the speaker is: by the last of a name's words, with what introduces them
    in the article; by all of a description."""
    if not place.speaker_words:
        return False
    if _bare(who) == _bare(place.speaker_words):
        return True
    name = place.speaker_name
    for start in range(len(who)):
        for end in range(start + 1, len(who) + 1):
            rest = iter(name)
            if name and who[end - 1] == name[-1] and all(word in rest for word in who[start:end]):
                described = [_bare(part) for part in (who[:start], who[end:])]
                if all(place.ground.describes(part, name) for part in described if part):
                    return True
    return False


def _is_day(day: str, place: Place) -> bool:
    written = day.split(" ", 1)[1]
    known = place.ground.article.day
    if known:
        month = f"{known:%B}".lower()
        days = {
            f"{known.day} {month} {known.year}",
            f"{month} {known.day} {known.year}",
            f"{known.day} {month}",
            f"{month} {known.day}",
            f"{month} {known.year}",
            known.isoformat(),
        }
        if written in days:
            return True
    return place.says_outside(tuple(day.split()))


def _negates_too(telling: Telling, place: Place) -> bool:
    """Whether who speaks says "I don't expect that …" where a sentence says that they do not expect it."""
    before = [word.text for word in place.before]
    if before[-1:] == ["that"]:
        before.pop()
    if not before or stems(before[-1]) != stems(telling.verb):
        return False
    said = " ".join(before[-4:-1])
    who = "|".join(map(re.escape, {*FIRST_PERSON, *PERSONAL, *place.speaker_words}))
    return re.search(rf"(?:^| )(?:{who}) (?:(?:do|does|did) not|(?:do|does|did)n't)$", said) is not None


def _texts(name: str) -> tuple[str, ...]:
    return tuple(word.text for word in words_of(straightened(name)))


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Without the article that it begins with."""
    return tuple(words[1:] if words and words[0] in ARTICLES | {"this"} else words)
