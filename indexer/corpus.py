"""The articles and their passages in SQLite: the home of every text and of its metadata."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from indexer.models import Article, Filters, Mask, Passage, Span

_SCHEMA = """
CREATE TABLE article (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    title TEXT NOT NULL,
    published_at TEXT,
    source TEXT,
    author TEXT,
    url TEXT,
    origin TEXT NOT NULL,        -- where it was read, for messages
    digest BLOB NOT NULL,        -- SHA-256 of all that is above, origin left out
    first_passage INTEGER NOT NULL,
    passages INTEGER NOT NULL
) STRICT;
CREATE TABLE passage (
    row INTEGER PRIMARY KEY,     -- from 0, the same in the vectors and the full-text index
    article INTEGER NOT NULL REFERENCES article (row),
    start INTEGER NOT NULL,      -- code points of article.text
    end INTEGER NOT NULL,
    digest BLOB NOT NULL         -- of the text that was encoded, to know it again
) STRICT;
CREATE INDEX article_day ON article (substr(published_at, 1, 10));
CREATE INDEX article_source ON article (source);
"""
_DAY = "substr(published_at, 1, 10)"
_FIELDS = "id, text, title, published_at, source, author, url"


def article_digest(article: Article) -> bytes:
    """SHA-256 over an article's fields; equal exactly where the articles are."""
    return hashlib.sha256(json.dumps(astuple(article)).encode()).digest()


class CorpusWriter:
    """Fills a new file; use as a context, it is complete when that ends without error."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # The file counts only once its generation is committed, with fsync and checksum.
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA} BEGIN;")
        self.articles = 0
        self.passages = 0

    def add(self, article: Article, origin: str, passages: Sequence[tuple[Span, bytes]]) -> str | None:
        """Adds an article with its passages, each a span and the digest of its encoded text.

        Returns None; or, where the id is taken, the origin of the article that has it.
        """
        taken = self._db.execute("SELECT origin FROM article WHERE id = ?", (article.id,)).fetchone()
        if taken:
            return str(taken[0])
        self._db.execute(
            f"INSERT INTO article VALUES ({', '.join('?' * 12)})",
            (
                self.articles, article.id, article.text, article.title, article.published_at, article.source,
                article.author, article.url, origin, article_digest(article), self.passages, len(passages),
            ),
        )  # fmt: skip
        self._db.executemany(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?)",
            (
                (self.passages + number, self.articles, span.start, span.end, digest)
                for number, (span, digest) in enumerate(passages)
            ),
        )
        self.articles += 1
        self.passages += len(passages)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._db.execute("COMMIT")
        self._db.close()


class Corpus:
    """Reads a file that `CorpusWriter` filled. Threads may share it."""

    def __init__(self, path: Path) -> None:
        # immutable: no lock and no journal beside it, so a read-only folder serves too. SQLite
        # serialises by itself what several threads ask of one connection.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        (self.article_count,) = self._db.execute("SELECT count(*) FROM article").fetchone()
        (self.passage_count,) = self._db.execute("SELECT count(*) FROM passage").fetchone()

    def close(self) -> None:
        self._db.close()

    def article(self, article_id: str) -> Article | None:
        found = self._db.execute(f"SELECT {_FIELDS} FROM article WHERE id = ?", (article_id,)).fetchone()
        return Article(*found) if found else None

    def articles(self) -> Iterator[tuple[Article, str]]:
        """Every article with its origin, in the order in which they were read."""
        for *fields, origin in self._db.execute(f"SELECT {_FIELDS}, origin FROM article ORDER BY row"):
            yield Article(*fields), origin

    def articles_of(self, rows: Sequence[int]) -> list[int]:
        """The article that each passage belongs to, as a number that means nothing else."""
        found = dict(
            self._db.execute(
                "SELECT row, article FROM passage WHERE row IN (SELECT value FROM json_each(?))",
                (json.dumps(list(rows)),),
            )
        )
        return [found[row] for row in rows]

    def read(self, rows: Sequence[int]) -> list[tuple[Passage, Article]]:
        """The passages of the rows, in their order, each with its article."""
        found = {}
        for row, start, end, first, *fields in self._db.execute(
            f"SELECT passage.row, start, end, first_passage, {_FIELDS}"
            " FROM passage JOIN article ON article.row = passage.article"
            " WHERE passage.row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(rows)),),
        ):
            article = Article(*fields)
            text = article.text[start:end]
            found[row] = Passage(row, article.id, row - first, start, end, text), article
        return [found[row] for row in rows]

    def digests(self) -> Iterator[tuple[int, bytes]]:
        """Every passage's row with the digest of the text that was encoded for it."""
        yield from self._db.execute("SELECT row, digest FROM passage ORDER BY row")

    def digest(self) -> str:
        """Identifies the collection by its articles, in whatever order they were read."""
        whole = hashlib.sha256()
        for (digest,) in self._db.execute("SELECT digest FROM article ORDER BY id"):
            whole.update(digest)
        return whole.hexdigest()

    def allowed(self, filters: Filters) -> Mask | None:
        """Which passages pass the filters, (passages,) bool; None where all do."""
        if not filters:
            return None
        conditions = []
        values: list[str] = []
        for condition, day in (
            (f"{_DAY} >= ?", filters.published_after),
            (f"{_DAY} <= ?", filters.published_before),
        ):
            if day:
                conditions.append(condition)
                values.append(day.isoformat())
        for field, wanted in (("source", filters.sources), ("author", filters.authors)):
            if wanted:
                conditions.append(f"{field} IN (SELECT value FROM json_each(?))")
                values.append(json.dumps(wanted))
        ranges = np.array(
            self._db.execute(
                f"SELECT first_passage, passages FROM article WHERE {' AND '.join(conditions)}", values
            ).fetchall(),
            dtype=np.int64,
        ).reshape(-1, 2)
        # +1 where an article's passages begin, -1 after its last: the running sum is the mask.
        steps = np.zeros(self.passage_count + 1, dtype=np.int8)
        steps[ranges[:, 0]] += 1
        steps[ranges.sum(axis=1)] -= 1
        mask: Mask = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
        return mask
