"""The walk through a text: paragraphs, sentences, who tells what."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from indexer.models import Span
from indexer.quotes.names import Names, gender
from indexer.quotes.phrases import LONGEST_PHRASE, Who, is_adverb, phrase, shares_subject, subject
from indexer.quotes.tokens import LINE, Marked, Token, marked, tokenized
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
    TELLING,
    TELLS,
    TOLD,
)

_FEWEST_WORDS = 8  # of a quote whose speaker is not told; fewer may be a name or a doubt
_LONGEST_SENTENCE = 300  # tokens; what is longer is a list or a table
_REACH = 1500  # characters back that "he" may reach
_MOST_TOKENS = 60  # looked through on either side of a cue
_CAPITAL = re.compile(r"[^\W\d_a-z][\w'’-]+")


class Quotation(NamedTuple):
    """Words that a text gives as somebody's. All places are code points of the text.

    `place` holds the words: between the marks of a direct quotation, else the reported clause. It lies in one
    paragraph; what goes on elsewhere is another quotation of the same speaker. `speaker` is the fullest form
    of the name in the text, or a description as it stands there ("a spokesman for the ministry"), which
    begins with a small letter; None where it is not known. `speaker_place` is where the speaker stands
    beside the words ("he"), `cue` the verb.
    """

    place: Span
    speaker: str | None
    speaker_place: Span | None
    cue: Span | None
    direct: bool


def quotations(text: str) -> list[Quotation]:
    """What an English text quotes, in order of place, none overlapping another."""
    reader = _Reader(text)
    for line in LINE.finditer(text):
        reader.read(line.start(), line.end())
    return sorted(reader.found)


class _Said(NamedTuple):
    """That somebody says something: `first` to `after` are the tokens that tell it."""

    who: Who
    cue: Span
    first: int
    after: int
    left: int | None  # the quote before it that is theirs, as a token
    right: int | None  # and the one after it


class _Speaker(NamedTuple):
    name: str | None
    place: Span
    cue: Span


class _Reader:
    """Reads a text paragraph by paragraph, and remembers who spoke."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = Names(text)
        self.found: list[Quotation] = []
        self._subjects: list[tuple[int, str, str]] = []  # where, the name, the words before it
        self._speaker: _Speaker | None = None  # of the last quote
        self._open: list[
            int
        ] = []  # quotes of one speech, by their places in `found`, that wait for their speaker
        self._goes_on = False
        self._ended_quoting = False  # the last sentence of the paragraph before had a quote of known speaker
        self._announced: _Speaker | None = None  # "X said:" ended the paragraph before
        self._paragraph = 0
        self._before = 0

    def read(self, start: int, end: int) -> None:
        quotes = marked(self.text, start, end)
        if not self.text[start:end].strip():
            return
        self._before, self._paragraph = self._paragraph, start
        opens = bool(quotes) and not self.text[start : quotes[0].outer.start].strip()
        if not (self._goes_on and opens):
            self._open = []
            bare = opens and not any(self.text[a:b].strip() for a, b in _between(quotes, end))
            if opens and self._announced:
                self._speaker = self._announced
            elif not (bare and self._ended_quoting):
                self._speaker = None
        self._announced = None
        self._ended_quoting = False
        for tokens in self._sentences(quotes, start, end):
            self._sentence(tokens)
        self._goes_on = bool(quotes) and quotes[-1].goes_on

    # Sentences.

    def _sentences(self, quotes: list[Marked], start: int, end: int) -> Iterator[list[Token]]:
        tokens: list[Token] = []
        for token in self._all_tokens(quotes, start, end):
            if tokens and (len(tokens) == _LONGEST_SENTENCE or self._ends(tokens, token)):
                yield tokens
                tokens = []
            tokens.append(token)
        if tokens:
            yield tokens

    def _all_tokens(self, quotes: list[Marked], start: int, end: int) -> Iterator[Token]:
        at = start
        for quote in quotes:
            yield from tokenized(self.text, at, quote.outer.start)
            yield Token(self.text[slice(*quote.inner)], "", *quote.outer, "quote", quote.inner)
            at = quote.outer.end
        yield from tokenized(self.text, at, end)

    def _ends(self, tokens: list[Token], following: Token) -> bool:
        last = tokens[-1]
        if last.end == following.start:
            return False
        if not (following.capital or following.kind == "quote" or following.text in "‘'(["):
            return False
        if last.kind == "quote":
            return last.text[-1] in ".!?…" and not (
                last.text[-1] in "!?" and following.kind == "word" and self._may_tell(following)
            )
        if last.text == ")" and len(tokens) > 1:
            last = tokens[-2]
        return last.text in {".", "!", "?"} or (last.text == "…" and following.capital)

    def _may_tell(self, following: Token) -> bool:
        """Whether "“Why?” Trump asked" goes on behind the mark."""
        words = list(tokenized(self.text, following.start, min(len(self.text), following.start + 80)))
        cue = next((at for at, word in enumerate(words) if not word.capital), 0)
        return cue > 0 and words[cue].lower in CUES

    def _sentence(self, tokens: list[Token]) -> None:
        opening = self._opening(tokens)
        self._remember([opening] if opening else [], speak=False)
        said = list(self._tellings(tokens))
        quoted: dict[int, _Said] = {}
        for one in said:
            for at in (one.left, one.right):
                if at is not None:
                    quoted.setdefault(at, one)
        speakers = [self._known(one.who, one.cue, tokens) for one in said]
        of = dict(zip(map(id, said), speakers, strict=True))
        covered = [
            (span, of[id(one)])
            for one in said
            if one.left is None and one.right is None
            for span in self._reported(tokens, one, said)
        ]
        covered = [
            (span, who)
            for n, (span, who) in enumerate(covered)
            if not any(span.start < other.end and other.start < span.end for other, _ in covered[:n])
        ]
        for span, speaker in covered:
            self.found.append(Quotation(span, speaker.name, speaker.place, speaker.cue, direct=False))
        words = sum(token.kind == "word" for token in tokens)
        last: _Speaker | None = self._speaker if not words else None
        for at, token in enumerate(tokens):
            if token.kind != "quote":
                continue
            if any(span.start <= token.start and token.end <= span.end for span, _ in covered):
                continue
            if at in quoted:
                last = of[id(quoted[at])]
            self._quote(token, last, sure=at in quoted or not words)
            if last:
                self._speaker = last
        self._remember([one.who for one in said], speak=True)
        self._ended_quoting = last is not None
        if tokens[-1].text == ":" and said:
            self._announced = speakers[-1]

    def _quote(self, token: Token, speaker: _Speaker | None, *, sure: bool) -> None:
        if not sure and len(token.text.split()) < _FEWEST_WORDS:
            return
        inner = token.inner
        if speaker is None:
            self._open.append(len(self.found))
            self.found.append(Quotation(inner, None, None, None, direct=True))
            return
        if self._goes_on or self._open:
            for waiting in self._open:
                place = self.found[waiting].place
                self.found[waiting] = Quotation(place, *speaker, direct=True)
            self._open = []
        self.found.append(Quotation(inner, *speaker, direct=True))

    # Who says something.

    def _tellings(self, tokens: list[Token]) -> Iterator[_Said]:
        low = 0
        before: _Said | None = None
        for at, token in enumerate(tokens):
            if token.kind == "quote":
                low = at + 1
            one = self._telling(tokens, low, at, before) if token.lower in TELLING else None
            if one:
                before = one
                yield one

    def _telling(self, tokens: list[Token], low: int, at: int, before: _Said | None) -> _Said | None:
        text, token = self.text, tokens[at]
        cue = Span(token.start, token.end)
        if token.lower == "according" and at + 1 < len(tokens) and tokens[at + 1].lower == "to":
            who = phrase(text, tokens, at + 2)
            cue = Span(token.start, tokens[at + 1].end)
            return who and _Said(who, cue, at, who.after, self._left(tokens, low, at), None)
        if token.text == ":" and low == 0 and at + 1 < len(tokens) and tokens[at + 1].kind == "quote":
            who = phrase(text, tokens, 0)
            if who and who.name and who.after == at and tokens[at + 1].text[-1] in ".!?":
                return _Said(who, cue, 0, at + 1, None, at + 1)
        if (
            token.text in {"—", "–", "―", "-"}
            and at
            and tokens[at - 1].text[-1] in ".!?"
            and tokens[at - 1].kind == "quote"
        ):
            who = phrase(text, tokens, at + 1)
            return (
                _Said(who, cue, at, who.after, at - 1, None)
                if who and who.name and who.after >= len(tokens) - 1
                else None
            )
        if at == 0 and token.capital and token.lower in CUES - GOING:  # Added Ellis: “…”
            who = phrase(text, tokens, 1)
            right = self._right(tokens, who.after - 1, inverted=True) if who and who.name else None
            return who and _Said(who, cue, 0, who.after, None, right) if right is not None else None
        if token.lower not in CUES or token.capital:
            return None
        left = self._left(tokens, low, at)
        if left is not None and token.lower not in GOING:  # “…,” said X
            after = at + 1
            while after < len(tokens) and is_adverb(tokens[after]):
                after += 1
            who = phrase(text, tokens, after)
            if who and (
                who.name or who.pronoun or tokens[after].lower in DETERMINERS or who.after - after > 0
            ):
                return _Said(who, cue, at, who.after, left, self._right(tokens, who.after - 1, inverted=True))
        right = self._right(tokens, at)
        if token.lower in GOING and not (at and tokens[at - 1].lower in BE):
            if at > low and tokens[at - 1].capital:  # footage of Clinton asking, “…”
                name = at - 1
                while name > low and tokens[name - 1].capital:
                    name -= 1
                who = phrase(text, tokens, name)
                return (
                    _Said(who, cue, at, at + 1, None, right)
                    if who and who.name and right is not None
                    else None
                )
            who = before.who if before else self._opening(tokens)
            return _Said(who, cue, at, at + 1, None, right) if who and (right is not None or before) else None
        who = subject(text, tokens, max(low, at - _MOST_TOKENS), at)
        if who is None:
            joined = shares_subject(tokens, low, at)
            who = (before.who if before else self._opening(tokens)) if joined else None
            return _Said(who, cue, at, at + 1, None, right) if who else None
        first = min(who.first, at)
        left = self._left(tokens, low, first)
        if (
            not who.name
            and not who.pronoun
            and (token.lower in NAMES_IT or (token.lower in NOUNS and left is None and right is None))
        ):
            return None
        return _Said(who, cue, first, at + 1, left, right)

    def _left(self, tokens: list[Token], low: int, at: int) -> int | None:
        """The quote that ends where a telling begins, if it ends as what goes on does."""
        if low == 0:
            return None
        quote = tokens[low - 1]
        if low > 1 and tokens[low - 2].kind == "word":  # on CBS's “Face the Nation,” Ryan said
            said = quote.text.split()
            if all(word[0].isupper() for word in said if len(word) > 3) or (
                len(said) < 4 and said[0][0].isupper()
            ):
                return None
        if at == low and (quote.text[-1] in ",?!.…—–-―'’" or tokens[at].lower == "according"):
            return low - 1
        if at == low + 1 and tokens[low].text in {",", "—", "–", "―"}:
            return low - 1
        return None

    def _right(self, tokens: list[Token], cue: int, *, inverted: bool = False) -> int | None:
        """The quote that a telling introduces."""
        at = cue + 1
        while at < len(tokens) and tokens[at].kind != "quote" and at - cue < _MOST_TOKENS:
            at += 1
        if at >= len(tokens) or tokens[at].kind != "quote":
            return None
        gap = tokens[cue + 1 : at]
        words = [token.lower for token in gap]
        if not words or words in (["that"], [","], [":"], ["that", ","], [",", "that"]):
            return at
        if words[-1] == ":":
            return at
        if inverted:
            return (
                at if words[-1] == "," and "," not in words[:-1] and words[0] in PREPOSITIONS | DAYS else None
            )
        cue_word = tokens[cue].lower
        if cue_word in NAMES_IT:
            plain = all(token.kind == "word" and (token.lower not in CUES) for token in gap)
            return at if plain and len(gap) <= LONGEST_PHRASE else None
        aside = words[0] in PREPOSITIONS | DAYS | ADVERBS or words[0].endswith("ly") or cue_word in TELLS
        if (
            words[-1] == ","
            and aside
            and "that" not in words
            and not any(word in PRONOUNS - {"her", "you", "it"} for word in words)
        ):
            return at
        if (
            cue_word in TELLS
            and len(gap) <= 4
            and all(token.capital or token.lower in TOLD for token in gap)
            and words[-1][-2:] not in {"'s", "’s"}
        ):
            return at
        if all(word in DAYS or word.endswith("ly") for word in words):
            return at
        return None

    def _opening(self, tokens: list[Token]) -> Who | None:
        """The subject of a sentence that begins with it: a person, as far as one can tell, or a pronoun."""
        at = 0
        while at < len(tokens) and tokens[at].lower in {"but", "and", "so", "yet", "still", "then"}:
            at += 1
        who = phrase(self.text, tokens, at)
        if who and (who.name or who.pronoun):
            return who
        # "Italy’s new prime minister Giorgia Meloni voiced": names end where small letters go on.
        for end in range(at, min(len(tokens), at + LONGEST_PHRASE)):
            if tokens[end].kind != "word" or (tokens[end].lower in FUNCTION and end > at):
                break
            goes_on = end + 1 < len(tokens) and tokens[end + 1].capital
            if tokens[end].capital and not goes_on and tokens[end].text[-2:] not in {"'s", "’s"}:
                who = phrase(self.text, tokens[: end + 1], at)
                full = self.names.full(who.name) if who and who.name else ""
                if self.names.person(full, speaks=False):
                    return who
                if " " in full:  # somebody, or something, unknown
                    break
        return None

    # What is reported without marks.

    def _reported(self, tokens: list[Token], one: _Said, said: list[_Said]) -> Iterator[Span]:
        text = self.text
        if tokens[-1].text == ":":
            return
        end = len(tokens)
        while end and tokens[end - 1].kind == "mark" and tokens[end - 1].text not in {")", "%", "'", "’"}:
            end -= 1
        cue = text[one.cue.start : one.cue.end].lower()
        if cue.startswith("according"):
            if one.first == 0:
                at = one.after
                while at < end and tokens[at].text != ",":
                    at += 1
                if at + 1 < end and at - one.after <= LONGEST_PHRASE:
                    yield from self._clause(tokens, at + 1, end)
            elif one.first >= 4:
                yield from self._clause(tokens, 0, one.first)
            return
        later = min(
            (other.first if other.left is None else other.left for other in said if other.first >= one.after),
            default=end,
        )
        stop = min(end, later)
        at = one.after
        if cue in TELLS:
            that = next((n for n in range(at, min(stop, at + 9)) if tokens[n].lower == "that"), None)
            if that is None:
                while at < stop and (tokens[at].capital or tokens[at].lower in TOLD):
                    at += 1
                if at >= stop or at == one.after or tokens[at].lower not in SUBJECTS:
                    return
                if cue[:3] == "ask":
                    return
            else:
                at = that
        if at < stop and tokens[at].lower == "that":
            yield from self._clause(tokens, at + 1, stop)
            return
        # "clause, X said Monday": nothing follows but when and where.
        trailing = at >= end or (
            (
                tokens[at].lower in DAYS
                or (cue in SAYS and (tokens[at].lower in PREPOSITIONS or is_adverb(tokens[at])))
            )
            and not any(token.lower in {"that"} or token.text == "," for token in tokens[at:end])
        )
        if trailing and one.first >= 5 and tokens[one.first - 1].text == "," and later >= end:
            earlier = max((other.after for other in said if other.after <= one.first), default=0)
            if earlier == 0 and tokens[0].lower not in ASIDE:
                yield from self._clause(tokens, 0, one.first)
                return
        that = next((n for n in range(at, min(stop, at + 10)) if tokens[n].lower == "that"), None)
        if that is not None and tokens[at].lower in PREPOSITIONS | DAYS:
            yield from self._clause(tokens, that + 1, stop)
            return
        while at < stop and tokens[at].lower in DAYS:
            at += 1
        if at >= stop:
            return
        begins = tokens[at].lower in PRONOUNS | {"there"} or (
            cue in SAYS
            and tokens[at : at + 2][-1].lower != "same"
            and (
                tokens[at].capital
                or tokens[at].lower in DETERMINERS
                or tokens[at].lower not in FUNCTION | ADVERBS
            )
        )
        if begins and cue not in NAMES_IT:
            yield from self._clause(tokens, at, stop)

    def _clause(self, tokens: list[Token], start: int, end: int) -> Iterator[Span]:
        while end > start and (
            tokens[end - 1].text in ",;:—–" or tokens[end - 1].lower in {"and", "but", "while", "as"}
        ):
            end -= 1
        if (
            sum(token.kind == "word" for token in tokens[start:end])
            + 3 * any(t.kind == "quote" for t in tokens[start:end])
            >= 3
        ):
            yield Span(tokens[start].start, tokens[end - 1].end)

    # Who that is.

    def _known(self, who: Who, cue: Span, tokens: list[Token]) -> _Speaker:
        if who.name:
            return _Speaker(self.names.full(who.name), who.place, cue)
        if who.pronoun is None:
            return _Speaker(who.text, who.place, cue)
        return _Speaker(self._meant(who.pronoun, who.place.start), who.place, cue)

    def _meant(self, pronoun: str, at: int) -> str | None:
        """Whom "he" or "she" means: the last who was the subject of a sentence in this paragraph or the one
        before, unless a name or title speaks against it, or another was named since."""
        if pronoun not in {"he", "she"}:
            return None
        for place, name, before in reversed(self._subjects):
            if place < max(self._before, at - _REACH):
                break
            if place < at and gender(name, before) in {pronoun, None}:
                return None if self._another(pronoun, name, place, at) else name
        return None

    def _another(self, pronoun: str, name: str, start: int, end: int) -> bool:
        """Whether somebody else of the text was named between two places, and the first not again."""
        last, other = name.rsplit(maxsplit=1)[-1], False
        known = {subject for _, subject, _ in self._subjects}
        quoted = [one.place for one in self.found[-_MOST_TOKENS:] if one.direct]
        for match in _CAPITAL.finditer(self.text, start, end):
            word = re.sub("['’]s$", "", match[0])
            if any(place.start <= match.start() < place.end for place in quoted):
                continue
            if word == last:
                other = False
            elif (full := self.names.full(word)) in known or self.names.person(full, speaks=False):
                other = other or gender(full, "") in {pronoun, None}
        return other

    def _remember(self, whos: list[Who], *, speak: bool) -> None:
        """Keeps who is the subject of a sentence, or speaks in it: the next may call them he or she."""
        for who in whos:
            name = self.names.full(who.name) if who.name else None
            if who.pronoun:
                name = self._meant(who.pronoun, who.place.start)
            if name and (who.pronoun or self.names.person(name, speaks=speak)):
                self._subjects.append((who.place.start, name, who.before))
        self._subjects[:] = sorted(self._subjects[-_MOST_TOKENS:])


def _between(quotes: list[Marked], end: int) -> Iterator[tuple[int, int]]:
    """The stretches behind quotes, up to the next or the end."""
    for quote, following in zip_longest(quotes, quotes[1:]):
        yield quote.outer.end, following.outer.start if following else end
