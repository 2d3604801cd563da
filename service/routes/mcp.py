"""The Model Context Protocol over streamable HTTP, at /mcp."""

import asyncio

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from service.routes.state import State


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
        self._wanted.set()
        if self._app is None:
            raise RuntimeError("the endpoint is called before it runs")
        app = await asyncio.shield(self._app)
        await app(scope, receive, send)

    def _made(self) -> Starlette:
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

        from service.tools import tool_server  # noqa: PLC0415

        settings = self._state.settings
        server = tool_server(settings, self._state.collections, self._state.answerer)
        return server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            # Names and origins are checked by routes/origins.py, for all routes alike.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=settings.max_body_bytes,
        )
