"""What a passage says where a fragment of it stands: the ground on which a sentence about it may stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from indexer.fulltext import stems
from indexer.models import Span
from indexer.passages import sentences
from indexer.quotes import Quotation, quotations
from service.binding.words import CONDITION, ORDERS, PRONOUNS, SAYING, Word, turning, words_of
from service.evidence import Quote, straightened
from service.retrieval import Hit

_AROUND = 2000  # characters read before and behind a passage, for the sentences that it goes on with
_READ = 100_000  # characters of an article in which speakers and first mentions are looked for
_BEFORE_NAME, _BEHIND_NAME = 60, 120  # characters that introduce whom they name
_BREAK = re.compile(r"[.!?][\"')]*\s+(?=[\"'(]?[A-Z0-9])")
_BOUNDARY = (
    r"[,;:.!?](?=[\s\"')]|$)|[—–]|\s-\s|\n|\b(?:but|while|whereas|although|though|because|which|who|whose)\b"
)
_BOUND_BEFORE = re.compile(_BOUNDARY)
_BOUND_BEHIND = re.compile(rf"{_BOUNDARY}|\b(?:and|or|that|as|when|if|unless|after|before|since)\b")
_CLAUSE = re.compile(rf"{_BOUNDARY}|\b(?:rather|instead)\b")
_OWNER = re.compile(r"\b[\w-]+(?:'s|s')(?=\s)")
_STOP = re.compile(r"[;.!?]\s|\n")
_ASIDE = re.compile(r",\"?\s([^,;:.\"]{1,40}),\s?\"?")
_AS_IF = re.compile(r"\b(?:as|even) (?:if|though)\b")
_IN_MARKS = re.compile(r'"[^"]*"')


class Ground:
    """A passage as the model was given it, `number` from 1, among the sentences around it.

    `text` is a stretch of the article from code point `base` on, with straight marks.
    """

    def __init__(self, number: int, hit: Hit) -> None:
        self.number = number
        self.article, self._passage = hit.article, hit.passage
        self.passage_id = hit.passage.id
        whole = hit.article.text
        start = whole.rfind("\n", max(0, hit.passage.start - _AROUND), max(0, hit.passage.start - 1)) + 1
        self.base = start or max(0, hit.passage.start - _AROUND)
        end = whole.find("\n", hit.passage.end, hit.passage.end + _AROUND)
        self.text = straightened(whole[self.base : end if end >= 0 else hit.passage.end + _AROUND])

    @cached_property
    def sentences(self) -> list[Span]:
        return sentences(self.text, self.article.language)

    @cached_property
    def told(self) -> list[Quotation]:
        """Who says what, with the article's own places; nothing where the rules do not know its language."""
        return quotations(self.article.text[:_READ]) if self.article.language in {None, "en"} else []

    @cached_property
    def title(self) -> list[Word]:
        return words_of(straightened(self.article.title))

    @cached_property
    def known(self) -> frozenset[str]:
        """Stems of title, source, author and day."""
        day = f"{self.article.day:%A %-d %B %Y}" if self.article.day else ""
        about = f"{self.article.title} {self.article.source or ''} {self.article.author or ''} {day}"
        return frozenset(stems(about))

    def places(self, pattern: "re.Pattern[str]") -> Iterator["Place"]:
        """Where the passage holds it, but for paragraphs that give orders."""
        first, last = self._passage.start - self.base, self._passage.end - self.base
        for match in pattern.finditer(self.text, first, last):
            place = Place(self, Span(*match.span()))
            if not ORDERS.search(place.paragraph):
                yield place

    def telling(self, at: Span) -> Quotation | None:
        """What is told of the article's code points, all in one."""
        return next(
            (one for one in self.told if one.place.start <= at.start and at.end <= one.place.end), None
        )

    def joins(self, one: Word, other: Word) -> bool:
        """Whether the article has two words of a name together, or with one between them."""
        pattern = rf"\b{re.escape(one.text)}\W+(?:\w+\W+)?{re.escape(other.text)}\b"
        text = f"{self.article.title}\n{self.article.text[:_READ]}"
        return re.search(pattern, straightened(text), re.IGNORECASE) is not None

    def introduction(self, name: str) -> str:
        """What stands around the first mention of a name in the article."""
        text = straightened(self.article.text[:_READ])
        found = re.search(rf"\b{re.escape(name)}\b", text)
        if not found:
            return ""
        before = text[max(0, found.start() - _BEFORE_NAME) : found.start()].partition(" ")[2]
        behind = text[found.end() : found.end() + _BEHIND_NAME].rpartition(" ")[0]
        return _STOP.split(before)[-1] + name + _STOP.split(behind)[0]


@dataclass(frozen=True)
class Place:
    """A fragment where it stands: `span` of the ground's text."""

    ground: Ground
    span: Span

    @property
    def at(self) -> Span:
        """Its code points in the article."""
        return Span(self.span.start + self.ground.base, self.span.end + self.ground.base)

    @property
    def quote(self) -> Quote:
        """The fragment as the article stores it."""
        article = self.ground.article
        return Quote(article.id, self.ground.passage_id, self.at, article.text[slice(*self.at)])

    def shares_sentence(self, other: "Place") -> bool:
        """Whether the other stands in the sentences that hold this one."""
        start, end = (at + self.ground.base for at in self.sentence)
        same = self.ground.article.id == other.ground.article.id
        return same and start <= other.at.start and other.at.end <= end

    @property
    def paragraph(self) -> str:
        text = self.ground.text
        end = text.find("\n", self.span.end)
        return text[text.rfind("\n", 0, self.span.start) + 1 : end if end >= 0 else len(text)]

    @cached_property
    def _holding(self) -> tuple[int, int]:
        """The first and the last of the sentences that hold it."""
        at = [
            number
            for number, sentence in enumerate(self.ground.sentences)
            if sentence.start < self.span.end and sentence.end > self.span.start
        ]
        return at[0], at[-1]

    @property
    def is_whole(self) -> bool:
        """Whether it is one or more whole sentences, and not a part of what somebody says."""
        first, last = self._holding
        ends = self.ground.sentences[first].start, self.ground.sentences[last].end
        return ends == self.span and not (self.told and self.told.direct)

    @property
    def sentence(self) -> Span:
        """The sentences that hold it, as one stretch."""
        first, last = self._holding
        return Span(
            min(self.span.start, self.ground.sentences[first].start),
            max(self.span.end, self.ground.sentences[last].end),
        )

    @cached_property
    def told(self) -> Quotation | None:
        """The telling that it is a part of, whole."""
        return self.ground.telling(self.at)

    @property
    def speaker(self) -> str | None:
        return self.told.speaker if self.told else None

    @cached_property
    def speaker_words(self) -> frozenset[str]:
        """The speaker's name; nothing where it is a description, as which anyone may be known."""
        if not self.speaker or not self.speaker[0].isupper():
            return frozenset()
        # Djokovic's father is not Djokovic.
        speaker = _OWNER.sub("", straightened(self.speaker))
        return frozenset(word.text for word in words_of(speaker) if word.capital)

    @cached_property
    def own(self) -> tuple[str, str]:
        """What stands before and behind it in its own sentence; a speech of several is taken apart."""
        text, (start, end) = self.ground.text, self.sentence
        left, right = text[start : self.span.start], text[self.span.end : end]
        return _BREAK.split(left)[-1], _BREAK.split(right)[0]

    @cached_property
    def clause(self) -> list[Word]:
        """The words around it in its own clause. "It was not, he said, …" is one clause."""
        left, right = (_ASIDE.sub(_without_telling, part) for part in self.own)
        return words_of(_BOUND_BEFORE.split(left)[-1]) + words_of(_BOUND_BEHIND.split(right)[0])

    @cached_property
    def is_conditional(self) -> bool:
        return any(word.lower in CONDITION for word in words_of(_AS_IF.sub(" ", " ".join(self.own))))

    @cached_property
    def _before(self) -> Span:
        first = self._holding[0]
        return self.ground.sentences[first - 1] if first else Span(0, 0)

    @cached_property
    def narrow(self) -> list[Word]:
        """The words of the sentences that hold it, and of the one before."""
        return words_of(self.ground.text[slice(*self._before)]) + words_of(
            self.ground.text[slice(*self.sentence)]
        )

    @cached_property
    def stems(self) -> frozenset[str]:
        """Of all words that may be used beside it."""
        return frozenset(stems(" ".join(word.text for word in self.narrow))) | self.ground.known

    def turned(self, introduced: str) -> dict[str, int]:
        """How much each stem of the words around it, and of what introduces those who are named, is turned
        in the clause that turns it least."""
        least: dict[str, int] = {}
        for text in (self.ground.text[slice(*self._before)], *self.own, introduced):
            for clause in map(words_of, _clauses(text)):
                much = turning(clause)
                for stem in stems(" ".join(word.text for word in clause)):
                    least[stem] = min(least.get(stem, much), much)
        return least

    @cached_property
    def names(self) -> frozenset[str]:
        """The words as they are written in its sentence, and in the one before where "he" may mean those."""
        held = self.ground.text[slice(*self.sentence)]
        outside = words_of(_IN_MARKS.sub(" ", held))
        borrows = not outside or any(word.lower in PRONOUNS for word in outside)
        lent = words_of(self.ground.text[slice(*self._before)]) if borrows else []
        return frozenset(word.text for word in [*words_of(held), *lent]) | self.speaker_words

    @cached_property
    def number_pairs(self) -> frozenset[tuple[str, str]]:
        """Each number with the word before it, and with the word behind it."""
        return frozenset(
            (one.lower, other.lower) for one, other in pairwise(self.narrow) if one.number or other.number
        )

    @cached_property
    def is_told(self) -> bool:
        """Whether somebody says it: its sentence has a verb of saying around it."""
        return self.told is not None or any(
            word.lower in SAYING for part in self.own for word in words_of(part)
        )


def _clauses(text: str) -> list[str]:
    """The clauses of a text; "instead of" and its like begin one."""
    bounds = [0, *(match.start() for match in _CLAUSE.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _without_telling(aside: "re.Match[str]") -> str:
    words = words_of(aside[1])
    return " " if len(words) <= 5 and any(word.lower in SAYING for word in words) else aside[0]  # noqa: PLR2004
