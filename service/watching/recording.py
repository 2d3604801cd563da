"""What became of requests: counts and times since the start, in memory that a service's workers share.

Each worker writes to a row of its own, and whoever is asked reads all of them: so it makes no difference
which worker that is, and what a worker counted outlives it. The memory has no file, takes what is written to
alone and is gone with the service.
"""

import math
import mmap
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple

TIMES_KEPT = 500  # of a route, by each worker
STATUSES = ("2xx", "3xx", "4xx", "5xx", "left")  # left: the client went away before there was one
STAGES = ("encode", "search", "rescore", "read", "answer", "llm")
COUNTS = ("answered", "no_answer", "degraded", "quotes_dropped", "refused", "late")
# Upper bounds in seconds; what took longer is counted behind them.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ELSEWHERE = "elsewhere"  # what none of our routes is for

_TIMING = len(BUCKETS) + 2  # cells: one a bucket, those above, the sum
_ROUTE = len(STATUSES) + _TIMING + TIMES_KEPT
_MOST_ROUTES = 256
_DOUBLE = 8  # bytes


@dataclass(frozen=True, slots=True)
class Timing:
    """How many took at most each of BUCKETS and no less than the one before, then how many took longer."""

    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """`by_status` has each of STATUSES. `timing` and `took_ms`, the last of each worker, are of responses
    that were begun, until they were complete."""

    by_status: dict[str, int]
    timing: Timing
    took_ms: list[float]

    @property
    def requests(self) -> int:
        return sum(self.by_status.values())


class Serving(NamedTuple):
    """What a worker serves of a collection: numbers all, 0 where it serves nothing. `number` and `build` are
    the two parts of the generation's id, `fallback` whether another one is named."""

    number: float = 0.0
    build: float = 0.0
    created_at: float = 0.0
    articles: float = 0.0
    passages: float = 0.0
    fallback: float = 0.0

    @classmethod
    def of(cls, generation_id: str, created_at: str, counts: dict[str, int], *, fallback: bool) -> "Serving":
        number, _, build = generation_id.partition("-")
        created = datetime.fromisoformat(created_at).timestamp()
        return cls(
            int(number), int(build, 16), created, counts["articles"], counts["passages"], float(fallback)
        )

    @property
    def generation(self) -> str:
        """The generation's id; empty where nothing is served."""
        return f"{int(self.number):06d}-{int(self.build):08x}" if self.number else ""


class Own(NamedTuple):
    """What a worker is doing, and what it holds."""

    waiting: float = 0.0
    working: float = 0.0
    resident_bytes: float = 0.0
    open_files: float = 0.0


class Recorder:
    """Requests by route, stages, and what else is counted. Threads may share it.

    A route's name must be in our own table, never be a client's: else it is counted as ELSEWHERE.
    """

    def __init__(self, workers: int = 1, collections: Iterable[str] = ()) -> None:
        """To be made before the workers are forked."""
        self.started_at = datetime.now(UTC)
        self.workers = workers
        self.collections = tuple(collections)
        self._slots: dict[str, int] = {}
        self._stages = len(COUNTS) + 1  # behind the counts and the time of the last error of ours
        self._own = self._stages + len(STAGES) * _TIMING
        self._serving = self._own + len(Own._fields)
        self._routes = self._serving + len(self.collections) * len(Serving._fields)
        self._width = self._routes + _MOST_ROUTES * _ROUTE
        self._cells = memoryview(mmap.mmap(-1, workers * self._width * _DOUBLE)).cast("d")
        self._row = 0
        self._lock = Lock()

    def work_as(self, place: int) -> None:
        """Takes a worker's row, and goes on counting where its predecessor ended."""
        self._row = place * self._width
        self.observe(Own(), {})

    def name_routes(self, names: Iterable[str]) -> None:
        """Every worker must give the same. Raises ValueError for more routes than there is room for."""
        known = sorted({*names, ELSEWHERE})
        if len(known) > _MOST_ROUTES:
            raise ValueError(f"{len(known)} routes, and room for {_MOST_ROUTES}")
        self._slots = {name: slot for slot, name in enumerate(known)}

    def note(self, route: str, status: int | None, took_ms: float) -> None:
        """`status` is None where the client went away before there was one."""
        at = self._row + self._slot(self._slots.get(route, self._slots[ELSEWHERE]))
        cells = self._cells
        with self._lock:
            if status is None:
                cells[at + len(STATUSES) - 1] += 1
                return
            cells[at + max(status // 100 - 2, 0)] += 1
            if status >= 500:  # noqa: PLR2004  the server's own errors
                cells[self._row + len(COUNTS)] = time.time()
            seen = self._add(at + len(STATUSES), took_ms / 1000)
            cells[at + len(STATUSES) + _TIMING + (seen - 1) % TIMES_KEPT] = took_ms

    def time(self, stage: str, seconds: float) -> None:
        """Notes how long one of STAGES took."""
        with self._lock:
            self._add(self._row + self._stages + STAGES.index(stage) * _TIMING, seconds)

    def count(self, what: str) -> None:
        """Counts one of COUNTS."""
        with self._lock:
            self._cells[self._row + COUNTS.index(what)] += 1

    def observe(self, own: Own, serving: dict[str, Serving]) -> None:
        """Notes how this worker is now."""
        values = [*own, *(value for name in self.collections for value in serving.get(name, Serving()))]
        with self._lock:
            for at, value in enumerate(values, self._row + self._own):
                self._cells[at] = value

    def _add(self, at: int, seconds: float) -> int:
        """Adds to a timing; how many it has now."""
        self._cells[at + bisect_left(BUCKETS, seconds)] += 1
        self._cells[at + _TIMING - 1] += seconds
        return int(sum(self._cells[at : at + _TIMING - 1]))

    def counted(self, what: str) -> int:
        """What all workers counted of one of COUNTS."""
        return int(sum(self._cells[row + COUNTS.index(what)] for row in self._rows()))

    @property
    def last_server_error_at(self) -> datetime | None:
        at = max(self._cells[row + len(COUNTS)] for row in self._rows())
        return datetime.fromtimestamp(at, UTC) if at else None

    def stages(self) -> dict[str, Timing]:
        """Of each of STAGES what all workers took."""
        return {stage: self._timing(self._stages + place * _TIMING) for place, stage in enumerate(STAGES)}

    def routes(self) -> dict[str, RouteRecord]:
        """What became of the requests to each route that had any, by all workers."""
        found = {}
        for name, slot in self._slots.items():
            at = self._slot(slot)
            by_status = {
                status: int(sum(self._cells[row + at + place] for row in self._rows()))
                for place, status in enumerate(STATUSES)
            }
            if any(by_status.values()):
                timing = at + len(STATUSES)
                found[name] = RouteRecord(by_status, self._timing(timing), self._took_ms(timing))
        return found

    def observed(self) -> list[tuple[Own, dict[str, Serving]]]:
        """How each worker said that it is."""
        step = len(Serving._fields)
        return [
            (
                Own(*self._cells[row + self._own : row + self._serving]),
                {
                    name: Serving(*self._cells[at : at + step])
                    for name, at in zip(
                        self.collections, range(row + self._serving, row + self._routes, step), strict=True
                    )
                },
            )
            for row in self._rows()
        ]

    def _timing(self, at: int) -> Timing:
        rows = [self._cells[row + at : row + at + _TIMING].tolist() for row in self._rows()]
        *counts, seconds = (sum(cells) for cells in zip(*rows, strict=True))
        return Timing(tuple(map(int, counts)), seconds)

    def _took_ms(self, timing: int) -> list[float]:
        took_ms: list[float] = []
        for row in self._rows():
            at = row + timing
            kept = min(int(sum(self._cells[at : at + _TIMING - 1])), TIMES_KEPT)
            took_ms += self._cells[at + _TIMING : at + _TIMING + kept]
        return took_ms

    def _slot(self, slot: int) -> int:
        return self._routes + slot * _ROUTE

    def _rows(self) -> Iterator[int]:
        return iter(range(0, self.workers * self._width, self._width))


def quantile(values: Sequence[float], share: float) -> float | None:
    """The least of `values` that `share` of them, in (0, 1], do not exceed; None without any."""
    if not values:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]
