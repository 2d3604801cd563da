"""Whether the process lives, and whether it can answer."""

from fastapi import APIRouter, Request, Response

from indexer.errors import NoIndexError
from service.state import state

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives. Touches neither index nor encoder."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request, response: Response) -> dict[str, str]:
    """An index is being served; until then 503 with Retry-After."""
    if not state(request).collections.ready:
        raise NoIndexError("no index is served yet; try again in a moment")
    response.headers["Cache-Control"] = "no-store"
    return {"status": "ready"}
