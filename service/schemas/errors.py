"""Errors as they leave."""

from pydantic import BaseModel


class ErrorOut(BaseModel):
    """The part of an error that OpenAI's clients read."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemOut(BaseModel):
    """RFC 9457, with `error` beside it. `request_id` is what the log calls the request."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorOut
    request_id: str | None
