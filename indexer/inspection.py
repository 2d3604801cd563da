"""What the indexer makes of an article before it is in an index: text, metadata, passages, and why."""

from collections.abc import Generator
from dataclasses import asdict, dataclass

from indexer import sources
from indexer.cleaning import Cleaned, clean
from indexer.encoder import locate, read_tokenizer
from indexer.errors import NoIndexError
from indexer.folder import ENCODER, IndexFolder
from indexer.mentions import Mention, mentions
from indexer.models import Article, Origin, Span
from indexer.passages import TokenSpans, cut
from indexer.sources import Intake, Offer


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage to be: where it stands, how many tokens the model reads, the days it speaks of."""

    span: Span
    tokens: int
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one source article becomes; `article` is that of `cleaned`."""

    origin: Origin
    article: Article
    cleaned: Cleaned
    passages: tuple[Cut, ...]

    def to_record(self) -> dict[str, object]:
        """The same as JSON has it."""
        return {
            "file": self.origin.file,
            "offset": self.origin.at,
            "unit": self.origin.unit,
            "article": asdict(self.article),
            "found": dict(self.cleaned.found),
            "unread_date": self.cleaned.unread_date,
            "removed": [removed._asdict() for removed in self.cleaned.removed],
            "passages": [
                {
                    "start": one.span.start,
                    "end": one.span.end,
                    "tokens": one.tokens,
                    "mentions": [
                        {
                            "start": mention.span.start,
                            "end": mention.span.end,
                            "first": mention.first.isoformat(),
                            "last": mention.last.isoformat(),
                        }
                        for mention in one.mentions
                    ],
                }
                for one in self.passages
            ],
        }


def inspect(offer: Offer, intake: Intake, token_spans: TokenSpans, max_tokens: int) -> Generator[Inspection]:
    """Every article that is offered as a build would read it, lines that its source repeats aside: those
    are known only when all of a source is read."""
    for raw in sources.read(offer, intake):
        cleaned = clean(raw)
        article = cleaned.article
        if article is None:
            intake.refuse(raw.origin, "has no text")
            continue
        found = mentions(article.text, article.day)
        spans = cut(article.text, token_spans, max_tokens=max_tokens, language=article.language)
        yield Inspection(
            raw.origin,
            article,
            cleaned,
            tuple(
                Cut(
                    span,
                    len(token_spans(article.text[span.start : span.end])),
                    tuple(one for one in found if span.start <= one.span.start < span.end),
                )
                for span in spans
            ),
        )


def token_spans_for(index: IndexFolder, model: str) -> TokenSpans:
    """How the index's encoder tells tokens, or where there is no index the model's."""
    try:
        generation = index.candidates()[0]
    except NoIndexError:
        return read_tokenizer(locate(model))
    with index.lease(generation) as folder:
        return read_tokenizer(folder / ENCODER)
