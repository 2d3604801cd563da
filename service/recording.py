"""What became of requests, in bounded memory: counts since the start, times of the last ones."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

TIMES_KEPT = 500  # of a route


@dataclass(slots=True)
class RouteRecord:
    """`took_ms` are the times of the last requests, each until its response was complete; `left` counts those
    whose client went away before."""

    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    left: int = 0
    took_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT))


class Recorder:
    """Requests by route. A route's name must come from our own table, never from a client: it stays."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.routes: dict[str, RouteRecord] = {}
        self.last_server_error_at: datetime | None = None

    def note(self, route: str, status: int | None, took_ms: float) -> None:
        """`status` is None where the client went away before there was one."""
        record = self.routes.setdefault(route, RouteRecord())
        record.requests += 1
        if status is None:
            record.left += 1
            return
        record.took_ms.append(took_ms)
        if status >= 500:  # noqa: PLR2004  the server's own errors
            record.server_errors += 1
            self.last_server_error_at = datetime.now(UTC)
        elif status >= 400:  # noqa: PLR2004  the client's
            record.client_errors += 1


def quantile(values: Sequence[float], share: float) -> float | None:
    """The least of `values` that `share` of them, in (0, 1], do not exceed; None without any."""
    if not values:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]
