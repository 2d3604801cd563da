"""Ranking by words as an inner product: BM25 whose statistics are those of the whole generation.

Milvus has a BM25 of its own since 2.5. Ours is told apart because a generation never changes: what a passage
has of each word is then one number, how rare a word is another, and their product over a sparse vector is
BM25 (Robertson & Zaragoza, 2009), the same in every segment and on every node, where Milvus's own counts
what each of them holds. It needs no analyzer there, holds texts of any length, and lets the days that a
passage speaks of be words beside its own, with a length of their own.

A small file beside what is served from elsewhere says which number each word has and how many passages hold
it.
"""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import lru_cache
from pathlib import Path

from indexer import storage
from indexer.errors import DamagedError
from indexer.words import days_asked, days_told

_FORMAT = 1
_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE word (word TEXT PRIMARY KEY, number INTEGER NOT NULL, passages INTEGER NOT NULL) STRICT,
    WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_AT_HAND = 1 << 14  # words
_K1, _B = 1.2, 0.75  # as everywhere

Sparse = dict[int, float]
"""What a passage has of each word, or a question asks of it, by the word's number."""
Days = tuple[date, date]
"""The first and the last of a stretch of days."""


class Vocabulary:
    """Counts the words of all passages first, then tells what each passage has of them."""

    def __init__(self) -> None:
        self.passages = 0
        self._holding: Counter[str] = Counter()
        self._words = self._days = 0  # in all passages
        self._numbers: dict[str, int] = {}

    def count(self, stems: Sequence[str], mentioned: Iterable[Days]) -> None:
        """Counts a passage's words and the days that it speaks of."""
        days = _told(mentioned)
        self._holding.update({*stems, *days})
        self.passages += 1
        self._words += len(stems)
        self._days += len(days)

    def weights(self, stems: Sequence[str], mentioned: Iterable[Days]) -> Sparse:
        """What a passage has of each word, once all passages are counted."""
        days = _told(mentioned)
        fields = ((Counter(stems), len(stems), self._words), (dict.fromkeys(days, 1), len(days), self._days))
        found: Sparse = {}
        for counts, length, whole in fields:
            norm = _K1 * (1 - _B + _B * _rounded(length) * self.passages / max(whole, 1))
            for word, often in counts.items():
                found[self._number(word)] = often * (_K1 + 1) / (often + norm)
        return found

    def _number(self, word: str) -> int:
        if not self._numbers:
            self._numbers = {word: number for number, word in enumerate(sorted(self._holding))}
        return self._numbers[word]

    def write(self, path: Path, facts: Mapping[str, int]) -> None:
        """Writes the file, which has its name when it is whole; one that is there is replaced."""
        storage.make_folders(path.parent)
        beside = path.with_name(f".{path.name}.new")
        storage.remove(beside)
        with (
            storage.written_by("SQLite", beside, sqlite3.OperationalError),
            closing(sqlite3.connect(beside, isolation_level=None)) as db,
        ):
            db.executescript(f"{_SCHEMA} BEGIN;")
            held = ((word, self._number(word), self._holding[word]) for word in sorted(self._holding))
            db.executemany("INSERT INTO word VALUES (?, ?, ?)", held)
            known = {"format": _FORMAT, "passages": self.passages, **facts}
            db.executemany("INSERT INTO fact VALUES (?, ?)", known.items())
            db.execute("COMMIT")
        storage.sync(beside)
        storage.rename(beside, path)
        storage.sync(path.parent)


class Words:
    """Reads a file that a `Vocabulary` wrote. Threads may share it."""

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
        return self._rarity(self._found(word)[1])

    def asked(self, terms: Iterable[str], asked: Iterable[Days]) -> Sparse:
        """What a question asks of the words that there are, and of the days."""
        days = (_day_word(when) for first, last in asked for when in days_asked(first, last))
        found = [self._found(word) for word in dict.fromkeys([*terms, *days])]
        return {number: self._rarity(holding) for number, holding in found if holding}

    def _rarity(self, holding: int) -> float:
        return math.log1p((self._passages - holding + 0.5) / (holding + 0.5))

    def _look_up(self, word: str) -> tuple[int, int]:
        """A word's number, and how many passages hold it."""
        query = "SELECT number, passages FROM word WHERE word = ?"
        number, holding = self._db.execute(query, (word,)).fetchone() or (0, 0)
        return int(number), int(holding)

    def close(self) -> None:
        self._db.close()


def _rounded(length: int) -> int:
    """A length as tantivy and Lucene keep it, of four significant bits beyond 24, so that a passage has the
    score that it has on one machine."""
    beyond = length - 24
    lost = max(0, beyond.bit_length() - 4) if beyond > 0 else 0
    return length - (beyond & ((1 << lost) - 1))


def _told(mentioned: Iterable[Days]) -> set[str]:
    return {_day_word(when) for first, last in mentioned for when in days_told(first, last)}


def _day_word(when: str) -> str:
    """A day as no word of a text is written: none has an underscore."""
    return f"_{when}"
