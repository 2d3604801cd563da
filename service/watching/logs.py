"""Logs as events: a line of text for people, or of JSON for machines; on stderr."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from service.keys import Redacted
from service.watching.tracing import request_id

LogFormat = Literal["text", "json"]
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(log_format: LogFormat) -> None:
    """Sets it up for this process. As text, requests that end well are not told."""
    handler = logging.StreamHandler(Redacted(sys.stderr))
    handler.setFormatter(_Json() if log_format == "json" else _Text(_TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("faiss").setLevel(logging.WARNING)  # which build of itself it loads
    logging.getLogger("mcp").setLevel(logging.WARNING)  # what arguments a tool refused
    logging.getLogger("dateline.access").setLevel(logging.INFO if log_format == "json" else logging.WARNING)


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's
        line = super().formatMessage(record)
        named = request_id()
        return f"{line} (request {named})" if named else line


class _Json(logging.Formatter):
    """An object a line: `at`, `level`, `logger`, `event`, `request_id` where there is a request, the event's
    own fields (`extra={"fields": …}`), and `error` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if named := request_id():
            event["request_id"] = named
        event |= getattr(record, "fields", {})
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)
