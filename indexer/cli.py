"""`dateline index`: building and keeping an index from the command line."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from indexer.errors import DamagedError, NoIndexError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.settings import IndexSettings

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Build and keep an index.")

IndexOption = Annotated[
    Path | None, typer.Option("--index", help="The index folder.", show_default="index", metavar="DIR")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="A sentence-transformers model: a hub name or a folder.")
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Stop at the first article that cannot be read, instead of skipping it."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on standard output.")]
PathsArgument = Annotated[
    list[Path],
    typer.Argument(help="Files or folders of articles: text, Markdown, JSON lines.", metavar="PATH…"),
]


@app.command(name="build")
def build_command(
    context: typer.Context,
    paths: PathsArgument,
    index: IndexOption = None,
    model: ModelOption = None,
    passage_tokens: Annotated[
        int | None, typer.Option(help="Most tokens of a passage.", show_default="200")
    ] = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build an index of these articles, and of nothing else; the service switches to it by itself.

    Passages that have not changed since the last build are not encoded again.

    [dim]Examples:[/dim]
      dateline index build seeds/
      dateline index build dump.jsonl archive/ --index /srv/news --strict
    """
    settings = _settings(context, index=index, model=model, passage_tokens=passage_tokens)
    _run(settings, from_current=False, paths=paths, strict=strict, as_json=as_json)


@app.command()
def add(
    context: typer.Context,
    paths: PathsArgument,
    index: IndexOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add articles to those that are indexed; one with a known id replaces it.

    [dim]Example:[/dim]
      dateline index add today.jsonl
    """
    settings = _settings(context, index=index)
    _run(settings, from_current=True, paths=paths, strict=strict, as_json=as_json)


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
def status(context: typer.Context, index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Show the generations, which one is served, and who is writing.

    [dim]Example:[/dim]
      dateline index status
    """
    folder = _folder(context, index)
    current = folder.candidates() and folder.current()
    table = Table("generation", "built", "articles", "passages", "MB", "state", box=None, pad_edge=False)
    for name in folder.ids():
        state = "served" if name == current else ""
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
                "state": state,
            }
            table.add_row(
                name, manifest.created_at, f"{counts['articles']:,}", f"{counts['passages']:,}",
                f"{size / 1e6:.1f}", state,
            )  # fmt: skip
        if as_json:
            print(json.dumps(facts))
    if not as_json:
        Console(soft_wrap=True).print(table)
    if current is None:
        _say("CURRENT names no generation; run: dateline index rollback GENERATION")
    if holder := folder.holder():
        _say(f"being written by {holder}")


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
    for name in [_known(folder, generation)] if generation else folder.ids():
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
    folder = _folder(context, index)
    current = folder.candidates()[0]
    with folder.writing(_command_line()):
        earlier = [name for name in folder.ids() if name < current]
        if generation is None and not earlier:
            raise NoIndexError(f"{folder.path}: there is no generation before {current}")
        target = _known(folder, generation) if generation else earlier[-1]
        folder.verify(target)
        folder.switch(target)
    print(target)


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
    with folder.writing(_command_line()):
        removed = folder.collect(settings.keep_generations if keep is None else keep)
    for name in removed:
        print(name)
    _say(f"{len(removed)} removed, {len(folder.ids())} left")


def _run(
    settings: IndexSettings,
    *,
    from_current: bool,
    paths: Sequence[Path] = (),
    remove: Sequence[str] = (),
    strict: bool = False,
    as_json: bool,
) -> None:
    folder = IndexFolder(settings.index)
    folder.check_free()
    # Imported here, so that the commands that only read start in half the time.
    from indexer.build import Change, Recipe, build  # noqa: PLC0415
    from indexer.progress import Live, Plain  # noqa: PLC0415
    from indexer.sources import Intake  # noqa: PLC0415

    stderr = Console(stderr=True)
    with closing(Live(stderr) if stderr.is_terminal else Plain(sys.stderr)) as progress:
        intake = Intake(strict=strict, on_skip=lambda what: progress.warn(f"skipped {what}"))
        manifest = build(
            folder,
            Change(from_current, frozenset(remove), tuple(paths)),
            Recipe(settings.model, settings.passage_tokens),
            intake,
            progress,
            keep=settings.keep_generations,
            command=_command_line(),
        )
    print(json.dumps(_summary(manifest)) if as_json else _words(manifest, settings.index))


def _summary(manifest: Manifest) -> dict[str, object]:
    facts = asdict(manifest)
    return {name: facts[name] for name in ("id", "created_at", "corpus", "counts", "encoder")}


def _words(manifest: Manifest, index: Path) -> str:
    counts = manifest.counts
    left_out = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    undated = f" ({counts['undated']} undated)" if counts["undated"] else ""
    return (
        f"{index}: generation {manifest.id} with {counts['articles']} articles{undated} in "
        f"{counts['passages']} passages, {counts['encoded']} of them newly encoded{left_out}"
    )


def _settings(context: typer.Context, **flags: object) -> IndexSettings:
    """The settings in force. Who mounts this app knows all of them, so it brings the loader."""
    load: Callable[..., IndexSettings] = context.obj
    return load(**flags)


def _folder(context: typer.Context, index: Path | None) -> IndexFolder:
    return IndexFolder(_settings(context, index=index).index)


def _known(folder: IndexFolder, generation: str) -> str:
    if generation not in folder.ids():
        raise UsageError(f"{generation}: no such generation; there are {', '.join(folder.ids())}")
    return generation


def _command_line() -> str:
    return shlex.join(["dateline", *sys.argv[1:]])[:200]


def _say(message: str) -> None:
    print(message, file=sys.stderr)
