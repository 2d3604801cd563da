"""`dateline`: everything from the command line.

Commands import what they need themselves: a service is ready sooner when it loads its index while
the web framework is still being imported, and `--help` need not wait for either.
"""

import asyncio
import ctypes
import json
import logging
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import socket
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import indexer.cli
from indexer.cli import IndexOption, JsonOption
from indexer.errors import DatelineError, NoIndexError, UsageError
from indexer.folder import IndexFolder
from service import keycommands
from service.keys import Keys, check_reach
from service.listening import listening_sockets
from service.settings import Settings, load, origin
from service.watching.logs import log_to_stderr
from service.watching.recording import Recorder

if TYPE_CHECKING:
    from service.served import Collections

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Answers questions from a collection of news articles, and proves every answer.",
)
config_app = typer.Typer(no_args_is_help=True, help="Look at the settings.")
eval_app = typer.Typer(no_args_is_help=True, help="Measure search and answers on judged questions.")
app.add_typer(indexer.cli.app, name="index")
app.add_typer(config_app, name="config")
app.add_typer(keycommands.app, name="keys")
app.add_typer(eval_app, name="eval")

_M_ARENA_MAX = -8  # of malloc.h

QuestionArgument = Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)]
AfterOption = Annotated[
    str | None, typer.Option("--after", help="Published on this day or later.", metavar="DAY")
]
BeforeOption = Annotated[
    str | None, typer.Option("--before", help="Published on this day or earlier.", metavar="DAY")
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help="Only from this source; repeatable.")
]
AuthorOption = Annotated[list[str] | None, typer.Option("--author", help="Only by this author; repeatable.")]

CollectionOption = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Another index to serve beside it; repeatable.", metavar="NAME=DIR"),
]
CollectionsArgument = Annotated[
    list[Path],
    typer.Argument(help="Folders in BEIR layout, or SQuAD files.", metavar="DIR…", show_default=False),
]
EvalIndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index", help="Measure this index, instead of one built of the collection's corpus.", metavar="DIR"
    ),
]
WorkOption = Annotated[Path, typer.Option("--work", help="Where indexes are built.", metavar="DIR")]
SampleOption = Annotated[
    int | None, typer.Option("--limit", help="Ask at most so many questions, always the same.", min=1)
]


@app.callback()
def _settings_for_all(context: typer.Context) -> None:
    context.obj = load


@app.command(name="search")
def search_command(
    question: QuestionArgument,
    index: IndexOption = None,
    limit: Annotated[int, typer.Option(help="Results shown.", min=1)] = 5,
    mode: Annotated[str, typer.Option(help="One of hybrid, dense, lexical.")] = "hybrid",
    collapse: Annotated[bool, typer.Option(help="Show each story once, or every copy of it.")] = True,
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
    from service.terminal import print_search  # noqa: PLC0415

    print_search(
        load(index=index),
        as_json=as_json,
        query=question,
        limit=limit,
        mode=mode,
        collapse=collapse,
        filters=_filters(after, before, source, author),
    )


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
    from service.terminal import print_answer  # noqa: PLC0415

    filters = _filters(after, before, source, author)
    print_answer(load(index=index), as_json=as_json, query=question, filters=filters)


@app.command()
def quotes(
    topic: Annotated[str | None, typer.Argument(help="What of.", metavar="TOPIC", show_default=False)] = None,
    speaker: Annotated[str | None, typer.Option(help="Whose words: a name or a surname.")] = None,
    index: IndexOption = None,
    limit: Annotated[int, typer.Option(help="Quotes shown.", min=1)] = 10,
    after: AfterOption = None,
    before: BeforeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who said what: somebody's words, words on a topic, or both.

    [dim]Examples:[/dim]
      dateline quotes --speaker Gabuev
      dateline quotes "military cooperation" --speaker Gabuev --after 2023-01-01 --json
    """
    from service.terminal import print_quotes  # noqa: PLC0415

    print_quotes(
        load(index=index),
        as_json=as_json,
        q=topic,
        speaker=speaker,
        limit=limit,
        published_after=after,
        published_before=before,
        source=source or [],
    )


@app.command()
def history(
    article: Annotated[str, typer.Argument(help="Its id.", metavar="ID")],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an article said each time it was seen changed.

    [dim]Example:[/dim]
      dateline history harbour-courier.example/bridge-cost
    """
    from service.terminal import print_history  # noqa: PLC0415

    print_history(load(index=index), article, as_json=as_json)


@app.command()
def stories(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """List the stories that the index holds in several copies.

    [dim]Example:[/dim]
      dateline stories
    """
    from service.terminal import print_stories  # noqa: PLC0415

    print_stories(load(index=index), as_json=as_json)


@app.command()
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="Address.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port.", show_default="1")
    ] = None,
    collection: CollectionOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Start without an index, and serve it once it is built.")
    ] = False,
    open_: Annotated[
        bool | None, typer.Option("--open", help="Serve whoever reaches a public address, without keys.")
    ] = None,
) -> None:
    """Serve search and answers over HTTP; follows the index as it is rebuilt.

    [dim]Examples:[/dim]
      dateline serve
      dateline serve --index /srv/news --host 0.0.0.0 --port 80 --workers 2
    """
    settings = load(
        index=index,
        host=host,
        port=port,
        workers=workers,
        collections=_collections(collection),
        open=open_,
    )
    check_reach(settings)
    if not wait:
        _must_be_there(settings)
    log_to_stderr(settings.log_format)
    _keep_one_heap()
    shared = Recorder(settings.workers, settings.folders()), Keys(settings)
    serve = partial(_serve, settings, *shared, may_be_missing=wait)
    with listening_sockets(settings.host, settings.port, settings.workers) as sockets:
        address, port = sockets[0].getsockname()[:2]
        logging.getLogger("dateline").info("serving %s on http://%s:%d", settings.index, address, port)
        if len(sockets) == 1:
            serve(0, sockets[0])
            return
        from service.workers import Workers  # noqa: PLC0415

        code = Workers(sockets, serve).run()
    if code:
        raise typer.Exit(code)


def _serve(
    settings: Settings,
    recorder: Recorder,
    keys: Keys,
    place: int,
    listening: socket,
    *,
    may_be_missing: bool,
) -> None:
    """Serves on a socket until a signal ends it, as the worker of a place."""
    from service.opening import indexes  # noqa: PLC0415
    from service.served import Collections  # noqa: PLC0415

    recorder.work_as(place)
    collections = Collections(indexes(settings), at_once=settings.cores)
    # The indexes load while the web framework is imported.
    loading = Thread(target=collections.refresh, name="load")
    loading.start()
    try:
        from service.app import create_app  # noqa: PLC0415
        from service.door.connections import server  # noqa: PLC0415

        app = create_app(settings, collections, recorder, keys)
        serving = server(app, settings.patience_s, app.state.dateline.hurry)
    finally:
        loading.join()
    # Milvus may be away for a moment: it is waited for, as the requests are told.
    if not may_be_missing and not settings.milvus_uri:
        _must_serve(settings, collections)
    serving.run(sockets=[listening])


@app.command()
def mcp(
    index: IndexOption = None,
    collection: CollectionOption = None,
) -> None:
    """Speak the Model Context Protocol on stdin and stdout: search, fetch, ask, quotes.

    [dim]Example:[/dim]
      dateline mcp --index /srv/news
    """
    settings = load(index=index, collections=_collections(collection))
    _must_be_there(settings)
    log_to_stderr(settings.log_format)
    from service.opening import indexes  # noqa: PLC0415
    from service.replying import Answerer  # noqa: PLC0415
    from service.served import Collections  # noqa: PLC0415
    from service.tools import speak_on_stdio  # noqa: PLC0415

    collections = Collections(indexes(settings), at_once=settings.cores)
    collections.refresh()
    _must_serve(settings, collections)
    asyncio.run(speak_on_stdio(settings, collections, Answerer(settings)))


@app.command()
def doctor(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Look for the usual troubles and name the remedies.

    [dim]Example:[/dim]
      dateline doctor
    """
    from service.doctor import findings  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=False)
    healthy = True
    for subject, sound, finding in findings(load(index=index)):
        healthy &= sound
        if as_json:
            print(json.dumps({"subject": subject, "sound": sound, "finding": finding}))
        table.add_row("ok" if sound else "[red]trouble[/red]", subject, Text(finding))
    if not as_json:
        Console(soft_wrap=True).print(table)
    if not healthy:
        raise typer.Exit(1)


@eval_app.command(name="retrieval")
def eval_retrieval(
    collections: CollectionsArgument,
    index: EvalIndexOption = None,
    work: WorkOption = Path("index-eval"),
    limit: SampleOption = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Write the default ranking here, in TREC's format.", metavar="FILE"),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="A run to test the difference against.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure search on collections in BEIR layout: the default, and what it is made of.

    nDCG@10, R@100, RR@10 and Success@5 by ir_measures, an unanswered question
    counting 0, with the time of a question beside them.

    [dim]Examples:[/dim]
      dateline eval retrieval my-questions/ --index index
      dateline eval retrieval scifact/ --run before.run
      dateline eval retrieval scifact/ --compare before.run
    """
    from service.report import print_retrieval  # noqa: PLC0415

    print_retrieval(load(index=index), collections, index, work, limit, run, compare, as_json=as_json)


@eval_app.command(name="answers")
def eval_answers(
    collections: CollectionsArgument,
    index: EvalIndexOption = None,
    work: WorkOption = Path("index-eval"),
    limit: SampleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure answers: are they quoted, and is there silence where there is none?

    A collection is a folder in BEIR layout whose questions carry an answer, or
    a SQuAD 2.0 file. Questions without an answer are unanswerable; where all
    have one, the articles judged to answer them are taken out, and each is
    asked again.

    [dim]Examples:[/dim]
      dateline eval answers my-questions/ --index index
      dateline eval answers newsquiz/ dev-v2.0.json --limit 500
    """
    from service.report import print_answers  # noqa: PLC0415

    print_answers(load(index=index), collections, index, work, limit, as_json=as_json)


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
        value, place = _shown(getattr(settings, name)), origin(name, flags)
        if as_json:
            print(json.dumps({"setting": name, "value": value, "set_by": place}))
        table.add_row(name, value, place, field.description)
    if not as_json:
        Console(soft_wrap=True).print(table)


def _shown(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key}={one}" for key, one in value.items())
        case tuple():
            return ", ".join(map(str, value))
    return str(value)


def _must_be_there(settings: Settings) -> None:
    """Raises NoIndexError where something that is to be served holds no index."""
    for path in settings.folders().values():
        folder = IndexFolder(path)
        if not settings.milvus_uri:
            folder.candidates()
        elif not folder.published():
            raise NoIndexError(f"{path}: nothing of it is published; run: dateline index build PATH…")


def _keep_one_heap() -> None:
    """Has glibc's threads share one heap: each would keep what it freed of its own, ten megabytes in all."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _must_serve(settings: Settings, collections: "Collections") -> None:
    if not collections.ready:
        raise NoIndexError(f"{settings.index}: no generation is whole; run: dateline index build PATH…")


def _collections(given: list[str] | None) -> dict[str, str] | None:
    """`--collection NAME=DIR`; None where none is given, so that the settings hold."""
    if not given:
        return None
    named = [one.partition("=") for one in given]
    for name, _, folder in named:
        if not (name and folder):
            raise UsageError(f"--collection {name}: give a name and a folder, as in archive=/srv/archive")
    return {name: folder for name, _, folder in named}


def _filters(
    after: str | None, before: str | None, source: list[str] | None, author: list[str] | None
) -> dict[str, object]:
    return {
        "published_after": after,
        "published_before": before,
        "source": source or [],
        "author": author or [],
    }


def main() -> None:
    """The console script. Errors that a user can act on end with a line on stderr and their exit code."""
    try:
        app()
    except DatelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a disk that is full, a folder that may not be written
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(DatelineError.exit_code)


if __name__ == "__main__":
    main()
