"""How the best articles for a question divide by source, author and day, so that a reader can narrow it down."""

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
    no day after `until` is counted. With `collapse` a story counts once for each value that one of
    its copies has, since each of them is a filter that finds it.
    """
    asked = query.filters

    # Where no filter is set, one search serves all.
    @cache
    def best(filters: Filters) -> Results:
        return search(
            generation,
            replace(query, filters=filters, limit=BEST, offset=0, sort="relevance", group_by="article"),
        )

    def counted(filters: Filters, value: Callable[[Article], str | None]) -> Facet:
        hits = best(filters).hits
        found: Counter[str | None] = Counter()
        for hit in hits:
            copies = (hit.article, *hit.also_in) if query.collapse else (hit.article,)
            values = {value(copy) for copy in copies if filters.allow(copy)}
            found.update(values - {None} or {None})
        missing = found.pop(None, 0)
        return Facet(len(hits), tuple(_named(found)), missing)

    whole = best(asked)
    days = counted(
        replace(asked, published_after=None, published_before=until),
        lambda article: article.day.isoformat() if article.day else None,
    )
    return Facets(
        len(whole.hits),
        whole.more,
        counted(replace(asked, sources=()), lambda article: article.source),
        counted(replace(asked, authors=()), lambda article: article.author),
        replace(days, values=tuple(sorted(days.values))),
    )


def _named(found: Counter[str | None]) -> Iterable[tuple[str, int]]:
    """The values, the most frequent first, then by name."""
    named = [(value, count) for value, count in found.items() if value is not None]
    return sorted(named, key=lambda one: (-one[1], one[0].casefold(), one[0]))
