"""What is asked of the passages: nearest vectors, words, whose they are, and what their tokens were made of.

A passage's article, story and day come with every hit, so that a search needs no second question for them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from indexer.errors import UsageError
from indexer.lateinteraction import Codes, TokenCodes
from indexer.milvus import schema
from indexer.milvus.connection import MOST_FOUND, Connection, Hit
from indexer.milvus.words import Words
from indexer.models import EVERYTHING, Filters, Rows, Scores, TokenVectors, Vector, Vectors

Key = TypeVar("Key")
Value = TypeVar("Value")

_TIED = 16  # hits more than asked for: of equal scores at the end the lower rows are to be kept
_ROWS_KEPT = 50_000
_CODES_KEPT = 8_000_000  # bytes: of some 400 passages, of several questions
_FILTERS_KEPT = 1024
_VECTORS_AT_ONCE = 4096
_ROWS_AT_ONCE = 10_000


class Filed(NamedTuple):
    """Where a passage belongs; `story` is negative without one, `day` 0."""

    article: int
    story: int
    day: int


class Kept(Generic[Key, Value]):
    """What was read of a generation, which never changes: the last of it. Threads may share it."""

    def __init__(self, most: int, *, weigh: Callable[[Value], int] = lambda _: 1) -> None:
        """`most`: of what the values weigh together."""
        self._most = most
        self._weigh = weigh
        self._weight = 0
        self._lock = Lock()
        self._held: dict[Key, Value] = {}

    def put(self, found: Iterable[tuple[Key, Value]]) -> None:
        with self._lock:
            for key, value in found:
                if (before := self._held.pop(key, None)) is not None:
                    self._weight -= self._weigh(before)
                self._held[key] = value
                self._weight += self._weigh(value)
            while self._weight > self._most and self._held:
                self._weight -= self._weigh(self._held.pop(next(iter(self._held))))

    def get(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those that are held."""
        with self._lock:
            return {key: self._held[key] for key in keys if key in self._held}


class Columns:
    """What is asked of many passages at once."""

    def __init__(self, connection: Connection, collection: str) -> None:
        self._connection = connection
        self._collection = collection
        self._filed: Kept[int, Filed] = Kept(_ROWS_KEPT)
        self._held: Kept[Filters, bool] = Kept(_FILTERS_KEPT)

    def note(self, hits: Sequence[Hit]) -> None:
        """Keeps what came with hits."""
        self._filed.put(
            (hit.entity["row"], Filed(hit.entity["article"], hit.entity["story"], hit.entity["day"]))
            for hit in hits
        )

    def filed(self, rows: Sequence[int]) -> dict[int, Filed]:
        """Where passages belong, by row; those that are not there are left out."""
        found = self._filed.get(rows)
        missing = [row for row in dict.fromkeys(rows) if row not in found]
        for at in range(0, len(missing), _ROWS_AT_ONCE):
            asked = schema.among("row", missing[at : at + _ROWS_AT_ONCE])
            read = {
                one["row"]: Filed(one["article"], one["story"], one["day"])
                for one in self._connection.query(self._collection, asked, schema.COLUMNS)
            }
            self._filed.put(read.items())
            found |= read
        return found

    def hold(self, filters: Filters) -> bool:
        """Whether any passage passes."""
        found = self._held.get([filters])
        if filters not in found:
            wanted = schema.condition(filters) or "row >= 0"
            found[filters] = bool(self._connection.query(self._collection, wanted, ["row"], most=1))
            self._held.put(found.items())
        return found[filters]

    def articles_of(self, rows: Sequence[int]) -> list[tuple[int, int | None]]:
        """As for any index."""
        filed = self.filed(rows)
        return [(filed[row].article, None if filed[row].story < 0 else filed[row].story) for row in rows]

    def days_of(self, rows: Sequence[int]) -> dict[int, date]:
        """As for any index."""
        filed = self.filed(rows)
        return {row: date.fromordinal(filed[row].day) for row in rows if filed[row].day != schema.UNDATED}


class VectorSearch:
    """Which passages lie nearest to a question's vector."""

    def __init__(self, connection: Connection, collection: str, columns: Columns, dimension: int) -> None:
        self._connection = connection
        self._collection = collection
        self._columns = columns
        self._dimension = dimension

    def search(self, vector: Vector, k: int, filters: Filters = EVERYTHING) -> tuple[Rows, Scores]:
        """The k best rows, as many as Milvus finds at most, the lower row first where scores are equal."""
        hits = self._connection.search(
            self._collection, schema.VECTOR, vector, k + _TIED, schema.condition(filters), schema.COLUMNS
        )
        self._columns.note(hits)
        return _ranked(hits, k)

    def vectors(self, rows: Rows) -> Vectors:
        """As for any index."""
        found: dict[int, Vector] = {}
        wanted = np.unique(rows).tolist()
        for at in range(0, len(wanted), _VECTORS_AT_ONCE):
            asked = schema.among("row", wanted[at : at + _VECTORS_AT_ONCE])
            for one in self._connection.query(self._collection, asked, ["row", schema.VECTOR]):
                found[one["row"]] = np.array(one[schema.VECTOR], np.float32)
        empty = np.empty((0, self._dimension), np.float32)
        return np.stack([found[row] for row in rows.tolist()]) if len(rows) else empty


class FullText:
    """Which passages hold a question's words."""

    def __init__(
        self,
        connection: Connection,
        collection: str,
        columns: Columns,
        words: Words,
        *,
        searched: bool,
    ) -> None:
        """`searched`: whether the collection has words."""
        self._connection = connection
        self._collection = collection
        self._columns = columns
        self._words = words
        self.rarity = words.rarity
        self.lacking = (
            ""
            if searched
            else f"{connection.uri}: this Milvus was too old to find words when the index was published; "
            "upgrade it to 2.4 or later, then build again: dateline index build PATH…; or ask with mode dense"
        )

    def search(
        self, terms: Sequence[str], k: int, filters: Filters, asked: Sequence[tuple[date, date]] = ()
    ) -> tuple[Rows, Scores]:
        """As for any index."""
        if self.lacking:
            raise UsageError(self.lacking, param="mode")
        wanted = self._words.asked(terms, asked)
        if not wanted:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        hits = self._connection.search(
            self._collection, schema.WORDS, wanted, k + _TIED, schema.condition(filters), schema.COLUMNS
        )
        self._columns.note(hits)
        return _ranked(hits, k)


class Tokens:
    """What the encoder made of every token of a passage."""

    def __init__(
        self, connection: Connection, collection: str, fields: Sequence[str], *, dimension: int, bits: int
    ) -> None:
        """`fields` hold the codes."""
        self._connection = connection
        self._collection = collection
        self._fields = fields
        self._width = dimension * bits // 8
        self._compared = TokenCodes(dimension=dimension, bits=bits)
        self._kept: Kept[int, Codes] = Kept(_CODES_KEPT, weigh=lambda codes: codes.nbytes + 1)

    def similarities(self, question: TokenVectors, rows: Sequence[int]) -> list[npt.NDArray[np.float32]]:
        """As for any index."""
        return self._compared.similarities(question, *self._gathered(rows))

    def late_interaction(self, question: TokenVectors, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """As for any index."""
        return self._compared.late_interaction(question, *self._gathered(rows))

    def _gathered(self, rows: Sequence[int]) -> tuple[Codes, list[int]]:
        """The codes of several passages behind each other, and how many tokens each has."""
        stored = self._kept.get(rows)
        if missing := [row for row in dict.fromkeys(rows) if row not in stored]:
            asked = schema.among("row", missing)
            read = {
                one["row"]: schema.codes_of(one, self._fields, self._width)
                for one in self._connection.query(self._collection, asked, ["row", *self._fields])
            }
            self._kept.put(read.items())
            stored |= read
        codes = [stored[row] for row in rows]
        return np.concatenate([np.empty((0, self._width), np.uint8), *codes]), [len(one) for one in codes]


def _ranked(hits: Sequence[Hit], k: int) -> tuple[Rows, Scores]:
    """The k best, the lower row first where scores are equal."""
    rows = np.array([hit.entity["row"] for hit in hits], np.int64)
    scores = np.array([hit.score for hit in hits], np.float32)
    best = np.lexsort((rows, -scores))[: min(k, MOST_FOUND)]
    return rows[best], scores[best]
