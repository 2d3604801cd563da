"""Chat front ends: OpenAI's responses."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from service.asking import Asked
from service.rendering import NOTHING, Rendered, addressed, rendered
from service.replying import Reply
from service.routes.chat import spoken_to
from service.routes.streaming import event, streamed
from service.routes.strict import StrictRoute
from service.schemas.responses import (
    OutputTextOut,
    ResponseMaker,
    ResponseOut,
    ResponsesIn,
    flat_annotations,
)
from service.state import State, state

router = APIRouter(prefix="/v1", tags=["chat"], route_class=StrictRoute)


@router.post("/responses", response_model=ResponseOut)
async def post_responses(request: Request, asked: ResponsesIn) -> Response | ResponseOut:
    """An answer to the last message of the role user, in quotes; with `stream` as server-sent events."""
    collection, links = spoken_to(request, asked.model)
    here = state(request)
    question = asked.to_answer(collection).to_asked(here.answerer.rescoring)
    show = partial(rendered, address=addressed(here.base(request), collection), links=links)
    make = ResponseMaker(asked)
    if asked.stream:
        return await streamed(_events(here, make, collection, question, show))
    with here.collections[collection].lease() as lease:
        reply = await here.answerer.reply(lease, question)
        return await lease.run(partial(make.whole, reply=reply, shown=show(reply)))


async def _events(
    here: State, make: ResponseMaker, collection: str, question: Asked, show: Callable[[Reply], Rendered]
) -> AsyncGenerator[bytes]:
    def told(kind: str, **fields: Any) -> bytes:  # noqa: ANN401  as ResponseMaker.event
        return event(make.event(kind, **fields), kind)

    shown = NOTHING
    begun = False
    with here.collections[collection].lease() as lease:
        async with aclosing(here.answerer.replies(lease, question)) as replies:
            async for reply in replies:
                if not begun:
                    begun = True
                    yield told("response.created", response=make.begun())
                    yield told("response.in_progress", response=make.begun())
                    yield told("response.output_item.added", item=make.message([], "in_progress"))
                    yield told("response.content_part.added", part=OutputTextOut.from_rendered(NOTHING))
                before, shown = shown, show(reply)
                count = len(before.annotations)
                for text, annotations in shown.since(before):
                    yield told("response.output_text.delta", delta=text, logprobs=[])
                    for annotation in flat_annotations(annotations):
                        yield told(
                            "response.output_text.annotation.added",
                            annotation_index=count,
                            annotation=annotation,
                        )
                        count += 1
        response = await lease.run(partial(make.whole, reply=reply, shown=shown))
    part = OutputTextOut.from_rendered(shown)
    yield told("response.output_text.done", text=shown.text, logprobs=[])
    yield told("response.content_part.done", part=part)
    yield told("response.output_item.done", item=make.message([part], "completed"))
    yield told("response.completed", response=response)
