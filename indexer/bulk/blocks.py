"""Shards of dumps, the blocks in which they are read, and what encoding makes of a block: plain functions,
wherever they run."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import numpy as np

from indexer import sources
from indexer.cleaning import clean
from indexer.encoder import Encoder
from indexer.errors import SourceError
from indexer.lateinteraction import Codes, coded
from indexer.models import Origin, RawArticle, TokenVectors
from indexer.parts import EncodedPassage, Made, PartName, Parts, Row
from indexer.passages import cut, digest_of, encoded_text
from indexer.sources import File, Intake, Pages

BLOCK = 128  # articles, or what was left out in their place
_SHARD_BYTES = 64 << 20  # of small files that are read together; a larger one is a shard by itself
_SHARD_FILES = 1000
_FORMAT = 1  # of the parts' names and what they hold


class Source(NamedTuple):
    """A file that every machine can open: by its absolute path, or by the URI of an object store."""

    url: str
    name: str
    place: str
    size: int
    changed: str
    """When it was written last: a file that changed is read anew."""


class Shard(NamedTuple):
    """Files that are read one after another, by one process at a time."""

    key: str
    """Names it by what it holds and how that is encoded: 24 hexadecimal digits."""
    sources: tuple[Source, ...]
    notes: tuple[tuple[Origin, str], ...] = ()
    """What was left out when the files were listed, and why."""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(source.size for source in self.sources)

    def to_json(self) -> str:
        """As it goes from process to process: what is read as a pickle could be code."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, told: str) -> "Shard":
        key, sources_, notes = json.loads(told)
        listed = ((Origin(*origin), reason) for origin, reason in notes)
        return cls(key, tuple(Source(*source) for source in sources_), tuple(listed))


class Block(NamedTuple):
    """What stands in one stretch of a shard, without its passages."""

    name: PartName
    rows: tuple[Row, ...]
    size: int
    """Bytes of the shard that were read for it, and for those before it that were not wanted."""

    def to_json(self) -> str:
        """As `Shard.to_json`."""
        rows = [(row.origin, row.article and asdict(row.article), row.reason) for row in self.rows]
        return json.dumps([self.name, rows, self.size])

    @classmethod
    def from_json(cls, told: str) -> "Block":
        name, rows, size = json.loads(told)
        read_ = (
            Row(
                Origin(*origin),
                RawArticle(**{**article, "origin": Origin(*article["origin"])}) if article else None,
                reason,
            )
            for origin, article, reason in rows
        )
        return cls(PartName(*name), tuple(read_), size)


def shards(paths: Sequence[str], made: Made, intake: Intake) -> tuple[list[Shard], Pages]:
    """The files that these paths offer in shards, in order, and what sitemaps among them say of pages.

    A path may be the URI of a file or folder in an object store. Raises SourceError for what cannot be
    listed.
    """
    listed: list[Source] = []
    notes: list[tuple[Origin, str]] = []
    listing = _Listing(intake, notes)
    for path in paths:
        listed += _in_store(path) if "://" in path else _on_disk(path, listing)
    pages = Pages()
    for source in listed:
        if source.place.lower().endswith((".xml", ".xml.gz")):
            with _opened(source) as file:
                pages.look_into(file)
    for source in listed:
        pages.meet(Path(source.place))
    pages.report(listing)
    sitemaps = hashlib.blake2b(
        json.dumps([one for one in listed if ".xml" in one.place]).encode()
    ).hexdigest()
    found = []
    groups = list(_grouped(listed)) or [()]
    for number, group in enumerate(groups, start=1):
        told = tuple(notes) if number == len(groups) else ()
        what = json.dumps([_FORMAT, BLOCK, made.to_json(), sitemaps, group, told])
        key = hashlib.blake2b(what.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        found.append(Shard(key, group, told))
    return found, pages


class _Listing(Intake):
    """Writes down what is left out, for the build that tells it to the user."""

    def __init__(self, intake: Intake, notes: list[tuple[Origin, str]]) -> None:
        super().__init__(strict=intake.strict)
        self._notes = notes

    def note(self, origin: Origin, outcome: str, reason: str) -> None:
        super().note(origin, outcome, reason)
        self._notes.append((origin, reason))


def _on_disk(path: str, intake: Intake) -> Iterator[Source]:
    sources.check([Path(path)])
    for file in sources.files([Path(path)], intake):
        changed = ""
        with suppress(OSError):  # it has gone since; it is named when its turn comes
            changed = str(file.path.stat().st_mtime_ns)
        yield Source(str(file.path.absolute()), file.name, file.place.as_posix(), file.size, changed)


def _in_store(uri: str) -> Iterator[Source]:
    """Likewise: hidden files and folders are passed by, those of a folder come before those below it."""
    import pyarrow as pa  # noqa: PLC0415  loads long
    from pyarrow.fs import FileSelector, FileSystem, FileType  # noqa: PLC0415

    try:
        store, root = FileSystem.from_uri(uri)
        found = store.get_file_info(root)
        if found.type == FileType.NotFound:
            raise SourceError(f"{uri}: no such file or folder")
        if found.type == FileType.File:
            below = {found.base_name: found}
        else:
            every = store.get_file_info(FileSelector(root, recursive=True))
            below = {str(PurePosixPath(one.path).relative_to(root)): one for one in every if one.is_file}
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{uri}: cannot be listed ({error})") from error
    base, mark, query = uri.partition("?")
    base = base.rstrip("/")
    for place in sorted(below, key=_as_walked):
        if not any(part.startswith(".") for part in PurePosixPath(place).parts):
            name = base if found.type == FileType.File else f"{base}/{place}"
            one = below[place]
            yield Source(f"{name}{mark}{query}", name, place, one.size, str(one.mtime_ns))


def _as_walked(place: str) -> list[tuple[bool, str]]:
    *folders, name = PurePosixPath(place).parts
    return [*((True, folder) for folder in folders), (False, name)]


def _grouped(listed: Iterable[Source]) -> Iterator[tuple[Source, ...]]:
    group: list[Source] = []
    for source in listed:
        full = sum(one.size for one in group) + source.size > _SHARD_BYTES or len(group) == _SHARD_FILES
        if group and full:
            yield tuple(group)
            group = []
        group.append(source)
    if group:
        yield tuple(group)


@contextmanager
def _opened(source: Source) -> Iterator[File]:
    """A file as it lies on this machine, fetched for the time being where it lies in a store."""
    if "://" not in source.url:
        yield File(Path(source.url), source.name, Path(source.place), source.size)
        return
    from pyarrow.fs import FileSystem  # noqa: PLC0415

    store, path = FileSystem.from_uri(source.url)
    with NamedTemporaryFile() as fetched:
        with store.open_input_stream(path, compression=None) as stream:
            shutil.copyfileobj(stream, fetched, 1 << 20)
        fetched.flush()
        yield File(Path(fetched.name), source.name, Path(source.place), source.size)


def read(
    shard: Shard, pages: Pages, columns: Mapping[str, str], there: frozenset[int], *, strict: bool
) -> Iterator[Block]:
    """The blocks of a shard, without those whose parts are `there`.

    Blocks are the same each time, whatever a parser had no time for: what is left out counts like an
    article. With `strict`, raises SourceError for the first thing that is left out.
    """
    rows: list[Row] = list(_note_rows(shard.notes))
    intake = _Reading(strict=strict, rows=rows)
    number = told = 0
    for article in sources.read_files(_files(shard), pages, columns, intake, processes=1):
        while len(rows) >= BLOCK:
            if number not in there:
                yield Block(
                    PartName(shard.key, number, last=False), tuple(rows[:BLOCK]), intake.bytes_read - told
                )
                told = intake.bytes_read
            del rows[:BLOCK]
            number += 1
        rows.append(Row(article.origin, article))
    last = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)] or [[]]
    for at, block in enumerate(last, start=1):
        if number not in there:
            yield Block(PartName(shard.key, number, last=at == len(last)), tuple(block), shard.size - told)
            told = shard.size
        number += 1


def _note_rows(notes: Iterable[tuple[Origin, str]]) -> Iterator[Row]:
    return (Row(Origin(*origin), None, reason) for origin, reason in notes)


class _Reading(Intake):
    """Puts what is left out among the rows, in its place."""

    def __init__(self, rows: list[Row], *, strict: bool) -> None:
        super().__init__(strict=strict)
        self._rows = rows

    def note(self, origin: Origin, outcome: str, reason: str) -> None:
        super().note(origin, outcome, reason)
        self._rows.append(Row(origin, None, reason))


def _files(shard: Shard) -> Iterator[File]:
    for source in shard.sources:
        with _opened(source) as file:
            yield file


class BlockEncoder:
    """Makes parts of blocks: it cleans and cuts each article as a build does that knows of no others, and
    encodes its passages. What a build cuts otherwise, having seen all, it encodes itself."""

    def __init__(self, parts: Parts, folder: Path, *, threads: int = 0, device: str = "") -> None:
        """Fetches the parts' encoder into a folder on this machine that is not there yet; it runs on so many
        cores, 0 meaning all, or on a GPU where torch's name of one is given."""
        self._parts = parts
        self._made = parts.made
        parts.carry_encoder(folder)
        encoder = Encoder(folder, streams=threads, threads=threads)
        self._token_spans = encoder.token_spans
        self._stream = encoder.stream_passages
        # What is not exported runs on a GPU by itself.
        if device and encoder.facts.runtime == "openvino":
            from indexer.encoder.original import Original  # noqa: PLC0415  it needs torch

            self._stream = Original(folder, device).stream_passages

    def __call__(self, block: Block) -> int:
        """Writes the block's part; returns how many passages it holds."""
        texts = [list(self._texts(row.article)) if row.article else [] for row in block.rows]
        flat = [text for own in texts for text in own]
        encoded: list[Any] = [None] * len(flat)
        for at, one in self._stream(flat):
            encoded[at] = EncodedPassage(digest_of(flat[at]), one.vector, self._codes(one.tokens))
        passages = iter(encoded)
        rows = [
            row._replace(passages=[next(passages) for _ in own])
            for row, own in zip(block.rows, texts, strict=True)
        ]
        self._parts.write(block.name, rows)
        return len(flat)

    def _texts(self, raw: RawArticle) -> Iterator[str]:
        article = clean(raw).article
        if article is not None:
            for span in cut(
                article.text,
                self._token_spans,
                max_tokens=self._made.passage_tokens,
                language=article.language,
            ):
                yield encoded_text(article, span)

    def _codes(self, tokens: TokenVectors) -> Codes:
        bits = self._made.token_bits
        return coded(tokens, bits=bits) if bits else np.empty((0, 0), np.uint8)
