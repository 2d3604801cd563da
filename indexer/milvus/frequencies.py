"""In how many passages each word stands: a small file beside what is served from elsewhere."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from indexer import storage
from indexer.errors import DamagedError

_FORMAT = 1
_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE word (word TEXT PRIMARY KEY, passages INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_AT_HAND = 1 << 14  # words


def write(path: Path, frequencies: Mapping[str, int], facts: Mapping[str, int]) -> None:
    """Writes the file, which has its name when it is whole; one that is there is replaced."""
    storage.make_folders(path.parent)
    beside = path.with_name(f".{path.name}.new")
    storage.remove(beside)
    with (
        storage.written_by("SQLite", beside, sqlite3.OperationalError),
        closing(sqlite3.connect(beside, isolation_level=None)) as db,
    ):
        db.executescript(f"{_SCHEMA} BEGIN;")
        db.executemany("INSERT INTO word VALUES (?, ?)", sorted(frequencies.items()))
        db.executemany("INSERT INTO fact VALUES (?, ?)", {"format": _FORMAT, **facts}.items())
        db.execute("COMMIT")
    storage.sync(beside)
    storage.rename(beside, path)
    storage.sync(path.parent)


class Frequencies:
    """Reads a file that `write` wrote. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedError where it holds something else."""
        try:
            # As the corpus is opened: nothing is written beside it, and SQLite serialises what threads ask.
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self.facts: dict[str, int] = dict(self._db.execute("SELECT name, number FROM fact"))
            if self.facts["format"] != _FORMAT:
                raise KeyError
            self._passages = self.facts["passages"]
        except (sqlite3.Error, KeyError) as error:
            raise DamagedError(
                f"{path}: holds no words of this version; run: dateline index publish"
            ) from error
        self._found = lru_cache(_AT_HAND)(self._look_up)

    def rarity(self, word: str) -> float:
        """Inverse document frequency in [0, about ln(passages)]; a word of every passage has about 0."""
        found = min(self._found(word), self._passages)
        return float(np.log1p((self._passages - found + 0.5) / (found + 0.5)))

    def _look_up(self, word: str) -> int:
        found = self._db.execute("SELECT passages FROM word WHERE word = ?", (word,)).fetchone()
        return int(found[0]) if found else 0

    def close(self) -> None:
        self._db.close()
