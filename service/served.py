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
        self._looked: tuple[str | None, list[str]] | None = None  # what the last look found

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
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # a bug or a failing disk must not end the watch: what is served stays
                log.exception("looking for a new generation failed")
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    def refresh(self) -> None:
        """Serves what CURRENT names, if that changed and is whole; otherwise what was served stays."""
        with self._refreshing:
            looked = self._index.current(), self._index.ids()
            if looked == self._looked:
                return
            self._looked = looked
            named = looked[0]
            serving = self._tenancy.generation if self._tenancy else None
            if serving and named in {None, serving.id}:
                return
            try:
                generation = self._open(named, serving)
            except DatelineError as error:
                if looked[1]:  # an index that is not there yet is no error: it is waited for
                    log.error("generation %s is refused: %s", named, error)  # noqa: TRY400  the message says it
                return
            self._exchange(generation)
            log.info("serving generation %s", generation.id)

    def close(self) -> None:
        with self._lock:
            if self._tenancy:
                self._retire(self._tenancy)
            self._tenancy = None

    def _open(self, named: str | None, serving: Generation | None) -> Generation:
        """Opened, verified and tried out: what cannot serve is refused, and the first user does not wait."""
        if named is None or serving is None:
            generation = open_best(self._index, log.error)
        else:
            generation = Generation(self._index, named, encoder=serving.encoder)
        try:
            search(generation, SearchQuery("news", limit=1))
        except BaseException:
            generation.close()
            raise
        return generation

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
