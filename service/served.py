"""The generation that is being served, and its exchange for a newer one without a pause."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from indexer.errors import DatelineError, NoIndexError
from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from service.retrieval import SearchQuery, search

log = logging.getLogger(__name__)

T = TypeVar("T")

_SECONDS_BETWEEN_LOOKS = 0.5


class _Tenancy:
    """A generation and how many requests are using it; closed when retired and unused."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.users = 0
        self.retired = False


class Served:
    """Hands out the current generation. A request keeps the one it began with."""

    def __init__(self, index: IndexFolder, *, workers: int) -> None:
        """`workers`: how many requests may compute at once; the others wait their turn."""
        self._index = index
        self._workers = workers
        self._limiter: CapacityLimiter | None = None
        self._lock = Lock()
        self._refreshing = Lock()
        self._tenancy: _Tenancy | None = None
        self._seen: str | None = None  # what CURRENT named when it was last looked at

    @contextmanager
    def lease(self) -> Iterator[Generation]:
        """The generation to answer one request from. Raises NoIndexError where none is served yet."""
        with self._lock:
            tenancy = self._tenancy
            if tenancy is None:
                raise NoIndexError("no index is served yet; try again in a moment")
            tenancy.users += 1
        try:
            yield tenancy.generation
        finally:
            with self._lock:
                tenancy.users -= 1
                self._close_if_unused(tenancy)

    async def run(self, task: Callable[[Generation], T]) -> T:
        """Runs a request's work off the event loop, on one generation from beginning to end."""
        if self._limiter is None:  # belongs to the event loop, so it is made inside it
            self._limiter = CapacityLimiter(self._workers)
        with self.lease() as generation:
            return await to_thread.run_sync(task, generation, limiter=self._limiter)

    @property
    def ready(self) -> bool:
        return self._tenancy is not None

    async def watch(self) -> None:
        """Follows CURRENT until cancelled."""
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    def refresh(self) -> None:
        """Serves what CURRENT names, if that changed and is whole; otherwise what was served stays."""
        with self._refreshing:
            self._refresh()

    def _refresh(self) -> None:
        named = self._index.current()
        if self._tenancy and (named is None or named == self._seen):
            return
        try:
            generation = self._open(named)
            _try_out(generation)
        except DatelineError as error:
            if self._tenancy or named != self._seen:
                log.error("generation %s is refused: %s", named, error)  # noqa: TRY400  the message says it all
            self._seen = named
            return
        self._seen = named
        self._exchange(generation)
        log.info("serving generation %s", generation.id)

    def close(self) -> None:
        with self._lock:
            if self._tenancy:
                self._retire(self._tenancy)
            self._tenancy = None

    def _open(self, named: str | None) -> Generation:
        if self._tenancy is None or named is None:
            return open_best(self._index, log.error)
        return Generation(self._index, named, encoder=self._tenancy.generation.encoder)

    def _exchange(self, generation: Generation) -> None:
        with self._lock:
            old, self._tenancy = self._tenancy, _Tenancy(generation)
            if old:
                self._retire(old)

    def _retire(self, tenancy: _Tenancy) -> None:
        tenancy.retired = True
        self._close_if_unused(tenancy)

    def _close_if_unused(self, tenancy: _Tenancy) -> None:
        if tenancy.retired and not tenancy.users:
            tenancy.generation.close()


def _try_out(generation: Generation) -> None:
    """One real search, so that what cannot serve is refused, and the first user does not wait."""
    search(generation, SearchQuery("news", limit=1))
