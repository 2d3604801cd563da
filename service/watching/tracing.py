"""One request on its way: its id, its stages, what is counted of it; wherever it is worked on.

Who works for a request finds it in the context, which goes with it into worker threads. Without one, as on
the command line, nothing is noted.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from service.watching.recording import Recorder

log = logging.getLogger("dateline.access")

# What is only there to look at the figures is not among them.
_UNNOTED = {"GET /v1/admin", "GET /metrics"}
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Span(Protocol):
    """What a tracer makes of a request or a stage."""

    def end(self) -> None: ...


class Tracer(Protocol):
    """What sends spans somewhere."""

    def begin(self, headers: Mapping[bytes, bytes]) -> Span: ...

    def stage(self, request: Span, name: str) -> Span: ...

    def finish(self, request: Span, route: str, status: int | None, request_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Trace:
    """A request that is being worked on."""

    id: str
    started: float
    recorder: Recorder
    tracer: Tracer | None
    span: Span | None

    @classmethod
    def begin(cls, headers: Mapping[bytes, bytes], recorder: Recorder, tracer: Tracer | None) -> Self:
        """Begins one in this context. Its id is the client's X-Request-Id, if sane, else a new one."""
        given = headers.get(b"x-request-id", b"")
        named = given.decode() if _SANE_ID.fullmatch(given) else os.urandom(8).hex()
        span = tracer.begin(headers) if tracer else None
        trace = cls(named, time.perf_counter(), recorder, tracer, span)
        _current.set(trace)
        return trace

    def end(self, route: str, status: int | None) -> None:
        """Notes what became of it; `status` is None where the client went away before there was one."""
        took_ms = (time.perf_counter() - self.started) * 1000
        if self.tracer and self.span:
            self.tracer.finish(self.span, route, status, self.id)
        if route in _UNNOTED:
            return
        self.recorder.note(route, status, took_ms)
        if log.isEnabledFor(logging.INFO):
            method, _, path = route.rpartition(" ")
            fields = {"method": method or None, "route": path, "status": status, "took_ms": round(took_ms, 2)}
            log.info("request", extra={"fields": fields})


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def request_id() -> str | None:
    """The id of the request that is worked on here."""
    trace = _current.get()
    return trace.id if trace else None


def count(what: str) -> None:
    """Counts one of `recording.COUNTS` for the request that is worked on here."""
    if trace := _current.get():
        trace.recorder.count(what)


class stage:  # noqa: N801  reads as a statement
    """`with stage("encode"):` notes how long one of `recording.STAGES` takes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._trace = _current.get()
        self._span: Span | None = None
        self._started = 0.0

    def __enter__(self) -> None:
        trace = self._trace
        if trace and trace.tracer and trace.span:
            self._span = trace.tracer.stage(trace.span, self._name)
        self._started = time.perf_counter()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._trace:
            self._trace.recorder.time(self._name, time.perf_counter() - self._started)
        if self._span:
            self._span.end()
