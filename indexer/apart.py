"""Runs an export in a process of its own: torch takes 700 MB that would stay with this one."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from indexer.errors import DatelineError, EncoderError, StorageError

Export = Callable[[str, Path, Path, Callable[[str], None]], object]
"""Writes the model of a name, which lies in a folder, into an empty one; what it has to warn of it tells."""

# How the other process says what.
_WARNING = "warning: "
_FAILED: dict[str, type[DatelineError]] = {"error: ": EncoderError, "not written: ": StorageError}


def apart(export: Export, model: str, source: Path, target: Path, warn: Callable[[str], None]) -> None:
    """Runs an export, a function of a module, elsewhere.

    Raises EncoderError and StorageError as it does, EncoderError where that process dies.
    """
    name = getattr(export, "__qualname__", "")
    arguments = (export.__module__, name, model, str(source), str(target))
    run = subprocess.run(  # noqa: S603  this very interpreter
        [sys.executable, "-c", f"from {__name__} import _main; _main()", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    for line in run.stdout.splitlines():
        if line.startswith(_WARNING):
            warn(json.loads(line.removeprefix(_WARNING)))
    if run.returncode:
        last = (run.stderr.strip().splitlines() or [f"it ended with code {run.returncode}"])[-1]
        prefix = next((prefix for prefix in _FAILED if last.startswith(prefix)), "")
        raise _FAILED.get(prefix, EncoderError)(last.removeprefix(prefix))


def _main() -> None:
    module, name, model, source, target = sys.argv[1:]
    export: Export = getattr(import_module(module), name)
    try:
        export(model, Path(source), Path(target), lambda what: print(_WARNING + json.dumps(what)))  # noqa: T201
    except (EncoderError, StorageError) as error:
        prefix = next(prefix for prefix, kind in _FAILED.items() if isinstance(error, kind))
        sys.exit(prefix + " ".join(str(error).split()))
