"""What makes a request one, before anybody reads what it asks: its head."""

import re
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import problem

# A name, an IPv4 or a bracketed IPv6 address, and a port: what a Host may be, and what links are made of.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{0,253})(:[0-9]{0,5})?")
_VERSIONS = {"1.0", "1.1"}


class WellFormed:
    """Refuses what is no request of HTTP/1.1: one Host that is a name or an address, a body as it is.

    A Range is passed over, as it may be: nothing here is large, and many ranges are an attack.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, reason = _fault(scope)
        if reason:
            code = "unsupported_media_type" if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE else "bad_request"
            await problem(status, reason, code=code, headers={"Connection": "close"})(scope, receive, send)
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await self._app(scope, receive, send)


def _fault(scope: Scope) -> tuple[HTTPStatus, str]:
    """What is wrong with the head, in words; empty where nothing is."""
    if scope["http_version"] not in _VERSIONS:
        return HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1"
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
        return HTTPStatus.BAD_REQUEST, f"a request has one Host, this one has {len(hosts)}"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return HTTPStatus.BAD_REQUEST, "the Host is neither a name nor an address"
    encodings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    if any(value.strip().lower() not in {b"", b"identity"} for value in encodings):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, without Content-Encoding"
    return HTTPStatus.OK, ""
