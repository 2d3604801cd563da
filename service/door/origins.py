"""Under which names we answer, and to whose pages."""

from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.keys import Keys
from service.listening import is_local
from service.problems import problem
from service.settings import Settings

_ANYWHERE = {"/healthz", "/readyz"}  # whoever balances load may call us anything
MCP = "/mcp"  # where agents find their tools


def asked_host(headers: Headers) -> str:
    """The name in the Host header, without its port; empty where that is no host."""
    try:
        return urlsplit("//" + headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def from_our_page(headers: Headers) -> bool:
    """Whether no page of another site sends this: its Origin, where it has one, is the Host."""
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:  # an Origin that is no address
        return False


class OriginGuard:
    """Refuses whoever asks under a name that is not ours, or, for agents' tools, from another site's page.

    A page of somebody else's can have its own name resolve to us, and would then be a page of ours to the
    browser (DNS rebinding). An address cannot be pointed at us; a name can, unless we know it. A service
    that others can reach goes by whatever name they gave it, until it is told which; for the tools, which
    speak to whatever asks, a name has to be known even so, or a key be asked for, which such a page has not.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, keys: Keys) -> None:
        self._app = app
        self._keys = keys
        self._names = {"localhost", settings.host, urlsplit(settings.public_url).hostname or "localhost"}
        self._names |= {name.lower() for name in settings.allowed_hosts}
        self._origins = set(settings.cors_origins)
        self._strict = is_local(settings.host) or bool(settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _ANYWHERE:
            headers = Headers(scope=scope)
            if not self._known(asked_host(headers)) and self._must_know(scope["path"]):
                status = HTTPStatus.MISDIRECTED_REQUEST
                detail = "the service is not known under this Host; add it to the setting allowed_hosts"
                await problem(status, detail, code="unknown_host")(scope, receive, send)
                return
            if scope["path"] == MCP and not (from_our_page(headers) or self._allowed(headers["origin"])):
                status, detail = HTTPStatus.FORBIDDEN, "another site's page may not use these tools"
                await problem(status, detail, code="forbidden")(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _must_know(self, path: str) -> bool:
        return self._strict or (path == MCP and not self._keys.on)

    def _known(self, name: str) -> bool:
        try:
            ip_address(name)
        except ValueError:
            return bool(name) and (name in self._names or "*" in self._names)
        return True

    def _allowed(self, origin: str) -> bool:
        return "*" in self._origins or origin.lower() in self._origins
