"""What there is to ask, to read and to try: Swagger's page at /docs, with its files out of a package here."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from service.routes.page import WEB

# As the page's own; its icons are data: in its style sheet.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Adds the page, and to the description of the service that a key may be sent."""
    app.add_api_route("/docs", get_docs, methods=["GET"], include_in_schema=False)
    app.mount("/docs", GZipMiddleware(StaticFiles(directory=_assets())))
    described = app.openapi

    def with_keys() -> dict[str, Any]:
        found = described()
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
        return found

    app.openapi = with_keys  # type: ignore[method-assign]


async def get_docs() -> FileResponse:
    """Swagger's page."""
    return FileResponse(WEB / "docs.html", headers={"Content-Security-Policy": _POLICY})


def _assets() -> Path:
    """Where the package keeps Swagger UI; it need not be imported for that."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise RuntimeError("fastapi-offline is not installed")
    return Path(spec.origin).parent / "static"
