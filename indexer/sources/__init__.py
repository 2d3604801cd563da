"""The door through which articles come in: paths in, one stream of raw articles out."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import SourceError
from indexer.models import RawArticle
from indexer.sources import jsonl, markdown, text
from indexer.sources.decoding import NotTextError, decode

_SNIFFED = 1 << 16  # bytes looked at to tell the format

_SUFFIXES = {".txt", ".text", ".md", ".markdown", ".jsonl", ".ndjson", ".json"}
# What would pass as plain text, but is no article's.
_FOREIGN = re.compile(r"\s*(?:(?P<json>\[\s*\{\s*\")|<!doctype\b|<html\b|<\?xml\b)", re.IGNORECASE)


@dataclass
class Intake:
    """What became of everything that was offered: taken, or skipped with a reason.

    With `strict`, the first thing that would be skipped ends the reading instead.
    """

    strict: bool = False
    on_skip: Callable[[str], None] = lambda _: None
    skipped: list[str] = field(default_factory=list)

    def skip(self, where: str, reason: str) -> None:
        """Counts what is left out; raises SourceError where nothing may be."""
        if self.strict:
            raise SourceError(f"{where}: {reason}; mend it, or read without --strict to skip it")
        self.skipped.append(f"{where}: {reason}")
        self.on_skip(self.skipped[-1])


def check(paths: Iterable[Path]) -> None:
    """Raises SourceError for a path that cannot be read at all, before any work is begun."""
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder")
        if not path.is_dir() and not path.is_file():
            raise SourceError(f"{path}: neither a regular file nor a folder")
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path}: may not be read by this user")


def read(paths: Iterable[Path], intake: Intake) -> Iterator[RawArticle]:
    """Every article under the paths, files in the order of their names.

    Raises SourceError where a folder cannot be listed; a bad file or line goes to `intake`. An
    article whose source gives no id has the file's place below its path, without the suffix.
    """
    for path in paths:
        root = path if path.is_dir() else path.parent
        for file in _files(path):
            yield from _read_file(file, file.relative_to(root), intake)


def _files(path: Path) -> Iterator[Path]:
    """The regular files of a folder; hidden ones, pipes, devices and linked folders are passed by."""
    if not path.is_dir():
        yield path
        return

    def unreadable(error: OSError) -> None:
        raise SourceError(f"{error.filename}: cannot be listed ({error.strerror})")

    for folder, folders, files in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file():
                yield file


def _read_file(file: Path, place: Path, intake: Intake) -> Iterator[RawArticle]:
    """Chooses the format by what the file holds; its name only decides where that is open."""
    origin = _sayable(str(file))
    suffix = file.suffix.lower()
    article_id = _sayable((place.with_suffix("") if suffix in _SUFFIXES else place).as_posix())
    try:
        with file.open("rb") as stream:
            start = stream.read(_SNIFFED)
            if len(start) < _SNIFFED and not start.strip():
                return intake.skip(origin, "the file is empty")
            if jsonl.recognises(start, suffix):
                stream.seek(0)
                yield from jsonl.read(stream, article_id, origin, intake.skip)
                return None
            content = decode(start + stream.read())
    except OSError as error:
        return intake.skip(origin, f"cannot be read ({error.strerror})")
    except NotTextError as error:
        return intake.skip(origin, f"{error}")
    if foreign := _FOREIGN.match(content):
        what = "a JSON array: write one object a line" if foreign["json"] else "HTML or XML: extract its text"
        return intake.skip(origin, f"is {what}")
    reader = markdown if markdown.recognises(content, suffix) else text
    yield reader.read(content, article_id, origin)
    return None


def _sayable(name: str) -> str:
    """A file name that is not UTF-8, as it can be printed and stored."""
    return name.encode("utf-8", "replace").decode()
