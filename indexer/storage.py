"""The only door to the disk for whoever writes an index: each write can be watched, and each can fail.

What libraries write by themselves (SQLite, tantivy, FAISS, OpenVINO) counts as an operation where it begins
and as one where it has ended. What cannot be written is a StorageError, whoever wrote it.
"""

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from indexer.errors import StorageError

Watcher = Callable[[str, Path], None]
"""Told of an operation before it is done: what it is, and to which path. It fails with the OSError that the
watcher raises."""

_watchers: list[Watcher] = []
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}
_WORTH_TELLING = 100_000  # bytes
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Lets it know of every operation of this process meanwhile."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def _operation(what: str, path: Path, size: int | None = None) -> Iterator[None]:
    """One operation, by which so many bytes are written where that is known."""
    try:
        for watcher in _watchers:
            watcher(what, path)
        yield
    except OSError as error:
        raise failure(path, error, size) from error


@contextmanager
def written_by(library: str, path: Path, *errors: type[Exception]) -> Iterator[None]:
    """What a library writes by itself; `errors` are those it raises where it cannot."""
    with _operation(f"{library} begins", path):
        pass
    try:
        yield
    except errors as error:
        raise failure(path, error) from error
    with _operation(f"{library} has ended", path):
        pass


def failure(path: Path, error: Exception, size: int | None = None) -> StorageError:
    """What to raise where a library could not write: what, where, and the remedy."""
    code = _code(error)
    reason = os.strerror(code) if code else " ".join(str(error).split())
    remedy = "see that the disk works and has space"
    if code in _NOT_ALLOWED:
        remedy = "make it writable"
    elif code in _NO_SPACE:
        remedy = "free some space there"
    if code not in _NOT_ALLOWED:
        wanted = f"{_megabytes(size)} to be written, " if size and size >= _WORTH_TELLING else ""
        reason = f"{reason}; {wanted}{_free(path)}"
    return StorageError(f"{path}: cannot be written ({reason}); {remedy}, then run the same again")


def _code(error: Exception) -> int | None:
    """The system's number for what went wrong; libraries that are not Python's only tell of it."""
    if isinstance(error, OSError):
        return error.errno
    said = str(error)
    if said == "database or disk is full":  # SQLite
        return errno.ENOSPC
    codes = (*_NO_SPACE, *_NOT_ALLOWED, errno.EIO)
    return next((code for code in codes if os.strerror(code) in said), None)


def _free(path: Path) -> str:
    for folder in (path, *path.absolute().parents):
        try:
            return f"{_megabytes(shutil.disk_usage(folder).free)} free"
        except OSError:
            continue
    return "no file system there"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def make_folder(path: Path) -> None:
    """Makes one that is not there, in one that is."""
    with _operation("make folder", path):
        path.mkdir()


def make_folders(path: Path) -> None:
    """Makes a folder and those above it, where they are not there, each to stay."""
    if not path.is_dir():
        make_folders(path.parent)
        with _operation("make folder", path):
            path.mkdir(exist_ok=True)
        sync(path.parent)


class _File(io.FileIO):
    """A file whose every write is an operation."""

    def __init__(self, path: Path, mode: str) -> None:
        self._path = path
        with _operation("open", path):
            super().__init__(path, mode)

    def write(self, content: Any, /) -> int:  # noqa: ANN401  whatever has bytes
        with _operation("write", self._path, memoryview(content).nbytes):
            return super().write(content)

    def truncate(self, size: int | None = None, /) -> int:
        with _operation("truncate", self._path):
            return super().truncate(size)


def create(path: Path) -> BinaryIO:
    """A new file, to be closed by the caller. One that is there is an error: it may be a link to that of an
    earlier generation, which writing would change."""
    return io.BufferedWriter(_File(path, "xb"), 1 << 16)


def abandon(stream: BinaryIO) -> None:
    """Closes a file that is not wanted any more, whatever is left to be written to it."""
    with suppress(StorageError):
        stream.close()


def open_lock(path: Path) -> io.FileIO:
    """A file that stays and is written over, without a buffer; made where it is not there."""
    return _File(path, "a+b")


def write(path: Path, content: bytes) -> None:
    """Writes a new file."""
    with create(path) as stream:
        stream.write(content)


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Writes a new file of numpy's format. Its own `save` leaves out of the error why it failed."""
    with create(path) as stream:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(np.ascontiguousarray(array).data)


def copy(source: Path, target: Path) -> None:
    """Copies a file's content."""
    with _operation("copy", target, source.stat().st_size):
        shutil.copyfile(source, target)


def link(source: Path, target: Path) -> None:
    """Makes a second name for a file; copies it on a file system without links."""
    try:
        with _operation("link", target):
            target.hardlink_to(source)
    except StorageError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _NO_LINKS:
            raise
        copy(source, target)


def carry_over(source: Path, target: Path, by: Callable[[Path, Path], None]) -> None:
    """Makes a folder of another: its files by `copy` or `link`."""
    make_folder(target)
    for path in sorted(source.iterdir()):
        if path.is_dir():
            carry_over(path, target / path.name, by)
        else:
            by(path, target / path.name)


def rename(source: Path, target: Path) -> None:
    """Gives a file or a folder another name, at once; a file that had it is replaced."""
    with _operation("rename", target):
        source.rename(target)


def remove(path: Path) -> None:
    """Removes a file; one that is not there is no error."""
    with _operation("remove", path):
        path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Removes a folder and what is in it."""
    for entry in sorted(path.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            remove_folder(entry)
        else:
            remove(entry)
    with _operation("remove folder", path):
        path.rmdir()


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's names, are on the disk."""
    with _operation("sync", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
