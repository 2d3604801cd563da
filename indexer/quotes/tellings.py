"""What a sentence tells of who says something, and what it reports without marks."""

from collections.abc import Sequence
from typing import NamedTuple

from indexer.models import Span
from indexer.quotes.phrases import LONGEST_PHRASE, Who, is_adverb, phrase, shares_subject, subject
from indexer.quotes.tokens import Token
from indexer.quotes.words import (
    ADVERBS,
    ASIDE,
    BE,
    CUES,
    DAYS,
    DETERMINERS,
    FUNCTION,
    GOING,
    NAMES_IT,
    NOUNS,
    PREPOSITIONS,
    PRONOUNS,
    SAYS,
    SUBJECTS,
    TELLS,
    TOLD,
)

_REACH = 60  # tokens looked through on either side of a cue
_FEWEST_REPORTED = 3  # words that make a clause
_FEWEST_BEFORE = 4  # words before "according to", or before a comma and "X said"
_LONGEST_ASIDE = 10  # tokens between a cue and its "that": said in a statement on Monday that
_MOST_TOLD = 4  # tokens that name who was told: told the New York Times
_DASHES = frozenset("—–―-")
_GOES_ON = frozenset(",?!.…—–―-'’")  # end a quote whose sentence goes on
_THAT = (["that"], [","], [":"], ["that", ","], [",", "that"])
_CUE_MARKS = _DASHES | {":", "according"}


class Telling(NamedTuple):
    """That somebody says something: `first` to `after` are the tokens that tell it."""

    who: Who
    cue: Span
    first: int
    after: int
    left: int | None = None
    """The quote before it that is theirs, as a token."""
    right: int | None = None
    """And the one after it."""

    @property
    def begins(self) -> int:
        return self.first if self.left is None else self.left


class Sentence:
    """A sentence's tokens and its text; `opening` is its subject where it begins with that."""

    def __init__(self, text: str, tokens: list[Token], opening: Who | None) -> None:
        self._text = text
        self._tokens = tokens
        self._opening = opening

    def tellings(self) -> list[Telling]:
        """Who says something, in order."""
        found: list[Telling] = []
        low = 0  # the token after the last quote
        for at, token in enumerate(self._tokens):
            if token.kind == "quote":
                low = at + 1
            elif token.lower in CUES:
                found += filter(None, [self._by_verb(low, at, found)])
            elif token.lower in _CUE_MARKS:
                found += filter(None, [self._by_mark(low, at)])
        return found

    # By marks and "according to".

    def _by_mark(self, low: int, at: int) -> Telling | None:
        tokens, token = self._tokens, self._tokens[at]
        cue = Span(token.start, token.end)
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if following is None:
            return None
        if token.lower == "according":
            who = phrase(self._text, tokens, at + 2) if following.lower == "to" else None
            cue = Span(token.start, following.end)
            return who and Telling(who, cue, at, who.after, self._left(low, at))
        if token.text == ":" and low == 0 and following.kind == "quote" and following.text[-1] in ".!?":
            who = phrase(self._text, tokens, 0)  # Ellis: “…”
            return (
                Telling(who, cue, 0, at + 1, right=at + 1) if who and who.name and who.after == at else None
            )
        quote = tokens[at - 1] if at else token
        if token.text in _DASHES and quote.kind == "quote" and quote.text[-1] in ".!?":
            who = phrase(self._text, tokens, at + 1)  # “…” — Ellis
            if who and who.name and who.after >= len(tokens) - 1:
                return Telling(who, cue, at, who.after, left=at - 1)
        return None

    # By verbs.

    def _by_verb(self, low: int, at: int, before: Sequence[Telling]) -> Telling | None:
        tokens, verb = self._tokens, self._tokens[at]
        cue = Span(verb.start, verb.end)
        if verb.capital:
            who = phrase(self._text, tokens, 1) if at == 0 and verb.lower not in GOING else None
            right = self._right_of(who) if who and who.name else None  # Added Ellis: “…”
            return Telling(who, cue, 0, who.after, right=right) if who and right is not None else None
        if verb.lower not in GOING and (left := self._left(low, at)) is not None:
            after = at + 1
            while after < len(tokens) and is_adverb(tokens[after]):
                after += 1
            if who := phrase(self._text, tokens, after):  # “…,” said Ellis
                return Telling(who, cue, at, who.after, left, self._right_of(who))
        right = self._right(at)
        if verb.lower in GOING and not (at and tokens[at - 1].lower in BE):
            who = self._of_participle(low, at, before)
            return (
                Telling(who, cue, at, at + 1, right=right) if who and (right is not None or before) else None
            )
        who = subject(self._text, tokens, max(low, at - _REACH), at)
        if who is None:
            who = self._subject_before(before) if shares_subject(tokens, low, at) else None
            return who and Telling(who, cue, at, at + 1, right=right)
        left = self._left(low, who.first)
        described = who.name is None and who.pronoun is None
        if described and (verb.lower in NAMES_IT or (verb.lower in NOUNS and left is None and right is None)):
            return None
        return Telling(who, cue, min(who.first, at), at + 1, left, right)

    def _subject_before(self, before: Sequence[Telling]) -> Who | None:
        return before[-1].who if before else self._opening

    def _of_participle(self, low: int, at: int, before: Sequence[Telling]) -> Who | None:
        """Who is "asking": the name right before it, "footage of Clinton asking", else the subject before."""
        if at == low or not self._tokens[at - 1].capital:
            return self._subject_before(before)
        name = at - 1
        while name > low and self._tokens[name - 1].capital:
            name -= 1
        who = phrase(self._text, self._tokens, name)
        return who if who and who.name and self._right(at) is not None else None

    # Which quotes are theirs.

    def _left(self, low: int, at: int) -> int | None:
        """The quote that ends where a telling begins, if it ends as what goes on does."""
        if low == 0:
            return None
        quote = self._tokens[low - 1]
        if low > 1 and self._tokens[low - 2].kind == "word" and _is_title(quote.text):
            return None  # on CBS's “Face the Nation,” Ryan said
        goes_on = quote.text[-1] in _GOES_ON or self._tokens[at].lower == "according"
        apart = at == low + 1 and self._tokens[low].text in _DASHES | {","}
        return low - 1 if apart or (at == low and goes_on) else None

    def _next_quote(self, at: int) -> int | None:
        reach = range(at, min(len(self._tokens), at + _REACH))
        return next((place for place in reach if self._tokens[place].kind == "quote"), None)

    def _right_of(self, who: Who) -> int | None:
        """The quote that follows "said X": at once, or after when and where."""
        at = self._next_quote(who.after)
        if at is None:
            return None
        gap = [token.lower for token in self._tokens[who.after : at]]
        aside = gap[-1:] == [","] and gap.count(",") == 1 and gap[0] in PREPOSITIONS | DAYS
        return at if not gap or gap in _THAT or gap[-1] == ":" or aside else None

    def _right(self, verb: int) -> int | None:
        """The quote that "X said" introduces."""
        at = self._next_quote(verb + 1)
        if at is None:
            return None
        gap = self._tokens[verb + 1 : at]
        words = [token.lower for token in gap]
        if not words or words in _THAT or words[-1] == ":":
            return at
        return at if _introduces(self._tokens[verb].lower, gap, words) else None

    # What is reported without marks.

    def reported(self, one: Telling, every: Sequence[Telling]) -> Span | None:
        """The clause that a telling reports; None where that is not sure."""
        tokens = self._tokens
        if one.left is not None or one.right is not None or tokens[-1].text == ":":
            return None
        end = len(tokens)
        while end and tokens[end - 1].kind == "mark" and tokens[end - 1].text not in {")", "%", "'", "’"}:
            end -= 1
        cue = self._text[slice(*one.cue)].lower()
        if cue.startswith("according"):
            return self._according(one, end)
        stop = min([end, *(other.begins for other in every if other.first >= one.after)])
        if cue in TELLS:
            return self._told(cue, one.after, stop)
        if one.after < stop and tokens[one.after].lower == "that":
            return self._clause(one.after + 1, stop)
        first_told = not any(other.after <= one.first for other in every)
        if first_told and stop == end and self._closes(cue, one, end):
            return self._clause(0, one.first)
        return self._claimed(cue, one.after, stop)

    def _according(self, one: Telling, end: int) -> Span | None:
        if one.first:
            return self._clause(0, one.first) if one.first >= _FEWEST_BEFORE else None
        comma = next((at for at in range(one.after, end) if self._tokens[at].text == ","), end)
        return self._clause(comma + 1, end) if comma - one.after <= LONGEST_PHRASE else None

    def _told(self, cue: str, at: int, stop: int) -> Span | None:
        """What somebody was told: after "that", or a clause that a pronoun opens."""
        that = self._that(at, stop)
        if that is not None:
            return self._clause(that + 1, stop)
        clause = at
        while clause < stop and (self._tokens[clause].capital or self._tokens[clause].lower in TOLD):
            clause += 1
        opens = at < clause < stop and self._tokens[clause].lower in SUBJECTS
        return self._clause(clause, stop) if opens and not cue.startswith("ask") else None

    def _that(self, at: int, stop: int) -> int | None:
        reach = range(at, min(stop, at + _LONGEST_ASIDE))
        return next((place for place in reach if self._tokens[place].lower == "that"), None)

    def _closes(self, cue: str, one: Telling, end: int) -> bool:
        """Whether a telling ends its sentence, "clause, X said Monday": only when and where may follow."""
        tokens = self._tokens
        if one.first <= _FEWEST_BEFORE or tokens[one.first - 1].text != "," or tokens[0].lower in ASIDE:
            return False
        if one.after >= end:
            return True
        following = tokens[one.after]
        aside = following.lower in DAYS or (
            cue in SAYS and (following.lower in PREPOSITIONS or is_adverb(following))
        )
        return aside and all(token.lower not in {"that", ","} for token in tokens[one.after : end])

    def _claimed(self, cue: str, at: int, stop: int) -> Span | None:
        """What follows "X said": a clause after when, where and "that", or at once."""
        tokens = self._tokens
        that = self._that(at, stop)
        if that is not None and tokens[at].lower in PREPOSITIONS | DAYS:
            return self._clause(that + 1, stop)
        while at < stop and tokens[at].lower in DAYS:
            at += 1
        if at >= stop or cue in NAMES_IT:
            return None
        begins = tokens[at]
        if begins.lower in PRONOUNS | {"there"}:
            return self._clause(at, stop)
        # Other verbs take things: "announced the plan". "Said the same" reports nothing.
        noun = begins.capital or begins.lower in DETERMINERS or begins.lower not in FUNCTION | ADVERBS
        same = any(token.lower == "same" for token in tokens[at : at + 2])
        return self._clause(at, stop) if cue in SAYS and noun and not same else None

    def _clause(self, start: int, end: int) -> Span | None:
        tokens = self._tokens
        while end > start and (
            tokens[end - 1].text in {",", ";", ":", *_DASHES}
            or tokens[end - 1].lower in {"and", "but", "while", "as"}
        ):
            end -= 1
        words = sum(len(token.text.split()) for token in tokens[start:end] if token.kind != "mark")
        return Span(tokens[start].start, tokens[end - 1].end) if words >= _FEWEST_REPORTED else None


def _is_title(quoted: str) -> bool:
    """Whether quoted words read as the name of a show or a book."""
    words = quoted.split()
    long = [word for word in words if len(word) >= _FEWEST_REPORTED + 1]
    return all(word[0].isupper() for word in long) or (
        len(words) <= _FEWEST_REPORTED and words[0][0].isupper()
    )


def _introduces(verb: str, gap: list[Token], words: list[str]) -> bool:
    """Whether the words between a verb and a quote only tell what is called so, who was told, when, where."""
    if verb in NAMES_IT:
        return len(gap) <= LONGEST_PHRASE and all(
            token.kind == "word" and token.lower not in CUES for token in gap
        )
    aside = words[0] in PREPOSITIONS | DAYS | ADVERBS or words[0].endswith("ly") or verb in TELLS
    if words[-1] == "," and aside and not set(words) & ((PRONOUNS - {"her", "you", "it"}) | {"that"}):
        return True
    told = verb in TELLS and len(gap) <= _MOST_TOLD and not words[-1].endswith(("'s", "’s"))
    if told and all(token.capital or token.lower in TOLD for token in gap):
        return True
    return all(word in DAYS or word.endswith("ly") for word in words)
