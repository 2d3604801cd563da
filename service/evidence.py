"""The gate: a quote leaves only if the stored article holds it, letter for letter, at its place."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.corpus import Corpus
from indexer.models import Article, Span

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quote:
    """A claim that an article says `text` at `place` (code points of the article's text)."""

    article_id: str
    passage_id: str
    place: Span
    text: str


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
    """An answer's text made of proven quotes alone; empty where none was."""

    text: str
    citations: tuple[Citation, ...]
    sources: tuple[Article, ...]


def prove(corpus: Corpus, quotes: Sequence[Quote]) -> Proof:
    """Checks each quote against the corpus, drops what differs, and puts the rest together."""
    text = ""
    citations: list[Citation] = []
    sources: dict[str, Article] = {}
    for quote in quotes:
        article = holder(corpus, quote)
        if article is None:
            continue
        sources.setdefault(article.id, article)
        number = list(sources).index(article.id) + 1
        text += ("\n\n" if text else "") + quote.text
        marker = Span(len(text) + 1, len(text) + 1 + len(f"[{number}]"))
        text += f" [{number}]"
        citations.append(Citation(number, marker, quote))
    return Proof(text, tuple(citations), tuple(sources.values()))


def holder(corpus: Corpus, quote: Quote) -> Article | None:
    """The article that holds a quote, letter for letter, at its place; None, and logged, where none does."""
    article = corpus.article(quote.article_id)
    start, end = quote.place
    if article and 0 <= start < end <= len(article.text) and article.text[start:end] == quote.text:
        return article
    log.error("quote dropped: article %s does not hold it at %s", quote.article_id, quote.place)
    return None
