"""Texts of the asker's own, put in order: Cohere's rerank."""

from typing import Literal

from fastapi import APIRouter, Request

from indexer.generation import Generation
from service.relevance import Piece, best_first, pieces, relevance
from service.routes.encoders import collection_of
from service.routes.strict import StrictRoute
from service.schemas.rerank import RerankIn, RerankOut
from service.state import state

router = APIRouter(tags=["rerank"], route_class=StrictRoute)


@router.post("/v1/rerank", response_model_exclude_none=True)
async def post_rerank_v1(request: Request, asked: RerankIn) -> RerankOut:
    """The documents in the order in which they answer the question. A score gives order only."""
    return await _reranked(request, asked, "1")


@router.post("/v2/rerank", response_model_exclude_none=True)
async def post_rerank_v2(request: Request, asked: RerankIn) -> RerankOut:
    """The same in Cohere's second version."""
    return await _reranked(request, asked, "2")


async def _reranked(request: Request, asked: RerankIn, version: Literal["1", "2"]) -> RerankOut:
    here = state(request)
    judge = here.answerer.rescoring.judge

    def scored(generation: Generation, part: list[Piece]) -> list[float]:
        return relevance(generation, asked.query, [piece.text for piece in part], judge=judge)

    with here.collections[collection_of(request, asked.model)].lease() as lease:
        read = [
            one for part in await lease.run_over(list(enumerate(asked.documents)), pieces) for one in part
        ]
        scores = [score for part in await lease.run_over(read, scored) for score in part]
    ranked = best_first(list(zip(read, scores, strict=True)), len(asked.documents), asked.top_n)
    return RerankOut.from_ranked(asked, ranked, version)
