"""An inspected article on a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from indexer.inspection import Inspection

_FIELDS = {
    "id": "id",
    "title": "title",
    "published": "published_at",
    "source": "source",
    "author": "author",
    "language": "language",
    "url": "url",
}


def print_inspection(inspected: Inspection) -> None:
    """Prints the article's fields and where each was found, its text in passages, and what was left out."""
    stdout = Console(highlight=False, soft_wrap=True)
    article, found = inspected.article, inspected.cleaned.found
    stdout.print(Text(str(inspected.origin), "bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, field in _FIELDS.items():
        value = getattr(article, field)
        table.add_row(Text(name, "dim"), Text(str(value or "—")), Text(found.get(name, ""), "dim"))
    stdout.print(table)
    if unread := inspected.cleaned.unread_date:
        stdout.print(Text(f"its date {unread!r} cannot be read", "yellow"))
    for number, passage in enumerate(inspected.passages):
        span = passage.span
        stdout.print(
            Text(f"\npassage {number} · characters {span.start}-{span.end} · {passage.tokens} tokens", "dim")
        )
        stdout.print(Text(article.text[span.start : span.end]))
        for mention in passage.mentions:
            words = article.text[mention.span.start : mention.span.end]
            days = f"{mention.first}" + (f" to {mention.last}" if mention.last > mention.first else "")
            stdout.print(Text(f"  “{words}” is {days}", "dim"))
    if inspected.cleaned.removed:
        stdout.print(Text("\nleft out", "dim"))
        for removed in inspected.cleaned.removed:
            stdout.print(Text.assemble((f"  {removed.reason}: ", "dim"), removed.line))
    stdout.print()
