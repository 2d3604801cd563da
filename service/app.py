"""The web application: put together here, closed here."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version

from anyio import CancelScope
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.admission import Admission
from service.door.admitting import Admitted
from service.door.origins import MCP
from service.door.protection import protect
from service.keys import Keys
from service.problems import problem
from service.rebuilding import Rebuilds
from service.replying import Answerer
from service.routes import (
    admin,
    answer,
    chat,
    docs,
    embeddings,
    health,
    metrics,
    page,
    quotes,
    rerank,
    responses,
    search,
    vectorstores,
)
from service.routes.mcp import McpEndpoint
from service.routes.page import PageFiles
from service.served import Collections
from service.settings import Settings
from service.state import State
from service.watching.recording import ELSEWHERE, Recorder
from service.watching.telemetry import Telemetry
from service.watching.tracing import Trace

_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}
_STATIC = "/static"


def create_app(
    settings: Settings,
    collections: Collections,
    recorder: Recorder | None = None,
    keys: Keys | None = None,
) -> FastAPI:
    """The service over `collections`, which it follows and, when it ends, closes.

    It is ready when a generation is loaded; that may have begun before this is called. Where several workers
    serve, they share a `recorder`, and begin with the same `keys`.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = collections.watch(), mcp_endpoint.run(), metrics.keep_observing(here)
        beside = [asyncio.create_task(one) for one in running]
        try:
            yield
        finally:
            await here.rebuilds.aclose()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await here.answerer.aclose()
            collections.close()
            if telemetry:
                await asyncio.to_thread(telemetry.close)

    app = FastAPI(
        title="Dateline",
        version=version("dateline"),
        description="Answers questions from a collection of news articles, and proves every answer.",
        lifespan=lifespan,
        docs_url=None,  # ours is routes/docs.py: the framework's would fetch its scripts from elsewhere
        redoc_url=None,
    )
    recorder = recorder or Recorder(collections=collections)
    telemetry = Telemetry.from_environment()
    admission = Admission(
        cores=settings.cores,
        queue=settings.queue,
        lasting_queue=settings.lasting_queue,
        deadline_s=settings.deadline_s,
    )
    here = State(
        settings,
        collections,
        Answerer(settings),
        recorder,
        Rebuilds(settings),
        admission,
        keys or Keys(settings),
    )
    app.state.dateline = here
    mcp_endpoint = McpEndpoint(here)
    app.router.routes.append(Route(MCP, mcp_endpoint))
    app.mount(_STATIC, GZipMiddleware(PageFiles()))
    docs.install(app)
    app.add_middleware(_BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(_WhileConnected)
    app.add_middleware(Admitted, admission=admission)
    protect(app, here)
    app.add_middleware(_Recorded, recorder=recorder, telemetry=telemetry)
    problems.install(app)
    routed = (
        search,
        answer,
        quotes,
        chat,
        responses,
        vectorstores,
        rerank,
        embeddings,
        admin,
        metrics,
        page,
        health,
    )
    for routes in routed:
        app.include_router(routes.router)
    recorder.name_routes(_routes([*app.routes, *(route for one in routed for route in one.router.routes)]))
    return app


class _Recorded:
    """Gives each request its id and notes what becomes of it."""

    def __init__(self, app: ASGIApp, *, recorder: Recorder, telemetry: Telemetry | None) -> None:
        self._app = app
        self._recorder = recorder
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        trace = Trace.begin(dict(scope["headers"]), self._recorder, self._telemetry)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", trace.id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            trace.end(_route(scope), status)


def _routes(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Every name that `_route` may give to what has a route."""
    yield _STATIC
    for route in routes:
        if isinstance(route, Route):
            yield from (f"{method} {route.path_format}" for method in route.methods or _METHODS)


def _route(scope: Scope) -> str:
    """The method and the path as our own table has it, so that there are no more of them than routes."""
    if scope["path"].startswith(f"{_STATIC}/"):
        return _STATIC
    # The framework names only routes of its own kind.
    path = MCP if scope["path"] == MCP else getattr(scope.get("route"), "path_format", None)
    return f"{scope['method']} {path}" if path and scope["method"] in _METHODS else ELSEWHERE


class _WhileConnected:
    """Cancels the work of a request whose client has gone away.

    By anyio's scope, which lets a worker thread end first: until then its place under the cap is taken, and
    its generation is not to be closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived: asyncio.Queue[Message] = asyncio.Queue(1)  # a body is read no faster than it is worked on
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        with CancelScope() as working:

            async def listen() -> None:
                while (message := await receive())["type"] != "http.disconnect":
                    await arrived.put(message)
                if not answered:
                    working.cancel()

            listening = asyncio.create_task(listen())
            try:
                await self._app(scope, arrived.get, watched)
            finally:
                listening.cancel()


class _BodyLimit:
    """Refuses a body over the limit: by its announced length, else as soon as it gets there."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        detail = f"the body must be at most {self._max_bytes} bytes"
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            refusal = problem(status, detail, code="body_too_large", headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"Connection": "close"})
            return message

        await self._app(scope, counted, send)
