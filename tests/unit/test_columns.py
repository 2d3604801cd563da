"""Filters mean what they say, in whatever shape the passages lie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import DamagedError
from indexer.local.columns import Columns
from indexer.local.corpus import Filed
from indexer.models import EVERYTHING, Article, Filters


def passages_of(article: Article) -> int:
    """One passage for each three characters."""
    return -(-len(article.text) // 3)


@contextmanager
def filed(articles: Sequence[Article], *, gone: int = 0) -> Iterator[Columns]:
    """The columns of articles, behind as many rows of passages that are gone."""
    found, first = [], gone
    for row, article in enumerate(articles):
        day = article.day.isoformat() if article.day else None
        count = passages_of(article)
        found.append(Filed(row, None, day, article.source, article.author, first, count))
        first += count
    with TemporaryDirectory() as folder:
        Columns.write(Path(folder) / "columns", found, first)
        yield Columns(Path(folder) / "columns")


def test_passages_of_one_article_share_its_number() -> None:
    with filed([Article("a", "One, two.", ""), Article("b", "Six.", "")]) as columns:
        numbers = [article for article, _ in columns.articles_of([0, 3, 2, 1, 4, 0])]
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
def filterable() -> Iterator[Columns]:
    with filed(FILTERABLE) as columns:
        yield columns


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


@given(filters())
def test_the_mask_equals_a_filter_written_out(filterable: Columns, wanted: Filters) -> None:
    expected = [passes(article, wanted) for article in FILTERABLE for _ in range(passages_of(article))]
    mask = filterable.allowed(wanted)
    if wanted:
        assert mask is not None
        assert mask.dtype == np.bool_
        assert mask.tolist() == expected
    else:
        assert mask is None


@given(filters())
def test_an_article_is_let_through_as_the_mask_lets_it(wanted: Filters) -> None:
    for article in FILTERABLE:
        assert wanted.allow(article) == passes(article, wanted)


def test_no_filter_is_no_mask(filterable: Columns) -> None:
    assert filterable.allowed(EVERYTHING) is None


def test_passages_that_are_gone_are_never_let_through() -> None:
    with filed(FILTERABLE, gone=5) as columns:
        for wanted in (EVERYTHING, Filters(published_after=date.min), Filters(sources=("The Ledger",))):
            mask = columns.allowed(wanted)
            assert mask is not None
            assert len(mask) == len(columns)
            assert not mask[:5].any()
            assert mask[5:].tolist() == [
                passes(article, wanted) for article in FILTERABLE for _ in range(passages_of(article))
            ]


def test_what_is_no_folder_of_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="run: dateline index build"):
        Columns(tmp_path)
    with filed(FILTERABLE):
        pass
    Columns.write(tmp_path / "columns", [], 3)
    np.save(tmp_path / "columns" / "day.npy", np.zeros(2, np.int32))
    with pytest.raises(DamagedError):
        Columns(tmp_path / "columns")
