"""What a facet counts is what its value, chosen as a filter, leaves."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.local.generation import LocalGeneration
from indexer.models import EVERYTHING, Filters
from service import faceting
from service.faceting import facets
from service.retrieval import Mode, SearchQuery, search

DAYS = [date(2023, 10, 16), date(2025, 11, 9), date(2025, 11, 10), date(2026, 2, 28)]
FILTERS = st.builds(
    lambda after, before, sources, authors: Filters(after, before, tuple(sources), tuple(authors)),
    st.sampled_from([None, *DAYS]),
    st.sampled_from([None, DAYS[-1]]),
    st.sets(
        st.sampled_from(["Harbour Courier", "Meridian Wire", "The Valley Ledger", "Nobody's"]), max_size=2
    ),
    st.sets(st.sampled_from(["Meridian Wire", "Linnet Garraway", "Judoc Ferriby"]), max_size=2),
)
QUERIES = st.builds(
    SearchQuery,
    st.sampled_from(["storm flood Saltmarsh", "What will the bridge cost?"]),
    mode=st.sampled_from(["hybrid", "dense", "lexical"]),
    filters=FILTERS,
    collapse=st.booleans(),
)


def left(generation: LocalGeneration, query: SearchQuery, **chosen: object) -> int:
    """How many results a search has with other filters."""
    filters = replace(query.filters, **chosen)  # type: ignore[arg-type]
    return len(search(generation, replace(query, filters=filters, limit=100)).hits)


@settings(max_examples=40)
@given(QUERIES)
def test_each_value_leaves_as_many_as_it_counts(generation: LocalGeneration, query: SearchQuery) -> None:
    found = facets(generation, query)
    assert found.articles == left(generation, query)
    assert not found.more
    for source, count in found.sources.values:
        assert left(generation, query, sources=(source,)) == count
    for author, count in found.authors.values:
        assert left(generation, query, authors=(author,)) == count
    for value, count in found.days.values:
        day = date.fromisoformat(value)
        there = left(generation, query, published_after=day, published_before=day)
        # A story counts on its first day, and is found on those of its other copies too.
        assert there >= count if query.collapse else there == count


@settings(max_examples=40)
@given(QUERIES)
def test_counts_add_up(generation: LocalGeneration, query: SearchQuery) -> None:
    found = facets(generation, query)
    for facet in (found.sources, found.authors, found.days):
        counted = sum(count for _, count in facet.values) + facet.missing
        if query.collapse and facet is not found.days:  # a story may count for several
            assert counted >= facet.of
        else:
            assert counted == facet.of
        assert all(0 < count <= facet.of for _, count in facet.values)


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_without_filters_everything_is_counted(generation: LocalGeneration, mode: Mode) -> None:
    articles = [stored.article for stored in generation.corpus.articles()]
    found = facets(generation, SearchQuery("bridge", mode=mode, collapse=False))
    assert dict(found.sources.values) == Counter(one.source for one in articles if one.source)
    assert dict(found.authors.values) == Counter(one.author for one in articles if one.author)
    assert dict(found.days.values) == Counter(one.day.isoformat() for one in articles if one.day)
    assert found.days.missing == sum(one.day is None for one in articles) > 0


def test_the_frequent_come_first_and_days_in_order(generation: LocalGeneration) -> None:
    found = facets(generation, SearchQuery("bridge", sort="date", group_by="passage", offset=20))
    for facet in (found.sources, found.authors):
        counts = [count for _, count in facet.values]
        assert counts == sorted(counts, reverse=True)
    days = [day for day, _ in found.days.values]
    assert days == sorted(days)


def test_what_is_chosen_hides_no_alternative(generation: LocalGeneration) -> None:
    free = facets(generation, SearchQuery("bridge"))
    chosen = Filters(sources=("Harbour Courier",))
    found = facets(generation, SearchQuery("bridge", filters=chosen))
    assert found.sources == free.sources
    assert found.articles == dict(free.sources.values)["Harbour Courier"] == found.days.of


def test_a_day_beyond_which_nothing_is_known_bounds_the_days_too(generation: LocalGeneration) -> None:
    until = DAYS[2]
    chosen = Filters(published_after=DAYS[1], published_before=until)
    query = SearchQuery("bridge", filters=chosen, collapse=False)
    days = [day for day, _ in facets(generation, query, until=until).days.values]
    assert days[-1] == until.isoformat()
    assert days[0] < DAYS[1].isoformat()


def test_of_many_only_the_best_are_counted(
    generation: LocalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceting, "BEST", 5)
    query = SearchQuery("bridge", collapse=False)
    found = facets(generation, query)
    best = search(generation, replace(query, limit=5)).hits
    assert found.more
    assert found.articles == 5
    assert dict(found.sources.values) == Counter(hit.article.source for hit in best)


def test_filters_that_leave_nothing_count_nothing(generation: LocalGeneration) -> None:
    nobody = replace(EVERYTHING, sources=("Nobody's",), authors=("Nobody",))
    found = facets(generation, SearchQuery("bridge", filters=nobody))
    assert (found.articles, found.days.values, found.sources.of) == (0, (), 0)
