"""The only door to tantivy: which passages hold a question's words (BM25)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import tantivy
from tantivy import Occur, Query

from indexer.models import Article, Filters, Rows, Scores, Span

_ANALYZER = "english"
_HEAP = 128 << 20  # bytes buffered before tantivy writes a segment
_LONGEST_WORD = 40  # bytes; longer "words" are addresses and noise
_MOST_TERMS = 256  # of one question; the first ones count
_SPELT_OUT = 14  # days of a mention that is indexed day by day
_MOST_MONTHS = 24  # of one mention


# Words that make a question a question and say nothing of its subject; the verbs of opinion too,
# for whoever is asked about rarely uses the asker's verb.
_FUNCTION_WORDS = """
    what who whom whose when where which why how do does did done doing is are was were be been being am
    has have had having can could will would shall should may might must about after again all also any
    because before between both during each few from further he her hers him his i its itself just me more
    most my now of off on once only other our out over own same she so some such than that their theirs
    them then there these they this those through too under until up very we with you your a an and as at
    but by for if in into it no not or s t the to much many
    say says said tell tells told think thinks thought believe believes feel feels expect expects
    opinion view views
""".split()


def _analyzer(*, function_words: bool = True) -> tantivy.TextAnalyzer:
    builder = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(_LONGEST_WORD))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    if not function_words:
        builder = builder.filter(tantivy.Filter.custom_stopword(_FUNCTION_WORDS))
    return builder.filter(tantivy.Filter.stemmer(_ANALYZER)).build()


@cache
def _stemmer() -> tantivy.TextAnalyzer:
    return _analyzer()


def stems(text: str) -> list[str]:
    """The words of a text as any index knows them (folded, stemmed), in order."""
    return list(_stemmer().analyze(text))


def _schema() -> tantivy.Schema:
    # Signed integers throughout: an unsigned field kills the writer. Texts are not stored: the
    # corpus holds them.
    return (
        tantivy.SchemaBuilder()
        .add_integer_field("row", fast=True)
        .add_text_field("words", tokenizer_name=_ANALYZER, index_option="freq")
        .add_text_field("mentioned", tokenizer_name="raw", index_option="basic")
        .add_integer_field("day", indexed=True, fast=True)
        .add_text_field("source", tokenizer_name="raw", index_option="basic")
        .add_text_field("author", tokenizer_name="raw", index_option="basic")
        .build()
    )


class FullTextWriter:
    """Fills an empty folder; use as a context, what is added is there when it ends without error."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer(_ANALYZER, _analyzer())
        self._writer = index.writer(_HEAP, num_threads=1)

    def add(
        self, row: int, words: str, article: Article, mentioned: Iterable[tuple[date, date]] = ()
    ) -> None:
        """Adds a passage; `mentioned` are the days it speaks of, first and last."""
        document = tantivy.Document()
        document.add_integer("row", row)
        document.add_text("words", words)
        for when in {when for first, last in mentioned for when in _calendar(first, last)}:
            document.add_text("mentioned", when)
        if article.day:
            document.add_integer("day", article.day.toordinal())
        if article.source:
            document.add_text("source", article.source)
        if article.author:
            document.add_text("author", article.author)
        self._writer.add_document(document)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._writer.commit()
        else:
            self._writer.rollback()
        # Merges still under way would change files that are about to be checksummed.
        self._writer.wait_merging_threads()


class FullTextIndex:
    """Reads a folder that `FullTextWriter` filled."""

    def __init__(self, folder: Path) -> None:
        index = tantivy.Index.open(str(folder))
        self._analyzer = _analyzer()
        self._content_analyzer = _analyzer(function_words=False)
        index.register_tokenizer(_ANALYZER, self._analyzer)
        index.config_reader(reload_policy="manual")
        self._schema = index.schema
        self._searcher = index.searcher()

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def terms(self, text: str) -> list[str]:
        """The distinct words of a text as the index knows them (folded, stemmed), in order."""
        return list(dict.fromkeys(self._analyzer.analyze(text)))[:_MOST_TERMS]

    def content_terms(self, text: str) -> list[str]:
        """Like `terms`, without the words that only make it a sentence or a question."""
        return list(dict.fromkeys(self._content_analyzer.analyze(text)))[:_MOST_TERMS]

    def rarity(self, term: str) -> float:
        """Inverse document frequency in [0, about ln(passages)]; a word of every passage has about 0."""
        found = self._searcher.doc_freq("words", term)
        return float(np.log1p((len(self) - found + 0.5) / (found + 0.5)))

    def occurrences(self, text: str, terms: set[str]) -> Iterator[tuple[str, Span]]:
        """Every place where one of the terms stands in the text, whatever its form."""
        for token in self._analyzer.pre_tokenize(text).tokens:
            if token.text in terms:
                yield token.text, Span(token.char_offset_from, token.char_offset_to)

    def search(
        self, terms: Sequence[str], k: int, filters: Filters, asked: Iterable[tuple[date, date]] = ()
    ) -> tuple[Rows, Scores]:
        """The k best rows by BM25 over any of the terms, best first; fewer where fewer match.

        A passage that speaks of the days `asked` for is found as if it named them.
        """
        if not terms:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        words = Query.boolean_query(
            [
                (Occur.Should, Query.term_query(self._schema, field, term, "freq"))
                for field, term in (
                    *(("words", term) for term in terms),
                    *(("mentioned", when) for first, last in asked for when in _asked(first, last)),
                )
            ]
        )
        conditions = [
            (Occur.Must, Query.const_score_query(query, 0.0)) for query in self._conditions(filters)
        ]
        query = Query.boolean_query([(Occur.Must, words), *conditions]) if conditions else words
        hits = self._searcher.search(query, k, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float32)

    def _conditions(self, filters: Filters) -> Iterator[Query]:
        if filters.published_after or filters.published_before:
            yield Query.range_query(
                self._schema,
                "day",
                tantivy.FieldType.Integer,
                (filters.published_after or date.min).toordinal(),
                (filters.published_before or date.max).toordinal(),
            )
        for field, values in (("source", filters.sources), ("author", filters.authors)):
            if values:
                yield Query.term_set_query(self._schema, field, list(values))


def _calendar(first: date, last: date) -> Iterator[str]:
    """The days, months and years that a stretch of days touches, each as the index knows it. A stretch
    over months is not spelt out in days: it says nothing of any one of them."""
    if (last - first).days < _SPELT_OUT:
        for days in range((last - first).days + 1):
            yield (first + timedelta(days)).isoformat()
    yield from _months(first, last)
    yield from {f"{first.year:04d}", f"{last.year:04d}"}


def _asked(first: date, last: date) -> Iterator[str]:
    """What a passage has to speak of, for a question about these days: the coarsest words for them."""
    whole_months = first.day == 1 and (last == date.max or (last + timedelta(1)).day == 1)
    if whole_months and (first.month, last.month) == (1, 12) and first.year == last.year:
        yield f"{first.year:04d}"
    elif whole_months:
        yield from _months(first, last)
    else:
        yield from (when for when in _calendar(first, last) if len(when) == len("2023-10-16"))


def _months(first: date, last: date) -> Iterator[str]:
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    for month in months[:_MOST_MONTHS]:
        yield f"{month // 12:04d}-{month % 12 + 1:02d}"
