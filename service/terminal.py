"""Search and answers on a terminal, straight from the index."""

import asyncio
import json
import sys
from collections.abc import Sequence

from anyio import CapacityLimiter
from rich.console import Console
from rich.text import Text

from indexer.errors import UsageError
from indexer.generation import Generation
from indexer.models import Article
from indexer.settings import DEFAULT_COLLECTION
from service.answering import Answer
from service.asking import Asked, Understood, understand
from service.opening import indexes
from service.quoting import quotes
from service.replying import Answerer, Reply
from service.reranking import rescoring_by
from service.retrieval import also_in, search
from service.schemas.fields import validated
from service.schemas.requests import AnswerIn, QuotesIn, SearchIn
from service.schemas.results import AnswerOut, CopyOut, HistoryOut, QuoteOut, passages_out
from service.served import Lease
from service.settings import Settings

_MOST_COPIES = 5  # named


def print_search(settings: Settings, *, as_json: bool, **fields: object) -> None:
    """Prints the passages for what `SearchIn` describes. Raises UsageError where it makes no sense."""
    request = validated(SearchIn, **fields)
    asked = request.to_asked(rescoring_by(settings))
    with opened(settings) as generation:
        understood = understand(generation, asked)
        hits = search(generation, understood.query).hits
        passages = passages_out(generation, hits, request.query, highlight=True)
    _print_understood(understood)
    if as_json:
        for passage in passages:
            print(passage.model_dump_json())
        return
    stdout = Console(highlight=False)
    for rank, (hit, passage) in enumerate(zip(hits, passages, strict=True), start=1):
        stdout.print(Text.assemble((f"{rank}. {hit.article.title}", "bold"), _facts(hit.article)))
        text = Text(hit.passage.text)
        for span in passage.highlights:
            text.stylize("bold yellow", span.start, span.end)
        stdout.print(text)
        if hit.also_in:
            stdout.print(Text(f"also in {_named(hit.also_in)}", "dim"))
        stdout.print(Text(f"{hit.passage.id} · score {hit.score:.3f}\n", "dim"))
    if not hits:
        print("nothing found", file=sys.stderr)


def print_quotes(settings: Settings, *, as_json: bool, **fields: object) -> None:
    """Prints the quotes for what `QuotesIn` describes. Raises UsageError where it makes no sense."""
    query = validated(QuotesIn, **fields).to_query()
    with opened(settings) as generation:
        hits = quotes(generation, query).hits
    if as_json:
        for hit in hits:
            print(QuoteOut.from_quote(hit).model_dump_json())
        return
    stdout = Console(highlight=False)
    for hit in hits:
        stdout.print(Text.assemble((hit.quotation.speaker or "somebody", "bold"), _facts(hit.article)))
        text = Text(hit.article.text[slice(*hit.context)])
        place = hit.quote.place
        text.stylize("bold yellow", place.start - hit.context.start, place.end - hit.context.start)
        stdout.print(text)
        stdout.print(Text(f"{hit.article.id}, characters {place.start}-{place.end}\n", "dim"))
    if not hits:
        print("nothing found", file=sys.stderr)


def print_answer(settings: Settings, *, as_json: bool, **fields: object) -> None:
    """Prints the answer to what `AnswerIn` describes. Raises UsageError where it makes no sense."""
    request = validated(AnswerIn, **fields)
    answerer = Answerer(settings)
    asked = request.to_asked(answerer.rescoring)
    with opened(settings) as generation:
        reply = asyncio.run(_replied(answerer, generation, asked))
        if as_json:
            print(AnswerOut.from_reply(generation, request, reply).model_dump_json())
        else:
            _print_understood(reply.understood)
            _print_answer(Console(highlight=False), generation, reply.answer)


async def _replied(answerer: Answerer, generation: Generation, asked: Asked) -> Reply:
    try:
        return await answerer.reply(Lease(generation, CapacityLimiter(1)), asked)
    finally:
        await answerer.aclose()


def print_history(settings: Settings, article_id: str, *, as_json: bool) -> None:
    """Prints what an article said each time it was seen changed. Raises UsageError for an unknown id."""
    with opened(settings) as generation:
        stored = generation.corpus.stored(article_id)
        if stored is None:
            raise UsageError(f"{article_id}: no such article in {settings.index}")
        found = HistoryOut.from_stored(generation, stored)
    if as_json:
        print(found.model_dump_json())
        return
    stdout = Console(highlight=False)
    for version in found.versions:
        stdout.print(Text.assemble((version.title, "bold"), f" · seen {version.seen_at}"))
        for sign, style, sentences in (("-", "red", version.removed), ("+", "green", version.added)):
            for sentence in sentences:
                stdout.print(Text(f"  {sign} {sentence}", style))


def print_stories(settings: Settings, *, as_json: bool) -> None:
    """Prints every story that the index holds in several copies."""
    stdout = Console(highlight=False, soft_wrap=True)
    with opened(settings) as generation:
        for copies in generation.corpus.stories():
            articles = [article for name in copies if (article := generation.corpus.article(name))]
            if as_json:
                print(json.dumps({"copies": [CopyOut.from_article(one).model_dump() for one in articles]}))
                continue
            for number, article in enumerate(articles):
                lead = "" if number == 0 else "  also in "
                style = "bold" if number == 0 else ""
                stdout.print(
                    Text.assemble(lead, (article.title, style), _facts(article), (f" · {article.id}", "dim"))
                )


def opened(settings: Settings) -> Generation:
    """The best generation of the index, with a warning for each that is refused."""
    return indexes(settings)[DEFAULT_COLLECTION].open_best(
        lambda message: print(f"warning: {message}", file=sys.stderr)
    )


def _print_understood(understood: Understood) -> None:
    """What the question was taken to mean, on stderr: it is no part of the result."""
    text = understood.query.text
    if understood.rewritten:
        print(f"understood as: {text}", file=sys.stderr)
    for finding in (*understood.findings, *understood.ignored):
        print(f"“{text[slice(*finding.span)]}”: {finding.meaning}", file=sys.stderr)


def _print_answer(stdout: Console, generation: Generation, found: Answer) -> None:
    text = Text(found.text)
    for span in found.proof.answers:
        text.stylize("bold", *span)
    stdout.print(text)
    if found.status == "no_answer":
        for hit in found.nearest:
            stdout.print(Text.assemble("\nnearest: ", (hit.article.title, "bold"), _facts(hit.article)))
            stdout.print(Text(hit.passage.text, "dim"))
        return
    for number, article in enumerate(found.proof.sources, start=1):
        stdout.print(Text.assemble(f"\n[{number}] ", (article.title, "bold"), _facts(article)))
        places = [
            f"{citation.quote.place.start}-{citation.quote.place.end}"
            for citation in found.proof.citations
            if citation.number == number
        ]
        stdout.print(Text(f"    {article.id}, characters {', '.join(places)}", "dim"))
        if article.url:
            stdout.print(Text(f"    {article.url}", "dim"))
        if copies := also_in(generation.corpus, article):
            stdout.print(Text(f"    also in {_named(copies)}", "dim"))


def _named(copies: Sequence[Article]) -> str:
    """The other copies of a story in a line, by their outlets."""
    named = [
        f"{copy.source or copy.title} ({copy.published_at or 'undated'})" for copy in copies[:_MOST_COPIES]
    ]
    more = len(copies) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _facts(article: Article) -> str:
    """Outlet and day as a reader writes them: " · Harbour Courier · 3 December 2025"."""
    day = f"{article.day:%-d %B %Y}" if article.day else "undated"
    return "".join(f" · {fact}" for fact in (article.source, article.author, day) if fact)
