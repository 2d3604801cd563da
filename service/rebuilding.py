"""Rebuilds that are started from the service: each a process of its own, which a request does not end."""

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from indexer.errors import LockedError, UsageError
from indexer.folder import IndexFolder
from indexer.settings import DEFAULT_COLLECTION
from service.settings import Settings

log = logging.getLogger(__name__)

_MOST_LINES = 200  # kept of what a build says, the last ones
_LONGEST_LINE = 500  # characters
_SECONDS_TO_END = 8.0  # within the ten that the web server gives its requests

RebuildState = Literal["running", "done", "failed", "interrupted"]


@dataclass(slots=True)
class Rebuild:
    """A build that runs or has run. `lines` are its last words, `error` is what it says went wrong."""

    started_at: datetime
    state: RebuildState = "running"
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_LINES))
    ended_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None


class Rebuilds:
    """The last rebuild of each collection. To be used on the event loop, and closed with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: dict[str, Rebuild] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, Process] = {}
        self._closing = False

    def last(self, collection: str) -> Rebuild | None:
        return self._last.get(collection)

    def articles(self, collection: str) -> tuple[Path, ...]:
        """What a rebuild of this collection reads; empty where that is not set."""
        return self._settings.articles if collection == DEFAULT_COLLECTION else ()

    def start(self, collection: str) -> Rebuild:
        """Begins a rebuild, which goes on by itself.

        Raises LockedError where somebody writes the index already, UsageError where nothing is set to
        be read.
        """
        folder = IndexFolder(self._settings.folders()[collection])
        running = self._last.get(collection)
        if running and running.state == "running":
            raise LockedError(
                f"{folder.path}: is being rebuilt since {running.started_at:%H:%M:%S} UTC; wait for it"
            )
        folder.check_free()
        paths = self.articles(collection)
        if not paths:
            by_hand = f"run: dateline index build PATH… --index {folder.path}"
            if collection == DEFAULT_COLLECTION:
                raise UsageError(
                    f"articles: is not set, so there is nothing to read; set articles in dateline.toml, or "
                    f"{by_hand}",
                    param="articles",
                )
            raise UsageError(
                f"articles: are those of the collection {DEFAULT_COLLECTION!r}; for {collection!r} {by_hand}",
                param="collection",
            )
        rebuild = self._last[collection] = Rebuild(datetime.now(UTC))
        self._tasks[collection] = asyncio.create_task(self._run(collection, rebuild, folder.path, paths))
        return rebuild

    async def aclose(self) -> None:
        """Interrupts what runs, and waits for its end: a build that is cut off leaves its index as it was."""
        self._closing = True
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        running = [task for task in self._tasks.values() if not task.done()]
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=_SECONDS_TO_END)
        if late:
            for process in self._processes.values():
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(late, timeout=1)

    async def _run(self, collection: str, rebuild: Rebuild, index: Path, paths: Sequence[Path]) -> None:
        log.info("rebuilding %s", index)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "service.cli", "index", "build", "--index", str(index), "--"),
                *map(str, paths),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                # It runs the code that serves, whatever lies in the folder it is started in.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,  # a Ctrl-C on the terminal is ours to pass on, once
            )
            self._processes[collection] = process
            if self._closing:
                process.send_signal(signal.SIGINT)
            await _listen(process, rebuild)
            rebuild.exit_code = await process.wait()
        except Exception as error:
            log.exception("rebuilding %s broke off", index)
            rebuild.error = f"the build could not be run ({error})"
        finally:
            self._processes.pop(collection, None)
            rebuild.ended_at = datetime.now(UTC)
            rebuild.state = _outcome(rebuild.exit_code)
        if rebuild.state != "done":
            rebuild.error = rebuild.error or _last_words(rebuild)
            log.error("rebuilding %s %s: %s", index, rebuild.state, rebuild.error)
        else:
            log.info("rebuilt %s", index)


async def _listen(process: Process, rebuild: Rebuild) -> None:
    """Keeps the lines that a build says, as they come, without what a terminal would act upon."""
    if process.stdout is None:
        raise RuntimeError("the build has no voice")
    rest = b""
    while piece := await process.stdout.read(1 << 14):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[-(1 << 14) :]
        rebuild.lines.extend(map(_legible, lines))
    if rest:
        rebuild.lines.append(_legible(rest))


def _legible(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip()
    return "".join(one if one.isprintable() else " " for one in text)[:_LONGEST_LINE]


def _outcome(exit_code: int | None) -> RebuildState:
    if exit_code == 0:
        return "done"
    return "interrupted" if exit_code in {130, -signal.SIGINT} else "failed"


def _last_words(rebuild: Rebuild) -> str:
    """Commands say what went wrong in a line of its own; else the last line must do."""
    said = [line.removeprefix("error: ") for line in rebuild.lines if line.startswith("error: ")]
    if said:
        return said[-1]
    if rebuild.state == "interrupted":
        return "it was interrupted; the index is as it was"
    return rebuild.lines[-1] if rebuild.lines else f"it ended with exit code {rebuild.exit_code}"
