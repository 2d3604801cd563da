"""Requests of every protocol, read strictly: one meaning or a refusal."""

from collections import Counter
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from indexer.errors import UsageError
from service.problems import RefusedError
from service.schemas.requests import REPEATABLE
from service.strictjson import NotJsonError, parse

_JSON = "application/json"


class StrictRoute(APIRoute):
    """A route whose body has to be JSON as `strictjson` reads it, and called so; whose parameters stand in
    the address once, but for those that may be several."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            names = Counter(name for name, _ in request.query_params.multi_items())
            if twice := next((name for name in names if names[name] > 1 and name not in REPEATABLE), None):
                raise UsageError(f"{twice[:200]}: is given twice", param=twice[:200])
            if not takes_body:
                return await handle(request)
            read = _StrictRequest(request.scope, request.receive)  # what comes is read once, by whoever reads
            if not _is_json(read) and await read.body():
                raise RefusedError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    f"the body is not called JSON; send it with Content-Type: {_JSON}",
                    code="unsupported_media_type",
                )
            return await handle(read)

        return strict


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401  what JSON holds
        """Raises RefusedError, the only kind that FastAPI lets through from here."""
        try:
            return parse(await self.body())
        except NotJsonError as error:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}", code="invalid_json"
            ) from error
        except UsageError as error:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY, str(error), code="invalid_value", param=error.param
            ) from error


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))
