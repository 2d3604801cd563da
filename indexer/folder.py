"""The index folder: immutable generations, and the one name that says which is served.

    index/
      CURRENT              the id of the served generation; replaced by an atomic rename
      LOCK                 held by the one writer, and names it
      generations/.building-*, .removing-*, .committing
                           what a writer is at, and what a killed one left for the next to remove
      generations/ID/      never changed once its manifest stands; may share files with its base
        manifest.json      written last: checksums of every other file, and of itself
      published/ID.words   of a generation that is in Milvus: in how many passages each word stands

Everything is written beside what is served and fsynced before it is named, so that a build cut
off at any point leaves the index as it was. All of it goes through storage.py.
"""

import fcntl
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

from indexer import storage
from indexer.cores import cores
from indexer.errors import DamagedError, LockedError, NoIndexError, StorageError, UsageError

FORMAT = 4
_MANIFEST = "manifest.json"
_LOCK, _NEW_CURRENT = "LOCK", ".CURRENT.new"
ENCODER, READER = (
    "encoder",
    "reader",
)  # folders of a generation that every service reads, wherever it serves from
_WORDS = ".words"
_COMMITTING = ".committing"  # names the generation that is whole and not yet served
_ID = re.compile(r"\d{6,}-[0-9a-f]{8}")
_STAGING = ".building-"
_REMOVING = ".removing-"
_REBUILD = "run: dateline index build"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is; `files` maps every other file to its size in bytes and SHA-256."""

    FILE: ClassVar[str] = _MANIFEST

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

    @property
    def has_reader(self) -> bool:
        return any(name.startswith(f"{READER}/") for name in self.files)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Raises DamagedError for anything but what `to_bytes` wrote, in this format."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedError(f"{path}: cannot be read ({error.strerror}); {_REBUILD}") from error
        return cls.from_bytes(content, path)

    @classmethod
    def from_bytes(cls, content: bytes, path: Path) -> "Manifest":
        """What `to_bytes` wrote; `path` is for messages. Raises DamagedError as `read` does."""
        try:
            facts = json.loads(content)
            found = facts["format"]
            if found != FORMAT:
                raise DamagedError(f"{path}: has format {found}, this version reads {FORMAT}; {_REBUILD}")
            del facts["sha256"]
            manifest = cls(**facts)
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"{path}: is damaged ({error!r}); {_REBUILD}") from error
        if manifest.to_bytes() != content or not _ID.fullmatch(manifest.id):
            raise DamagedError(f"{path}: is damaged (its checksum differs); {_REBUILD}")
        return manifest


def _canonical(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()


def best_first(ids: list[str], current: str | None) -> list[str]:
    """Generations, given oldest first, as they may be served: the current one, then earlier ones, then later;
    without a current one the newest first."""
    newest_first = ids[::-1]
    earlier = [name for name in newest_first if name <= (current or newest_first[0])]
    return earlier + newest_first[: len(newest_first) - len(earlier)]


class IndexFolder:
    """One index on disk. Reading needs no lock; writing happens inside `writing`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._generations = path / "generations"
        self._current = path / "CURRENT"
        self._published = path / "published"

    # --- reading

    def generation(self, generation_id: str) -> Path:
        return self._generations / generation_id

    def words(self, generation_id: str) -> Path:
        """The file that stands for a generation that was published."""
        return self._published / f"{generation_id}{_WORDS}"

    def published(self) -> list[str]:
        """The generations that were published and could be served, oldest first: of each the manifest and
        the words are here."""
        names = sorted(path.name.removesuffix(_WORDS) for path in self._published.glob(f"*{_WORDS}"))
        return [name for name in names if _ID.fullmatch(name) and self.has(name)]

    def has(self, generation_id: str) -> bool:
        """Whether a generation's manifest is here."""
        return (self.generation(generation_id) / _MANIFEST).is_file()

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
        return best_first(ids, self.current())

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
        self._compare(folder, manifest, found, manifest.files, names)
        return manifest

    def verify_models(self, generation_id: str) -> Manifest:
        """Compares the files of a generation's encoder and reader, all by their content, where the others may
        well not be there. Raises DamagedError as `verify` does."""
        folder = self.generation(generation_id)
        manifest = self.manifest(generation_id)
        within = (f"{ENCODER}/", f"{READER}/")
        found = {name: path for name, path in _files(folder) if name.startswith(within)}
        wanted = [name for name in manifest.files if name.startswith(within)]
        self._compare(folder, manifest, found, wanted, None)
        return manifest

    def _compare(
        self,
        folder: Path,
        manifest: Manifest,
        found: dict[str, Path],
        wanted: Collection[str],
        names: Collection[str] | None,
    ) -> None:
        if strange := sorted(found.keys() ^ set(wanted)):
            what = "is not in the manifest" if strange[0] in found else "is missing"
            raise DamagedError(f"{folder / strange[0]}: {what}; {_REBUILD}")

        def facts(name: str) -> dict[str, Any]:
            if names is None or name in names:
                return _facts(found[name])
            return {**manifest.files[name], "bytes": found[name].stat().st_size}

        with ThreadPoolExecutor(max_workers=cores()) as pool:
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
        storage.make_folders(self._generations)
        with storage.open_lock(self.path / _LOCK) as stream:
            if not _locked(stream):
                self.check_free()
                raise LockedError(f"{self.path}: is being written by another process; try again")
            stream.truncate(0)
            holder = f"process {os.getpid()} on {socket.gethostname()} since {_now()} ({command})"
            stream.write(f"{holder}\n".encode())
            self._clear_up()
            try:
                yield
            finally:
                with suppress(StorageError):  # the next writer does what cannot be done now
                    self._clear_up()
                    stream.truncate(0)

    def _clear_up(self) -> None:
        """Removes what writers left that were killed."""
        for leftover in (
            *self._generations.glob(f"{_STAGING}*"),
            *self._generations.glob(f"{_REMOVING}*"),
        ):
            storage.remove_folder(leftover)
        unserved = self._generations / _COMMITTING
        try:
            name = unserved.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            pass
        else:
            # It was about to be served and never was. Only whoever committed it ever named it there.
            if name in self.ids() and name != self.current():
                self._remove(name)
            storage.remove(unserved)
        storage.remove(self.path / _NEW_CURRENT)

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
            with (self.path / _LOCK).open(encoding="utf-8") as stream:
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
        storage.make_folder(folder)
        try:
            yield folder
        finally:
            if folder.exists():
                with suppress(StorageError):  # that is not what went wrong first; the next writer removes it
                    storage.remove_folder(folder)

    def link(self, generation_id: str, name: str, staging: Path) -> None:
        """Gives a generation to be a folder of another's. What is linked is one file in both, not two: it
        must be replaced there or left, never written to."""
        storage.carry_over(self.generation(generation_id) / name, staging / name, storage.link)

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
        with ThreadPoolExecutor(max_workers=cores()) as pool:
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
        storage.write(staging / _MANIFEST, manifest.to_bytes())
        for path in (*(files[name] for name in new), staging / _MANIFEST):
            storage.sync(path)
        for folder in (*(path for path in sorted(staging.rglob("*")) if path.is_dir()), staging):
            storage.sync(folder)
        # From here on a whole generation may be there that was never served: the next writer is to know it.
        unserved = self._generations / _COMMITTING
        storage.write(unserved, f"{manifest.id}\n".encode())
        storage.sync(unserved)
        storage.sync(self._generations)
        storage.rename(staging, self.generation(manifest.id))
        storage.sync(self._generations)
        self.switch(manifest.id)
        storage.remove(unserved)
        return manifest

    def forget_words(self, generation_ids: Collection[str]) -> None:
        """Removes the words of generations that are published no more, and of those that are gone."""
        for path in sorted(self._published.glob(f"*{_WORDS}")):
            name = path.name.removesuffix(_WORDS)
            if name in generation_ids or not self.has(name):
                storage.remove(path)

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
        new = self.path / _NEW_CURRENT
        storage.write(new, f"{generation_id}\n".encode())
        storage.sync(new)
        storage.rename(new, self._current)
        storage.sync(self.path)

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
        return [name for name in older[: max(0, len(older) - keep)] if self._remove(name)]

    def _remove(self, generation_id: str) -> bool:
        """Whether it could be removed: one that some process reads stays."""
        doomed = self._generations / f"{_REMOVING}{generation_id}"
        try:
            with (self.generation(generation_id) / _MANIFEST).open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                storage.rename(self.generation(generation_id), doomed)
        except BlockingIOError:
            return False
        except FileNotFoundError:  # without a manifest nobody can be reading it
            storage.rename(self.generation(generation_id), doomed)
        # No file of it may be gone while a crash could still bring its name back.
        storage.sync(self._generations)
        storage.remove_folder(doomed)
        return True


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its place below the folder, in order; locks, which hold nothing, left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".lock":
            yield path.relative_to(folder).as_posix(), path


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


def _locked(stream: FileIO) -> bool:
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
