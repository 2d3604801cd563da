"""The corpus gives back what was written, and its filters mean what they say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.corpus import Corpus, CorpusWriter, article_digest
from indexer.models import EVERYTHING, Article, Filters, Span

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
)
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
            for article in articles:
                passages = [(span, f"{article.id} {span}".encode()) for span in spans_of(article)]
                assert writer.add(article, f"from {article.id}", passages) is None
        corpus = Corpus(path)
        try:
            yield corpus
        finally:
            corpus.close()


@settings(deadline=None, max_examples=50)
@given(COLLECTIONS)
def test_articles_and_passages_come_back_as_written(articles: list[Article]) -> None:
    with written(articles) as corpus:
        assert list(corpus.articles()) == [(article, f"from {article.id}") for article in articles]
        assert [corpus.article(article.id) for article in articles] == articles
        expected = [
            (article, number, span) for article in articles for number, span in enumerate(spans_of(article))
        ]
        rows = list(range(corpus.passage_count))[::-1]
        for row, (passage, article) in zip(rows, corpus.read(rows), strict=True):
            assert (article, passage.number, passage.span) == expected[row]
            assert (passage.row, passage.article_id) == (row, article.id)
            assert passage.text == article.text[passage.start : passage.end]
        assert [digest for _, digest in corpus.digests()] == [
            f"{article.id} {span}".encode() for article, _, span in expected
        ]


@settings(deadline=None, max_examples=25)
@given(COLLECTIONS.flatmap(lambda articles: st.tuples(st.just(articles), st.permutations(articles))))
def test_the_digest_does_not_depend_on_the_order_of_reading(
    orders: tuple[list[Article], list[Article]],
) -> None:
    with written(orders[0]) as one, written(orders[1]) as other:
        assert one.digest() == other.digest()


@pytest.mark.parametrize("field", ["id", "text", "title", "source", "author", "url", "published_at"])
def test_the_digest_changes_with_every_field(field: str) -> None:
    article = Article("a", "text", "title")
    changed = replace(article, **{field: "2026-01-01"})
    assert article_digest(article) != article_digest(changed)
    with written([article]) as one, written([changed]) as other:
        assert one.digest() != other.digest()


def test_a_value_moved_to_another_field_changes_the_digest() -> None:
    assert article_digest(Article("a", "b", "c", source="x")) != article_digest(
        Article("a", "b", "c", author="x")
    )


def test_an_id_that_is_taken_is_reported_and_nothing_is_added(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus") as writer:
        assert writer.add(Article("a", "One.", ""), "first:1", [(Span(0, 4), b"1")]) is None
        assert writer.add(Article("a", "Two.", ""), "second:7", [(Span(0, 4), b"2")]) == "first:1"
        assert (writer.articles, writer.passages) == (1, 1)
    corpus = Corpus(tmp_path / "corpus")
    assert [article.text for article, _ in corpus.articles()] == ["One."]
    assert corpus.passage_count == 1
    corpus.close()


def test_an_unknown_article_is_none() -> None:
    with written([Article("a", "One.", "")]) as corpus:
        assert corpus.article("b") is None


def test_passages_of_one_article_share_its_number() -> None:
    with written([Article("a", "One, two.", ""), Article("b", "Six.", "")]) as corpus:
        numbers = corpus.articles_of([0, 3, 2, 1, 4, 0])
        assert numbers[0] == numbers[2] == numbers[3] == numbers[5]
        assert numbers[1] == numbers[4] != numbers[0]


FILTERABLE = [
    Article(
        f"a{number}",
        "x" * (1 + number % 7),
        "",
        published_at=[
            None,
            f"2024-01-{1 + number % 9:02}",
            f"2024-01-{1 + number % 9:02}T00:30:00+02:00",
            f"2024-01-{1 + number % 9:02}T23:59:59",
        ][number % 4],
        source=[None, "The Ledger", "the ledger", 'Quote " and \\ slash', "Ünïcode"][number % 5],
        author=[None, "Ann Lee", "Bo Kay"][number % 3],
    )
    for number in range(60)
]


@pytest.fixture(scope="module")
def filterable() -> Iterator[Corpus]:
    with written(FILTERABLE) as corpus:
        yield corpus


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    day = st.none() | st.dates(date(2023, 12, 31), date(2024, 1, 11))
    after, before = draw(day), draw(day)
    if after and before and after > before:
        after, before = before, after
    names = st.sampled_from(
        ["The Ledger", "the ledger", 'Quote " and \\ slash', "Ünïcode", "Ann Lee", "Bo Kay", "?"]
    )
    several = st.lists(names, max_size=3).map(tuple)
    return Filters(after, before, draw(several), draw(several))


def passes(article: Article, wanted: Filters) -> bool:
    if wanted.published_after and not (article.day and article.day >= wanted.published_after):
        return False
    if wanted.published_before and not (article.day and article.day <= wanted.published_before):
        return False
    if wanted.sources and article.source not in wanted.sources:
        return False
    return not wanted.authors or article.author in wanted.authors


@settings(deadline=None)
@given(filters())
def test_the_mask_equals_a_filter_written_out(filterable: Corpus, wanted: Filters) -> None:
    expected = [passes(article, wanted) for article in FILTERABLE for _ in spans_of(article)]
    mask = filterable.allowed(wanted)
    if wanted:
        assert mask is not None
        assert mask.dtype == np.bool_
        assert mask.tolist() == expected
    else:
        assert mask is None


def test_no_filter_is_no_mask(filterable: Corpus) -> None:
    assert filterable.allowed(EVERYTHING) is None
