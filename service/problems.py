"""The one table from what went wrong to a status, and the one body that says so."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from indexer.errors import (
    DatelineError,
    LockedError,
    NoIndexError,
    NotFoundError,
    UnreachableError,
    UsageError,
)
from service.schemas.errors import ErrorOut, ProblemOut
from service.watching.tracing import request_id

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1
_LONGEST = 500  # characters that an error says of what it was sent
_STATUS: tuple[tuple[type[DatelineError], HTTPStatus, str], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND, "not_found"),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_value"),
    (LockedError, HTTPStatus.CONFLICT, "index_locked"),
    (NoIndexError, HTTPStatus.SERVICE_UNAVAILABLE, "index_not_ready"),
    (UnreachableError, HTTPStatus.SERVICE_UNAVAILABLE, "index_unreachable"),
    (DatelineError, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"),
)
_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid_json",
    HTTPStatus.UNAUTHORIZED: "invalid_api_key",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


class RefusedError(HTTPException):
    """A request that is answered with `problem` of these."""

    def __init__(self, status: HTTPStatus, detail: str, *, code: str, param: str | None = None) -> None:
        super().__init__(status, detail)
        self.code = code
        self.param = param


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """RFC 9457's fields, and the `error` that OpenAI's clients read. A 503 says when to retry."""
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    body = ProblemOut(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=detail,
        error=ErrorOut(message=detail, type=kind, param=param, code=code),
        request_id=request_id(),
    )
    sent = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent["Retry-After"] = str(_RETRY_SECONDS)
    return JSONResponse(
        body.model_dump(), status_code=status, media_type="application/problem+json", headers=sent
    )


def install(app: FastAPI) -> None:
    """Answers every error of the app with `problem`."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DatelineError, _known)
    app.add_exception_handler(Exception, _bug)


async def _invalid(_: Request, error: Any) -> JSONResponse:  # noqa: ANN401  RequestValidationError
    first: Mapping[str, Any] = error.errors()[0]
    if first["type"] == "model_attributes_type" and len(first["loc"]) == 1:
        detail = "the body is no JSON object; send one, with Content-Type: application/json"
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, code="invalid_value")
    param = _param(first["loc"])
    # The input itself is sent back in part at most: it may be long, or no text that JSON can hold.
    message = first["msg"].removeprefix("Value error, ")[:_LONGEST]
    detail = f"{param}: {message}" if param else f"the body: {message}"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, code="invalid_value", param=param)


def _param(location: Sequence[str | int]) -> str | None:
    parts = ".".join(str(part) for part in location[1:])
    return parts[:_LONGEST].encode("utf-8", "replace").decode() or None


async def _http(_: Request, error: Any) -> JSONResponse:  # noqa: ANN401  HTTPException
    status = HTTPStatus(error.status_code)
    if isinstance(error, RefusedError):
        return problem(status, error.detail, code=error.code, param=error.param)
    return problem(status, error.detail, code=_CODES.get(status, "http_error"), headers=error.headers)


async def _known(_: Request, error: Exception) -> JSONResponse:
    param = error.param if isinstance(error, UsageError | NotFoundError) else None
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return problem(status, str(error), code=code, param=param)
    raise error


async def _bug(request: Request, _: Exception) -> JSONResponse:
    log.error("unhandled error in %s %r", request.method, request.scope["path"])
    # It is answered outside of what gives other responses their id.
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "an error of ours; the log has it",
        code="internal_error",
        headers={"X-Request-Id": request_id() or ""},
    )
