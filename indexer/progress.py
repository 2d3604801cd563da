"""How far a build is: stage, n of N, rate and time left, on stderr."""

import time
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LABELS = {
    "encoder": "preparing the encoder",
    "blocks": "encoding on the cluster",
    "articles": "reading articles",
    "stories": "telling stories apart",
    "passages": "cutting passages",
    "vectors": "encoding passages",
    "commit": "writing the generation",
    "publish passages": "publishing passages",
    "publish articles": "publishing articles",
    "load": "waiting for Milvus",
}
_SECONDS_BETWEEN_LINES = 5.0


class Plain:
    """Lines for logs and pipes: one a stage, and one every few seconds within a stage."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._name = ""
        self._total: int | None = None
        self._share: float | None = None
        self._done = 0
        self._started = self._said = time.monotonic()

    def stage(self, name: str, total: int | None = None) -> None:
        self.close()
        self._name, self._total, self._share, self._done = name, total, None, 0
        self._started = self._said = time.monotonic()

    def advance(self, steps: int = 1, share: float | None = None) -> None:
        self._done += steps
        self._share = self._done / self._total if self._total else share
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._say()

    def warn(self, message: str) -> None:
        print(f"warning: {message}", file=self._stream, flush=True)

    def close(self) -> None:
        """Says how the last stage ended."""
        if self._name:
            self._say()
        self._name = ""

    def _say(self) -> None:
        self._said = time.monotonic()
        seconds = self._said - self._started
        line = _LABELS.get(self._name, self._name)
        if self._done or self._total:
            line += f": {self._done}" + (f"/{self._total}" if self._total is not None else "")
            line += f", {self._done / seconds if seconds else 0:.0f}/s"
        if self._share and self._share < 1:
            line += f", {self._share:.0%}, {seconds / self._share - seconds:.0f} s left"
        print(f"{line} ({seconds:.1f} s)", file=self._stream, flush=True)


class Live:
    """A bar on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:22}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None
        self._progress.start()

    def stage(self, name: str, total: int | None = None) -> None:
        self._finish()
        self._task = self._progress.add_task(_LABELS.get(name, name), total=total)

    def advance(self, steps: int = 1, share: float | None = None) -> None:
        if self._task is not None:
            self._progress.advance(self._task, steps)
            if share:
                self._progress.update(
                    self._task, total=round(self._progress.tasks[self._task].completed / share)
                )

    def warn(self, message: str) -> None:
        self._progress.console.print(f"warning: {message}", style="yellow", markup=False, highlight=False)

    def close(self) -> None:
        self._finish()
        self._progress.stop()

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._task]
            self._progress.update(self._task, total=task.completed or 1, completed=task.completed or 1)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")
