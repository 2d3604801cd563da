"""Answers: every claim a quote, or the plain word that the articles do not tell."""

from functools import partial

from fastapi import APIRouter, Request

from service.routes.state import state
from service.schemas.requests import AnswerIn
from service.schemas.results import AnswerOut

router = APIRouter(prefix="/v1", tags=["answer"])


@router.post("/answer")
async def post_answer(request: Request, asked: AnswerIn) -> AnswerOut:
    """Up to three verbatim sentences with their places, each checked against its article."""
    here = state(request)
    question = asked.to_asked(here.answerer.rescoring)
    with here.collections[asked.collection].lease() as lease:
        reply = await here.answerer.reply(lease, question)
        return await lease.run(partial(AnswerOut.from_reply, asked=asked, reply=reply))
