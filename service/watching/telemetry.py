"""The only door to OpenTelemetry: spans of requests and their stages, sent where the environment says."""

import os
from collections.abc import Mapping
from typing import Any, Self

from indexer.errors import UsageError

_SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVER_ERROR = 500


def wanted() -> str:
    """The variable that names a collector; empty where none does."""
    return next((name for name in _SWITCHES if os.environ.get(name)), "")


class Telemetry:
    """Sends spans over OTLP/HTTP, from a thread of its own, so it is to be made after a fork."""

    def __init__(self) -> None:
        """Raises UsageError where the packages are not installed."""
        try:
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
                TraceContextTextMapPropagator,
            )
        except ImportError as error:
            raise UsageError(
                f"{wanted()} is set, and OpenTelemetry is not installed; "
                "run: pip install 'dateline[otel]', or unset it"
            ) from error
        self._trace: Any = trace
        self._propagator = TraceContextTextMapPropagator()
        # Resource.create puts OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES in front of this.
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "dateline"}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Any = self._provider.get_tracer("dateline")

    @classmethod
    def from_environment(cls) -> Self | None:
        """None, and nothing imported, where no endpoint is named. Raises UsageError as above."""
        return cls() if wanted() else None

    def begin(self, headers: Mapping[bytes, bytes]) -> Any:  # noqa: ANN401  a library's that need not be there
        """The span of a request, below the caller's if its `traceparent` names one."""
        carried = {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
        return self._tracer.start_span(
            "request", context=self._propagator.extract(carried), kind=self._trace.SpanKind.SERVER
        )

    def stage(self, request: Any, name: str) -> Any:  # noqa: ANN401
        """The span of a stage, below its request's."""
        return self._tracer.start_span(name, context=self._trace.set_span_in_context(request))

    def finish(self, request: Any, route: str, status: int | None, request_id: str) -> None:  # noqa: ANN401
        """Ends a request's span, which gets its route's name and what became of it."""
        method, _, path = route.rpartition(" ")
        request.update_name(route)
        request.set_attribute("http.route", path)
        request.set_attribute("dateline.request_id", request_id)
        if method:
            request.set_attribute("http.request.method", method)
        if status is not None:
            request.set_attribute("http.response.status_code", status)
            if status >= _SERVER_ERROR:
                request.set_status(self._trace.StatusCode.ERROR)
        request.end()

    def close(self) -> None:
        """Sends what has not been sent."""
        self._provider.shutdown()
