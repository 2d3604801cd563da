"""`dateline index`: building and keeping an index from the command line."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from indexer.errors import DamagedError, SourceError, UnreachableError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.settings import IndexSettings

if TYPE_CHECKING:
    from indexer.build import Recipe
    from indexer.progress import Live, Plain
    from indexer.publishing import Publisher
    from indexer.sources import Offer

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Build and keep an index.")

IndexOption = Annotated[
    Path | None, typer.Option("--index", help="The index folder.", show_default="index", metavar="DIR")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="A sentence-transformers model: a hub name or a folder.")
]
ReaderOption = Annotated[
    str | None,
    typer.Option(
        "--reader",
        help="What reads passages for the words that answer: none, bundled, or a question-answering model.",
        metavar="NAME",
        show_default="bundled",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Stop at the first article that cannot be read, instead of skipping it."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on standard output.")]
PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders or patterns of articles, in any format; - is JSON lines on standard input.",
        metavar="PATH…",
        show_default=False,
    ),
]
FeedOption = Annotated[
    list[str] | None,
    typer.Option("--from-feed", help="Fetch the pages of an RSS or Atom feed; repeatable.", metavar="URL"),
]
SitemapOption = Annotated[
    list[str] | None,
    typer.Option("--from-sitemap", help="Fetch the pages that a sitemap lists; repeatable.", metavar="URL"),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="What a field is called in your tables, as text=story_body; repeatable.",
        metavar="FIELD=NAME",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Where to write what was skipped or repeated, and why.", metavar="FILE",
        show_default="report.jsonl in the generation",
    ),
]  # fmt: skip
PassageTokensOption = Annotated[
    int | None, typer.Option("--passage-tokens", help="Most tokens of a passage.", show_default="200")
]
_GIVES_WAY = 10  # steps of the system's priority, so that a service on this machine goes first
_EVERY_GENERATION = 1000
_WARNINGS = 20  # on the terminal; the report has all


@app.command(name="build")
def build_command(
    context: typer.Context,
    paths: PathsArgument = None,
    from_feed: FeedOption = None,
    from_sitemap: SitemapOption = None,
    column: ColumnOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    reader: ReaderOption = None,
    passage_tokens: PassageTokensOption = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Where passages are encoded: here, or by the machines of a Ray cluster."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="The cluster, for --engine ray, as HOST:PORT or auto.", show_default="Ray on this machine"
        ),
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            help="Where --engine ray leaves what is encoded: a folder that all machines share, or a URI as "
            "s3://bucket/folder. What is there is not encoded again.",
            metavar="DIR",
        ),
    ] = None,
    strict: StrictOption = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build an index of these articles, and of nothing else; the service switches to it by itself.

    Web pages, PDFs, feeds, sitemaps, WARC crawls, JSON, CSV, Parquet, mails,
    Markdown and plain text are told by what they hold. Passages that have not
    changed since the last build are not encoded again.

    [dim]Examples:[/dim]
      dateline index build seeds/
      dateline index build dump.jsonl.gz archive/ --index /srv/news --strict
      dateline index build --from-feed https://example.org/rss.xml
      dateline index build --engine ray --address auto --parts /shared/parts s3://news/dumps
    """
    settings = _settings(
        context,
        index=index,
        model=model,
        reader=reader,
        passage_tokens=passage_tokens,
        columns=_columns(context, column),
    )
    if engine == "local":
        if address or parts:
            raise UsageError("--address and --parts are for --engine ray")
        offer = _offer(settings, paths, from_feed, from_sitemap)
        _run(settings, from_current=False, offer=offer, strict=strict, report=report, as_json=as_json)
        return
    if not parts:
        raise UsageError(
            "--engine ray needs --parts DIR, a folder that all its machines share", param="parts"
        )
    if not paths or "-" in paths or from_feed or from_sitemap:
        raise UsageError("--engine ray reads files: give PATH…, without -, --from-feed and --from-sitemap")
    _encode(settings, paths, parts, address, strict=strict)
    _run(settings, from_current=False, parts=parts, strict=strict, report=report, as_json=as_json)


@app.command()
def load(
    context: typer.Context,
    parts: Annotated[
        str,
        typer.Argument(help="What dateline index build --engine ray left with --parts.", metavar="PARTS"),
    ],
    index: IndexOption = None,
    model: ModelOption = None,
    reader: ReaderOption = None,
    passage_tokens: PassageTokensOption = None,
    strict: StrictOption = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build an index of what a Ray cluster read and encoded, and of nothing else.

    The index is the one that a build from the same files makes. A build with
    --engine ray ends with this; its parts may be loaded again, here or elsewhere.

    [dim]Example:[/dim]
      dateline index load /shared/parts
    """
    settings = _settings(context, index=index, model=model, reader=reader, passage_tokens=passage_tokens)
    _run(settings, from_current=False, parts=parts, strict=strict, report=report, as_json=as_json)


@app.command()
def add(
    context: typer.Context,
    paths: PathsArgument = None,
    from_feed: FeedOption = None,
    from_sitemap: SitemapOption = None,
    column: ColumnOption = None,
    index: IndexOption = None,
    strict: StrictOption = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add articles to those that are indexed; one with a known id or url updates it.

    [dim]Examples:[/dim]
      dateline index add today.jsonl
      dateline index add --from-feed https://example.org/rss.xml
    """
    settings = _settings(context, index=index, columns=_columns(context, column))
    offer = _offer(settings, paths, from_feed, from_sitemap)
    _run(settings, from_current=True, offer=offer, strict=strict, report=report, as_json=as_json)


@app.command()
def remove(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(help="Ids of articles.", metavar="ID…")],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take articles out of the index.

    [dim]Example:[/dim]
      dateline index remove sample/harbour-courier/bridge-cost
    """
    settings = _settings(context, index=index)
    _run(settings, from_current=True, remove=ids, as_json=as_json)


@app.command()
def inspect(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of articles.", metavar="FILE…")],
    column: ColumnOption = None,
    limit: Annotated[int, typer.Option(help="Articles shown.", min=1)] = 10,
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would be indexed of a file; nothing is changed.

    Text, metadata and where each was found, what was taken for boilerplate,
    passages and their tokens, the days they speak of.

    [dim]Example:[/dim]
      dateline index inspect seeds/000_6f77d67fd69055e2.txt
    """
    settings = _settings(context, index=index, columns=_columns(context, column))
    offer = _offer(settings, paths)
    from indexer import sources  # noqa: PLC0415
    from indexer.inspection import inspect, token_spans_for  # noqa: PLC0415
    from indexer.sources import Intake  # noqa: PLC0415
    from indexer.terminal import print_inspection  # noqa: PLC0415

    sources.check(offer.paths)
    intake = Intake(warn=_say)
    token_spans = token_spans_for(IndexFolder(settings.index), settings.model)
    shown = 0
    with closing(inspect(offer, intake, token_spans, settings.passage_tokens)) as found:
        for one in found:
            shown += 1
            if as_json:
                print(json.dumps(one.to_record(), ensure_ascii=False))
            else:
                print_inspection(one)
            if shown == limit:
                break
    if not shown:
        raise SourceError(f"no article found ({intake.skipped} skipped)")


@app.command()
def status(context: typer.Context, index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Show the generations, which one is served, and who is writing.

    [dim]Example:[/dim]
      dateline index status
    """
    settings = _settings(context, index=index)
    folder = IndexFolder(settings.index)
    current = folder.candidates() and folder.current()
    state, away = _states(settings, current or None)
    table = Table("generation", "built", "articles", "passages", "MB", "state", box=None, pad_edge=False)
    for name in folder.ids():
        try:
            manifest = folder.manifest(name)
        except DamagedError as error:
            facts: dict[str, object] = {"generation": name, "state": "damaged", "reason": str(error)}
            table.add_row(name, "", "", "", "", "damaged")
        else:
            size = sum(file["bytes"] for file in manifest.files.values())
            counts = manifest.counts
            facts = {
                "generation": name,
                "built_at": manifest.created_at,
                "bytes": size,
                **counts,
                "state": state(name),
            }
            table.add_row(
                name, manifest.created_at, f"{counts['articles']:,}", f"{counts['passages']:,}",
                f"{size / 1e6:.1f}", state(name),
            )  # fmt: skip
        if as_json:
            print(json.dumps(facts))
    if not as_json:
        Console(soft_wrap=True).print(table)
    if current is None:
        _say("CURRENT names no generation; run: dateline index rollback GENERATION")
    if holder := folder.holder():
        _say(f"being written by {holder}")
    if away:
        raise away


@app.command()
def verify(
    context: typer.Context,
    generation: Annotated[str | None, typer.Argument(help="Its id.", show_default="every one")] = None,
    index: IndexOption = None,
) -> None:
    """Compare every file with its checksum.

    [dim]Example:[/dim]
      dateline index verify
    """
    folder = _folder(context, index)
    folder.candidates()
    damaged: list[DamagedError] = []
    if generation:
        folder.check_known(generation)
    for name in [generation] if generation else folder.ids():
        try:
            manifest = folder.verify(name)
        except DamagedError as error:
            print(f"{name}: damaged: {error}")
            damaged.append(error)
        else:
            print(f"{name}: whole, {len(manifest.files)} files")
    if damaged:
        raise damaged[0]


@app.command()
def rollback(
    context: typer.Context,
    generation: Annotated[str | None, typer.Argument(help="Its id.", show_default="the one before")] = None,
    index: IndexOption = None,
) -> None:
    """Serve an earlier generation again, once its files are found whole.

    [dim]Examples:[/dim]
      dateline index rollback
      dateline index rollback 000003-bd16a1cb
    """
    settings = _settings(context, index=index)
    folder = IndexFolder(settings.index)
    rolled_back = folder.roll_back(generation, _command_line())
    if settings.milvus_uri:
        _publish(settings)
    print(rolled_back)


@app.command()
def gc(
    context: typer.Context,
    keep: Annotated[int | None, typer.Option(min=0, help="How many to keep behind the served one.")] = None,
    index: IndexOption = None,
) -> None:
    """Remove old generations that nobody is reading.

    [dim]Example:[/dim]
      dateline index gc --keep 1
    """
    settings = _settings(context, index=index)
    folder = IndexFolder(settings.index)
    folder.candidates()
    kept = settings.keep_generations if keep is None else keep
    with folder.writing(_command_line()):
        if settings.milvus_uri:
            with _publisher(settings) as publisher:
                publisher.collect(kept)
        removed = folder.collect(kept)
    for name in removed:
        print(name)
    _say(f"{len(removed)} removed, {len(folder.ids())} left")


@app.command()
def publish(context: typer.Context, index: IndexOption = None) -> None:
    """Put the current generation into Milvus (milvus_uri), and serve it from there.

    Builds do so by themselves. One that was broken off goes on where it was; what
    is served is what is whole, until then what was before.

    [dim]Example:[/dim]
      DATELINE_MILVUS_URI=http://milvus:19530 dateline index publish
    """
    settings = _settings(context, index=index)
    if not settings.milvus_uri:
        raise UsageError("milvus_uri: is not set; name the Milvus to publish to, such as http://host:19530")
    os.nice(_GIVES_WAY)
    print(_publish(settings))


@app.command(name="export")
def export_command(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="The archive; - is standard output.", metavar="FILE")],
    index: IndexOption = None,
) -> None:
    """Write the served generation into one file, each part compared with its checksum on the way.

    The file has its name only when it is whole. A service may go on meanwhile.

    [dim]Examples:[/dim]
      dateline index export news.dateline
      dateline index export - | ssh backup 'cat > news.dateline'
    """
    from indexer.archive import export  # noqa: PLC0415

    folder = _folder(context, index)
    os.nice(_GIVES_WAY)
    to_stdout = str(target) == "-"
    if to_stdout and sys.stdout.isatty():
        raise UsageError("-: standard output is a terminal; name a file, or send it on")
    manifest = export(folder, sys.stdout.buffer if to_stdout else target)
    size = sum(facts["bytes"] for facts in manifest.files.values())
    _say(f"{target}: generation {manifest.id} of {folder.path}, {size / 1e6:.1f} MB")


@app.command(name="import")
def import_command(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="The archive; - is standard input.", metavar="FILE")],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve what an archive holds, as the index's next generation; the service switches to it by itself.

    What was served before stays, and a rollback returns to it.

    [dim]Example:[/dim]
      dateline index import news.dateline --index /srv/news
    """
    from indexer.archive import restore  # noqa: PLC0415

    settings = _settings(context, index=index)
    folder = IndexFolder(settings.index)
    folder.check_free()
    os.nice(_GIVES_WAY)
    with sys.stdin.buffer if str(source) == "-" else source.open("rb") as stream:
        manifest = restore(
            folder, stream, str(source), keep=_kept_at_first(settings), command=_command_line()
        )
    if settings.milvus_uri:
        _publish(settings)
    counts = manifest.counts
    print(
        json.dumps(_summary(manifest))
        if as_json
        else f"{settings.index}: generation {manifest.id} with {counts['articles']:,} articles in "
        f"{counts['passages']:,} passages, from {source}"
    )


def _run(
    settings: IndexSettings,
    *,
    from_current: bool,
    offer: "Offer | None" = None,
    parts: str | None = None,
    remove: Sequence[str] = (),
    strict: bool = False,
    report: Path | None = None,
    as_json: bool,
) -> None:
    folder = IndexFolder(settings.index)
    folder.check_free()
    os.nice(_GIVES_WAY)
    # Imported here, so that the commands that only read start in half the time.
    from indexer.build import Change, build  # noqa: PLC0415
    from indexer.local.generation import REPORT  # noqa: PLC0415
    from indexer.parts import Parts  # noqa: PLC0415
    from indexer.sources import Intake, Offer  # noqa: PLC0415

    with closing(_progress()) as progress:
        warned = 0

        def warn(what: str) -> None:
            nonlocal warned
            warned += 1
            if warned <= _WARNINGS:
                progress.warn(what)

        manifest = build(
            folder,
            Change(from_current, frozenset(remove), offer or Offer(), Parts(parts) if parts else None),
            _recipe(settings),
            Intake(strict=strict, warn=warn),
            progress,
            keep=_kept_at_first(settings),
            command=_command_line(),
            report=report,
        )
    if warned:
        more = f"{warned - _WARNINGS} more warnings; " if warned > _WARNINGS else ""
        _say(f"{more}the report is {report or folder.generation(manifest.id) / REPORT}")
    if settings.milvus_uri:
        _publish(settings)
    print(json.dumps(_summary(manifest)) if as_json else _words(manifest, settings.index))


def _kept_at_first(settings: IndexSettings) -> int:
    """How many generations a build keeps: what is still served from Milvus goes when the new one is."""
    return _EVERY_GENERATION if settings.milvus_uri else settings.keep_generations


def _publish(settings: IndexSettings) -> str:
    with closing(_progress()) as progress, _publisher(settings) as publisher:
        return publisher.publish(progress, command=_command_line(), keep=settings.keep_generations)


@contextmanager
def _publisher(settings: IndexSettings) -> "Iterator[Publisher]":
    from indexer.milvus.connection import Connection  # noqa: PLC0415
    from indexer.publishing import Publisher  # noqa: PLC0415

    with closing(Connection.by(settings)) as connection:
        yield Publisher(IndexFolder(settings.index), connection, settings.collection)


def _states(
    settings: IndexSettings, current: str | None
) -> tuple[Callable[[str], str], UnreachableError | None]:
    """What tells of a generation whether it is served; and why that is not known, if it is not."""
    if not settings.milvus_uri:
        return lambda name: "served" if name == current else "", None
    try:
        with _publisher(settings) as publisher:
            published = publisher.published()
    except UnreachableError as error:  # what the folder holds can be told all the same
        return lambda _: "unknown", error
    _say(f"{settings.milvus_uri} serves {published or 'nothing yet; run: dateline index publish'}")
    return lambda name: "served" if name == published else "to be published" if name == current else "", None


def _encode(
    settings: IndexSettings, paths: Sequence[str], parts: str, address: str | None, *, strict: bool
) -> None:
    from indexer.bulk.cluster import encode  # noqa: PLC0415
    from indexer.parts import Parts  # noqa: PLC0415
    from indexer.sources import Intake  # noqa: PLC0415

    folder = IndexFolder(settings.index)
    folder.check_free()
    with closing(_progress()) as progress:
        encode(
            folder,
            paths,
            _column_names(settings),
            _recipe(settings),
            Parts(parts),
            Intake(strict=strict),
            progress,
            address=address,
        )


def _recipe(settings: IndexSettings) -> "Recipe":
    from indexer.build import Recipe  # noqa: PLC0415

    return Recipe.by(settings)


def _progress() -> "Live | Plain":
    from indexer.progress import Live, Plain  # noqa: PLC0415

    stderr = Console(stderr=True)
    return Live(stderr) if stderr.is_terminal else Plain(sys.stderr)


def _columns(context: typer.Context, given: Sequence[str] | None) -> dict[str, str] | None:
    """The settings' columns with those that were given on top; None where none were."""
    if not given:
        return None
    pairs = [pair.partition("=") for pair in given]
    if wrong := next((pair for pair in pairs if not pair[0] or not pair[2]), None):
        raise UsageError(f"--column {''.join(wrong)}: say which field is which column, as text=story_body")
    return {**_column_names(_settings(context)), **{field: name for field, _, name in pairs}}


def _offer(
    settings: IndexSettings,
    paths: Sequence[str | Path] | None,
    feeds: Sequence[str] | None = None,
    sitemaps: Sequence[str] | None = None,
) -> "Offer":
    from indexer.sources import Offer, Politeness  # noqa: PLC0415

    if not (paths or feeds or sitemaps):
        raise UsageError("nothing to read: give PATH…, --from-feed URL or --from-sitemap URL")
    politeness = Politeness(
        cache=settings.fetch_cache.expanduser(),
        most_pages=settings.fetch_pages,
        private_addresses=settings.fetch_private,
        pause_s=settings.fetch_pause_s,
    )
    columns = _column_names(settings)
    if stored := next((path for path in map(str, paths or ()) if "://" in path), None):
        raise UsageError(f"{stored}: object stores are read with --engine ray; else fetch it first")
    return Offer(
        tuple(map(Path, paths or ())), tuple(feeds or ()), tuple(sitemaps or ()), columns, politeness
    )


def _column_names(settings: IndexSettings) -> dict[str, str]:
    return {str(field): name for field, name in settings.columns.items()}


def _summary(manifest: Manifest) -> dict[str, object]:
    facts = asdict(manifest)
    return {name: facts[name] for name in ("id", "created_at", "corpus", "counts", "encoder")}


def _words(manifest: Manifest, index: Path) -> str:
    counts = manifest.counts
    aside = [
        f", {counts[name]:,} {words}"
        for name, words in (
            ("stories_with_copies", "told in several copies"),
            ("repeated", "seen before"),
            ("skipped", "skipped"),
        )
        if counts[name]
    ]
    undated = f" ({counts['undated']:,} undated)" if counts["undated"] else ""
    return (
        f"{index}: generation {manifest.id} with {counts['articles']:,} articles{undated} in "
        f"{counts['passages']:,} passages, {counts['encoded']:,} of them newly encoded{''.join(aside)}"
    )


def _settings(context: typer.Context, **flags: object) -> IndexSettings:
    """The settings in force. Who mounts this app knows all of them, so it brings the loader."""
    load: Callable[..., IndexSettings] = context.obj
    return load(**flags)


def _folder(context: typer.Context, index: Path | None) -> IndexFolder:
    return IndexFolder(_settings(context, index=index).index)


def _command_line() -> str:
    return shlex.join(["dateline", *sys.argv[1:]])[:200]


def _say(message: str) -> None:
    print(message, file=sys.stderr)
