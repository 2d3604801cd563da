"""A question to ranked passages: two searches, fused, filtered before they are ranked."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from indexer.generation import Generation
from indexer.models import EVERYTHING, Article, Filters, Passage, Rows, Scores

Mode = Literal["hybrid", "dense", "lexical"]
Sort = Literal["relevance", "date"]
GroupBy = Literal["article", "passage"]

# Scores are scaled between the first and the hundredth of each ranking, however deep it was
# read: so a hit's score, and the order, do not depend on which page is asked for.
_SCALED_DEPTH = 100


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for and how much of it; `offset` counts results, not passages."""

    text: str
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    filters: Filters = EVERYTHING
    sort: Sort = "relevance"
    group_by: GroupBy = "article"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: `score` orders it, in [0, 1]. `dense` is its cosine, `lexical` its BM25;
    None where it is not among the best of that ranking."""

    passage: Passage
    article: Article
    score: float
    dense: float | None
    lexical: float | None


@dataclass(frozen=True, slots=True)
class Results:
    hits: list[Hit]
    more: bool
    """Whether another page would hold something."""


Ranking = tuple[Rows, Scores]
_NEVER = datetime.min.replace(tzinfo=UTC)
_NOTHING: Ranking = (np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Fused:
    """A passage of the joint ranking; `best_rank` is the better of its two ranks, from 1."""

    row: int
    score: float
    best_rank: int
    dense: float | None
    lexical: float | None


def search(generation: Generation, query: SearchQuery) -> Results:
    """The best passages; with `group_by="article"` the best one of each article.

    Filters hold before ranking, so that a filtered search still fills its limit. With
    `sort="date"` the best hundred of each ranking are put in order of time, newest first,
    undated last.
    """
    vector = generation.encoder.encode_queries([query.text])[0] if query.mode != "lexical" else None
    terms = generation.fulltext.terms(query.text) if query.mode != "dense" else []
    allowed = generation.corpus.allowed(query.filters)
    wanted = query.offset + query.limit + 1
    depth = _SCALED_DEPTH if query.sort == "date" else max(_SCALED_DEPTH, wanted)
    while True:
        dense = generation.vectors.search(vector, depth, allowed) if vector is not None else _NOTHING
        lexical = generation.fulltext.search(terms, depth, query.filters) if terms else _NOTHING
        fused = fuse(dense, lexical)
        if query.group_by == "article":
            fused = _best_of_each_article(generation, fused)
        exhausted = max(len(dense[0]), len(lexical[0])) < depth
        if len(fused) >= wanted or exhausted or query.sort == "date":
            break
        depth *= 4
    end = query.offset + query.limit
    if query.sort == "date":
        hits = _hits(generation, fused)
        hits.sort(key=lambda hit: hit.article.moment or _NEVER, reverse=True)
        hits = hits[query.offset : end]
    else:
        hits = _hits(generation, fused[query.offset : end])
    return Results(hits, more=len(fused) > end)


def fuse(dense: Ranking, lexical: Ranking) -> list[Fused]:
    """Both rankings as one: the mean of their scaled scores, 0 where a ranking lacks a passage.

    Min-max scaling with equal weights beat reciprocal rank fusion on three collections. Below
    the scaled depth, where scores are 0, the better of the two ranks decides.
    """
    found: dict[int, list[float | None]] = {}
    scores: dict[int, float] = {}
    ranks: dict[int, int] = {}
    rankings = [(place, ranking) for place, ranking in enumerate((dense, lexical)) if len(ranking[0])]
    for place, (rows, raws) in rankings:
        for rank, (row, raw, scaled) in enumerate(
            zip(rows.tolist(), raws.tolist(), _scaled(raws), strict=True), start=1
        ):
            found.setdefault(row, [None, None])[place] = raw
            scores[row] = scores.get(row, 0.0) + scaled / len(rankings)
            ranks[row] = min(rank, ranks.get(row, rank))
    fused = [Fused(row, scores[row], ranks[row], *raws) for row, raws in found.items()]
    return sorted(fused, key=lambda one: (-one.score, one.best_rank, one.row))


def _scaled(scores: Scores) -> list[float]:
    """To [0, 1]: 1 the first, 0 the last within the scaled depth and all behind it."""
    within = scores[:_SCALED_DEPTH].astype(np.float64)
    top, floor = within[0], within[-1]
    scaled = (within - floor) / (top - floor) if top > floor else np.ones_like(within)
    return [*scaled.tolist(), *[0.0] * (len(scores) - len(within))]


def _best_of_each_article(generation: Generation, fused: list[Fused]) -> list[Fused]:
    best: dict[int, Fused] = {}
    for one, article in zip(fused, generation.corpus.articles_of([one.row for one in fused]), strict=True):
        best.setdefault(article, one)
    return list(best.values())


def _hits(generation: Generation, fused: list[Fused]) -> list[Hit]:
    read = generation.corpus.read([one.row for one in fused])
    return [
        Hit(passage, article, one.score, one.dense, one.lexical)
        for one, (passage, article) in zip(fused, read, strict=True)
    ]
