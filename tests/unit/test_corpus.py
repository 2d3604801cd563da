"""The corpus gives back what was written, and its filters mean what they say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.generation import Mentioned, Quoted, Stored
from indexer.local.corpus import Corpus, CorpusWriter, article_digest
from indexer.models import Article, Filters, Span, Version
from indexer.quotes import Quotation

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MAYBE = st.none() | TEXT
ARTICLES = st.builds(
    Article,
    id=TEXT.filter(bool),
    text=TEXT.filter(lambda text: bool(text.strip())),
    title=TEXT,
    published_at=st.none()
    | st.dates().map(date.isoformat)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    source=MAYBE,
    author=MAYBE,
    url=MAYBE,
    language=MAYBE,
    dated_by=st.sampled_from([None, "metadata", "url", "text"]),
)
SEEN = "2026-01-01T00:00:00Z"
COLLECTIONS = st.lists(ARTICLES, min_size=1, max_size=6, unique_by=lambda article: article.id)


def spans_of(article: Article) -> list[Span]:
    """One passage for each three characters."""
    size = len(article.text)
    return [Span(start, min(start + 3, size)) for start in range(0, size, 3)]


@contextmanager
def written(articles: Sequence[Article]) -> Iterator[Corpus]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "corpus #1?.sqlite"
        with CorpusWriter(path) as writer:
            rows = [writer.add(article, f"from {article.id}", SEEN, "") for article in articles]
            for row, article in zip(rows, articles, strict=True):
                spans = spans_of(article)
                passages = [(span, f"{article.id} {span}".encode()) for span in spans]
                writer.add_passages(
                    row, passages, [[Mentioned(span, "2024-01-01", "2024-01-31")] for span in spans]
                )
        corpus = Corpus(path)
        try:
            yield corpus
        finally:
            corpus.close()


@settings(max_examples=50)
@given(COLLECTIONS)
def test_articles_and_passages_come_back_as_written(articles: list[Article]) -> None:
    with written(articles) as corpus:
        assert list(corpus.articles()) == [
            Stored(row, article, f"from {article.id}", SEEN, "") for row, article in enumerate(articles)
        ]
        assert [corpus.article(article.id) for article in articles] == articles
        expected = [
            (article, number, span) for article in articles for number, span in enumerate(spans_of(article))
        ]
        rows = list(range(corpus.passage_count))[::-1]
        for row, (passage, article) in zip(rows, corpus.read(rows), strict=True):
            assert (article, passage.number, passage.span) == expected[row]
            assert (passage.row, passage.article_id) == (row, article.id)
            assert passage.text == article.text[passage.start : passage.end]
        assert corpus.mentions(rows) == {
            row: [Mentioned(span, "2024-01-01", "2024-01-31")] for row, (_, _, span) in enumerate(expected)
        }
        assert [digest for _, digest in corpus.digests()] == [
            f"{article.id} {span}".encode() for article, _, span in expected
        ]


@settings(max_examples=25)
@given(COLLECTIONS.flatmap(lambda articles: st.tuples(st.just(articles), st.permutations(articles))))
def test_the_digest_does_not_depend_on_the_order_of_reading(
    orders: tuple[list[Article], list[Article]],
) -> None:
    with written(orders[0]) as one, written(orders[1]) as other:
        assert one.digest() == other.digest()


@pytest.mark.parametrize(
    "field", ["id", "text", "title", "source", "author", "url", "published_at", "language", "dated_by"]
)
def test_the_digest_changes_with_every_field(field: str) -> None:
    article = Article("a", "text", "title")
    changed = replace(article, **{field: "2026-01-01"})  # type: ignore[arg-type]
    assert article_digest(article) != article_digest(changed)
    with written([article]) as one, written([changed]) as other:
        assert one.digest() != other.digest()


def test_a_value_moved_to_another_field_changes_the_digest() -> None:
    assert article_digest(Article("a", "b", "c", source="x")) != article_digest(
        Article("a", "b", "c", author="x")
    )


def test_what_stories_change_is_read_back(tmp_path: Path) -> None:
    first, second, third = (Article(name, f"Text {name}.", name) for name in "abc")
    updated = replace(second, text="Text b, changed.")
    with CorpusWriter(tmp_path / "corpus") as writer:
        rows = [
            writer.add(article, "feed:1", SEEN, f"x.test/{article.id}") for article in (first, second, third)
        ]
        writer.add_version(rows[1], Version("2026-01-02T00:00:00Z", "b", second.text, None))
        writer.replace(rows[1], updated, "feed:7", "2026-01-03T00:00:00Z")
        writer.set_story([rows[2], rows[0]])
        writer.add_repeated_lines("The Ledger", [1, (1 << 64) - 1])
        assert writer.find("b", "x.test/c") == [
            Stored(1, updated, "feed:7", "2026-01-03T00:00:00Z", "x.test/b"),
            Stored(2, third, "feed:1", SEEN, "x.test/c"),
        ]
        assert writer.stories() == [[2, 0]]
        assert writer.repeated_lines() == {"The Ledger": {1, (1 << 64) - 1}}
    corpus = Corpus(tmp_path / "corpus")
    assert corpus.article("b") == updated
    assert corpus.versions("b") == [Version("2026-01-02T00:00:00Z", "b", second.text, None)]
    assert [article.id for article in corpus.copies("a")] == ["c", "a"]
    assert corpus.copies("b") == []
    assert list(corpus.stories()) == [["c", "a"]]
    assert [(source, sorted(lines)) for source, lines in corpus.repeated_lines()] == [
        ("The Ledger", [1, (1 << 64) - 1])
    ]
    corpus.close()


def test_an_unknown_article_is_none() -> None:
    with written([Article("a", "One.", "")]) as corpus:
        assert corpus.article("b") is None


HALLAM = Quotation(Span(0, 4), "Idony Hallam", Span(5, 7), Span(8, 12), direct=True)
NOBODY = Quotation(Span(5, 7), None, None, None, direct=True)
OFFICE = Quotation(Span(8, 12), "a spokesman for Hallam", Span(5, 7), Span(0, 4), direct=False)


@contextmanager
def quoting(said: dict[Article, list[Quotation]]) -> Iterator[Corpus]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "corpus"
        with CorpusWriter(path) as writer:
            for article, quotations in said.items():
                writer.add_quotations(writer.add(article, "feed:1", SEEN, ""), quotations)
        corpus = Corpus(path)
        try:
            yield corpus
        finally:
            corpus.close()


def test_quotations_come_back_as_written_the_newest_article_first() -> None:
    old, new, undated = (
        Article(name, "word it said", name, published_at)
        for name, published_at in (("old", "2024-05-01"), ("new", "2024-06-01T08:00:00Z"), ("undated", None))
    )
    with quoting({old: [HALLAM, OFFICE], undated: [HALLAM], new: [NOBODY, HALLAM]}) as corpus:
        assert list(corpus.quotations()) == [
            Quoted(HALLAM, new),
            Quoted(NOBODY, new),
            Quoted(HALLAM, old),
            Quoted(OFFICE, old),
            Quoted(HALLAM, undated),
        ]
        assert list(corpus.quotations("hallam's", filters=Filters(published_before=date(2024, 5, 31)))) == [
            Quoted(HALLAM, old)
        ]
        assert list(corpus.quotations("Hallam", article_ids=["undated", "unknown"])) == [
            Quoted(HALLAM, undated)
        ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("IDONY HALLAM", [HALLAM]),
        ("Mayor Hallam", [HALLAM]),
        ("Corin Hallam", []),
        ("Idony", []),
        ("A spokesman for Hallam", [OFFICE]),
        ("", []),
        ("’s", []),
    ],
)
def test_a_speaker_is_found_by_name_surname_or_description(asked: str, found: list[Quotation]) -> None:
    with quoting({Article("a", "word it said", "a"): [HALLAM, NOBODY, OFFICE]}) as corpus:
        assert [one.quotation for one in corpus.quotations(asked)] == found
