"""Answers: every claim a quote, or the plain word that the articles do not tell."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from fastapi import APIRouter, Request, Response

from service.asking import Asked
from service.routes.sending import sent
from service.routes.streaming import event, streamed
from service.routes.strict import StrictRoute
from service.schemas.requests import AnswerIn
from service.schemas.results import AnswerEventOut, AnswerOut
from service.state import State, state

router = APIRouter(prefix="/v1", tags=["answer"], route_class=StrictRoute)


@router.post("/answer", response_model=AnswerOut)
async def post_answer(request: Request, asked: AnswerIn) -> Response:
    """Up to three verbatim sentences with their places, each checked against its article."""
    here = state(request)
    question = asked.to_asked(here.answerer.rescoring)
    if asked.stream:
        return await streamed(_events(here, asked, question))
    with here.collections[asked.collection].lease() as lease:
        reply = await here.answerer.reply(lease, question)
        return await lease.run(
            lambda generation: sent(AnswerOut.from_reply(generation, asked=asked, reply=reply))
        )


async def _events(here: State, asked: AnswerIn, question: Asked) -> AsyncGenerator[bytes]:
    with here.collections[asked.collection].lease() as lease:
        async with aclosing(here.answerer.replies(lease, question)) as replies:
            async for reply in replies:
                told = await lease.run(partial(AnswerEventOut.from_reply, asked=asked, reply=reply))
                yield event(told.model_dump_json(), "answer")
