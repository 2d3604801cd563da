"""Search: passages, articles, and what is being served."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from indexer.errors import NoIndexError, NotFoundError
from indexer.generation import Generation, Stored
from indexer.settings import DEFAULT_COLLECTION
from service.asking import understand
from service.faceting import facets
from service.retrieval import search
from service.routes.sending import sent
from service.routes.strict import StrictRoute
from service.schemas.fields import CollectionName
from service.schemas.requests import SearchIn, SearchParameters
from service.schemas.results import (
    ArticleOut,
    CollectionOut,
    CollectionsOut,
    HistoryOut,
    IndexDetailsOut,
    IndexOut,
    SearchOut,
)
from service.state import state

router = APIRouter(prefix="/v1", tags=["search"], route_class=StrictRoute)
Collection = Annotated[CollectionName, Query()]


@router.post("/search", response_model=SearchOut)
async def post_search(request: Request, asked: SearchIn) -> Response:
    """The best passages for a question. A score gives order only."""
    here = state(request)
    question = asked.to_asked(here.answerer.rescoring)

    def work(generation: Generation) -> Response:
        started = time.perf_counter()
        understood = understand(generation, question)
        results = search(generation, understood.query)
        counted = facets(generation, understood.query, until=asked.as_of) if asked.facets else None
        took_ms = (time.perf_counter() - started) * 1000
        return sent(SearchOut.from_results(generation, asked, understood, results, counted, took_ms))

    return await here.collections[asked.collection].run(work)


@router.get("/search", response_model=SearchOut)
async def get_search(request: Request, parameters: Annotated[SearchParameters, Query()]) -> Response:
    """The same as a link: `/v1/search?q=…&source=…&published_after=2026-01-01`."""
    return await post_search(request, parameters.to_search())


@router.get("/articles/{article_id:path}", response_model=ArticleOut)
async def get_article(
    request: Request, article_id: str, collection: Collection = DEFAULT_COLLECTION
) -> Response:
    """An article with the one text that all offsets refer to."""

    def work(generation: Generation) -> Response:
        return sent(ArticleOut.from_stored(generation, _stored(generation, article_id)))

    return await state(request).collections[collection].run(work)


@router.get("/history/{article_id:path}", response_model=HistoryOut)
async def get_history(
    request: Request, article_id: str, collection: Collection = DEFAULT_COLLECTION
) -> Response:
    """What an article said each time it was seen changed."""

    def work(generation: Generation) -> Response:
        return sent(HistoryOut.from_stored(generation, _stored(generation, article_id)))

    return await state(request).collections[collection].run(work)


def _stored(generation: Generation, article_id: str) -> Stored:
    stored = generation.corpus.stored(article_id)
    if stored is None:
        raise NotFoundError(f"no article has the id {article_id[:200]!r}", "article_id")
    return stored


@router.get("/index")
async def get_index(request: Request, collection: Collection = DEFAULT_COLLECTION) -> IndexDetailsOut:
    """The generation that is being served."""
    with state(request).collections[collection].lease() as lease:
        return IndexDetailsOut.from_manifest(lease.generation.manifest)


@router.get("/collections")
async def get_collections(request: Request) -> CollectionsOut:
    """What can be asked, each with the generation that is served of it, null where none is whole."""
    collections = state(request).collections
    found = []
    for name in collections:
        try:
            with collections[name].lease() as lease:
                index = IndexOut.from_manifest(lease.generation.manifest)
        except NoIndexError:
            index = None
        found.append(CollectionOut(name=name, index=index))
    return CollectionsOut(collections=found)
