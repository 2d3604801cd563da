"""Quotes: who said what."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from indexer.generation import Generation
from service.quoting import quotes
from service.routes.state import state
from service.schemas.requests import QuotesIn
from service.schemas.results import QuotesOut

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
