"""Answers: every claim a quote, or the plain word that the articles do not tell."""

from fastapi import APIRouter, Request

from indexer.generation import Generation
from indexer.reader import Reader
from service.answering import answer
from service.routes.search import served
from service.schemas import AnswerIn, AnswerOut
from service.settings import Settings

router = APIRouter(prefix="/v1", tags=["answer"])


@router.post("/answer")
async def post_answer(request: Request, asked: AnswerIn) -> AnswerOut:
    """Up to three verbatim sentences with their places, each checked against its article."""
    settings: Settings = request.app.state.settings
    reader: Reader | None = request.app.state.reader
    query = asked.to_query(request.app.state.rescoring)

    def work(generation: Generation) -> AnswerOut:
        understood = asked.understood(generation, query, asked.to_turns())
        found = answer(generation, understood.query, min_confidence=settings.min_confidence, reader=reader)
        return AnswerOut.from_answer(generation, asked, understood, found)

    return await served(request).run(work)
