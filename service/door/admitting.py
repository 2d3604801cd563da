"""Requests are let in while there are places; the others are told at once to come again."""

from http import HTTPStatus

from anyio import CancelScope, sleep_forever
from anyio.lowlevel import checkpoint_if_cancelled
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.admission import Admission, Visit
from service.door.origins import MCP
from service.problems import problem
from service.watching.tracing import count

_COMPUTE = ("/v1/", "/v2/", MCP)
_DO_NOT = "/v1/admin"  # who operates the service wants to know when it is full


class Admitted:
    """Gives each request that may compute a place, or refuses it before anything is made of it."""

    def __init__(self, app: ASGIApp, *, admission: Admission) -> None:
        self._app = app
        self._admission = admission
        status = HTTPStatus.SERVICE_UNAVAILABLE
        self._full = problem(status, "too many requests at once; try again in a moment", code="overloaded")
        self._late = problem(
            status, "there was no time for this request; try again in a moment", code="deadline_exceeded"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _computes(scope["path"]):
            await self._app(scope, receive, send)
            return
        admission = self._admission
        working = CancelScope()
        visit = Visit(admission, working)
        if admission.refuses() if _awaits_body(scope) else not visit.enter():
            count("refused")
            await self._full(scope, receive, send)
            return
        full = False
        with working:

            async def received() -> Message:
                nonlocal full
                message = await receive()
                # A body that is on its way takes no place: it may be long in coming.
                if message["type"] == "http.request" and not message.get("more_body") and not visit.enter():
                    full = True
                    working.cancel()
                    await sleep_forever()
                return message

            async def began(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # A thread ends its work though the time is over: what it made would be cut off midway.
                    await checkpoint_if_cancelled()
                visit.leave()
                await send(message)

            try:
                await self._app(scope, received, began)
            finally:
                visit.leave()
        if working.cancelled_caught:
            count("refused" if full else "late")
            await (self._full if full else self._late)(scope, receive, send)


def _computes(path: str) -> bool:
    return path.startswith(_COMPUTE) and not path.startswith(_DO_NOT)


def _awaits_body(scope: Scope) -> bool:
    """Whether there is nothing to do before a body has come: what else brings one is not asked for it."""
    announced = any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
    return announced and scope["method"] == "POST"
