"""What a passage says where a fragment of it stands: the ground on which a sentence about it may stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from indexer.models import Span
from indexer.passages import sentences
from indexer.quotes import Quotation, quotations
from service.binding.words import ARTICLES, CONDITION, CONTRARY, ORDERS, SUBJECTS, TELLING, Word, words_of
from service.evidence import Quote, straightened
from service.retrieval import Hit

_AROUND = 2000  # characters read before and behind a passage, for the sentences that it goes on with
_READ = 100_000  # characters of an article in which speakers and their descriptions are looked for
_BREAK = re.compile(r"[.!?][\"')]*\s+(?=[\"'(]?[A-Z0-9])")
_BOUNDARY = (
    r"[,;:.!?](?=[\s\"')]|$)|[—–]|\s-\s|\n|\b(?:but|while|whereas|although|though|because|which|who|whose)\b"
)
_BOUND_BEFORE = re.compile(_BOUNDARY)
_BOUND_BEHIND = re.compile(rf"{_BOUNDARY}|\b(?:and|or|that|as|when|if|unless|after|before|since)\b")
_ASIDE = re.compile(r",\"?\s([^,;:.\"]{1,40}),\s?\"?")
_LONGEST_ASIDE = 5  # words: "It was not, he said on Monday, …" is one clause
_AS_IF = re.compile(r"\b(?:as|even) (?:if|though)\b")
_BEGINS = re.compile(r"[;:—–]|\n")
_NAMED = re.compile(r",\s([A-Z][\w'-]+(?:\s[A-Z][\w'-]+)*)(?=[,.;\"]|$)")
_LONGEST_NAME = 60
_GOES_WITH = frozenset("of for at from with in".split())  # go on with a description


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
    def words(self) -> list[Word]:
        """Of the whole article."""
        return words_of(straightened(self.article.text[:_READ]))

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

    def describes(self, description: tuple[str, ...], name: tuple[str, ...]) -> bool:
        """Whether a description stands right beside a name, whole: "Hallam, the mayor", "Mayor Hallam"."""
        words, texts = self.words, [word.text for word in self.words]
        size = len(description)
        for last in (at for at, text in enumerate(texts) if text == name[-1]):
            first = last
            while first and texts[first - 1] in name and not words[first - 1].behind.strip():
                first -= 1
            behind = last + 1
            joined = words[last].behind.strip()
            if behind < len(texts) and joined == "," and texts[behind] in ARTICLES:
                behind += 1
            follows = tuple(texts[behind : behind + size]) == description and (
                joined == "," or (not joined and description[0] in _GOES_WITH)
            )
            if follows and self._may_end(behind + size - 1):
                return True
            begin = first - size
            precedes = begin >= 0 and tuple(texts[begin:first]) == description
            if precedes and self._may_begin(begin) and words[first - 1].behind.strip() in {"", ","}:
                return True
        return False

    def _may_end(self, at: int) -> bool:
        """Whether a description may end with a word: "the mayor of", not "former mayor and"."""
        behind = [word.text for word in self.words[at + 1 : at + 2]]
        return bool(self.words[at].behind.strip()) or not behind or behind[0] in _GOES_WITH | TELLING

    def _may_begin(self, at: int) -> bool:
        """Whether one may begin with a word: not "mayor" of "former mayor"."""
        before = self.words[at - 1] if at else None
        return before is None or bool(before.behind.strip()) or before.text in ARTICLES | TELLING


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
        return self.ground.telling(self._core)

    @property
    def _core(self) -> Span:
        """Its code points without a comma or full stop at its end, which may be the teller's."""
        shaved = self.ground.text[slice(*self.span)].rstrip(" ,.;:")
        return Span(self.at.start, self.at.start + len(shaved))

    @cached_property
    def is_mixed(self) -> bool:
        """Whether it holds words of somebody without saying whose they are."""
        for one in self.ground.told:
            if not (one.place.start < self._core.end and self._core.start < one.place.end):
                continue
            if one.place.start <= self._core.start and self._core.end <= one.place.end:
                continue
            tellers = [one.cue, one.speaker_place] if one.cue and one.speaker_place else [one.place]
            if not all(
                part and self._core.start <= part.start and part.end <= self._core.end for part in tellers
            ):
                return True
        return False

    @property
    def speaker_words(self) -> tuple[str, ...]:
        """What the speaker is known as, word by word."""
        return tuple(word.text for word in words_of(straightened(self.teller or "")))

    @cached_property
    def speaker_name(self) -> tuple[str, ...]:
        """The name of who speaks: "the mayor, Idony Hallam" has one as well; empty where none is told."""
        if not self.told or not self.told.speaker:
            return ()
        if self.told.speaker[0].isupper() or not self.told.speaker_place:
            return self.speaker_words if self.told.speaker[0].isupper() else ()
        behind = self.ground.article.text[self.told.speaker_place.end :][:_LONGEST_NAME]
        named = _NAMED.match(straightened(behind))
        return tuple(word.text for word in words_of(named[1])) if named else ()

    @property
    def is_told(self) -> bool:
        """Whether somebody says it, known or not."""
        return self.told is not None or any(word.text in TELLING for word in [*self.before, *self.behind])

    @property
    def own_telling(self) -> Quotation | None:
        """The words of somebody that it holds with whose they are."""
        start, end = self.at
        return next(
            (
                one
                for one in self.ground.told
                if one.cue
                and start <= one.cue.start < end
                and one.place.start < end
                and start < one.place.end
            ),
            None,
        )

    @property
    def teller(self) -> str | None:
        """Who says it, or what it holds."""
        told = self.told or self.own_telling
        return told.speaker if told else None

    def grown(self, before: int, behind: int) -> "Place":
        """The same with so many words more of its sentence on either side."""
        start = self.before[-before].start if before else self.span.start
        end = self.behind[behind - 1].end if behind else self.span.end
        return Place(self.ground, Span(start, end))

    @cached_property
    def before(self) -> list[Word]:
        """The words before it in its own sentence, by places of the ground's text."""
        return self._words(self.span.start - len(self.own[0]), self.own[0])

    @cached_property
    def behind(self) -> list[Word]:
        return self._words(self.span.end, self.own[1])

    @property
    def gap(self) -> str:
        """What stands between it and the next word."""
        return self.ground.text[self.span.end : self.behind[0].start if self.behind else self.span.end]

    def _words(self, base: int, text: str) -> list[Word]:
        return [word._replace(start=word.start + base, end=word.end + base) for word in words_of(text)]

    @cached_property
    def first(self) -> str:
        return words_of(self.ground.text[slice(*self.span)])[0].text

    @cached_property
    def begins_sentence(self) -> bool:
        """Whether its sentence or a main part of it begins here, an article aside."""
        before = self.before
        with_article = bool(before) and before[-1].text in ARTICLES and not before[-1].behind.strip()
        before = before[:-1] if with_article else before
        if not before or _BEGINS.search(before[-1].behind):
            return True
        goes_on = [word.text for word in before[-1:]] == ["and"] and "," in "".join(
            word.behind for word in before[-2:-1]
        )
        return goes_on and (with_article or self.first in SUBJECTS)

    @cached_property
    def begins_clause(self) -> bool:
        """Whether it holds the subject of its clause, as far as that shows."""
        before = self.before
        if self.begins_sentence or '"' in before[-1].behind:
            return True
        if self.first in SUBJECTS and before[-1].behind.strip() == ",":
            return True
        if before[-1].text in ARTICLES and not before[-1].behind.strip():
            before = before[:-1]
        last = [word.text for word in before[-2:]]
        return last[-1] in TELLING or (last[-1] == "that" and last[0] in TELLING)

    def says_outside(self, words: tuple[str, ...]) -> bool:
        """Whether its sentence has these words in a row, and not as a part of what is told."""
        whole = Place(self.ground, self.sentence)
        held = whole._words(self.sentence.start, self.ground.text[slice(*self.sentence)])
        for at in range(len(held) - len(words) + 1):
            if tuple(word.text for word in held[at : at + len(words)]) == words:
                span = Span(
                    held[at].start + self.ground.base, held[at + len(words) - 1].end + self.ground.base
                )
                if not (self.told and self.told.place.start < span.end and span.start < self.told.place.end):
                    return True
        return False

    @cached_property
    def own(self) -> tuple[str, str]:
        """What stands before and behind it in its own sentence; a speech of several is taken apart."""
        text, (start, end) = self.ground.text, self.sentence
        left, right = text[start : self.span.start], text[self.span.end : end]
        return _BREAK.split(left)[-1], _BREAK.split(right)[0]

    @cached_property
    def _clause(self) -> tuple[list[Word], list[Word]]:
        left, right = (_ASIDE.sub(_without_telling, part) for part in self.own)
        return words_of(_BOUND_BEFORE.split(left)[-1]), words_of(_BOUND_BEHIND.split(right)[0])

    @property
    def clause(self) -> list[Word]:
        """The words around it in its own clause. "It was not, he said, …" is one clause."""
        return [*self._clause[0], *self._clause[1]]

    @cached_property
    def is_conditional(self) -> bool:
        return any(word.text in CONDITION for word in words_of(_AS_IF.sub(" ", " ".join(self.own))))

    @property
    def is_turned(self) -> bool:
        """Whether a "not" around it in its clause turns it."""
        return any(word.negates for word in self.clause)

    @property
    def is_contrary(self) -> bool:
        """Whether it stands behind a "rather than" of its clause."""
        return any(word.text in CONTRARY for word in self._clause[0])


def _without_telling(aside: "re.Match[str]") -> str:
    words = words_of(aside[1])
    told = len(words) <= _LONGEST_ASIDE and any(word.text in TELLING for word in words)
    return " " if told else aside[0]
