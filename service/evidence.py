"""The gate: a quote leaves only if the stored article holds it, letter for letter, at its place."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from indexer.generation import Corpus
from indexer.models import Article, Span
from service.watching.tracing import count

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quote:
    """A claim that an article says `text` at `place` (code points of the article's text). `answer` are the
    words of it that answer, where a reader found such."""

    article_id: str
    passage_id: str
    place: Span
    text: str
    answer: Span | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of an answer: words of the articles, or a sentence around words of theirs that `quotes` are.

    One that is `unproven` has no quotes; it leaves only where the settings let it, and says what it is.
    """

    text: str
    quotes: tuple[Quote, ...]
    unproven: bool = False

    @classmethod
    def of(cls, quote: Quote) -> "Statement":
        """A quote as it stands."""
        return cls(quote.text, (quote,))


@dataclass(frozen=True, slots=True)
class Citation:
    """A proven quote and its marker `[number]`, which stands at `marker` in the answer's text.

    Quotes of one article share its number, which counts from 1 in the order of `Proof.sources`.
    """

    number: int
    marker: Span
    quote: Quote


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer's text, of which every statement is proven; empty where none was. `answers` are the words of
    it that a reader takes for the answer."""

    text: str = ""
    citations: tuple[Citation, ...] = ()
    sources: tuple[Article, ...] = ()
    answers: tuple[Span, ...] = ()


NOTHING_YET = Proof()
_UNPROVEN = "[not in the articles]"


def prove(corpus: Corpus, statements: Iterable[Statement], onto: Proof = NOTHING_YET) -> Proof:
    """Checks each statement against the corpus, drops what fails, and puts the rest behind `onto`.

    A statement stands with all its quotes: each is where it says, and its words are in the statement.
    """
    text = onto.text
    answers = list(onto.answers)
    citations = list(onto.citations)
    sources = {article.id: article for article in onto.sources}
    for statement in statements:
        holders = [holder(corpus, quote) for quote in statement.quotes]
        held = [article for article in holders if article]
        if len(held) < len(holders) or not (held or statement.unproven) or not _says(statement):
            continue
        text += "\n\n" if text else ""
        answers += _answers(statement, len(text))
        text += statement.text
        if statement.unproven:
            text += f" {_UNPROVEN}"
        markers: dict[str, tuple[int, Span]] = {}
        for article, quote in zip(held, statement.quotes, strict=True):
            sources.setdefault(article.id, article)
            if article.id not in markers:
                number = list(sources).index(article.id) + 1
                marker = f"[{number}]"
                text += f" {marker}"
                markers[article.id] = number, Span(len(text) - len(marker), len(text))
            citations.append(Citation(*markers[article.id], quote))
    return Proof(text, tuple(citations), tuple(sources.values()), tuple(answers))


def _answers(statement: Statement, start: int) -> Iterator[Span]:
    """The words that answer in a statement that is a quote as it stands and begins at `start`."""
    for quote in statement.quotes:
        if quote.answer and quote.text == statement.text:
            first, end = (at - quote.place.start for at in quote.answer)
            if 0 <= first < end <= len(quote.text):
                yield Span(start + first, start + end)


def normalised(text: str) -> str:
    """A text without what typesetting changes alone: kinds of quotation marks and of spaces."""
    return " ".join(straightened(text).split())


def straightened(text: str) -> str:
    """A text with one kind of quotation marks and one of apostrophes; every place stays where it is."""
    return text.translate(_TYPESETTING)


_TYPESETTING = str.maketrans(dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("‘’‚‛′", "'"))


def _says(statement: Statement) -> bool:
    said = normalised(statement.text)
    return all(normalised(quote.text) in said for quote in statement.quotes)


def holder(corpus: Corpus, quote: Quote) -> Article | None:
    """The article that holds a quote, letter for letter, at its place; None, and logged, where none does."""
    article = corpus.article(quote.article_id)
    start, end = quote.place
    if article and 0 <= start < end <= len(article.text) and article.text[start:end] == quote.text:
        return article
    count("quotes_dropped")
    log.error("quote dropped: article %s does not hold it at %s", quote.article_id, quote.place)
    return None
