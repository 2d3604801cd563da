"""`dateline keys`: who may ask a service that others can reach."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from indexer.cli import JsonOption
from service.keys import KeyFile
from service.settings import load

app = typer.Typer(no_args_is_help=True, help="Say who may ask, by keys.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.", show_default=False)]


@app.command()
def add(
    name: NameArgument,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="search, chat or admin; repeatable.", show_default="search and chat"),
    ] = None,
    days: Annotated[int | None, typer.Option(help="How long it is good for.", min=1, max=36_500)] = None,
    limit: Annotated[str | None, typer.Option(help="How often it may ask, such as 60/minute.")] = None,
) -> None:
    """Make a key, and show it this once: only its SHA-256 is kept.

    With the first key a running service begins to ask for keys.

    [dim]Examples:[/dim]
      dateline keys add newsroom
      dateline keys add night-build --scope admin --days 365
    """
    file = KeyFile(load().keys)
    secret = file.add(name, scope or ["search", "chat"], days=days, limit=limit)
    print(f"{name} is kept in {file.path}; the key itself is shown only now:", file=sys.stderr)
    print(secret)


@app.command(name="list")
def list_keys(as_json: JsonOption = False) -> None:
    """List who has a key, and what for.

    [dim]Example:[/dim]
      dateline keys list
    """
    table = Table("name", "scopes", "limit", "created", "expires", box=None, pad_edge=False)
    for key in KeyFile(load().keys).listed():
        if as_json:
            print(json.dumps(key.model_dump(mode="json", exclude={"sha256"})))
        expires = "" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}"
        table.add_row(
            key.name,
            ", ".join(key.scopes),
            key.limit,
            f"{key.created_at:%Y-%m-%d}",
            f"expired {expires}" if key.expired else expires,
        )
    if not as_json:
        Console(soft_wrap=True).print(table)


@app.command()
def revoke(name: NameArgument) -> None:
    """Take a key away; a running service refuses it from its next request on.

    [dim]Example:[/dim]
      dateline keys revoke newsroom
    """
    file = KeyFile(load().keys)
    file.revoke(name)
    left = len(file.listed())
    print(f"{name} is revoked; {left or 'no'} other{'s are' if left != 1 else ' is'} left", file=sys.stderr)
