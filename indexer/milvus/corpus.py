"""The articles and what was found in them, as documents in Milvus.

A document holds all that is known of an article, so that whoever reads a search's hits asks once for them
all; with those of a story come its other copies, which are asked for next.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from indexer.errors import DamagedError
from indexer.generation import Mentioned, Named, Quoted, Stored
from indexer.milvus import schema
from indexer.milvus.connection import Connection
from indexer.milvus.passages import Columns, Kept
from indexer.models import EVERYTHING, Article, Filters, Passage, Span, Version
from indexer.quotes import Called, Quotation, asked_for

_KEPT = 32_000_000  # characters of memory for documents
_ROWS_KEPT = 10_000
_AT_ONCE = 100  # documents that are in memory while all are gone through
_ROWS_AT_ONCE = 10_000
_AN_ARTICLE = f"kind == {schema.ARTICLE}"
_WINDOW = 500  # rows of articles looked through at a time

Places = list[int]


@dataclass(frozen=True, slots=True)
class Document:
    """An article and all that is known of it. `rank` is its place where the newest come first; `copies` are
    the rows of its story's in order, none where it is the only one; `mentions` are those of each passage;
    with a quotation stands how its speaker is known."""

    stored: Stored
    rank: int
    copies: list[int]
    passages: list[Passage]
    mentions: list[list[Mentioned]]
    quotations: list[tuple[Quotation, Called | None]]
    versions: list[Version]

    @property
    def row(self) -> int:
        return self.stored.row

    @property
    def article(self) -> Article:
        return self.stored.article

    def number(self, row: int) -> int:
        """The place of a passage among the article's."""
        return row - self.passages[0].row

    def __len__(self) -> int:
        """About how many characters of memory it takes."""
        return 4 * len(self.article.text) + sum(len(one.text) for one in self.versions)

    def to_record(self) -> list[Any]:
        """As it is kept, for `from_record`."""
        one = self.article
        fields = (one.id, one.text, one.title, one.published_at, one.source, one.author)
        return [
            self.row,
            [*fields, one.url, one.language, one.dated_by],
            [self.stored.origin, self.stored.seen_at, self.stored.page],
            self.rank,
            self.copies,
            [(passage.row, passage.start, passage.end) for passage in self.passages],
            self.mentions,
            [
                [*said, [" ".join(known.words), known.alone] if known else None]
                for said, known in self.quotations
            ],
            [(before.seen_at, before.title, before.text, before.published_at) for before in self.versions],
        ]

    @classmethod
    def from_record(cls, record: list[Any]) -> "Document":
        row, fields, others, rank, copies, passages, mentions, quotations, versions = record
        article = Article(*fields)
        return cls(
            Stored(row, article, *others),
            rank,
            copies,
            [
                Passage(passage, article.id, number, start, end, article.text[start:end])
                for number, (passage, start, end) in enumerate(passages)
            ],
            [[Mentioned(Span(*place), *days) for place, *days in held] for held in mentions],
            [
                (_quotation(*said), Called(tuple(known[0].split()), known[1]) if known else None)
                for *said, known in quotations
            ],
            [Version(*before) for before in versions],
        )


def _quotation(
    place: Places, speaker: str | None, speaker_place: Places | None, cue: Places | None, direct: bool
) -> Quotation:
    return Quotation(
        Span(*place),
        speaker,
        Span(*speaker_place) if speaker_place else None,
        Span(*cue) if cue else None,
        direct,
    )


class Corpus:
    """Reads the documents of a generation. Threads may share it."""

    def __init__(
        self,
        connection: Connection,
        collection: str,
        columns: Columns,
        *,
        articles: int,
        passages: int,
        rows: int,
    ) -> None:
        """`rows`: more than any article's."""
        self._connection = connection
        self._collection = collection
        self._columns = columns
        self.article_count = articles
        self.passage_count = passages
        self._rows = rows
        self._kept: Kept[int, Document] = Kept(_KEPT, weigh=len)
        self._row_of: Kept[str, int] = Kept(_ROWS_KEPT)

    # --- one article

    def article(self, article_id: str) -> Article | None:
        found = self._named([article_id])
        return found[0].article if found else None

    def stored(self, article_id: str) -> Stored | None:
        found = self._named([article_id])
        return found[0].stored if found else None

    def versions(self, article_id: str) -> list[Version]:
        """As for any index."""
        return [version for one in self._named([article_id]) for version in one.versions]

    def copies(self, article_id: str) -> list[Article]:
        """As for any index."""
        rows = [row for one in self._named([article_id]) for row in one.copies]
        found = self._documents(rows)
        return [found[row].article for row in rows]

    def passages(self, article_id: str) -> list[Passage]:
        """As for any index."""
        return [passage for one in self._named([article_id]) for passage in one.passages]

    # --- all articles

    def articles(self) -> Iterator[Stored]:
        """As for any index."""
        for found in self._windows("article"):
            for row in sorted(found):
                yield found[row].stored

    def stories(self) -> Iterator[list[str]]:
        """As for any index."""
        for found in self._windows("story"):
            for story in sorted({one.copies[0] for one in found.values()}):
                yield [found[row].article.id for row in found[story].copies]

    def _windows(self, field: str) -> Iterator[dict[int, Document]]:
        """All articles by their rows, some at a time, in the order of their row or their story's."""
        for first in range(0, self._rows, _WINDOW):
            wanted = f"{field} >= {first} and {field} < {first + _WINDOW}"
            yield {one.row: one for one in self._read(schema.both(_AN_ARTICLE, wanted), keep=False)}

    # --- passages

    def read(self, rows: Sequence[int]) -> list[tuple[Passage, Article]]:
        """As for any index."""
        filed = self._columns.filed(rows)
        held = [filed[row] for row in rows]
        found = self._documents([one.article for one in held], stories={one.story for one in held})
        documents = [found[one.article] for one in held]
        return [
            (one.passages[one.number(row)], one.article) for row, one in zip(rows, documents, strict=True)
        ]

    def mentions(self, rows: Sequence[int]) -> dict[int, list[Mentioned]]:
        """As for any index."""
        filed = self._columns.filed(rows)
        found = self._documents([one.article for one in filed.values()])
        mentioned = {row: found[one.article] for row, one in filed.items()}
        return {row: held for row, one in mentioned.items() if (held := one.mentions[one.number(row)])}

    # --- quotations

    def quotations(
        self,
        speaker: str | None = None,
        *,
        article_ids: Sequence[str] | None = None,
        filters: Filters = EVERYTHING,
    ) -> Iterator[Quoted]:
        """As for any index."""
        asked = None if speaker is None else asked_for(speaker)
        if article_ids is not None:
            found = {one.row: one for one in self._named(article_ids) if filters.allow(one.article)}
            yield from _said(sorted(found.values(), key=attrgetter("rank")), asked)
            return
        rows = self._quoting(filters) if asked is None else self._quoting_whom(asked, filters)
        for at in range(0, len(rows), _AT_ONCE):
            documents = self._documents(rows[at : at + _AT_ONCE])
            yield from _said([documents[row] for row in rows[at : at + _AT_ONCE]], asked)

    def _quoting(self, filters: Filters) -> list[int]:
        """The articles that quote anybody and pass the filters, the newest first."""
        wanted = schema.both(f"{_AN_ARTICLE} and piece == 0 and quotations > 0", schema.condition(filters))
        found = self._connection.scan(self._collection, wanted, ["article", "rank"])
        return [row for _, row in sorted((one["rank"], one["article"]) for one in found)]

    def _quoting_whom(self, asked: list[Called], filters: Filters) -> list[int]:
        """The articles that quote somebody and pass the filters, the newest first."""
        keys = schema.among("key", [schema.number_of(one.alone) for one in asked])
        ranked = {
            (rank, row)
            for names in self._contents(schema.both(f"kind == {schema.NAME}", keys))
            for one in asked
            for words, places in names.get(one.alone, {}).items()
            if one.fits(Called(tuple(words.split()), one.alone))
            for rank, row in places
        }
        rows = [row for _, row in sorted(ranked)]
        wanted = schema.condition(filters)
        if not wanted:
            return rows
        passing: set[int] = set()
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            among = schema.among("article", rows[at : at + _ROWS_AT_ONCE])
            whole = schema.both(f"{_AN_ARTICLE} and piece == 0", among, wanted)
            passing |= {one["article"] for one in self._connection.scan(self._collection, whole, ["article"])}
        return [row for row in rows if row in passing]

    def speakers(self) -> list[Named]:
        """As for any index."""
        return [
            Named(name, Called(tuple(words.split()), alone), count)
            for speakers in self._contents(f"kind == {schema.SPEAKERS}")
            for name, words, alone, count in speakers
        ]

    # --- documents

    def _named(self, article_ids: Sequence[str]) -> list[Document]:
        """The articles of some ids, those that are not there left out."""
        rows = self._row_of.get(article_ids)
        held = self._kept.get(rows.values())
        found = {one.article.id: one for one in held.values()}
        if missing := [name for name in dict.fromkeys(article_ids) if name not in found]:
            for at in range(0, len(missing), _WINDOW):
                keys = schema.among("key", map(schema.number_of, missing[at : at + _WINDOW]))
                read = self._read(schema.both(_AN_ARTICLE, keys))
                found |= {one.article.id: one for one in read}
        return [found[name] for name in dict.fromkeys(article_ids) if name in found]

    def _documents(self, rows: Sequence[int], stories: Collection[int] = ()) -> dict[int, Document]:
        """The articles of some rows, by row; where one has to be read, those of the stories are with it."""
        found = self._kept.get(rows)
        missing = [row for row in dict.fromkeys(rows) if row not in found]
        told = sorted(story for story in stories if story != schema.NONE)
        for at in range(0, len(missing), _WINDOW):
            wanted = schema.among("article", missing[at : at + _WINDOW])
            if told:
                wanted = f"{wanted} or {schema.among('story', told)}"
            found |= {one.row: one for one in self._read(schema.both(_AN_ARTICLE, wanted))}
        if lost := [row for row in missing if row not in found]:
            raise DamagedError(f"{self._collection}: has no article {lost[0]}; run: dateline index publish")
        return found

    def _read(self, condition: str, *, keep: bool = True) -> list[Document]:
        """The articles that fulfil a condition, kept for who asks next."""
        documents = [Document.from_record(one) for one in self._contents(condition)]
        if keep:
            self._kept.put((one.row, one) for one in documents)
            self._row_of.put((one.article.id, one.row) for one in documents)
        return documents

    def _contents(self, condition: str) -> list[Any]:
        found = self._connection.query(self._collection, condition, schema.PIECE_FIELDS)
        try:
            return schema.contents(found)
        except ValueError as error:
            raise DamagedError(f"{self._collection}: {error}; run: dateline index publish") from error


def _said(documents: Sequence[Document], asked: list[Called] | None) -> Iterator[Quoted]:
    """What the articles quote, of somebody or of anybody, in their order."""
    for one in documents:
        for quotation, known in one.quotations:
            if asked is None or (known and any(who.fits(known) for who in asked)):
                yield Quoted(quotation, one.article)
