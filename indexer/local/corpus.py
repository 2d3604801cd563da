"""The articles and their passages in SQLite: the home of every text and of its metadata."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from indexer import storage
from indexer.duplicates import Signature
from indexer.generation import Mentioned, Named, Quoted, Stored
from indexer.models import EVERYTHING, Article, Filters, Passage, Span, Version
from indexer.quotes import Called, Quotation, asked_for, called

_SCHEMA = """
CREATE TABLE article (
    row INTEGER PRIMARY KEY,       -- in the order in which they were read
    id TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    title TEXT NOT NULL,
    published_at TEXT,
    source TEXT,
    author TEXT,
    url TEXT,
    language TEXT,
    dated_by TEXT,
    digest BLOB NOT NULL,          -- SHA-256 of all that is above, the row left out
    origin TEXT NOT NULL,          -- where it was read, for messages
    page TEXT NOT NULL,            -- what its url names, however it is written; '' without one
    seen_at TEXT NOT NULL,         -- when it was first seen as it stands
    story INTEGER REFERENCES article (row),  -- the first copy of its story; NULL where it is the only one
    copy INTEGER NOT NULL DEFAULT 0,         -- 0 the first copy, then by trust
    first_passage INTEGER NOT NULL DEFAULT 0,
    passages INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE signature (           -- by which copies are found, see duplicates.py
    article INTEGER PRIMARY KEY REFERENCES article (row),
    told BLOB NOT NULL,
    comparable INTEGER NOT NULL,
    hashes BLOB NOT NULL
) STRICT;
CREATE TABLE version (             -- what articles said before they changed
    article INTEGER NOT NULL REFERENCES article (row),
    seen_at TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    published_at TEXT
) STRICT;
CREATE TABLE passage (
    row INTEGER PRIMARY KEY AUTOINCREMENT, -- the same in vectors and full text; never used again
    article INTEGER NOT NULL REFERENCES article (row),
    start INTEGER NOT NULL,        -- code points of article.text
    end INTEGER NOT NULL,
    digest BLOB NOT NULL           -- of the text that was encoded, to know it again
) STRICT;
CREATE TABLE mention (             -- the days that a passage speaks of, both inclusive
    passage INTEGER NOT NULL REFERENCES passage (row),
    start INTEGER NOT NULL,        -- code points of article.text
    end INTEGER NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL
) STRICT;
CREATE TABLE quotation (           -- what articles quote; places in code points of article.text
    article INTEGER NOT NULL REFERENCES article (row),
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    direct INTEGER NOT NULL,       -- 1 in quotation marks, 0 reported
    speaker TEXT,                  -- NULL where it is not known; so all below
    words TEXT,                    -- of the speaker's name as names are compared, a space between
    alone TEXT,                    -- what the speaker is called alone
    speaker_start INTEGER,
    speaker_end INTEGER,
    cue_start INTEGER,
    cue_end INTEGER
) STRICT;
CREATE TABLE repeated_line (       -- lines that a source prints under many stories, by their keys
    source TEXT NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (source, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX article_page ON article (page) WHERE page != '';
CREATE INDEX article_source ON article (source);
CREATE INDEX article_story ON article (story, copy) WHERE story IS NOT NULL;
"""
# Made when all is written: they serve reading, and what is changed later.
_INDEXES = """
CREATE INDEX IF NOT EXISTS article_day ON article (substr(published_at, 1, 10));
CREATE INDEX IF NOT EXISTS version_article ON version (article);
CREATE INDEX IF NOT EXISTS mention_passage ON mention (passage);
CREATE INDEX IF NOT EXISTS quotation_article ON quotation (article);
CREATE INDEX IF NOT EXISTS quotation_alone ON quotation (alone) WHERE alone IS NOT NULL;
"""
# Codes of what goes wrong on the disk; any other is a bug.
_NOT_WRITTEN = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DAY = "substr(published_at, 1, 10)"
_PLACES = "start, end, direct, speaker, speaker_start, speaker_end, cue_start, cue_end"
_AT_A_TIME = 100  # quotations whose articles are in memory
_FIELDS = "id, text, title, published_at, source, author, url, language, dated_by"


class Filed(NamedTuple):
    """Where an article belongs, and which rows its passages have; `story` where that has several copies."""

    row: int
    story: int | None
    day: str | None
    source: str | None
    author: str | None
    first_passage: int
    passages: int


def article_digest(article: Article) -> bytes:
    """SHA-256 over an article's fields; equal exactly where the articles are."""
    return hashlib.sha256(json.dumps(astuple(article)).encode()).digest()


class CorpusWriter:
    """Fills a new file, or changes a copy of one; use as a context, it is complete when that ends well.

    Articles come first, then their stories, then the passages of those that are `pending`.
    """

    def __init__(self, path: Path, *, base: "Corpus | None" = None) -> None:
        """`base`: what to start from; it stays as it is."""
        if base:
            storage.copy(base.path, path)
        self._path = path
        with storage.written_by("SQLite", path, sqlite3.OperationalError):
            self._db = sqlite3.connect(path, isolation_level=None)
            # The file counts only once its generation is committed, with fsync and checksum.
            self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            self._db.executescript(f"{'' if base else _SCHEMA} BEGIN;")
        self.rows = self._one("SELECT coalesce(max(row) + 1, 0) FROM article")
        self.passages = base.passage_rows if base else 0
        self.before = self.rows  # what has a lower row was there before
        self._changed: set[int] = set()
        self.bereft: set[int] = set()  # articles that shared a story with one that was removed

    @property
    def articles(self) -> int:
        """How many there are; `rows` is the row of the next, for some may have gone."""
        return self._one("SELECT count(*) FROM article")

    def pending(self) -> list[int]:
        """The articles that are new or say something else than before: theirs are the passages to make."""
        new = self._db.execute("SELECT row FROM article WHERE row >= ? ORDER BY row", (self.before,))
        return sorted(self._changed) + [row for (row,) in new]

    def add(self, article: Article, origin: str, seen_at: str, page: str) -> int:
        """Adds an article whose id is new; returns its row."""
        self._db.execute(
            f"INSERT INTO article ({_FIELDS}, digest, origin, seen_at, page, row)"
            f" VALUES ({', '.join('?' * 14)})",
            (*astuple(article), article_digest(article), origin, seen_at, page, self.rows),
        )
        self.rows += 1
        return self.rows - 1

    def remove(self, row: int) -> list[tuple[int, bytes]]:
        """Takes an article out, and all that is known of it; returns what `clear` does."""
        gone = self.clear(row)
        shared = self._db.execute(
            "SELECT other.row FROM article JOIN article AS other ON other.story = article.story"
            " WHERE article.row = ?",
            (row,),
        )
        self.bereft |= {other for (other,) in shared}
        for table, column in (("version", "article"), ("signature", "article"), ("article", "row")):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (row,))
        self._changed.discard(row)
        self.bereft.discard(row)
        return gone

    def clear(self, row: int) -> list[tuple[int, bytes]]:
        """Takes away an article's passages and what was found in its text; returns their rows and digests."""
        (first, count) = self._db.execute(
            "SELECT first_passage, passages FROM article WHERE row = ?", (row,)
        ).fetchone()
        rows = (first, first + count)
        gone = self._db.execute("SELECT row, digest FROM passage WHERE row >= ? AND row < ?", rows).fetchall()
        self._db.execute("DELETE FROM mention WHERE passage >= ? AND passage < ?", rows)
        self._db.execute("DELETE FROM passage WHERE row >= ? AND row < ?", rows)
        self._db.execute("DELETE FROM quotation WHERE article = ?", (row,))
        return gone

    def _one(self, query: str, values: Sequence[object] = ()) -> int:
        """The one number that a query gives."""
        ((found,),) = self._db.execute(query, values)
        return int(found)

    def replace(self, row: int, article: Article, origin: str, seen_at: str) -> None:
        """Puts an article, of the same id, in the place of what it updates."""
        names = (*_FIELDS.split(", "), "digest", "origin", "seen_at")
        self._db.execute(
            f"UPDATE article SET {', '.join(f'{name} = ?' for name in names)} WHERE row = ?",
            (*astuple(article), article_digest(article), origin, seen_at, row),
        )
        self._note_change(row)

    def add_version(self, row: int, version: Version) -> None:
        """Keeps what an article said before."""
        self._db.execute("INSERT INTO version VALUES (?, ?, ?, ?, ?)", (row, *astuple(version)))

    def find(self, article_id: str, page: str) -> list[Stored]:
        """The article of this id, then those of this page."""
        found = self._db.execute(
            f"SELECT row, {_FIELDS}, origin, seen_at, page FROM article WHERE id = ?"
            f" UNION SELECT row, {_FIELDS}, origin, seen_at, page FROM article WHERE page = ? AND page != ''",
            (article_id, page),
        )
        stored = [_stored(*fields) for fields in found]
        return sorted(stored, key=lambda one: (one.article.id != article_id, one.row))

    def article(self, row: int) -> Article:
        (fields,) = self._db.execute(f"SELECT {_FIELDS} FROM article WHERE row = ?", (row,))
        return Article(*fields)

    def source_of(self, row: int) -> str | None:
        ((source,),) = self._db.execute("SELECT source FROM article WHERE row = ?", (row,))
        return None if source is None else str(source)

    def row_of(self, article_id: str) -> int:
        """Raises KeyError where there is no such article."""
        found = self._db.execute("SELECT row FROM article WHERE id = ?", (article_id,)).fetchone()
        if found is None:
            raise KeyError(article_id)
        return int(found[0])

    def rows_of(self, source: str, most: int | None = None, *, copies: bool = False) -> list[int]:
        """The articles of a source, the last read first, at most so many; of each story its first copy, or
        with `copies` all."""
        found = self._db.execute(
            f"SELECT row FROM article WHERE source = ? {'' if copies else 'AND coalesce(story, row) = row'}"
            " ORDER BY row DESC LIMIT ?",
            (source, -1 if most is None else most),
        )
        return [row for (row,) in found]

    def set_text(self, row: int, article: Article) -> None:
        """Stores an article's text and digest anew."""
        self._db.execute(
            "UPDATE article SET text = ?, digest = ? WHERE row = ?",
            (article.text, article_digest(article), row),
        )
        self._note_change(row)

    def _note_change(self, row: int) -> None:
        if row < self.before:
            self._changed.add(row)

    def set_signature(self, row: int, signature: Signature) -> None:
        """Keeps by what an article's copies are found."""
        self._db.execute("INSERT OR REPLACE INTO signature VALUES (?, ?, ?, ?)", (row, *signature))

    def signatures(self) -> Iterator[tuple[int, Signature]]:
        """Every article's row and signature, in order."""
        for row, told, comparable, hashes in self._db.execute("SELECT * FROM signature ORDER BY article"):
            yield row, Signature(told, bool(comparable), hashes)

    def stories(self) -> list[list[int]]:
        """The rows of each story's copies where there are several, the first copy first."""
        found = self._db.execute(
            "SELECT story, row FROM article WHERE story IS NOT NULL ORDER BY story, copy"
        )
        return [[row for _, row in copies] for _, copies in groupby(found, key=itemgetter(0))]

    def set_story(self, copies: Sequence[int]) -> None:
        """Makes the articles of these rows copies of one story, in this order; one alone is none's."""
        self._db.executemany(
            "UPDATE article SET story = ?, copy = ? WHERE row = ?",
            ((copies[0] if len(copies) > 1 else None, copy, row) for copy, row in enumerate(copies)),
        )

    def repeated_lines(self) -> dict[str, set[int]]:
        """By source, the keys of the lines that it repeats."""
        found: dict[str, set[int]] = {}
        for source, line in self._db.execute("SELECT source, line FROM repeated_line"):
            found.setdefault(source, set()).add(line & _UNSIGNED)
        return found

    def add_repeated_lines(self, source: str, lines: Iterable[int]) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO repeated_line VALUES (?, ?)", ((source, _signed(line)) for line in lines)
        )

    def add_passages(
        self, article: int, passages: Sequence[tuple[Span, bytes]], mentions: Sequence[Sequence[Mentioned]]
    ) -> int:
        """Adds an article's passages, each a span, the digest of its encoded text, and its mentions, behind
        all that there were; returns the row of the first."""
        first = self.passages
        self._db.execute(
            "UPDATE article SET first_passage = ?, passages = ? WHERE row = ?",
            (first, len(passages), article),
        )
        self._db.executemany(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?)",
            (
                (row, article, span.start, span.end, digest)
                for row, (span, digest) in enumerate(passages, start=first)
            ),
        )
        self._db.executemany(
            "INSERT INTO mention VALUES (?, ?, ?, ?, ?)",
            (
                (row, mention.span.start, mention.span.end, mention.first, mention.last)
                for row, mentioned in enumerate(mentions, start=first)
                for mention in mentioned
            ),
        )
        self.passages += len(passages)
        return first

    def add_quotations(self, article: int, quotations: Iterable[Quotation]) -> None:
        """Adds what an article quotes."""
        self._db.executemany(
            f"INSERT INTO quotation VALUES ({', '.join('?' * 11)})",
            ((article, *_columns(quotation)) for quotation in quotations),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with storage.written_by("SQLite", self._path, sqlite3.OperationalError):
                    self._db.execute("COMMIT")
                    self._db.executescript(_INDEXES)
        finally:
            self._db.close()
        # What does not fit into its memory SQLite writes at any time.
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in _NOT_WRITTEN:
            raise storage.failure(self._path, error) from error


class Corpus:
    """Reads a file that `CorpusWriter` filled. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # immutable: no lock and no journal beside it, so a read-only folder serves too. SQLite
        # serialises by itself what several threads ask of one connection.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        # Mapped, as far as SQLite maps a file: what lies behind an article's text is read twice as fast, and
        # processes that serve the same index share it.
        self._db.execute(f"PRAGMA mmap_size = {1 << 40}")
        (self.article_count,) = self._db.execute("SELECT count(*) FROM article").fetchone()
        (self.passage_count,) = self._db.execute("SELECT count(*) FROM passage").fetchone()
        # The last row that was ever given to a passage, of which some may be gone.
        last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passage'").fetchone()
        self.passage_rows = int(last[0]) + 1 if last else 0

    def close(self) -> None:
        self._db.close()

    def article(self, article_id: str) -> Article | None:
        found = self._db.execute(f"SELECT {_FIELDS} FROM article WHERE id = ?", (article_id,)).fetchone()
        return Article(*found) if found else None

    def articles(self) -> Iterator[Stored]:
        """Every article, in the order in which they were read."""
        for fields in self._db.execute(
            f"SELECT row, {_FIELDS}, origin, seen_at, page FROM article ORDER BY row"
        ):
            yield _stored(*fields)

    def stored(self, article_id: str) -> Stored | None:
        found = self._db.execute(
            f"SELECT row, {_FIELDS}, origin, seen_at, page FROM article WHERE id = ?", (article_id,)
        ).fetchone()
        return _stored(*found) if found else None

    def versions(self, article_id: str) -> list[Version]:
        """What an article said before it changed, the oldest first."""
        found = self._db.execute(
            "SELECT version.seen_at, version.title, version.text, version.published_at"
            " FROM version JOIN article ON article.row = version.article WHERE id = ?"
            " ORDER BY version.seen_at, version.rowid",
            (article_id,),
        )
        return [Version(*fields) for fields in found]

    def copies(self, article_id: str) -> list[Article]:
        """The copies of an article's story, itself among them, the first copy first; none where it is
        the only one."""
        found = self._db.execute("SELECT story FROM article WHERE id = ?", (article_id,)).fetchone()
        if found is None or found[0] is None:
            return []
        rows = self._db.execute(f"SELECT {_FIELDS} FROM article WHERE story = ? ORDER BY copy", found)
        return [Article(*fields) for fields in rows]

    def stories(self) -> Iterator[list[str]]:
        """The ids of each story's copies where there are several, the first copy first."""
        found = self._db.execute("SELECT story, id FROM article WHERE story IS NOT NULL ORDER BY story, copy")
        for _, copies in groupby(found, key=itemgetter(0)):
            yield [article_id for _, article_id in copies]

    def repeated_lines(self) -> Iterator[tuple[str, list[int]]]:
        """Each source with the keys of the lines that it repeats under many stories."""
        found = self._db.execute("SELECT source, json_group_array(line) FROM repeated_line GROUP BY source")
        for source, lines in found:
            yield source, [line & _UNSIGNED for line in json.loads(lines)]

    def filed(self) -> Iterator[Filed]:
        """Every article as it is filed, in order."""
        for fields in self._db.execute(
            f"SELECT row, story, {_DAY}, source, author, first_passage, passages FROM article ORDER BY row"
        ):
            yield Filed(*fields)

    def passages(self, article_id: str) -> list[Passage]:
        """An article's passages in order."""
        found = self._db.execute(
            "SELECT passage.row, start, end, text FROM passage JOIN article ON article.row = passage.article"
            " WHERE id = ? ORDER BY passage.row",
            (article_id,),
        )
        return [
            Passage(row, article_id, number, start, end, text[start:end])
            for number, (row, start, end, text) in enumerate(found)
        ]

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

    def mentions(self, rows: Sequence[int]) -> dict[int, list[Mentioned]]:
        """The days that passages speak of, by row; a passage that speaks of none is left out."""
        found: dict[int, list[Mentioned]] = {}
        for row, start, end, first, last in self._db.execute(
            "SELECT passage, start, end, first, last FROM mention"
            " WHERE passage IN (SELECT value FROM json_each(?)) ORDER BY start",
            (json.dumps(list(rows)),),
        ):
            found.setdefault(row, []).append(Mentioned(Span(start, end), first, last))
        return found

    def quotations(
        self,
        speaker: str | None = None,
        *,
        article_ids: Sequence[str] | None = None,
        filters: Filters = EVERYTHING,
    ) -> Iterator[Quoted]:
        """What is quoted: of a speaker (a name, a surname or a description), in some articles or in all that
        pass the filters; the newest article first, undated last, within it in order of place."""
        conditions, values = _conditions(filters)
        if speaker is not None:
            known = self._known_as(speaker)
            conditions.append("(words, alone) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))")
            values.append(json.dumps([(" ".join(one.words), one.alone) for one in known]))
        if article_ids is not None:
            conditions.append("id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(article_ids)))
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # Only the rows are sorted: the texts would not fit in memory.
        rows = self._db.execute(
            "SELECT quotation.rowid FROM quotation JOIN article ON article.row = quotation.article"
            f" {where} ORDER BY {_DAY} DESC NULLS LAST, published_at DESC, article, start",
            values,
        ).fetchall()
        for at in range(0, len(rows), _AT_A_TIME):
            chunk = [row for (row,) in rows[at : at + _AT_A_TIME]]
            found = {
                row: Quoted(_quotation(*columns[:8]), Article(*columns[8:]))
                for row, *columns in self._db.execute(
                    f"SELECT quotation.rowid, {_PLACES}, {_FIELDS}"
                    " FROM quotation JOIN article ON article.row = quotation.article"
                    " WHERE quotation.rowid IN (SELECT value FROM json_each(?))",
                    (json.dumps(chunk),),
                )
            }
            yield from (found[row] for row in chunk)

    def speakers(self) -> list[Named]:
        """Every way in which speakers are written, the oftenest first."""
        return [
            Named(name, Called(tuple(words.split()), alone), count)
            for name, words, alone, count in self._db.execute(
                "SELECT speaker, words, alone, count(*) FROM quotation WHERE speaker IS NOT NULL"
                " GROUP BY speaker ORDER BY count(*) DESC, speaker"
            )
        ]

    def _known_as(self, speaker: str) -> list[Called]:
        """The speakers of the collection who may be called so."""
        return [
            known
            for asked in asked_for(speaker)
            for (words,) in self._db.execute(
                "SELECT DISTINCT words FROM quotation WHERE alone = ?", (asked.alone,)
            )
            if asked.fits(known := Called(tuple(words.split()), asked.alone))
        ]

    def digests(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """The row of every passage from `first` on, with the digest of the text that was encoded for it."""
        yield from self._db.execute("SELECT row, digest FROM passage WHERE row >= ? ORDER BY row", (first,))

    def count(self, condition: Literal["undated", "in several copies"]) -> int:
        """How many articles have no date, or how many stories have several copies."""
        query = {
            "undated": "SELECT count(*) FROM article WHERE published_at IS NULL",
            "in several copies": "SELECT count(DISTINCT story) FROM article",
        }[condition]
        return int(self._db.execute(query).fetchone()[0])

    def digest(self) -> str:
        """Identifies the collection by its articles, in whatever order they were read."""
        whole = hashlib.sha256()
        for (digest,) in self._db.execute("SELECT digest FROM article ORDER BY id"):
            whole.update(digest)
        return whole.hexdigest()


def _conditions(filters: Filters) -> tuple[list[str], list[str]]:
    """What articles have to fulfil to pass the filters, in SQL, and the values to bind."""
    conditions: list[str] = []
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
    return conditions, values


def _columns(quotation: Quotation) -> tuple[int | str | None, ...]:
    """A quotation as the columns of its table behind the article."""
    known = called(quotation.speaker) if quotation.speaker else None
    return (
        *quotation.place,
        quotation.direct,
        quotation.speaker,
        " ".join(known.words) if known else None,
        known.alone if known else None,
        *(quotation.speaker_place or (None, None)),
        *(quotation.cue or (None, None)),
    )


def _quotation(start: int, end: int, direct: int, speaker: str | None, *places: int | None) -> Quotation:
    """The quotation of columns; `places` are those of the speaker and of the cue."""
    speaker_place, cue = (
        None if first is None or last is None else Span(first, last)
        for first, last in (places[:2], places[2:])
    )
    return Quotation(Span(start, end), speaker, speaker_place, cue, bool(direct))


_UNSIGNED = (1 << 64) - 1


def _signed(key: int) -> int:
    """A 64-bit key as SQLite's integers hold it."""
    return key - (1 << 64) if key >> 63 else key


def _stored(row: int, *fields: Any) -> Stored:  # noqa: ANN401  columns as SQLite gives them
    *article, origin, seen_at, page = fields
    return Stored(row, Article(*article), origin, seen_at, page)
