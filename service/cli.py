"""`dateline`: everything from the command line."""

import json
import logging
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import indexer.cli
from indexer.cli import IndexOption, JsonOption
from indexer.encoder import locate
from indexer.errors import DatelineError, UsageError
from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from indexer.models import Article
from service.answering import Answer, answer
from service.retrieval import Mode, search
from service.schemas import MAX_LIMIT, AnswerIn, AnswerOut, SearchIn, passages_out, validated
from service.settings import Settings, load, origin

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Answers questions from a collection of news articles, and proves every answer.",
)
config_app = typer.Typer(no_args_is_help=True, help="Look at the settings.")
app.add_typer(indexer.cli.app, name="index")
app.add_typer(config_app, name="config")

QuestionArgument = Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)]
AfterOption = Annotated[str | None, typer.Option("--after", help="Published on this day or later.", metavar="DAY")]
BeforeOption = Annotated[str | None, typer.Option("--before", help="Published on this day or earlier.", metavar="DAY")]
SourceOption = Annotated[list[str] | None, typer.Option("--source", help="Only from this source; repeatable.")]
AuthorOption = Annotated[list[str] | None, typer.Option("--author", help="Only by this author; repeatable.")]


@app.callback()
def _settings_for_all(context: typer.Context) -> None:
    context.obj = load


@app.command(name="search")
def search_command(
    question: QuestionArgument,
    index: IndexOption = None,
    limit: Annotated[int, typer.Option(help="Results shown.", min=1, max=MAX_LIMIT)] = 5,
    mode: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Mode))}.")] = "hybrid",
    after: AfterOption = None,
    before: BeforeOption = None,
    source: SourceOption = None,
    author: AuthorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find passages, the best of each article.

    [dim]Examples:[/dim]
      dateline search "missile defense"
      dateline search "bridge cost" --after 2026-01-01 --source "Harbour Courier" --json
    """
    asked = validated(
        SearchIn, query=question, limit=limit, mode=mode, filters=_filters(after, before, source, author)
    )
    query = asked.to_query()
    for generation in _opened(index):
        hits = search(generation, query).hits
        found = passages_out(generation, hits, asked.query, highlight=True)
        if as_json:
            for passage in found:
                print(passage.model_dump_json())
            continue
        stdout = Console(highlight=False)
        for rank, (hit, passage) in enumerate(zip(hits, found, strict=True), start=1):
            stdout.print(Text.assemble((f"{rank}. ", "bold"), (hit.article.title, "bold"), _facts(hit.article)))
            text = Text(hit.passage.text)
            for span in passage.highlights:
                text.stylize("bold yellow", span.start, span.end)
            stdout.print(text)
            stdout.print(Text(f"{hit.passage.id} · score {hit.score:.3f}\n", "dim"))
        if not hits:
            print("nothing found", file=sys.stderr)


@app.command()
def ask(
    question: QuestionArgument,
    index: IndexOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    source: SourceOption = None,
    author: AuthorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question in the articles' own words, or say that they do not tell.

    [dim]Example:[/dim]
      dateline ask "What does Gabuev expect from military cooperation?"
    """
    asked = validated(AnswerIn, query=question, filters=_filters(after, before, source, author))
    for generation in _opened(index):
        settings = load(index=index)
        found = answer(
            generation, asked.query, asked.filters.to_filters(), min_confidence=settings.min_confidence
        )
        if as_json:
            print(AnswerOut.from_answer(generation, asked.query, found).model_dump_json())
        else:
            _print_answer(Console(highlight=False), found)


@app.command()
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="Address.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8000")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Start without an index, and serve it once it is built.")
    ] = False,
) -> None:
    """Serve search and answers over HTTP; follows the index as it is rebuilt.

    [dim]Examples:[/dim]
      dateline serve
      dateline serve --index /srv/news --host 0.0.0.0 --port 80
    """
    import uvicorn  # noqa: PLC0415  the other commands do without the web

    from service.app import create_app  # noqa: PLC0415

    settings = load(index=index, host=host, port=port)
    if not wait:
        IndexFolder(settings.index).candidates()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    listening = _listening(settings)
    address, port = listening.getsockname()[:2]
    logging.getLogger("dateline").info("serving %s on http://%s:%d", settings.index, address, port)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


@app.command()
def doctor(index: IndexOption = None) -> None:
    """Look for the usual troubles and name the remedies.

    [dim]Example:[/dim]
      dateline doctor
    """
    settings = load(index=index)
    table = Table(box=None, pad_edge=False, show_header=False)
    healthy = True
    for subject, sound, finding in _findings(settings):
        healthy &= sound
        table.add_row("ok" if sound else "[red]trouble[/red]", subject, Text(finding))
    Console(soft_wrap=True).print(table)
    if not healthy:
        raise typer.Exit(1)


@config_app.command()
def show(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Show every setting, its value and where it was set.

    [dim]Example:[/dim]
      dateline config show
    """
    flags = {"index": index} if index else {}
    settings = load(index=index)
    table = Table("setting", "value", "set by", "meaning", box=None, pad_edge=False)
    for name, field in Settings.model_fields.items():
        value, place = str(getattr(settings, name)), origin(name, flags)
        if as_json:
            print(json.dumps({"setting": name, "value": value, "set_by": place}))
        table.add_row(name, value, place, field.description)
    if not as_json:
        Console(soft_wrap=True).print(table)


def _opened(index: Path | None) -> Iterator[Generation]:
    """The best generation of the index, closed afterwards; remarks go to stderr."""
    folder = IndexFolder(load(index=index).index)
    with open_best(folder, lambda message: print(f"warning: {message}", file=sys.stderr)) as generation:
        yield generation


def _filters(
    after: str | None, before: str | None, source: list[str] | None, author: list[str] | None
) -> dict[str, object]:
    return {
        "published_after": after,
        "published_before": before,
        "source": source or [],
        "author": author or [],
    }


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


def _listening(settings: Settings) -> socket.socket:
    """The socket to serve on. Raises UsageError where the address cannot be had."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"{settings.host}:{settings.port}: cannot be served on ({error.strerror}); choose --host and --port"
        ) from error


def _findings(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    """What is looked at: the subject, whether it is sound, and what was found or what to do."""
    yield "dateline", True, f"{version('dateline')} on Python {platform.python_version()}, {settings.workers} cores"
    folder = IndexFolder(settings.index)
    try:
        refused: list[str] = []
        with open_best(folder, refused.append) as generation:
            counts = generation.manifest.counts
            generation.encoder.load()
            found = f"{settings.index}: generation {generation.id}, {counts['articles']} articles"
            facts = generation.encoder.facts
        yield "index", not refused, "; ".join(refused) or found
        yield "encoder", True, f"{facts.model} by {facts.runtime}, {facts.dimension} dimensions"
    except DatelineError as error:
        yield "index", False, str(error)
    if holder := folder.holder():
        yield "writer", True, f"the index is being written by {holder}"
    try:
        yield "model", True, f"{settings.model} at {locate(settings.model)}"
    except DatelineError as error:
        yield "model", False, str(error)
    exporting = find_spec("sentence_transformers") is not None
    advice = "installed" if exporting else "not installed: a new model needs pip install 'dateline[build]'"
    yield "sentence-transformers", True, advice
    space = shutil.disk_usage(next(path for path in (settings.index, Path()) if path.exists())).free
    yield "disk", space > 1 << 30, f"{space / 1e9:.1f} GB free" + ("" if space > 1 << 30 else "; make room")
    try:
        _listening(settings).close()
        yield "port", True, f"{settings.host}:{settings.port} is free"
    except UsageError as error:
        yield "port", False, f"{error} (or a service runs there already)"


def main() -> None:
    """The console script. Errors that a user can act on end with a line on stderr and their exit code."""
    try:
        app()
    except DatelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
