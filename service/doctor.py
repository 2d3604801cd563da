"""The usual troubles, and their remedies."""

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from indexer.encoder import can_export, locate
from indexer.errors import DatelineError, UsageError
from indexer.folder import IndexFolder
from indexer.generation import open_best
from service.listening import listening_socket
from service.settings import Settings

_LEAST_SPACE = 1 << 30  # bytes; a few generations of a small index

Finding = tuple[str, bool, str]
"""The subject, whether it is sound, and what was found or what to do."""


def findings(settings: Settings) -> Iterator[Finding]:
    """Looks at everything that serving and building need, one after the other."""
    python = platform.python_version()
    busy = f"{settings.workers} workers, {settings.cores} cores each"
    yield "dateline", True, f"{version('dateline')} on Python {python}, {busy}"
    yield from _index(settings)
    if can_export():
        try:
            yield "model", True, f"{settings.model} at {locate(settings.model)}"
        except DatelineError as error:
            yield "model", False, str(error)
    else:
        yield "model", True, "builds use the index's encoder; another needs: pip install 'dateline[build]'"
    space = shutil.disk_usage(settings.index if settings.index.exists() else Path()).free
    enough = space > _LEAST_SPACE
    yield "disk", enough, f"{space / 1e9:.1f} GB free" + ("" if enough else "; make room")
    try:
        listening_socket(settings.host, settings.port).close()
        yield "port", True, f"{settings.host}:{settings.port} is free"
    except UsageError as error:
        yield "port", True, f"{error}; a service that runs there already is fine"


def _index(settings: Settings) -> Iterator[Finding]:
    folder = IndexFolder(settings.index)
    refused: list[str] = []
    try:
        with open_best(folder, refused.append) as generation:
            generation.encoder.load()
            articles, facts = generation.manifest.counts["articles"], generation.encoder.facts
            yield "index", not refused, "; ".join([*refused, f"serves {generation.id}, {articles} articles"])
            yield "encoder", True, f"{facts.model} by {facts.runtime}, {facts.dimension} dimensions"
    except DatelineError as error:
        yield "index", False, str(error)
    if holder := folder.holder():
        yield "writer", True, f"the index is being written by {holder}"
