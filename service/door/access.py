"""Who may ask for what: by keys where there are keys, else all but operating, which is this machine's."""

from http import HTTPStatus

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.door.origins import MCP, asked_host, from_our_page
from service.keys import Key, Keys
from service.keys import Scope as KeyScope
from service.listening import is_local, is_loopback
from service.problems import problem
from service.state import state

_JSON = "application/json"
_BY_PROXY = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_CHALLENGE = 'Bearer realm="dateline"'

# What needs no key: the page, which asks for one itself, and whether we live. A path that ends with a
# slash stands for all below it.
OPEN = (
    "/", "/search", "/quotes", "/timeline", "/admin", "/static/", "/docs", "/docs/", "/openapi.json",
    "/healthz", "/readyz",
)  # fmt: skip
# The scopes of which a key needs one; a path stands for all below it too. Whatever is not named here is an
# operator's, so that nothing is open for having been forgotten.
SCOPES: dict[str, frozenset[KeyScope]] = {
    "/v1/search": frozenset({"search"}),
    "/v1/quotes": frozenset({"search"}),
    "/v1/speakers": frozenset({"search"}),
    "/v1/vector_stores": frozenset({"search"}),
    "/v1/embeddings": frozenset({"search"}),
    "/v1/rerank": frozenset({"search"}),
    "/v2/rerank": frozenset({"search"}),
    "/v1/answer": frozenset({"chat"}),
    "/v1/chat/completions": frozenset({"chat"}),
    "/v1/responses": frozenset({"chat"}),
    MCP: frozenset({"chat"}),
    # Whoever is told something may read where it stands.
    "/v1/articles": frozenset({"search", "chat"}),
    "/v1/history": frozenset({"search", "chat"}),
    "/v1/index": frozenset({"search", "chat"}),
    "/v1/collections": frozenset({"search", "chat"}),
    "/v1/models": frozenset({"search", "chat"}),
}
_OPERATING: frozenset[KeyScope] = frozenset({"admin"})


class KeyGuard:
    """Lets a request pass that has a key for what it asks, or needs none; a body is not read before that.

    The key that it has stands in the scope as `key`.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            if self._keys.on:
                scope["key"] = self._admitted(scope)
        except HTTPException as refusal:
            await _refusal(refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admitted(self, scope: Scope) -> Key:
        if self._keys.lost:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE, "the service cannot read its keys; its log says why"
            )
        given = Headers(scope=scope).getlist("authorization")
        if not given:
            raise _unknown("this needs a key, as Authorization: Bearer KEY")
        kind, _, secret = given[0].strip().partition(" ")
        if len(given) > 1 or kind.lower() != "bearer" or not secret.strip():
            raise _unknown("send one key, as Authorization: Bearer KEY", error="invalid_request")
        key = self._keys.holder(secret.strip())
        if key is None:
            raise _unknown("this key is none, or is no longer one", error="invalid_token")
        wanted = _wanted(scope["path"])
        if wanted.isdisjoint(key.scopes):
            raise _not_for(key, wanted)
        if wait_s := self._keys.wait_s(key):
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"this key may ask {key.limit}; try again in {wait_s} s",
                {"Retry-After": str(wait_s)},
            )
        return key


def operator(request: Request) -> None:
    """Lets operators pass: who has a key for it; without keys, who asks from this machine.

    Raises HTTPException: 401 and 403 for whoever is none, and for what a foreign page sends; 415 for a change
    that is not sent as JSON, which foreign pages cannot do unasked.
    """
    here = state(request)
    if not here.settings.admin:
        raise _forbidden("operating is switched off here, by the setting admin")
    if here.keys.on:
        key: Key | None = request.scope.get("key")
        if key is None:
            raise _unknown("this needs a key, as Authorization: Bearer KEY")
        if _OPERATING.isdisjoint(key.scopes):
            raise _not_for(key, _OPERATING)
        return
    _from_this_machine(request)
    if not from_our_page(request.headers):
        raise _forbidden("another site's page may not operate this service (its Origin is not the Host)")
    if request.method not in {"GET", "HEAD"}:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send it with Content-Type: {_JSON}")


def _from_this_machine(request: Request) -> None:
    peer = request.client.host if request.client else ""
    passed_on = any(name in request.headers for name in _BY_PROXY)
    # A name that resolves to us is no proof of who asks (DNS rebinding): only names that are ours will do.
    if passed_on or not is_loopback(peer) or not is_local(asked_host(request.headers)):
        raise _forbidden(
            "without keys, operating is allowed from this machine alone, under localhost or 127.0.0.1 and "
            "not through a proxy; from elsewhere it takes a key: dateline keys add NAME --scope admin"
        )


def _is_open(path: str) -> bool:
    return path in OPEN or any(one.endswith("/") and one != "/" and path.startswith(one) for one in OPEN)


def _wanted(path: str) -> frozenset[KeyScope]:
    for known, scopes in SCOPES.items():
        if path == known or path.startswith(f"{known}/"):
            return scopes
    return _OPERATING


def _unknown(detail: str, *, error: str | None = None) -> HTTPException:
    challenge = _CHALLENGE if error is None else f'{_CHALLENGE}, error="{error}"'
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})


def _not_for(key: Key, wanted: frozenset[KeyScope]) -> HTTPException:
    scopes = " or ".join(sorted(wanted))
    challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{" ".join(sorted(wanted))}"'
    detail = f"this key is for {' and '.join(key.scopes)}, and this needs one for {scopes}"
    return HTTPException(HTTPStatus.FORBIDDEN, detail, {"WWW-Authenticate": challenge})


def _forbidden(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.FORBIDDEN, detail)


def _refusal(error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    codes = {
        HTTPStatus.UNAUTHORIZED: "invalid_api_key",
        HTTPStatus.FORBIDDEN: "insufficient_scope",
        HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
        HTTPStatus.SERVICE_UNAVAILABLE: "keys_unreadable",
    }
    return problem(status, str(error.detail), code=codes[status], headers=error.headers)
