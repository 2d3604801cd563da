"""Answers: every claim a quote, or the plain word that the articles do not tell."""

from fastapi import APIRouter, Request

from indexer.generation import Generation
from service.answering import answer
from service.routes.search import served
from service.schemas import AnswerIn, AnswerOut

router = APIRouter(prefix="/v1", tags=["answer"])


@router.post("/answer")
async def post_answer(request: Request, asked: AnswerIn) -> AnswerOut:
    """Up to three verbatim sentences with their places, each checked against its article."""
    filters = asked.filters.to_filters()
    min_confidence: float = request.app.state.settings.min_confidence

    def work(generation: Generation) -> AnswerOut:
        found = answer(generation, asked.query, filters, min_confidence=min_confidence)
        return AnswerOut.from_answer(generation, asked.query, found)

    return await served(request).run(work)
