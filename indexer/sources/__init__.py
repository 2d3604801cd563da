"""The door for articles: files, folders and addresses in, one stream of raw articles out."""

import glob
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from indexer.errors import DatelineError, SourceError
from indexer.models import Origin, RawArticle
from indexer.sources import feed, jsonl, sitemap, tables, warc
from indexer.sources.document import Document, NoArticleError, place_of
from indexer.sources.fetching import Fetcher, Politeness
from indexer.sources.parsing import SNIFFED, parsed, reason
from indexer.sources.unpacking import unpacked, whole

__all__ = ["File", "Intake", "Offer", "Pages", "Politeness", "check", "files", "read", "read_files"]

STDIN = Path("-")
_SUFFIXES = {
    ".txt", ".text", ".md", ".markdown", ".jsonl", ".ndjson", ".json", ".html", ".htm", ".xhtml", ".pdf",
    ".eml", ".csv", ".tsv", ".parquet", ".xml", ".rss", ".atom", ".warc",
}  # fmt: skip
_PACKINGS = {".gz", ".bz2", ".xz", ".zst"}


@dataclass(frozen=True, slots=True)
class Offer:
    """Where articles are to be read: files, folders, patterns and `-`; feeds and sitemaps by their url.

    `columns` maps fields of RawArticle to the names that the user's tables and JSON have for them.
    """

    paths: tuple[Path, ...] = ()
    feeds: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    politeness: Politeness | None = None


@dataclass
class Intake:
    """What became of everything that was offered: an article, or a line of the report.

    With `strict`, the first thing that would be skipped ends the reading instead. `warn` is told of what a
    user should look at, `report` takes a line of JSON for each thing that is no article of its own.
    """

    strict: bool = False
    warn: Callable[[str], None] = lambda _: None
    report: TextIO | None = None
    offered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0
    bytes_total: int = 0

    def skip(self, origin: Origin, reason: str) -> None:
        """Counts what holds no article; raises SourceError where nothing may be left out."""
        self.offered += 1
        self.refuse(origin, reason)

    def refuse(self, origin: Origin, reason: str) -> None:
        """Like `skip`, for what was read as an article."""
        if self.strict:
            raise SourceError(f"{origin}: {reason}; mend it, or read without --strict to skip it")
        self.note(origin, "skipped", reason)
        self.warn(f"skipped {origin}: {reason}")

    def note(self, origin: Origin, outcome: str, reason: str) -> None:
        """Writes down what became of one thing that was offered."""
        self.outcomes[outcome] += 1
        if self.report:
            record = {"file": origin.file, "offset": origin.at, "unit": origin.unit}
            print(json.dumps({**record, "outcome": outcome, "reason": reason}), file=self.report)

    @property
    def skipped(self) -> int:
        return self.outcomes["skipped"]

    @property
    def share(self) -> float | None:
        """How much of the input has been read, in [0, 1]; None where its size is unknown."""
        return min(1.0, self.bytes_read / self.bytes_total) if self.bytes_total else None


def check(paths: Iterable[Path]) -> None:
    """Raises SourceError for a path that cannot be read at all, before any work is begun."""
    for path in paths:
        if path == STDIN:
            continue
        for found in _matching(path):
            if not found.exists():
                loops = " (its links lead in a circle)" if found.is_symlink() else ""
                raise SourceError(f"{found}: no such file or folder{loops}")
            if not found.is_dir() and not found.is_file():
                raise SourceError(f"{found}: neither a regular file nor a folder")
            if not os.access(found, os.R_OK):
                raise SourceError(f"{found}: may not be read by this user")


def read(offer: Offer, intake: Intake) -> Iterator[RawArticle]:
    """Every article that is offered, files in the order of their names.

    Raises SourceError where a folder cannot be listed, or a feed or sitemap that the user named not be had;
    a bad file or record goes to `intake`. An article whose source gives no id is called by its url, or by
    its file's place below the path, without the suffix.
    """
    for article in parsed(_offered(offer, intake), intake.skip):
        intake.offered += 1
        yield article


class File(NamedTuple):
    """A file that is offered."""

    path: Path
    """Where it can be opened when its turn comes."""
    name: str
    """What messages call it."""
    place: Path
    """Below the path that the user gave."""
    size: int
    """In bytes."""


def files(paths: Iterable[Path], intake: Intake) -> list[File]:
    """Every file that these paths offer, in order; what is no regular file goes to `intake`."""
    return [
        File(file, _sayable(str(file)), file.relative_to(path if path.is_dir() else path.parent), _size(file))
        for named in paths
        for path in _matching(named)
        for file in _files(path, intake)
    ]


def read_files(
    listed: Iterable[File], pages: "Pages", columns: Mapping[str, str], intake: Intake, *, processes: int
) -> Iterator[RawArticle]:
    """Every article of these files, as `read` gives them; pages and PDFs are parsed by so many processes."""
    for article in parsed(_of_files(listed, pages, columns, intake), intake.skip, processes=processes):
        intake.offered += 1
        yield article


def _of_files(
    listed: Iterable[File], pages: "Pages", columns: Mapping[str, str], intake: Intake
) -> Iterator[RawArticle | Document]:
    done = 0
    for file in listed:
        yield from _read_file(file, pages, columns, intake, done)
        done += file.size
        intake.bytes_read = done


def _offered(offer: Offer, intake: Intake) -> Iterator[RawArticle | Document]:
    listed = files((path for path in offer.paths if path != STDIN), intake)
    intake.bytes_total = 0 if STDIN in offer.paths else sum(file.size for file in listed)
    pages = Pages()
    for file in listed:
        pages.look_into(file)
    yield from _of_files(listed, pages, offer.columns, intake)
    if STDIN in offer.paths:
        yield from jsonl.read(sys.stdin.buffer, "stdin", "-", intake.skip, offer.columns)
    pages.report(intake)
    if offer.feeds or offer.sitemaps:
        with Fetcher(offer.politeness or Politeness()) as fetcher:
            for url in offer.feeds:
                yield from fetcher.feed(url, intake.skip)
            for url in offer.sitemaps:
                yield from fetcher.sitemap(url, intake.skip)


def _size(file: Path) -> int:
    """In bytes; 0 for a file that has gone since it was listed, which is named when its turn comes."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _matching(path: Path) -> list[Path]:
    """The path, or what it matches where it is a pattern that the shell left alone."""
    if glob.has_magic(str(path)) and not path.exists():
        found = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207  a pattern may be absolute
        if not found:
            raise SourceError(f"{path}: matches no file")
        return found
    return [path]


def _files(path: Path, intake: Intake) -> Iterator[Path]:
    """The regular files of a folder; hidden ones and linked folders are passed by, pipes are named."""
    if not path.is_dir():
        yield path
        return

    def unreadable(error: OSError) -> None:
        raise SourceError(f"{error.filename}: cannot be listed ({error.strerror})")

    for folder, folders, files in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if name.startswith("."):
                continue
            if file.is_file():
                yield file
            else:
                what = "links in a circle or to nothing" if file.is_symlink() else "is no regular file"
                intake.skip(Origin(_sayable(str(file))), what)


def _read_file(
    file: File, pages: "Pages", columns: Mapping[str, str], intake: Intake, done: int
) -> Iterator[RawArticle | Document]:
    """Chooses the format by what the file holds; its name only decides where that is open."""
    name, suffix = _plain_name(file.place)
    origin = Origin(file.name)
    try:
        with file.path.open("rb") as packed:
            stream = unpacked(packed)
            for one in _read_stream(stream, packed, name, suffix, pages, file.name, columns, intake):
                intake.bytes_read = done + packed.tell()
                yield one
    except OSError as error:
        intake.skip(origin, f"cannot be read ({error.strerror or error})")
    except DatelineError:
        raise
    except Exception as error:  # noqa: BLE001  one file that a parser trips over must not end a build of many
        intake.skip(origin, reason(error))


def _read_stream(
    stream: io.BufferedReader,
    packed: BinaryIO,
    name: str,
    suffix: str,
    pages: "Pages",
    file: str,
    columns: Mapping[str, str],
    intake: Intake,
) -> Iterator[RawArticle | Document]:
    start = stream.peek(SNIFFED)
    skip = intake.skip
    if len(start) < SNIFFED and not start.strip():
        skip(Origin(file), "the file is empty")
    elif tables.recognises_parquet(start):
        yield from tables.read_parquet(stream, name, file, skip, columns)
    elif warc.recognises(start, suffix):
        packed.seek(0)
        yield from warc.read(packed, name, file, skip)
    elif sitemap.recognises(start, suffix):
        pass  # was read before the pages it describes
    elif feed.recognises(start, suffix):
        yield from feed.read(stream, name, file, skip)
    elif jsonl.recognises(start, suffix):
        yield from jsonl.read(stream, name, file, skip, columns)
    elif tables.recognises_csv(start, columns):
        yield from tables.read_csv(stream, name, file, skip, columns)
    else:
        known = pages.known(name)
        yield Document(
            whole(stream), Origin(file), name, suffix, known=known, known_from="sitemap" if known else ""
        )


class Pages:
    """What sitemaps among the files say of the pages that lie beside them."""

    def __init__(self) -> None:
        self._by_place: dict[str, dict[str, str]] = {}
        self._sitemaps: dict[str, sitemap.Sitemap] = {}
        self._met = False

    def look_into(self, file: File) -> None:
        """Notes what a file says of pages, where it is a sitemap."""
        if ".xml" not in file.place.suffixes:
            return
        try:
            with file.path.open("rb") as packed:
                stream = unpacked(packed)
                if not sitemap.recognises(stream.peek(SNIFFED), ""):
                    return
                found = sitemap.read(whole(stream))
        except (OSError, NoArticleError):
            return  # is named when its turn comes
        self._sitemaps[file.name] = found
        for page in found.pages:
            for key in _places(page["url"]):
                self._by_place.setdefault(key, page)

    def meet(self, place: Path) -> None:
        """Counts a file as one of the pages that are spoken of, where it is."""
        self.known(_plain_name(place)[0])

    def known(self, name: str) -> Mapping[str, str]:
        """The fields of the page that was saved under this name: as host and path, as path, or by its
        last part alone."""
        for key in (name, name.removesuffix("/index"), name.rpartition("/")[2]):
            if found := self._by_place.get(key):
                self._met = True
                return found
        return {}

    def report(self, intake: Intake) -> None:
        for file, one in self._sitemaps.items():
            if one.damage:
                intake.skip(Origin(file), f"is damaged: {one.damage}")
            elif not self._met:
                intake.skip(
                    Origin(file),
                    "is a sitemap without its pages: give the folder that holds them as well, or fetch them "
                    "with --from-sitemap URL",
                )


def _places(url: str) -> Iterator[str]:
    page = place_of(url)
    plain, _ = _plain_name(Path(page)) if page else ("", "")
    yield plain
    yield plain.partition("/")[2]
    if "/" in plain:
        yield plain.rpartition("/")[2]


def _plain_name(place: Path) -> tuple[str, str]:
    """A file's name without what tells its format, and that: "a/b.html.gz" is "a/b" and ".html"."""
    if place.suffix.lower() in _PACKINGS:
        place = place.with_suffix("")
    suffix = place.suffix.lower()
    return _sayable((place.with_suffix("") if suffix in _SUFFIXES else place).as_posix()), suffix


def _sayable(name: str) -> str:
    """A file name that is not UTF-8, as it can be printed and stored."""
    return name.encode("utf-8", "replace").decode()
