"""The Model Context Protocol over streamable HTTP, at /mcp."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from indexer.errors import UsageError
from service.state import State
from service.strictjson import NotJsonError, parse

_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600  # JSON-RPC's


class McpEndpoint:
    """The tools, put together when they are first called: most services never are, and the protocol's
    package takes a third of a second to import."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._wanted = asyncio.Event()
        self._app: asyncio.Future[Starlette] | None = None

    async def run(self) -> None:
        """Lives as long as the service does: the protocol's sessions need one task to belong to."""
        self._app = asyncio.get_running_loop().create_future()
        await self._wanted.wait()
        try:
            app = await asyncio.to_thread(self._made)
        except Exception as error:  # whoever asks is told, not kept waiting
            self._app.set_exception(error)
            raise
        async with app.router.lifespan_context(app):
            self._app.set_result(app)
            await asyncio.Event().wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            # Without sessions there is nothing that a GET could follow, or a DELETE end.
            reason = "messages are sent with POST; there are no sessions"
            allowed = {"Allow": "POST"}
            not_post = _error(HTTPStatus.METHOD_NOT_ALLOWED, _INVALID_REQUEST, reason, allowed)
            await not_post(scope, receive, send)
            return
        sent = await Request(scope, receive).body()
        if refusal := _refusal(sent):
            await refusal(scope, receive, send)
            return
        self._wanted.set()
        if self._app is None:
            raise RuntimeError("the endpoint is called before it runs")
        app = await asyncio.shield(self._app)
        bodies = [sent]

        async def replayed() -> Message:
            if not bodies:
                return await receive()
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}

        await app(scope, replayed, _in_the_protocols_form(scope, receive, send))

    def _made(self) -> Starlette:
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

        from service.tools import tool_server  # noqa: PLC0415

        settings = self._state.settings
        server = tool_server(settings, self._state.collections, self._state.answerer)
        return server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            # Names and origins are checked by door/origins.py, for all routes alike.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=settings.max_body_bytes,
        )


def _refusal(body: bytes) -> Response | None:
    """Why a body is no message that a client may send here; None where it is one. The package's own words
    would name its classes."""
    try:
        message = parse(body)
    except NotJsonError as error:
        return _error(HTTPStatus.BAD_REQUEST, _PARSE_ERROR, f"the body is not JSON: {error}")
    except UsageError as error:
        return _error(HTTPStatus.BAD_REQUEST, _INVALID_REQUEST, str(error))
    if not isinstance(message, dict):
        reason = "one message, an object, is sent at a time"
    elif message.get("jsonrpc") != "2.0":
        reason = 'jsonrpc: has to be "2.0"'
    elif "method" not in message and ("result" in message or "error" in message):
        reason = "method: is missing; nothing was asked of the client that it could answer"
    elif not isinstance(message.get("method"), str):
        reason = "method: has to be a text"
    elif not isinstance(message.get("params", {}), dict):
        reason = "params: has to be an object"
    elif "id" in message and (isinstance(message["id"], bool) or not isinstance(message["id"], int | str)):
        reason = "id: has to be a text or a whole number"
    else:
        return None
    return _error(HTTPStatus.BAD_REQUEST, _INVALID_REQUEST, reason)


def _error(status: HTTPStatus, code: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    error = {"code": code, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers)


def _in_the_protocols_form(scope: Scope, receive: Receive, send: Send) -> Send:
    """Sends on what the package answers; a refusal that it words in plain text becomes JSON-RPC's."""
    refused: HTTPStatus | None = None

    async def told(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            kind = dict(message["headers"]).get(b"content-type", b"")
            if not kind.startswith(b"application/json"):
                refused = HTTPStatus(message["status"])
        if refused is None:
            await send(message)
        elif message["type"] == "http.response.body":
            text = message.get("body", b"").decode("utf-8", "replace")
            await _error(refused, _INVALID_REQUEST, text)(scope, receive, send)

    return told
