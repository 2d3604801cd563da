"""Who the speakers of a text are: names in full, and whom "he" and "she" mean."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from indexer.models import Span
from indexer.quotes.names import Names, gender
from indexer.quotes.phrases import LONGEST_PHRASE, Who, phrase
from indexer.quotes.tokens import Token
from indexer.quotes.words import BODIES, FUNCTION, TITLES

_REACH = 1500  # characters back that "he" may reach
_MOST_REMEMBERED = 60
_CAPITAL = re.compile(r"[^\W\d_a-z][\w'’-]+")


class Subject(NamedTuple):
    """That somebody was the subject of a sentence; `before` are the words before the name."""

    at: int
    name: str
    before: str


class Speakers:
    """The people of a text, as far as it was read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._names = Names(text)
        self._subjects: list[Subject] = []
        self._called: dict[str, str] = {}  # by name, "he" or "she"

    def opening(self, tokens: list[Token]) -> Who | None:
        """The subject of a sentence that begins with it: a name or a pronoun."""
        at = 0
        while at < len(tokens) and tokens[at].lower in {"but", "and", "so", "yet", "still", "then"}:
            at += 1
        who = phrase(self._text, tokens, at)
        if who and who.pronoun:
            return who
        early = self._named_before_verb(tokens, at)
        if who is None or who.name is None or early is None or early.place == who.place:
            return who if who and who.name else early
        # "Pell met Robert Garraway" begins with Pell, "Pell aide Robert Garraway" does not: often unsure.
        between = tokens[early.after : who.after - len(who.name.split())]
        return who if any(token.lower in TITLES for token in between) else None

    def _named_before_verb(self, tokens: list[Token], at: int) -> Who | None:
        """Giorgia Meloni of "Italy’s new prime minister Giorgia Meloni voiced": small letters end a name."""
        for end in range(at + 1, min(len(tokens), at + LONGEST_PHRASE) + 1):
            last = tokens[end - 1]
            if last.kind != "word" or (last.lower in FUNCTION and end > at + 1):
                break
            goes_on = end < len(tokens) and tokens[end].capital
            if last.capital and not goes_on and not last.text.endswith(("'s", "’s")):
                who = phrase(self._text, tokens[:end], at)
                full = self._names.full(who.name) if who and who.name else ""
                body = any(word.lower() in BODIES for word in full.split())
                if " " in full and not body:
                    return who
        return None

    def remember(self, whos: Sequence[Who], paragraph: int, *, speak: bool) -> None:
        """Keeps who is the subject of a sentence, or speaks in it: the next may call them he or she."""
        for who in whos:
            name = self.known_as(who, paragraph) if who.name or who.pronoun else None
            if name and (who.pronoun or self._names.person(name, speaks=speak)):
                self._subjects.append(Subject(who.place.start, name, who.before))
        self._subjects = sorted(self._subjects[-_MOST_REMEMBERED:])

    def known_as(self, who: Who, paragraph: int, quoted: Sequence[Span] = ()) -> str | None:
        """The fullest form of a name, or a description; of "he" whoever it means, if that is sure.

        A pronoun reaches back to the start of a paragraph; what is `quoted` names nobody to it.
        """
        if who.name:
            return self._names.full(who.name)
        if who.pronoun:
            return self._meant(who.pronoun, who.place.start, paragraph, quoted)
        return who.text

    def _meant(self, pronoun: str, at: int, paragraph: int, quoted: Sequence[Span]) -> str | None:
        """The last who was a subject, unless name or title speak against it, or another was named since."""
        if pronoun not in {"he", "she"}:
            return None
        for one in reversed(self._subjects):
            if one.at < max(paragraph, at - _REACH):
                break
            if one.at < at and self._gender(one.name, one.before) in {pronoun, None}:
                if self._another(pronoun, one, at, quoted):
                    return None
                self._called[one.name] = pronoun
                return one.name
        return None

    def _gender(self, name: str, before: str = "") -> str | None:
        """ "he" or "she": by title or name, else as the text has called them before."""
        return gender(name, before) or self._called.get(name)

    def _another(self, pronoun: str, subject: Subject, end: int, quoted: Sequence[Span]) -> bool:
        """Whether somebody else was named since somebody was the subject, and not they again."""
        another = False
        known = {one.name for one in self._subjects}
        for match in _CAPITAL.finditer(self._text, subject.at, end):
            if any(place.start <= match.start() < place.end for place in quoted):
                continue
            word = re.sub("['’]s$", "", match[0])
            full = self._names.full(word)
            if word == subject.name.rsplit(maxsplit=1)[-1]:
                another = False
            elif full in known or self._names.person(full, speaks=True):
                another = another or self._gender(full) in {pronoun, None}
        return another
