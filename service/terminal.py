"""Search and answers on a terminal, straight from the index."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from indexer.build import Recipe
from indexer.errors import UsageError
from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from indexer.models import Article
from indexer.progress import Plain
from indexer.reader import Reader
from service import evaluation
from service.answering import Answer, answer
from service.asking import Understood
from service.quoting import quotes
from service.reranking import rescoring_by
from service.retrieval import Rescoring, SearchQuery, also_in, search
from service.schemas import (
    AnswerIn,
    AnswerOut,
    CopyOut,
    HistoryOut,
    QuoteOut,
    QuotesIn,
    SearchIn,
    passages_out,
    validated,
)
from service.settings import Settings

_MOST_COPIES = 5  # named


def print_search(settings: Settings, *, as_json: bool, **asked: object) -> None:
    """Prints the passages for what `SearchIn` describes. Raises UsageError where it makes no sense."""
    request = validated(SearchIn, **asked)
    query = request.to_query(rescoring_by(settings))
    with _opened(settings) as generation:
        understood = request.understood(generation, query)
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


def print_quotes(settings: Settings, *, as_json: bool, **asked: object) -> None:
    """Prints the quotes for what `QuotesIn` describes. Raises UsageError where it makes no sense."""
    query = validated(QuotesIn, **asked).to_query()
    with _opened(settings) as generation:
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


def print_answer(settings: Settings, *, as_json: bool, **asked: object) -> None:
    """Prints the answer to what `AnswerIn` describes. Raises UsageError where it makes no sense."""
    request = validated(AnswerIn, **asked)
    query = request.to_query(rescoring_by(settings))
    with _opened(settings) as generation:
        understood = request.understood(generation, query, request.to_turns())
        reader = Reader(settings.reader) if settings.reader else None
        found = answer(generation, understood.query, min_confidence=settings.min_confidence, reader=reader)
        if as_json:
            print(AnswerOut.from_answer(generation, request, understood, found).model_dump_json())
        else:
            _print_understood(understood)
            _print_answer(Console(highlight=False), generation, found)


def print_history(settings: Settings, article_id: str, *, as_json: bool) -> None:
    """Prints what an article said each time it was seen changed. Raises UsageError for an unknown id."""
    with _opened(settings) as generation:
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
    with _opened(settings) as generation:
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


def print_retrieval(
    settings: Settings,
    collections: Sequence[Path],
    index: Path | None,
    work: Path,
    limit: int | None,
    run: Path | None,
    compare: Path | None,
    *,
    as_json: bool,
) -> None:
    """Prints how good search is on each collection, by default and by its parts."""
    if (run or compare) and len(collections) > 1:
        raise UsageError("--run and --compare: give one collection")
    other = evaluation.read_run(compare) if compare else None
    query = SearchQuery("", rescoring=rescoring_by(settings))
    ways = {
        "default": (query, True),
        "as asked": (query, False),  # its own words about days and speakers unread
        "plain hybrid": (replace(query, rescoring=Rescoring(0)), False),
        "dense": (replace(query, mode="dense"), False),
        "lexical": (replace(query, mode="lexical"), False),
    }
    rows = []
    differences = []
    for path in collections:
        judged = evaluation.sampled(evaluation.read_judged(path, work), limit)
        with _measured(settings, judged, index, work) as generation:
            for way, (asked, interpreted) in ways.items():
                ranked = evaluation.rank(generation, judged, asked, interpreted=interpreted)
                means = evaluation.measure(judged.qrels, ranked.run)
                rows.append({"collection": judged.name, "way": way, **means, **ranked.times})
                if way == "default":
                    if run:
                        evaluation.write_run(ranked.run, run)
                    if other:
                        differences = evaluation.compare(judged.qrels, ranked.run, other)
    _print_rows(rows, as_json=as_json)
    _print_rows([{"against": str(compare), **asdict(one)} for one in differences], as_json=as_json)


def print_answers(
    settings: Settings,
    collections: Sequence[Path],
    index: Path | None,
    work: Path,
    limit: int | None,
    *,
    as_json: bool,
) -> None:
    """Prints how good answers are on each collection."""
    rows = []
    query = SearchQuery("", rescoring=rescoring_by(settings))
    reader = Reader(settings.reader) if settings.reader else None
    for path in collections:
        judged = evaluation.sampled(evaluation.read_judged(path, work), limit)
        with _measured(settings, judged, index, work) as generation:
            tried = evaluation.try_answers(generation, judged.questions, query, reader=reader)
        rest = None
        if all(question.answers for question in judged.questions) and judged.qrels and not index:
            rest = evaluation.without_answers(judged, work, _recipe(settings), Plain(sys.stderr))
        if rest:
            with rest:
                tried += evaluation.try_answers(rest, judged.questions, query, reader=reader, silent=True)
        answered = evaluation.summed_up(tried, threshold=settings.min_confidence)
        rows.append({"collection": judged.name, "threshold": settings.min_confidence, **asdict(answered)})
    _print_rows(rows, as_json=as_json, upright=True)


def _measured(settings: Settings, judged: evaluation.Judged, index: Path | None, work: Path) -> Generation:
    if index:
        return _opened(settings)
    return evaluation.index_of(judged, work, _recipe(settings), Plain(sys.stderr))


def _recipe(settings: Settings) -> Recipe:
    return Recipe(settings.model, settings.passage_tokens, settings.token_bits, settings.trusted_sources)


def _print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool, upright: bool = False) -> None:
    """A table of records alike, or a line of JSON for each; `upright` has a column for each record."""
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        return
    names, columns = list(rows[0]), [[_figure(row[name]) for name in rows[0]] for row in rows]
    table = Table(box=None, pad_edge=False)
    lines = list(zip(names, *columns, strict=True)) if upright else [names, *columns]
    for at, heading in enumerate(lines[0]):
        table.add_column(heading, justify="left" if at == 0 or not heading[:1].isdigit() else "right")
    for line in lines[1:]:
        table.add_row(*line)
    Console(highlight=False, soft_wrap=True).print(table)


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004
    return "-" if value is None else str(value)


def _opened(settings: Settings) -> Generation:
    return open_best(
        IndexFolder(settings.index), lambda message: print(f"warning: {message}", file=sys.stderr)
    )


def _print_understood(understood: Understood) -> None:
    """What the question was taken to mean, on stderr: it is no part of the result."""
    text = understood.query.text
    if understood.rewritten:
        print(f"understood as: {text}", file=sys.stderr)
    for finding in (*understood.findings, *understood.ignored):
        print(f"“{text[slice(*finding.span)]}”: {finding.meaning}", file=sys.stderr)


def _print_answer(stdout: Console, generation: Generation, found: Answer) -> None:
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
