"""Quotes: who said what."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from indexer.generation import Generation
from service.quoting import most_quoted, quotes
from service.routes.sending import sent
from service.routes.strict import StrictRoute
from service.schemas.requests import QuotesIn, SpeakersIn
from service.schemas.results import QuotesOut, SpeakersOut
from service.state import state

router = APIRouter(prefix="/v1", tags=["quotes"], route_class=StrictRoute)


@router.get("/quotes", response_model=QuotesOut)
async def get_quotes(request: Request, asked: Annotated[QuotesIn, Query()]) -> Response:
    """Who said what: `/v1/quotes?speaker=…&q=…&published_after=2026-01-01`. Give a speaker or a topic."""
    query = asked.to_query()

    def work(generation: Generation) -> Response:
        started = time.perf_counter()
        found = quotes(generation, query)
        took_ms = (time.perf_counter() - started) * 1000
        return sent(QuotesOut.from_quotes(generation, asked, found, took_ms))

    return await state(request).collections[asked.collection].run(work)


@router.get("/speakers", response_model=SpeakersOut)
async def get_speakers(request: Request, asked: Annotated[SpeakersIn, Query()]) -> Response:
    """Who is quoted most: `/v1/speakers?q=…`, where `q` is a part of the name."""

    def work(generation: Generation) -> Response:
        started = time.perf_counter()
        found = most_quoted(generation.corpus, part=asked.q or "", limit=asked.limit)
        took_ms = (time.perf_counter() - started) * 1000
        return sent(SpeakersOut.from_speakers(generation, asked, found, took_ms))

    return await state(request).collections[asked.collection].run(work)
