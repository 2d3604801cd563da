"""The page: static files of our own, which may load nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(__file__).parents[1] / "web"
_VIEWS = ("/", "/search", "/quotes", "/timeline", "/admin")
# Scripts, styles and pictures of this origin alone: what a text smuggles in has nowhere to run from.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


async def get_page() -> FileResponse:
    """The same page for every view: the address tells it which."""
    return FileResponse(WEB / "index.html", headers=_HEADERS)


for _view in _VIEWS:
    router.add_api_route(_view, get_page, methods=["GET"])


class PageFiles(StaticFiles):
    """The page's files, asked for again only where they changed."""

    def __init__(self) -> None:
        super().__init__(directory=WEB)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response
