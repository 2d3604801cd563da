"""The walk through a text: paragraphs, sentences, and whose words stand in them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from indexer.models import Span
from indexer.quotes.speakers import Speakers
from indexer.quotes.tellings import Sentence, Telling
from indexer.quotes.tokens import LINE, Marked, Token, marked, tokenized
from indexer.quotes.words import CUES

_FEWEST_WORDS = 8  # of a quote whose speaker is not told; fewer may be a name or a doubt
_LONGEST_SENTENCE = 300  # tokens; what is longer is a list or a table
_LATEST = 60  # quotations looked through for what "he" cannot mean
_PEEK = 80  # characters behind "“Why?”" that may tell who asks


class Quotation(NamedTuple):
    """Words that a text gives as somebody's. All places are code points of the text.

    `place` holds the words: between the marks of a direct quotation, else the reported clause. It lies in one
    paragraph; what goes on elsewhere is another quotation of the same speaker. `speaker` is the fullest form
    of the name in the text, or a description as it stands there ("a spokesman for the ministry"); None where
    it is not known. `speaker_place` is where the speaker stands beside the words ("he"), `cue` the verb.
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
        if not line[0].isspace():
            reader.read(line.start(), line.end())
    return sorted(reader.found)


class _Speaker(NamedTuple):
    name: str | None
    place: Span
    cue: Span


class _Reader:
    """Reads a text paragraph by paragraph, and remembers who spoke."""

    def __init__(self, text: str) -> None:
        self.found: list[Quotation] = []
        self._text = text
        self._people = Speakers(text)
        self._speaker: _Speaker | None = None  # whose words a quote alone goes on with
        self._waiting: list[
            int
        ] = []  # places in `found`: quotes of one speech whose speaker is still to come
        self._goes_on = False  # the paragraph before left its quote open
        self._quoted_last = False  # its last sentence quoted somebody
        self._announced: _Speaker | None = None  # it ended with "X said:"
        self._starts = (0, 0)  # of the paragraph before and this one

    def read(self, start: int, end: int) -> None:
        """Finds the quotations of a paragraph, after those of all before it."""
        quotes = marked(self._text, start, end)
        self._starts = (self._starts[1], start)
        opens = bool(quotes) and not self._text[start : quotes[0].outer.start].strip()
        if not (opens and self._goes_on):
            self._waiting = []
            if opens and self._announced:
                self._speaker = self._announced
            elif not (opens and self._quoted_last and self._holds_only(quotes, end)):
                self._speaker = None
        self._announced = None
        self._quoted_last = False
        for tokens in self._sentences(quotes, start, end):
            self._read_sentence(tokens)
        self._goes_on = bool(quotes) and quotes[-1].goes_on

    def _holds_only(self, quotes: list[Marked], end: int) -> bool:
        """Whether nothing stands between quotes and behind them."""
        ends = [quote.outer for quote in quotes] + [Span(end, end)]
        return not any(self._text[one.end : other.start].strip() for one, other in pairwise(ends))

    # Sentences.

    def _sentences(self, quotes: list[Marked], start: int, end: int) -> Iterator[list[Token]]:
        tokens: list[Token] = []
        for token in self._tokens(quotes, start, end):
            if tokens and (len(tokens) == _LONGEST_SENTENCE or self._ends(tokens, token)):
                yield tokens
                tokens = []
            tokens.append(token)
        if tokens:
            yield tokens

    def _tokens(self, quotes: list[Marked], start: int, end: int) -> Iterator[Token]:
        at = start
        for quote in quotes:
            yield from tokenized(self._text, at, quote.outer.start)
            yield Token(self._text[slice(*quote.inner)], "", *quote.outer, "quote", quote.inner)
            at = quote.outer.end
        yield from tokenized(self._text, at, end)

    def _ends(self, tokens: list[Token], following: Token) -> bool:
        """Whether a sentence ends before a token."""
        last = tokens[-1]
        begins = following.capital or following.kind == "quote" or following.text in {"‘", "'", "(", "["}
        if not begins or last.end == following.start:
            return False
        if last.kind == "quote":
            asks = last.text[-1] in "!?" and following.kind == "word" and self._may_tell(following)
            return last.text[-1] in ".!?…" and not asks
        if last.text == ")" and len(tokens) > 1:
            last = tokens[-2]
        return last.text in {".", "!", "?"} or (last.text == "…" and following.capital)

    def _may_tell(self, following: Token) -> bool:
        """Whether "“Why?” Trump asked" goes on behind the mark."""
        peeked = tokenized(self._text, following.start, min(len(self._text), following.start + _PEEK))
        verb = next((token for token in peeked if not token.capital), following)
        return verb is not following and verb.lower in CUES

    def _read_sentence(self, tokens: list[Token]) -> None:
        opening = self._people.opening(tokens)
        self._people.remember([opening] if opening else [], self._starts[0], speak=False)
        sentence = Sentence(self._text, tokens, opening)
        tellings = sentence.tellings()
        speakers = [self._known(one) for one in tellings]
        covered: list[Span] = []
        for one, speaker in zip(tellings, speakers, strict=True):
            clause = sentence.reported(one, tellings)
            if clause and not any(clause.start < other.end and other.start < clause.end for other in covered):
                covered.append(clause)
                self.found.append(Quotation(clause, *speaker, direct=False))
        self._read_quotes(tokens, tellings, speakers, covered)
        self._people.remember([one.who for one in tellings], self._starts[0], speak=True)
        if tokens[-1].text == ":" and speakers:
            self._announced = speakers[-1]

    def _known(self, one: Telling) -> _Speaker:
        quoted = [other.place for other in self.found[-_LATEST:] if other.direct]
        return _Speaker(self._people.known_as(one.who, self._starts[0], quoted), one.who.place, one.cue)

    # Quotes.

    def _read_quotes(
        self,
        tokens: list[Token],
        tellings: Sequence[Telling],
        speakers: Sequence[_Speaker],
        covered: Sequence[Span],
    ) -> None:
        """Finds the quotes of a sentence that no reported clause holds. One of which nothing is told is of
        whom the one before is, in the sentence; a sentence of quotes alone goes on with who spoke."""
        told: dict[int | None, _Speaker] = {}
        for one, speaker in zip(tellings, speakers, strict=True):
            told.setdefault(one.left, speaker)
            told.setdefault(one.right, speaker)
        alone = not any(token.kind == "word" for token in tokens)
        last = self._speaker if alone else None
        for at, token in enumerate(tokens):
            if token.kind != "quote" or any(span.start <= token.start < span.end for span in covered):
                continue
            last = told.get(at, last)
            if at in told or alone or len(token.text.split()) >= _FEWEST_WORDS:
                self._add(token.inner, last, waits=alone)
            self._speaker = last or self._speaker
        self._quoted_last = last is not None

    def _add(self, place: Span, speaker: _Speaker | None, *, waits: bool) -> None:
        if speaker is None:
            self._waiting += [len(self.found)] if waits else []
            self.found.append(Quotation(place, None, None, None, direct=True))
            return
        for waiting in self._waiting:
            self.found[waiting] = Quotation(self.found[waiting].place, *speaker, direct=True)
        self._waiting = []
        self.found.append(Quotation(place, *speaker, direct=True))
