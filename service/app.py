"""The web application: put together here, closed here."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version

from anyio import CancelScope
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.admission import Admission
from service.keys import Keys
from service.problems import problem
from service.rebuilding import Rebuilds
from service.recording import Recorder
from service.replying import Answerer
from service.routes import (
    admin,
    answer,
    chat,
    docs,
    embeddings,
    health,
    page,
    quotes,
    rerank,
    responses,
    search,
    vectorstores,
)
from service.routes.admitting import Admitted
from service.routes.mcp import McpEndpoint
from service.routes.page import PageFiles
from service.routes.protection import protect
from service.routes.state import State
from service.served import Collections
from service.settings import Settings

_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}


def create_app(settings: Settings, collections: Collections) -> FastAPI:
    """The service over `collections`, which it follows and, when it ends, closes.

    It is ready when a generation is loaded; that may have begun before this is called.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beside = [asyncio.create_task(collections.watch()), asyncio.create_task(mcp_endpoint.run())]
        try:
            yield
        finally:
            await here.rebuilds.aclose()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await here.answerer.aclose()
            collections.close()

    app = FastAPI(
        title="Dateline",
        version=version("dateline"),
        description="Answers questions from a collection of news articles, and proves every answer.",
        lifespan=lifespan,
        docs_url=None,  # ours is routes/docs.py: the framework's would fetch its scripts from elsewhere
        redoc_url=None,
    )
    admission = Admission(
        cores=settings.cores,
        queue=settings.queue,
        lasting_queue=settings.lasting_queue,
        deadline_s=settings.deadline_s,
    )
    here = State(
        settings, collections, Answerer(settings), Recorder(), Rebuilds(settings), admission, Keys(settings)
    )
    app.state.dateline = here
    mcp_endpoint = McpEndpoint(here)
    app.router.routes.append(Route("/mcp", mcp_endpoint))
    app.mount("/static", GZipMiddleware(PageFiles()))
    docs.install(app)
    app.add_middleware(_BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(_WhileConnected)
    app.add_middleware(Admitted, admission=admission)
    protect(app, here)
    app.add_middleware(_Recorded, recorder=here.recorder)
    problems.install(app)
    for routes in (
        search,
        answer,
        quotes,
        chat,
        responses,
        vectorstores,
        rerank,
        embeddings,
        admin,
        page,
        health,
    ):
        app.include_router(routes.router)
    return app


class _Recorded:
    """Notes what becomes of each request, but for those that only look at these notes."""

    def __init__(self, app: ASGIApp, *, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            route = _route(scope)
            if route != "GET /v1/admin":
                self._recorder.note(route, status, (time.perf_counter() - started) * 1000)


def _route(scope: Scope) -> str:
    """The method and the path as our own table has it, so that there are no more of them than routes."""
    if scope["path"].startswith("/static/"):
        return "/static"
    path = getattr(scope.get("route"), "path_format", None)
    return f"{scope['method']} {path}" if path and scope["method"] in _METHODS else "elsewhere"


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
