"""The door to the disk: what it writes, what it refuses, and what it says of a failure."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest

from indexer import storage
from indexer.errors import StorageError


def test_an_array_is_written_as_numpy_writes_it(tmp_path: Path) -> None:
    for array in (np.arange(7, dtype=np.int32), np.empty(0, np.int64), np.eye(3, dtype=np.float32)[:, ::2]):
        file = tmp_path / f"{array.dtype}.npy"
        storage.write_array(file, array)
        ours = io.BytesIO()
        np.save(ours, np.ascontiguousarray(array), allow_pickle=False)
        assert file.read_bytes() == ours.getvalue()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    storage.write(tmp_path / "file", b"first")
    with pytest.raises(StorageError, match="File exists"):
        storage.write(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_there_are_no_links_files_are_copied(tmp_path: Path, code: int) -> None:
    storage.write(tmp_path / "one", b"content")

    def refuse(what: str, _: Path) -> None:
        if what == "link":
            raise OSError(code, os.strerror(code))

    with storage.watched(refuse):
        storage.link(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b"content"
    assert not (tmp_path / "two").samefile(tmp_path / "one")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, r"No space left on device; 5\.0 MB to be written, [\d,.]+ MB free\); free some space"),
        (errno.EIO, r"Input/output error; .* free\); see that the disk works and has space"),
        (errno.EROFS, r"Read-only file system\); make it writable"),
    ],
)
def test_a_failure_says_what_where_why_and_what_to_do(tmp_path: Path, code: int, says: str) -> None:
    def fail(what: str, _: Path) -> None:
        if what == "write":
            raise OSError(code, os.strerror(code))

    with (
        storage.watched(fail),
        pytest.raises(StorageError, match=f"{tmp_path}/file: cannot be written.*{says}"),
    ):
        storage.write(tmp_path / "file", bytes(5_000_000))


def test_what_a_library_says_of_the_disk_is_understood(tmp_path: Path) -> None:
    said = {
        "database or disk is full": "No space left on device",
        "write error in x: 0 != 5 (No space left on device)": "No space left on device",
        "An IO error: 'Input/output error (os error 5)'": "Input/output error",
        "basic_ios::clear: iostream error": "basic_ios::clear: iostream error",
    }
    for words, reason in said.items():
        with (
            pytest.raises(StorageError, match=f"cannot be written \\({reason}; "),
            storage.written_by("a library", tmp_path, RuntimeError),
        ):
            raise RuntimeError(words)


def test_a_bug_in_what_a_library_writes_stays_one(tmp_path: Path) -> None:
    with pytest.raises(KeyError), storage.written_by("a library", tmp_path, RuntimeError):
        raise KeyError("bug")
