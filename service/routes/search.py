"""Search: passages, articles, and what is being served."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from indexer.corpus import Stored
from indexer.generation import Generation
from service.problems import ArticleNotFoundError
from service.retrieval import search
from service.schemas import ArticleOut, HistoryOut, IndexDetailsOut, SearchIn, SearchOut, SearchParameters
from service.served import Served

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search")
async def post_search(request: Request, asked: SearchIn) -> SearchOut:
    """The best passages for a question. A score gives order only."""
    query = asked.to_query(request.app.state.rescoring)

    def work(generation: Generation) -> SearchOut:
        started = time.perf_counter()
        understood = asked.understood(generation, query)
        results = search(generation, understood.query)
        took_ms = (time.perf_counter() - started) * 1000
        return SearchOut.from_results(generation, asked, understood, results, took_ms)

    return await served(request).run(work)


@router.get("/search")
async def get_search(request: Request, parameters: Annotated[SearchParameters, Query()]) -> SearchOut:
    """The same as a link: `/v1/search?q=…&source=…&published_after=2026-01-01`."""
    return await post_search(request, parameters.to_search())


@router.get("/articles/{article_id:path}")
async def get_article(request: Request, article_id: str) -> ArticleOut:
    """An article with the one text that all offsets refer to."""

    def work(generation: Generation) -> ArticleOut:
        return ArticleOut.from_stored(generation, _stored(generation, article_id))

    return await served(request).run(work)


@router.get("/history/{article_id:path}")
async def get_history(request: Request, article_id: str) -> HistoryOut:
    """What an article said each time it was seen changed."""

    def work(generation: Generation) -> HistoryOut:
        return HistoryOut.from_stored(generation, _stored(generation, article_id))

    return await served(request).run(work)


def _stored(generation: Generation, article_id: str) -> Stored:
    stored = generation.corpus.stored(article_id)
    if stored is None:
        raise ArticleNotFoundError(f"no article has the id {article_id[:200]!r}")
    return stored


@router.get("/index")
async def get_index(request: Request) -> IndexDetailsOut:
    """The generation that is being served."""
    with served(request).lease() as generation:
        return IndexDetailsOut.from_manifest(generation.manifest)


def served(request: Request) -> Served:
    found: Served = request.app.state.served
    return found
