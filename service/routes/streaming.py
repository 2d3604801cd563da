"""Server-sent events."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import Response
from fastapi.sse import EventSourceResponse, format_sse_event

log = logging.getLogger(__name__)


def event(data: dict[str, Any] | str, name: str | None = None) -> bytes:
    """One server-sent event."""
    return format_sse_event(data_str=data if isinstance(data, str) else json.dumps(data), event=name)


async def streamed(events: AsyncGenerator[bytes]) -> Response:
    """Sends events as they come. What goes wrong before the first is answered with its own status."""
    first = await anext(events)

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(events):
            try:
                yield first
                async for one in events:
                    yield one
            except Exception:  # the status has left already: what is left to say, the stream says
                log.exception("a stream broke off")
                yield event(
                    {"error": {"message": "an error of ours; the log has it", "type": "server_error"}}
                )

    return EventSourceResponse(whole(), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
