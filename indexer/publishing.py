"""A generation of a folder put into Milvus: batch by batch, again at any time, and named when it is whole."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from itertools import islice

import numpy as np

from indexer.build import Progress
from indexer.errors import NoIndexError, UnreachableError, UsageError
from indexer.folder import IndexFolder
from indexer.generation import Stored
from indexer.local.corpus import Filed
from indexer.local.generation import LocalGeneration
from indexer.milvus import schema
from indexer.milvus.connection import Connection, Entity, Field, batches
from indexer.milvus.corpus import Document
from indexer.milvus.words import Days, Vocabulary, Words
from indexer.models import Article, Passage
from indexer.passages import encoded_text
from indexer.quotes import Quotation
from indexer.words import stems

EXACT_UP_TO = 100_000
"""Passages up to which Milvus compares all vectors; of more it learns a graph."""
_MOST, _MOST_BYTES = 1000, 16 << 20  # of a batch; Milvus takes messages of 64 MB
_AT_ONCE = 200  # articles whose passages and quotations are in memory


class Publisher:
    """Puts generations of one folder where one collection is served from."""

    def __init__(self, folder: IndexFolder, connection: Connection, collection: str) -> None:
        """`collection`: the name under which it is served."""
        self._folder = folder
        self._connection = connection
        self.alias = schema.alias_of(collection)

    def published(self) -> str | None:
        """The generation that is served."""
        named = self._connection.alias(self.alias)
        return schema.generation_of(self.alias, named) if named else None

    def publish(self, progress: Progress, *, command: str, keep: int) -> str:
        """Puts the folder's current generation into Milvus and has it served; drops all but `keep` before it.

        What is there already is not written again, so that one that was broken off goes on. Returns the
        generation's id. Raises LockedError where another process writes, UnreachableError where Milvus does
        not answer; what was served before is served until the end.
        """
        self._folder.candidates()
        with self._folder.writing(command):
            current = self._folder.candidates()[0]
            if not self._is_whole(current):
                with LocalGeneration(self._folder, current) as generation:
                    self._write(generation, progress)
            self._connection.point(self.alias, schema.collections_of(self.alias, current)[0])
            self.collect(keep)
            self._folder.collect(keep)
        return current

    def collect(self, keep: int) -> list[str]:
        """Drops what is older than the served generation and the `keep` before it; returns their ids."""
        served = self.published()
        if served is None:
            return []
        there: dict[str, list[str]] = {}
        for name in self._connection.collections():
            if generation_id := schema.generation_of(self.alias, name):
                there.setdefault(generation_id, []).append(name)
        older = sorted(name for name in {*there, *self._folder.published()} if name < served)
        doomed = older[: max(0, len(older) - keep)]
        self._folder.forget_words(doomed)  # first: what has no words is served by nobody
        for generation_id in doomed:
            for name in there.get(generation_id, []):
                self._connection.drop(name)
        return doomed

    def _is_whole(self, generation_id: str) -> bool:
        """Whether a generation was published to its end, and is still there."""
        if generation_id not in self._folder.published():
            return False
        with closing(Words(self._folder.words(generation_id))) as words:
            facts = words.facts
        there = self._connection.collections()
        names = schema.collections_of(self.alias, generation_id)
        for name, wanted in zip(names, (facts["passages"], facts["documents"]), strict=True):
            if name not in there:
                return False
            self._connection.load(name)
            if self._connection.count(name, strong=True) != wanted:
                return False
        return True

    def _write(self, generation: LocalGeneration, progress: Progress) -> None:
        passages, articles = schema.collections_of(self.alias, generation.id)
        reading = _Reading(generation)
        words = self._connection.has_words()
        if not words:
            progress.warn(
                f"{self._connection.uri}: this Milvus finds no words (2.4 and later do): questions are "
                "answered by vectors alone"
            )
        resumed = self._prepared(
            passages,
            schema.passage_fields(
                dimension=generation.encoder.facts.dimension, words=words, code_fields=reading.code_fields
            ),
            exact=generation.manifest.counts["passages"] <= EXACT_UP_TO,
        )
        count = generation.manifest.counts["passages"]
        progress.stage("publish passages", count)
        for batch in _batches(reading.passages(words=words)):
            among = schema.among("row", [one["row"] for one in batch])
            if not resumed or self._connection.count(passages, among, strong=True) != len(batch):
                self._connection.upsert(passages, batch)
            progress.advance(len(batch))
        self._prepared(articles, schema.ARTICLE_FIELDS, exact=True)
        documents = 0
        progress.stage("publish articles", generation.manifest.counts["articles"])
        for batch in _batches(reading.documents()):
            documents += len(batch)
            self._connection.upsert(articles, batch)
            progress.advance(sum(one["kind"] == schema.ARTICLE and not one["piece"] for one in batch))
        progress.stage("load")
        for name, wanted in ((passages, count), (articles, documents)):
            self._complete(name, wanted)
        reading.vocabulary.write(
            self._folder.words(generation.id), {"documents": documents, "rows": reading.rows}
        )

    def _prepared(self, collection: str, fields: Sequence[Field], *, exact: bool) -> bool:
        """Makes a collection where it is not there; returns whether it was."""
        try:
            found = self._connection.fields(collection)
        except NoIndexError:
            found = set()
        if found and not {field.name for field in fields} <= found:
            if self._connection.alias(self.alias) == collection:
                raise UsageError(
                    f"{collection}: is served, and was published otherwise than this Milvus would have it "
                    "now; make a new generation of it: dateline index build PATH…"
                )
            self._connection.drop(collection)
            found = set()
        self._connection.create(collection, fields, exact=exact)
        if found:
            self._connection.load(collection)
        return bool(found)

    def _complete(self, collection: str, wanted: int) -> None:
        """Waits until all is in segments that stay and every searcher sees it: the newest state is asked
        for first, which each of them then has."""
        self._connection.settle(collection)
        self._connection.load(collection)
        found = self._connection.count(collection, strong=True), self._connection.count(collection)
        if found != (wanted, wanted):
            raise UnreachableError(
                f"{collection}: {min(found):,} of {wanted:,} entities are there after all were written; "
                "run: dateline index publish"
            )


def _batches(entities: Iterator[Entity]) -> Iterator[list[Entity]]:
    return batches(((one, schema.size(one)) for one in entities), most=_MOST, most_bytes=_MOST_BYTES)


class _Reading:
    """Goes through a generation article by article, and counts on the way."""

    def __init__(self, generation: LocalGeneration) -> None:
        self._generation = generation
        self._corpus = generation.corpus
        self.vocabulary = Vocabulary()
        self.rows = 0
        """More than any article's row."""
        longest = 0
        published: list[tuple[str, int]] = []
        copies: dict[str, int] = {}  # rows of the articles that have some, by id
        for chunk in self._chunks():
            for stored, filed in chunk:
                published.append((stored.article.published_at or "", stored.row))
                self.rows = stored.row + 1
                if filed.story is not None:
                    copies[stored.article.id] = stored.row
            for _, _, passage, said, told in self._said(chunk):
                self.vocabulary.count(said, told)
                if generation.tokens:
                    longest = max(longest, generation.tokens.codes(passage.row).nbytes)
        self.code_fields = schema.code_fields(longest)
        # As quotations are told: the newest day first, undated last, else in the order of rows. An empty
        # date is the last of all, and sorting keeps the order of what is equal.
        published.sort(key=lambda one: (one[0][:10], one[0]), reverse=True)
        self._rank = array("q", bytes(8 * self.rows))
        for rank, (_, row) in enumerate(published):
            self._rank[row] = rank
        self._copies = {
            copies[name]: [copies[other] for other in story]
            for story in self._corpus.stories()
            for name in story
        }

    def _articles(self) -> Iterator[tuple[Stored, Filed]]:
        return zip(self._corpus.articles(), self._corpus.filed(), strict=True)

    def _chunks(self) -> Iterator[list[tuple[Stored, Filed]]]:
        articles = self._articles()
        while chunk := list(islice(articles, _AT_ONCE)):
            yield chunk

    def _said(
        self, chunk: Sequence[tuple[Stored, Filed]]
    ) -> Iterator[tuple[Article, Filed, Passage, list[str], list[Days]]]:
        """Every passage of some articles with its words and the days that it speaks of."""
        mentions = self._corpus.mentions([row for _, filed in chunk for row in _rows(filed)])
        for stored, filed in chunk:
            for passage in self._corpus.passages(stored.article.id):
                told = [
                    (date.fromisoformat(one.first), date.fromisoformat(one.last))
                    for one in mentions.get(passage.row, [])
                ]
                said = stems(encoded_text(stored.article, passage.span))
                yield stored.article, filed, passage, said, told

    def passages(self, *, words: bool) -> Iterator[Entity]:
        """Every passage as an entity."""
        for chunk in self._chunks():
            rows = np.array([row for _, filed in chunk for row in _rows(filed)], np.int64)
            vectors = self._generation.vectors.vectors(rows)
            for vector, (article, filed, passage, said, told) in zip(vectors, self._said(chunk), strict=True):
                entity = {"row": passage.row, **_columns(filed, article), schema.VECTOR: vector}
                if words:
                    entity[schema.WORDS] = self.vocabulary.weights(said, told)
                if self._generation.tokens:
                    codes = self._generation.tokens.codes(passage.row)
                    entity |= schema.with_codes(codes, self.code_fields)
                yield entity

    def documents(self) -> Iterator[Entity]:
        """Every article, then every name that stands alone, then all speakers, as documents in pieces."""
        speakers = self._corpus.speakers()
        known = {one.name: one.called for one in speakers}
        quoted: dict[str, dict[str, array[int]]] = {}  # rows of articles, by what speakers are called
        for chunk in self._chunks():
            said: dict[str, list[Quotation]] = {}
            for one in self._corpus.quotations(article_ids=[stored.article.id for stored, _ in chunk]):
                said.setdefault(one.article.id, []).append(one.quotation)
            mentions = self._corpus.mentions([row for _, filed in chunk for row in _rows(filed)])
            for stored, filed in chunk:
                article = stored.article
                document = Document(
                    stored,
                    self._rank[stored.row],
                    self._copies.get(stored.row, []),
                    self._corpus.passages(article.id),
                    [mentions.get(row, []) for row in _rows(filed)],
                    [(one, known[one.speaker] if one.speaker else None) for one in said.get(article.id, [])],
                    self._corpus.versions(article.id),
                )
                for _, called in document.quotations:
                    if called:
                        names = quoted.setdefault(called.alone, {})
                        rows = names.setdefault(" ".join(called.words), array("q"))
                        if not rows or rows[-1] != stored.row:
                            rows.append(stored.row)
                yield from schema.pieces(
                    schema.ARTICLE,
                    schema.number_of(article.id),
                    document.to_record(),
                    **_columns(filed, article),
                    quotations=len(document.quotations),
                    rank=document.rank,
                )
        yield from self._names(quoted)
        yield from schema.pieces(
            schema.SPEAKERS,
            0,
            [(one.name, " ".join(one.called.words), one.called.alone, one.quotations) for one in speakers],
        )

    def _names(self, quoted: dict[str, dict[str, "array[int]"]]) -> Iterator[Entity]:
        """Where those are quoted who are called so alone: by the words of their names, the rank and the row
        of each article. What has one number stands in one document."""
        by_key: dict[int, list[str]] = {}
        for alone in quoted:
            by_key.setdefault(schema.number_of(alone), []).append(alone)
        for key, held in by_key.items():
            content = {
                alone: {
                    words: sorted((self._rank[row], row) for row in rows)
                    for words, rows in quoted[alone].items()
                }
                for alone in held
            }
            yield from schema.pieces(schema.NAME, key, content)


def _rows(filed: Filed) -> range:
    """The rows of an article's passages."""
    return range(filed.first_passage, filed.first_passage + filed.passages)


def _columns(filed: Filed, article: Article) -> dict[str, int]:
    """What filters and groups an article's passages."""
    return {
        "article": filed.row,
        "story": schema.NONE if filed.story is None else filed.story,
        "day": article.day.toordinal() if article.day else schema.UNDATED,
        "source": schema.NONE if article.source is None else schema.number_of(article.source),
        "author": schema.NONE if article.author is None else schema.number_of(article.author),
    }
