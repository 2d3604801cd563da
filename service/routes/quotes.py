"""Quotes: who said what."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from indexer.generation import Generation
from service.quoting import most_quoted, quotes
from service.routes.state import state
from service.schemas.requests import QuotesIn, SpeakersIn
from service.schemas.results import QuotesOut, SpeakersOut

router = APIRouter(prefix="/v1", tags=["quotes"])


@router.get("/quotes")
async def get_quotes(request: Request, asked: Annotated[QuotesIn, Query()]) -> QuotesOut:
    """Who said what: `/v1/quotes?speaker=…&q=…&published_after=2026-01-01`. Give a speaker or a topic."""
    query = asked.to_query()

    def work(generation: Generation) -> QuotesOut:
        started = time.perf_counter()
        found = quotes(generation, query)
        return QuotesOut.from_quotes(generation, asked, found, (time.perf_counter() - started) * 1000)

    return await state(request).collections[asked.collection].run(work)


@router.get("/speakers")
async def get_speakers(request: Request, asked: Annotated[SpeakersIn, Query()]) -> SpeakersOut:
    """Who is quoted most: `/v1/speakers?q=…`, where `q` is a part of the name."""

    def work(generation: Generation) -> SpeakersOut:
        started = time.perf_counter()
        found = most_quoted(generation.corpus, part=asked.q or "", limit=asked.limit)
        return SpeakersOut.from_speakers(generation, asked, found, (time.perf_counter() - started) * 1000)

    return await state(request).collections[asked.collection].run(work)
