"""A generation as one file: written while it is verified, and trusted in nothing when it is read.

A tar of regular files: the manifest first, then every file that it names, in order. It is not compressed:
the vectors, nearly all of it, do not shrink (gzip takes 10 s for 272 MB and leaves nine tenths).
"""

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from indexer import storage
from indexer.errors import ArchiveError, DamagedError, NoIndexError, UsageError
from indexer.folder import ENCODER, READER, IndexFolder, Manifest
from indexer.local.generation import (
    COLUMNS,
    CORPUS,
    FULLTEXT,
    REPORT,
    TOKENS,
    VECTORS,
    LocalGeneration,
)
from indexer.reader import NONE

_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20  # bytes in memory at a time
_LARGEST_MANIFEST = 16 << 20  # bytes
_FILES, _FOLDERS = (CORPUS, REPORT), (COLUMNS, FULLTEXT, ENCODER, READER, VECTORS, TOKENS)
_OURS = re.compile(
    rf"({'|'.join(map(re.escape, _FILES))})|({'|'.join(map(re.escape, _FOLDERS))})(/[A-Za-z0-9._-]+)+"
)
_COUNTS = {
    "articles", "encoded", "passages", "read", "repeated", "skipped", "stories_with_copies", "undated",
}  # fmt: skip
_LONGEST_NAME = 100  # characters, as tar has it
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")
_CUT = "ends early"


def export(index: IndexFolder, target: Path | BinaryIO) -> Manifest:
    """Writes the served generation to a file, which has its name when it is whole, or to a stream.

    Every file is compared with its checksum as it is read. Raises DamagedError where one differs,
    NoIndexError where there is none.
    """
    with index.lease(index.candidates()[0]) as folder:
        manifest = index.manifest(folder.name)
        if isinstance(target, Path):
            with _named_when_whole(target) as stream:
                _write(manifest, folder, stream)
        else:
            _write(manifest, folder, target)
            target.flush()
    return manifest


@contextmanager
def _named_when_whole(target: Path) -> Iterator[BinaryIO]:
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file in it")
    beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(target.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(manifest: Manifest, folder: Path, stream: BinaryIO) -> None:
    moment = datetime.fromisoformat(manifest.created_at)
    content = manifest.to_bytes()
    stream.write(_head(Manifest.FILE, len(content), moment) + content + _padding(len(content)))
    for name, facts in sorted(manifest.files.items()):
        stream.write(_head(name, facts["bytes"], moment))
        try:
            with (folder / name).open("rb") as source:
                found = _copied(source, stream, facts["bytes"])
                more = source.read(1)
        except OSError as error:
            if error.filename is None:  # it is the archive that cannot be written
                raise
            raise DamagedError(f"{error.filename}: cannot be read ({error.strerror})") from error
        if more or found != facts["sha256"]:
            raise DamagedError(f"{folder / name}: is damaged; run: dateline index verify")
        stream.write(_padding(facts["bytes"]))
    stream.write(bytes(2 * _BLOCK))


def _head(name: str, size: int, moment: datetime) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = size, int(moment.timestamp())
    return member.tobuf(tarfile.GNU_FORMAT)


def _copied(source: BinaryIO, target: BinaryIO, size: int) -> str | None:
    """Copies so many bytes and returns their SHA-256; None where there are fewer."""
    digest = hashlib.sha256()
    while size:
        piece = source.read(min(size, _PIECE))
        if not piece:
            return None
        digest.update(piece)
        target.write(piece)
        size -= len(piece)
    return digest.hexdigest()


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def restore(index: IndexFolder, stream: BinaryIO, name: str, *, keep: int, command: str) -> Manifest:
    """Makes what an archive holds the served generation of an index, under the next number there.

    `name` is the archive's, for messages; `keep` as for a build. What its manifest names is all that is
    taken, and is opened before it counts. Whatever ends this early leaves the index as it was. Raises
    ArchiveError for anything else than what `export` writes, LockedError where another process writes.
    """
    try:
        archived = _read_manifest(stream)
        with index.writing(command):
            with index.staging() as staging:
                folder = _read_files(stream, archived, IndexFolder(staging))
                manifest = index.commit(
                    folder,
                    base=None,
                    built_by=f"{archived.built_by.partition(';')[0]}; imported, was {archived.id} of "
                    f"{archived.created_at}",
                    encoder=archived.encoder,
                    settings=archived.settings,
                    vectors=archived.vectors,
                    counts=archived.counts,
                    corpus=archived.corpus,
                )
            index.collect(keep)
    except _BadError as error:
        raise ArchiveError(f"{name}: {error}; make one by: dateline index export FILE") from error
    return manifest


class _BadError(Exception):
    """An archive is none; the message says why."""


def _read_manifest(stream: BinaryIO) -> Manifest:
    block = _read(stream, _BLOCK)
    if block.startswith(_PACKED):
        raise _BadError("is packed; unpack it first, as in gunzip -c FILE | dateline index import -")
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise _BadError("is no archive of an index") from error
    if member.name != Manifest.FILE or not 0 < member.size <= _LARGEST_MANIFEST:
        raise _BadError("is no archive of an index: it does not begin with a manifest")
    content = _read(stream, member.size)
    try:
        manifest = Manifest.from_bytes(content, Path(Manifest.FILE))
        head = _head(Manifest.FILE, len(content), datetime.fromisoformat(manifest.created_at))
        _check_names(manifest)
        if type(manifest.built_by) is not str:
            raise _BadError("says of who built it what is no text")
    except (NoIndexError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _BadError(str(error).partition(";")[0]) from error
    if block != head or any(_read(stream, len(_padding(len(content))))):
        raise _BadError("is no archive of an index: its first header was not written by export")
    return manifest


def _check_names(manifest: Manifest) -> None:
    """Its sum holds, but whoever makes an archive can make that: names must be ours, and sizes be sizes."""
    files = manifest.files
    for name, facts in files.items():
        parts = name.split("/")
        if (
            not _OURS.fullmatch(name)
            or name.endswith(".lock")  # which is left out of manifests
            or len(name) > _LONGEST_NAME
            or any(not part.strip(".") for part in parts)
        ):
            raise _BadError(f"names a file that no index has: {name[:200]!r}")
        if any("/".join(parts[:at]) in files for at in range(1, len(parts))):
            raise _BadError(f"names {name!r}, and a file as its folder")
        if set(facts) != {"bytes", "sha256"} or type(facts["bytes"]) is not int or facts["bytes"] < 0:
            raise _BadError(f"says of {name!r} what is no size")


def _read_files(stream: BinaryIO, archived: Manifest, aside: IndexFolder) -> Path:
    """The folder of a generation of an index of its own, where it is judged as any other is."""
    folder = aside.generation(archived.id)
    storage.make_folders(folder)
    size = sum(facts["bytes"] for facts in archived.files.values())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise _BadError(f"holds {size / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free")
    moment = datetime.fromisoformat(archived.created_at)
    for name, facts in sorted(archived.files.items()):
        block = _read(stream, _BLOCK)
        if block != _head(name, facts["bytes"], moment):
            raise _BadError(f"holds {_described(block)} where {name!r} of {facts['bytes']} bytes belongs")
        storage.make_folders((folder / name).parent)
        with storage.create(folder / name) as target:
            found = _copied(stream, target, facts["bytes"])
        if found is None:
            raise _BadError(_CUT)
        if found != facts["sha256"] or any(_read(stream, len(_padding(facts["bytes"])))):
            raise _BadError(f"is damaged: {name!r} is not what the manifest says")
    if any(_read(stream, 2 * _BLOCK)) or any(rest := stream.read(_PIECE)) or len(rest) == _PIECE:
        raise _BadError("holds more than its manifest names")
    own = folder / Manifest.FILE
    storage.write(own, archived.to_bytes())
    try:
        with LocalGeneration(aside, archived.id) as opened:
            _check_facts(archived, opened)
    except Exception as error:  # whatever a library makes of files that were written to break it
        reason = str(error).replace(f"{folder}/", "").replace(str(folder), "it").partition(";")[0]
        raise _BadError(f"cannot be served: {reason}") from error
    storage.remove(own)
    return folder


def _check_facts(manifest: Manifest, opened: LocalGeneration) -> None:
    """What the manifest tells beside its files, which is believed wherever it is shown."""
    counts = {**manifest.counts, "articles": opened.corpus.article_count}
    if counts != manifest.counts or counts.keys() != _COUNTS or set(map(type, counts.values())) != {int}:
        raise ValueError("its counts are not those of its articles")
    names = manifest.settings.get("trusted_sources")
    numbers = [manifest.settings.get(name) for name in ("passage_tokens", "token_bits")]
    are_numbers = all(type(one) is int for one in numbers)
    if not are_numbers or not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise ValueError("its settings are none")
    if manifest.encoder != asdict(opened.encoder.facts):
        raise ValueError("its encoder is not the one that it is said to be")
    if manifest.settings.get("reader", NONE) != (opened.reader.facts.model if opened.reader else NONE):
        raise ValueError("its reader is not the one that it is said to have")
    opened.encoder.encode_queries(["news"])  # which is loaded when it is first used
    if opened.reader:
        opened.reader.read("news?", ["news"])
    if manifest.vectors != [asdict(one) for one in opened.vectors.index.segments]:
        raise ValueError("its vectors are not those that they are said to be")


def _described(block: bytes) -> str:
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        return "no header of tar"
    kind = "a file" if member.isreg() else "a link" if member.islnk() or member.issym() else "no file"
    return f"{kind}, {member.name[:200]!r} of {member.size} bytes,"


def _read(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise _BadError(_CUT)
    return content
