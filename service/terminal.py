"""Search and answers on a terminal, straight from the index."""

import sys

from rich.console import Console
from rich.text import Text

from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from indexer.models import Article
from service.answering import Answer, answer
from service.retrieval import search
from service.schemas import AnswerIn, AnswerOut, SearchIn, passages_out, validated
from service.settings import Settings


def print_search(settings: Settings, *, as_json: bool, **asked: object) -> None:
    """Prints the passages for what `SearchIn` describes. Raises UsageError where it makes no sense."""
    request = validated(SearchIn, **asked)
    query = request.to_query()
    with _opened(settings) as generation:
        hits = search(generation, query).hits
        passages = passages_out(generation, hits, request.query, highlight=True)
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
        stdout.print(Text(f"{hit.passage.id} · score {hit.score:.3f}\n", "dim"))
    if not hits:
        print("nothing found", file=sys.stderr)


def print_answer(settings: Settings, *, as_json: bool, **asked: object) -> None:
    """Prints the answer to what `AnswerIn` describes. Raises UsageError where it makes no sense."""
    request = validated(AnswerIn, **asked)
    filters = request.filters.to_filters()
    with _opened(settings) as generation:
        found = answer(generation, request.query, filters, min_confidence=settings.min_confidence)
        if as_json:
            print(AnswerOut.from_answer(generation, request.query, found).model_dump_json())
        else:
            _print_answer(Console(highlight=False), found)


def _opened(settings: Settings) -> Generation:
    return open_best(
        IndexFolder(settings.index), lambda message: print(f"warning: {message}", file=sys.stderr)
    )


def _print_answer(stdout: Console, found: Answer) -> None:
    stdout.print(Text(found.text))
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


def _facts(article: Article) -> str:
    """Outlet and day as a reader writes them: " · Harbour Courier · 3 December 2025"."""
    day = f"{article.day:%-d %B %Y}" if article.day else "undated"
    return "".join(f" · {fact}" for fact in (article.source, article.author, day) if fact)
