"""How the best articles for a question divide by source, author and day, for a reader to narrow it down."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from indexer.generation import Generation
from indexer.models import Article, Filters
from service.retrieval import Results, SearchQuery, search

BEST = 100  # articles that are counted


@dataclass(frozen=True, slots=True)
class Facet:
    """How many articles have each value, and how many have none: of the `of` best ones that pass all
    filters but the facet's own."""

    of: int
    values: tuple[tuple[str, int], ...]
    missing: int


@dataclass(frozen=True, slots=True)
class Facets:
    """`articles` of the best were counted under all filters; `more` tells whether others were left out.
    Sources and authors with the most articles come first, days (ISO 8601) in order of time."""

    articles: int
    more: bool
    sources: Facet
    authors: Facet
    days: Facet


def facets(generation: Generation, query: SearchQuery, *, until: date | None = None) -> Facets:
    """The facets of the best hundred articles for a question, by relevance however it is sorted.

    A facet's own filter is left aside while it is counted, so what was chosen does not hide its alternatives;
    no day after `until` is counted. With `collapse` a story counts once for each source and author of its
    copies, since each of them is a filter that finds it, and on the first of its days alone, so that days add
    up to months.
    """
    asked = query.filters

    # Where no filter is set, one search serves all.
    @cache
    def best(filters: Filters) -> Results:
        return search(
            generation,
            replace(query, filters=filters, limit=BEST, offset=0, sort="relevance", group_by="article"),
        )

    def counted(filters: Filters, values: Callable[[list[Article]], set[str]]) -> Facet:
        hits = best(filters).hits
        found: Counter[str] = Counter()
        missing = 0
        for hit in hits:
            copies = (hit.article, *hit.also_in) if query.collapse else (hit.article,)
            here = values([copy for copy in copies if filters.allow(copy)])
            found.update(here)
            missing += not here
        return Facet(len(hits), tuple(_frequent_first(found)), missing)

    whole = best(asked)
    days = counted(replace(asked, published_after=None, published_before=until), _first_day)
    return Facets(
        len(whole.hits),
        whole.more,
        counted(replace(asked, sources=()), lambda copies: {one.source for one in copies if one.source}),
        counted(replace(asked, authors=()), lambda copies: {one.author for one in copies if one.author}),
        replace(days, values=tuple(sorted(days.values))),
    )


def _first_day(copies: Iterable[Article]) -> set[str]:
    """The first day on which one of the copies was published, if any is dated."""
    return {day.isoformat() for day in sorted(one.day for one in copies if one.day)[:1]}


def _frequent_first(found: Counter[str]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda one: (-one[1], one[0].casefold(), one[0]))
