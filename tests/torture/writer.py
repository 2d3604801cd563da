"""Runs `dateline` commands that write an index, each in a process that can be made to fail.

Reads a JSON line for each command: `argv`; `kill_at` and `fail_at`, the number of the operation of
indexer/storage.py at which it is killed or gets the error `errno`; `kill_after_s`. Writes one: `code`,
`stderr` with what was printed, how many `operations` were begun, and what took place `elsewhere`: writes
below the `index` that none announced. Imports are done once, for all of them.
"""

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

import indexer.build  # noqa: F401  what commands import themselves: once for all
import service.cli
from indexer import storage
from indexer.cleaning import clean
from indexer.models import Origin, RawArticle

_WRITING = {
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
}


class Watch:
    """Counts operations, and lets one of them fail or be the last."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._index = task.get("index", "\0")
        self.operations = 0
        self.elsewhere: list[str] = []
        self._announced = Path()

    def __call__(self, _what: str, path: Path) -> None:
        self._announced = path
        if self.operations == self._task.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.operations == self._task.get("fail_at"):
            self.operations += 1
            raise OSError(self._task["errno"], os.strerror(self._task["errno"]), str(path))
        self.operations += 1

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Of all that Python changes below the index, notes what was not announced just before."""
        if event == "open":
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
            paths = [path]
        elif event in _WRITING:
            paths = [one for one in arguments if isinstance(one, str | os.PathLike)]
            if event in {"os.symlink", "os.link"}:  # what they name is only read
                paths = paths[1:]
        else:
            return
        inside = [str(one) for one in paths if str(one).startswith(self._index)]
        if inside and str(self._announced) not in inside:
            self.elsewhere.append(f"{event} {inside[0]}")


def _run(task: dict[str, Any], told: int) -> None:
    """In a process of its own: one command from its beginning to its end."""
    watch = Watch(task)
    if task.get("index"):
        sys.addaudithook(watch.audit)
    sys.argv = ["dateline", *task["argv"]]
    code = 0
    with storage.watched(watch):
        try:
            service.cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    os.write(told, json.dumps({"operations": watch.operations, "elsewhere": watch.elsewhere}).encode())
    sys.stdout.flush()  # what was printed, which without it only an environment that buffers nothing shows
    sys.stderr.flush()
    os._exit(code)


def _result(task: dict[str, Any]) -> dict[str, object]:
    reading, told = os.pipe()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stderr:
        began = time.monotonic()
        child = os.fork()
        if not child:
            os.close(reading)
            os.dup2(stderr.fileno(), 2)
            os.dup2(stderr.fileno(), 1)
            try:
                _run(task, told)
            finally:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(99)
        os.close(told)
        timer = None
        if "kill_after_s" in task:
            timer = Timer(task["kill_after_s"], os.kill, (child, signal.SIGKILL))
            timer.start()
        with os.fdopen(reading, "rb") as stream:
            said = stream.read()
        _, status = os.waitpid(child, 0)
        if timer:
            timer.cancel()
            timer.join()
        took_s = time.monotonic() - began
        stderr.seek(0)
        facts = json.loads(said) if said else {"operations": None, "elsewhere": []}
        return {"code": os.waitstatus_to_exitcode(status), "stderr": stderr.read(), "took_s": took_s, **facts}


clean(RawArticle("The council met.", Origin("none"), "none"))  # what telling languages takes is loaded once
for line in sys.stdin:
    with suppress(BrokenPipeError):
        print(json.dumps(_result(json.loads(line))), flush=True)  # noqa: T201
