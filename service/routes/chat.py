"""Chat front ends: OpenAI's models and chat completions."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response

from indexer.errors import NoIndexError, NotFoundError
from indexer.settings import DEFAULT_COLLECTION
from service.asking import Asked
from service.rendering import NOTHING, Rendered, addressed, rendered
from service.replying import Reply
from service.routes.streaming import event, streamed
from service.routes.strict import StrictRoute
from service.schemas.chat import (
    ChatChunks,
    ChatIn,
    ChatOut,
    ModelOut,
    ModelsOut,
    SourcesOut,
    UsageOut,
    VerdictOut,
    annotations_out,
)
from service.state import State, state

router = APIRouter(prefix="/v1", tags=["chat"], route_class=StrictRoute)

_BARE, _LINKS = "dateline", "dateline-links"


@router.get("/models")
async def get_models(request: Request) -> ModelsOut:
    """Two for each collection: `dateline` writes bare numbers, `dateline-links` links in Markdown."""
    models: list[ModelOut] = []
    for name in state(request).collections:
        suffix = "" if name == DEFAULT_COLLECTION else f"/{name}"
        with suppress(NoIndexError):  # a collection that is damaged must not silence the others
            models += [_model(request, f"{style}{suffix}", name) for style in (_BARE, _LINKS)]
    if not models:
        raise NoIndexError("no index is served yet; try again in a moment")
    return ModelsOut(data=models)


@router.get("/models/{model:path}")
async def get_model(request: Request, model: str) -> ModelOut:
    collection, _ = spoken_to(request, model)
    return _model(request, model, collection)


def _model(request: Request, model: str, collection: str) -> ModelOut:
    with state(request).collections[collection].lease() as lease:
        created = datetime.fromisoformat(lease.generation.manifest.created_at)
    return ModelOut(id=model, created=int(created.timestamp()))


def spoken_to(request: Request, model: str) -> tuple[str, bool]:
    """The collection that a model's id means, and whether it writes links. Raises NotFoundError."""
    style, _, collection = model.partition("/")
    collection = collection or DEFAULT_COLLECTION
    if style not in {_BARE, _LINKS} or collection not in set(state(request).collections):
        raise NotFoundError(f"no model is called {model[:200]!r}; GET /v1/models lists them", "model")
    return collection, style == _LINKS


@router.post("/chat/completions", response_model=ChatOut)
async def post_chat(request: Request, asked: ChatIn) -> Response | ChatOut:
    """An answer to the last message of the role user, in quotes; with `stream` as server-sent events."""
    collection, links = spoken_to(request, asked.model)
    here = state(request)
    question = asked.to_answer(collection).to_asked(here.answerer.rescoring)
    show = partial(rendered, address=addressed(here.base(request), collection), links=links)
    if asked.stream:
        return await streamed(_events(here, asked, collection, question, show))
    with here.collections[collection].lease() as lease:
        reply = await here.answerer.reply(lease, question)
        return await lease.run(partial(ChatOut.from_reply, asked=asked, reply=reply, shown=show(reply)))


async def _events(
    here: State, asked: ChatIn, collection: str, question: Asked, show: Callable[[Reply], Rendered]
) -> AsyncGenerator[bytes]:
    chunks = ChatChunks(asked)
    before: Rendered | None = None
    with here.collections[collection].lease() as lease:
        async with aclosing(here.answerer.replies(lease, question)) as replies:
            async for reply in replies:
                shown = show(reply)
                beside = {}
                if before is None or shown.sources != before.sources:
                    beside = SourcesOut.from_rendered(shown).model_dump()
                if before is None:
                    yield event(chunks.chunk({"role": "assistant", "content": ""}, **beside))
                    before, beside = NOTHING, {}
                for text, annotations in shown.since(before):
                    yield event(chunks.chunk({"content": text}, **beside))
                    beside = {}
                    if annotations:
                        delta = {"annotations": [one.model_dump() for one in annotations_out(annotations)]}
                        yield event(chunks.chunk(delta))
                before = shown
        verdict = VerdictOut.from_reply(lease.generation, reply)
        yield event(chunks.chunk({}, finish_reason="stop", dateline=verdict.model_dump(mode="json")))
        if asked.stream_options and asked.stream_options.include_usage:
            usage = await lease.run(partial(UsageOut.from_texts, asked=asked.texts, answered=shown.text))
            yield event(chunks.usage(usage))
    yield event("[DONE]")
