"""Who may operate the service. There are no keys yet: it is told by where a request comes from."""

from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from service.routes.state import state
from service.settings import Settings

_JSON = "application/json"
_BY_PROXY = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def operator(request: Request) -> None:
    """Lets operators pass; a check of keys takes the place of this one.

    Raises HTTPException: 403 for whoever is none by the setting `admin`, and for what a foreign page sends;
    415 for a change that is not sent as JSON, which foreign pages cannot do unasked.
    """
    settings = state(request).settings
    if settings.admin == "off":
        raise _forbidden('operating is switched off here; to allow it, set admin = "loopback"')
    # A name that resolves to us is no proof of who asks (DNS rebinding): only names that are ours will do.
    if settings.admin == "loopback":
        _from_this_machine(request)
    elif not _ours(_host(request), settings):
        raise _forbidden("the service is not known under this Host; add it to the setting allowed_hosts")
    origin = request.headers.get("origin")
    if origin is not None and _netloc(origin) != request.headers.get("host", "").lower():
        raise _forbidden("another site's page may not operate this service (its Origin is not the Host)")
    if request.method not in {"GET", "HEAD"}:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send it with Content-Type: {_JSON}")


def _from_this_machine(request: Request) -> None:
    peer = request.client.host if request.client else ""
    passed_on = any(name in request.headers for name in _BY_PROXY)
    if passed_on or not _is_loopback(peer) or not _is_local(_host(request)):
        raise _forbidden(
            "operating is allowed from this machine alone, under localhost or 127.0.0.1 and not through a "
            'proxy; to allow it to whoever reaches the service, set admin = "on"'
        )


def _forbidden(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.FORBIDDEN, detail)


def _host(request: Request) -> str:
    """The name in the Host header, without its port; empty where that is no host."""
    try:
        return urlsplit("//" + request.headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str | None:
    """None where the origin is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_local(name: str) -> bool:
    return name == "localhost" or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _ours(name: str, settings: Settings) -> bool:
    """Whether a name cannot have been pointed at us by somebody else: an address, or one that is set."""
    try:
        ip_address(name)
    except ValueError:
        known = {"localhost", settings.host, urlsplit(settings.public_url).hostname, *settings.allowed_hosts}
        return bool(name) and (name in known or "*" in known)
    return True
