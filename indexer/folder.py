"""The index folder: immutable generations, and the one name that says which is served.

    index/
      CURRENT              the id of the served generation; replaced by an atomic rename
      LOCK                 held by the one writer, and names it
      generations/ID/      never changed once its manifest stands; may share files with its base
        manifest.json      written last: checksums of every other file, and of itself

Everything is written beside what is served and fsynced before it is named, so that a build cut
off at any point leaves the index as it was. No other module writes here.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from indexer.errors import DamagedError, LockedError, NoIndexError, UsageError

FORMAT = 4
_MANIFEST = "manifest.json"
_ID = re.compile(r"\d{6,}-[0-9a-f]{8}")
_STAGING = ".building-"
_REMOVING = ".removing-"
_REBUILD = "run: dateline index build"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is; `files` maps every other file to its size in bytes and SHA-256."""

    format: int
    id: str
    created_at: str
    built_by: str
    encoder: dict[str, Any]
    settings: dict[str, Any]
    vectors: list[dict[str, Any]]
    counts: dict[str, int]
    corpus: str
    files: dict[str, dict[str, Any]]

    def smallest(self, most_bytes: int) -> list[str]:
        """The smallest files that come to so many bytes together."""
        names = sorted(self.files, key=lambda name: self.files[name]["bytes"])
        sizes = accumulate(self.files[name]["bytes"] for name in names)
        return [name for name, size in zip(names, sizes, strict=True) if size <= most_bytes]

    def to_bytes(self) -> bytes:
        """The one byte sequence for these facts, the last of which is the checksum of the rest."""
        facts = asdict(self)
        facts["sha256"] = hashlib.sha256(_canonical(facts)).hexdigest()
        return _canonical(facts)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Raises DamagedError for anything but what `to_bytes` wrote, in this format."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedError(f"{path}: cannot be read ({error.strerror}); {_REBUILD}") from error
        try:
            facts = json.loads(content)
            found = facts["format"]
            if found != FORMAT:
                raise DamagedError(f"{path}: has format {found}, this version reads {FORMAT}; {_REBUILD}")
            del facts["sha256"]
            manifest = cls(**facts)
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"{path}: is damaged ({error!r}); {_REBUILD}") from error
        if manifest.to_bytes() != content:
            raise DamagedError(f"{path}: is damaged (its checksum differs); {_REBUILD}")
        return manifest


def _canonical(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()


class IndexFolder:
    """One index on disk. Reading needs no lock; writing happens inside `writing`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._generations = path / "generations"
        self._current = path / "CURRENT"

    # --- reading

    def generation(self, generation_id: str) -> Path:
        return self._generations / generation_id

    def ids(self) -> list[str]:
        """Every committed generation, oldest first."""
        if not self._generations.is_dir():
            return []
        return sorted(entry.name for entry in self._generations.iterdir() if _ID.fullmatch(entry.name))

    def current(self) -> str | None:
        """The id that CURRENT names; None where it is missing or names nothing that exists."""
        try:
            named = self._current.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return named if named in self.ids() else None

    def candidates(self) -> list[str]:
        """What may be served, best first: the current generation, then earlier ones, then later.

        Raises NoIndexError where there is none.
        """
        ids = self.ids()
        if not ids:
            raise NoIndexError(f"{self.path}: holds no index; run: dateline index build PATH…")
        newest_first = ids[::-1]
        current = self.current() or newest_first[0]
        earlier = [name for name in newest_first if name <= current]
        return earlier + [name for name in newest_first if name > current]

    def manifest(self, generation_id: str) -> Manifest:
        """Raises DamagedError where it is not whole."""
        path = self.generation(generation_id) / _MANIFEST
        manifest = Manifest.read(path)
        if manifest.id != generation_id:
            raise DamagedError(f"{path}: is that of generation {manifest.id}; {_REBUILD}")
        return manifest

    def verify(self, generation_id: str, names: Collection[str] | None = None) -> Manifest:
        """Compares every file with the manifest: its size, and its content where it is one of `names`, by
        default all.

        Raises DamagedError, naming the first file that is missing, changed or not listed.
        """
        folder = self.generation(generation_id)
        manifest = self.manifest(generation_id)
        found = {name: path for name, path in _files(folder) if name != _MANIFEST}
        if strange := sorted(found.keys() ^ manifest.files.keys()):
            what = "is not in the manifest" if strange[0] in found else "is missing"
            raise DamagedError(f"{folder / strange[0]}: {what}; {_REBUILD}")

        def facts(name: str) -> dict[str, Any]:
            if names is None or name in names:
                return _facts(found[name])
            return {**manifest.files[name], "bytes": found[name].stat().st_size}

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            try:
                for name, fact in zip(found, pool.map(facts, found), strict=True):
                    if fact != manifest.files[name]:
                        raise DamagedError(
                            f"{folder / name}: is damaged ({_described(fact)}, the manifest has "
                            f"{_described(manifest.files[name])}); {_REBUILD}"
                        )
            except OSError as error:
                raise DamagedError(
                    f"{error.filename or folder}: cannot be read ({error.strerror}); {_REBUILD}"
                ) from error
        return manifest

    @contextmanager
    def lease(self, generation_id: str) -> Iterator[Path]:
        """Keeps a generation from being removed while it is read, by whatever process.

        Raises NoIndexError where it is not there (any more).
        """
        manifest = self.generation(generation_id) / _MANIFEST
        try:
            stream = manifest.open("rb")
        except OSError as error:
            raise NoIndexError(f"{manifest}: cannot be read ({error.strerror}); {_REBUILD}") from error
        with stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            if not manifest.exists():  # collected between opening and locking
                raise NoIndexError(f"{manifest}: was removed; {_REBUILD}")
            yield manifest.parent

    # --- writing

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """The one writer's lock; ends with the process that holds it, however that ends.

        Raises LockedError at once, naming the holder, where another process writes.
        """
        self._generations.mkdir(parents=True, exist_ok=True)
        with (self.path / "LOCK").open("a+", encoding="utf-8") as stream:
            if not _locked(stream):
                self.check_free()
                raise LockedError(f"{self.path}: is being written by another process; try again")
            stream.truncate(0)
            holder = f"process {os.getpid()} on {socket.gethostname()} since {_now()} ({command})"
            stream.write(holder + "\n")
            stream.flush()
            for leftover in self.leftovers():
                shutil.rmtree(leftover)
            try:
                yield
            finally:
                stream.truncate(0)

    def leftovers(self) -> list[Path]:
        """What writers left that were broken off; where one writes, what it is at."""
        return [*self._generations.glob(f"{_STAGING}*"), *self._generations.glob(f"{_REMOVING}*")]

    def check_free(self) -> None:
        """Raises LockedError, naming the holder, where a process writes now: to be asked before work
        that `writing` would find to be in vain."""
        if holder := self.holder():
            raise LockedError(f"{self.path}: is being written by {holder}; wait for it, or end it")

    def holder(self) -> str:
        """Who writes the index now; empty where nobody does, whatever a killed writer left written."""
        try:
            with (self.path / "LOCK").open(encoding="utf-8") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return stream.read().strip()
        except OSError:
            pass
        return ""

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder for a generation to be; gone when left without a commit."""
        folder = self._generations / f"{_STAGING}{os.getpid()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def link(self, generation_id: str, name: str, staging: Path) -> None:
        """Gives a generation to be a folder of another's. What is linked is one file in both, not two: it
        must be replaced there or left, never written to."""
        source = self.generation(generation_id) / name
        try:
            shutil.copytree(source, staging / name, copy_function=os.link)
        except shutil.Error:  # a file system without links
            shutil.copytree(source, staging / name, dirs_exist_ok=True)

    def commit(
        self,
        staging: Path,
        *,
        base: str | None,
        built_by: str,
        encoder: dict[str, Any],
        settings: dict[str, Any],
        vectors: list[dict[str, Any]],
        counts: dict[str, int],
        corpus: str,
    ) -> Manifest:
        """Makes a filled staging folder a generation, and the served one; `base` is the one whose folders it
        was linked to, if any."""
        last = int(self.ids()[-1].split("-")[0]) if self.ids() else 0
        created_at = _now()
        # Named after what it is and when it was made: an index begun anew repeats no id.
        identity = hashlib.sha256(f"{corpus} {encoder} {settings} {created_at}".encode()).hexdigest()
        files = dict(_files(staging))
        linked = self._linked(files, base) if base else {}
        new = [name for name in files if name not in linked]
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            written = dict(zip(new, pool.map(_facts, (files[name] for name in new)), strict=True))
        facts = {name: linked.get(name) or written[name] for name in files}
        manifest = Manifest(
            format=FORMAT,
            id=f"{last + 1:06d}-{identity[:8]}",
            created_at=created_at,
            built_by=built_by,
            encoder=encoder,
            settings=settings,
            vectors=vectors,
            counts=counts,
            corpus=corpus,
            files=facts,
        )
        (staging / _MANIFEST).write_bytes(manifest.to_bytes())
        for path in (*(files[name] for name in new), staging / _MANIFEST):
            _sync(path)
        for directory in {path.parent for path in files.values()} | {staging}:
            _sync(directory)
        staging.rename(self.generation(manifest.id))
        _sync(self._generations)
        self.switch(manifest.id)
        return manifest

    def _linked(self, files: dict[str, Path], base: str) -> dict[str, dict[str, Any]]:
        """What the manifest of the base says of the files that are the base's very own."""
        known = self.manifest(base).files
        folder = self.generation(base)
        return {
            name: known[name]
            for name, path in files.items()
            if name in known and (folder / name).is_file() and path.samefile(folder / name)
        }

    def switch(self, generation_id: str) -> None:
        """Names the served generation, atomically and durably."""
        new = self.path / ".CURRENT.new"
        new.write_text(generation_id + "\n", encoding="utf-8")
        _sync(new)
        new.rename(self._current)
        _sync(self.path)

    def roll_back(self, generation_id: str | None, command: str) -> str:
        """Names the generation before the current one, or the one that is asked for, once its files are
        found whole; returns its id.

        Raises NoIndexError where there is none before, DamagedError where it is not whole, UsageError where
        it is not there, LockedError where another process writes.
        """
        current = self.candidates()[0]
        with self.writing(command):
            target = generation_id
            if target is None:
                earlier = [name for name in self.ids() if name < current]
                if not earlier:
                    raise NoIndexError(f"{self.path}: there is no generation before {current}")
                target = earlier[-1]
            self.check_known(target)
            self.verify(target)
            self.switch(target)
        return target

    def check_known(self, generation_id: str) -> None:
        """Raises UsageError where no generation has this id."""
        if generation_id not in self.ids():
            raise UsageError(
                f"{generation_id}: no such generation; there are {', '.join(self.ids())}", param="generation"
            )

    def collect(self, keep: int) -> list[str]:
        """Removes generations older than the current one and the `keep` before it.

        One that some process still reads stays until the next time. Returns the removed ids.
        """
        current = self.candidates()[0]
        older = [name for name in self.ids() if name < current]
        removed = []
        for name in older[: max(0, len(older) - keep)]:
            folder = self.generation(name)
            try:
                with (folder / _MANIFEST).open("rb") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    doomed = folder.rename(self._generations / f"{_REMOVING}{name}")
            except BlockingIOError:
                continue
            except FileNotFoundError:  # without a manifest nobody can be reading it
                doomed = folder.rename(self._generations / f"{_REMOVING}{name}")
            shutil.rmtree(doomed)
            removed.append(name)
        return removed


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its place below the folder, in order; locks, which hold nothing, left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".lock":
            yield path.relative_to(folder).as_posix(), path


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


def _locked(stream: IO[str]) -> bool:
    """Takes the lock unless another process keeps it; one that only asks who writes lets go at once."""
    for pause_s in (0.01, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_s)
        else:
            return True
    return False


def _described(fact: dict[str, Any]) -> str:
    return f"{fact['bytes']} bytes with SHA-256 {fact['sha256'][:12]}…"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
