"""The only door to tantivy's index: which passages hold a question's words (BM25)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np
import tantivy
from tantivy import Occur, Query

from indexer import storage
from indexer.errors import NoIndexError, StorageError
from indexer.models import Article, Filters, Rows, Scores
from indexer.words import analyzer, days_asked, days_told, stems

_ANALYZER = "english"
_HEAP = 128 << 20  # bytes buffered before tantivy writes a segment
_LITTLE_HEAP = 16 << 20  # the least that tantivy takes
_LOCKS = ".tantivy-*.lock"
_MOST_READ = 400_000  # places of all words of a question up to which common ones are read like the others
_WEIGHED = 400  # passages for which the words left out are counted
_LONG = 366  # days of a filter that may let through much of a collection
_LOOKED_AT = 3  # times as many passages as are wanted, before such a filter is asked


# The words, as the index knows them, that stand in more than about an eighth of all passages, of news or
# of science, and are about nothing: to read where they stand costs most of a search. A passage keeps
# which of them it holds as the bits of one number; their order is part of the index.
_COMMON = """
    the to and of a in s for that on is it with said as at be from have was are by but has this an more he not
    will who they his their or about been we also after which what were i there other than when had all out
    can would if you some so could into no most her she
""".split()
_BITS = {word: bit for bit, word in enumerate(_COMMON)}


def _schema() -> tantivy.Schema:
    # Signed integers throughout: an unsigned field kills the writer. Texts are not stored: the
    # corpus holds them.
    return (
        tantivy.SchemaBuilder()
        .add_integer_field("row", indexed=True, fast=True)
        .add_text_field("words", tokenizer_name=_ANALYZER, index_option="freq")
        .add_text_field("mentioned", tokenizer_name="raw", index_option="basic")
        .add_integer_field("common", fast=True)
        .add_integer_field("day", indexed=True, fast=True)
        .add_text_field("source", tokenizer_name="raw", index_option="basic")
        .add_text_field("author", tokenizer_name="raw", index_option="basic")
        .build()
    )


_Word = tuple[str, str, int]  # the field it stands in, itself, how many passages hold it there
_Found = tuple[float, tantivy.DocAddress]


class FullTextWriter:
    """Fills a folder; use as a context, what is added and removed is so when it ends without error.

    A folder that is not there begins a new index. One that is there is grown: its files may be hard links
    to those of an earlier index, for none is ever written into. What changes is replaced, and when the
    context has ended there is nothing in the folder but the index as it became.
    """

    def __init__(self, folder: Path) -> None:
        self._finished = folder
        # A thread of tantivy's that is late makes its lock file where it began: not in what is finished.
        self._folder = folder.with_name(f"{folder.name}.open")
        grown = folder.exists()
        if grown:
            for lock in folder.glob(_LOCKS):  # a link's lock would be held against the earlier index
                storage.remove(lock)
            storage.rename(folder, self._folder)
        else:
            storage.make_folder(self._folder)
        path = str(self._folder)
        with _written(self._folder):
            index = tantivy.Index.open(path) if grown else tantivy.Index(_schema(), path=path)
            index.register_tokenizer(_ANALYZER, analyzer())
            self._writer = index.writer(_HEAP, num_threads=1)

    def add(
        self, row: int, words: str, article: Article, mentioned: Iterable[tuple[date, date]] = ()
    ) -> None:
        """Adds a passage; `mentioned` are the days it speaks of, first and last."""
        document = tantivy.Document()
        document.add_integer("row", row)
        document.add_text("words", words)
        document.add_integer("common", sum(1 << _BITS[word] for word in _BITS.keys() & set(stems(words))))
        for when in {when for first, last in mentioned for when in days_told(first, last)}:
            document.add_text("mentioned", when)
        if article.day:
            document.add_integer("day", article.day.toordinal())
        if article.source:
            document.add_text("source", article.source)
        if article.author:
            document.add_text("author", article.author)
        try:
            self._writer.add_document(document)
        except ValueError as error:  # it writes a segment when its memory is full
            raise storage.failure(self._folder, error) from error

    def remove(self, rows: Iterable[int]) -> None:
        """Removes passages; the same rows may be added anew after it."""
        for row in rows:
            self._writer.delete_documents_by_term("row", row)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(ValueError, StorageError):  # that is not what went wrong first
                self._writer.rollback()
                self._writer.wait_merging_threads()
                storage.rename(self._folder, self._finished)
            return
        with _written(self._folder):
            self._writer.commit()
            # Merges still under way would change files that are about to be checksummed.
            self._writer.wait_merging_threads()
            # Files of what was merged stay while this process's index may read them: opened anew, none does.
            cleaner = tantivy.Index.open(str(self._folder)).writer(_LITTLE_HEAP, num_threads=1)
            cleaner.garbage_collect_files()
            cleaner.wait_merging_threads()
        storage.rename(self._folder, self._finished)
        for lock in self._finished.glob(_LOCKS):
            storage.remove(lock)


def _written(folder: Path) -> AbstractContextManager[None]:
    return storage.written_by("tantivy", folder, ValueError)


@contextmanager
def _without_locks(folder: Path) -> Iterator[Path]:
    """A folder of links to an index's files, to open it by. Whoever opens one, tantivy makes a lock file in
    it, which a folder that may only be read does not take; what is opened stays mapped."""
    try:
        made = TemporaryDirectory(prefix="dateline-", ignore_cleanup_errors=True)
    except OSError as error:
        raise NoIndexError(
            f"{folder}: opening it takes a folder for temporary files, and none may be written to; "
            "name one: TMPDIR=DIR"
        ) from error
    with made as place:
        links = Path(place) / "links"
        links.mkdir()
        for file in folder.absolute().iterdir():
            if not file.match(_LOCKS):
                (links / file.name).symlink_to(file)
        yield links
        # A thread of tantivy's looks at the index once more by itself: not in the midst of its removal.
        links.rename(links.with_name("opened"))


class FullTextIndex:
    """Reads a folder that `FullTextWriter` filled."""

    lacking = ""

    def __init__(self, folder: Path) -> None:
        with _without_locks(folder) as readable:
            index = tantivy.Index.open(str(readable))
            index.register_tokenizer(_ANALYZER, analyzer())
            index.config_reader(reload_policy="manual")
            self._schema = index.schema
            self._searcher = index.searcher()

    def __len__(self) -> int:
        """How many passages there are; those removed do not count."""
        return int(self._searcher.num_docs)

    def rarity(self, term: str) -> float:
        """Inverse document frequency in [0, about ln(passages)]; a word of every passage has about 0."""
        # Removed passages are counted in a word's frequency until tantivy drops them.
        found = min(self._searcher.doc_freq("words", term), len(self))
        return float(np.log1p((len(self) - found + 0.5) / (found + 0.5)))

    def search(
        self, terms: Sequence[str], k: int, filters: Filters, asked: Iterable[tuple[date, date]] = ()
    ) -> tuple[Rows, Scores]:
        """The k best rows by BM25 over any of the terms, best first; fewer where fewer match.

        A passage that speaks of the days `asked` for is found as if it named them. In a large collection
        the common words are left out of a question that has others, and count only for the first of the
        passages that those find.
        """
        named = [
            *(("words", term) for term in terms),
            *(("mentioned", when) for first, last in asked for when in days_asked(first, last)),
        ]
        counted = ((field, term, self._searcher.doc_freq(field, term)) for field, term in named)
        leading, common = self._split([word for word in counted if word[2]])
        hits = self._best(leading, max(k, _WEIGHED) if common else k, filters)
        scores = np.array([score for score, _ in hits], np.float32)
        rows = np.array(self._column("row", hits), np.int64)
        if common:
            rows, scores = self._weigh(rows, scores, hits, common)
        if len(rows) < k and common:
            # Below those that hold a rarer word, so that a longer list begins as a shorter one does.
            hits = self._best(common, k, filters)
            others = np.array(self._column("row", hits), np.int64)
            new = ~np.isin(others, rows)
            lower = np.array([score for score, _ in hits], np.float32)[new]
            rows = np.append(rows, others[new])
            scores = np.append(scores, np.minimum(lower, scores.min(initial=np.inf)))
        return rows[:k], scores[:k]

    def _split(self, words: list[_Word]) -> tuple[list[_Word], list[_Word]]:
        """The words by which passages are found, and those that are left out for what they cost."""
        words.sort(key=lambda word: (word[1] in _BITS, word[2]))
        read = accumulate(count for _, _, count in words)
        leading = sum(
            not place or word[1] not in _BITS or places <= _MOST_READ
            for place, (word, places) in enumerate(zip(words, read, strict=True))
        )
        return words[:leading], words[leading:]

    def _weigh(
        self, rows: Rows, scores: Scores, hits: Sequence[_Found], common: Sequence[_Word]
    ) -> tuple[Rows, Scores]:
        """The first passages in the order they have with the common words, each of which counts as one
        that stands once in a passage of average length; below them the others as they were."""
        bits = np.array(self._column("common", hits[:_WEIGHED]), np.int64)
        whole = scores[:_WEIGHED].copy()
        for _, word, _ in common:
            whole += np.float32(self.rarity(word)) * (bits >> _BITS[word] & 1)
        order = np.argsort(-whole, kind="stable")
        rest = np.minimum(scores[_WEIGHED:], whole.min(initial=np.inf))
        return np.append(rows[order], rows[_WEIGHED:]), np.append(whole[order], rest)

    def _best(self, words: Sequence[_Word], k: int, filters: Filters) -> Sequence[_Found]:
        """The k best by any of the words."""
        if not words:
            return []
        query = Query.boolean_query(
            [(Occur.Should, Query.term_query(self._schema, field, term, "freq")) for field, term, _ in words]
        )
        for field, values in (("source", filters.sources), ("author", filters.authors)):
            if values:
                query = _among(query, Query.term_set_query(self._schema, field, list(values)))
        if not (filters.published_after or filters.published_before):
            return self._hits(query, k)
        first = (filters.published_after or date.min).toordinal()
        last = (filters.published_before or date.max).toordinal()
        if last - first >= _LONG:
            # To list all passages of ten years takes longer than to look at the best of all.
            hits = self._hits(query, _LOOKED_AT * k)
            days = self._column("day", hits)
            passing = [
                hit for hit, day in zip(hits, days, strict=True) if day is not None and first <= day <= last
            ]
            if len(passing) >= k or len(hits) < _LOOKED_AT * k:
                return passing[:k]
        # By the lists of its days: the column would be read for all passages.
        published = Query.range_query(
            self._schema, "day", tantivy.FieldType.Integer, first, last, use_inverted_index=True
        )
        return self._hits(_among(query, published), k)

    def _hits(self, query: Query, k: int) -> Sequence[_Found]:
        return self._searcher.search(query, k, count=False).hits

    def _column(self, field: str, hits: Sequence[_Found]) -> list[int | float | bool | None]:
        return self._searcher.fast_field_values(field, [address for _, address in hits])


def _among(query: Query, condition: Query) -> Query:
    """What is found and fulfils a condition, with the scores that it has without one."""
    return Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(condition, 0.0))])
