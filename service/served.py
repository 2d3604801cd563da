"""The generations that are being served, and their exchange for newer ones without a pause."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from indexer.errors import DatelineError, NoIndexError, NotFoundError, UnreachableError
from indexer.generation import Generation, Index, Models
from service.retrieval import SearchQuery, search

log = logging.getLogger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")

_SLICE = 16  # items worked on before others get their turn: passages are encoded in a sixth of a second
_SECONDS_BETWEEN_LOOKS = 0.5


class Lease:
    """The generation that one request is answered from, and how its work leaves the event loop."""

    def __init__(self, generation: Generation, limiter: CapacityLimiter) -> None:
        self.generation = generation
        self._limiter = limiter

    async def run(self, task: Callable[[Generation], T]) -> T:
        """Runs a piece of work in a worker thread, when the cap lets it."""
        return await to_thread.run_sync(task, self.generation, limiter=self._limiter)

    async def run_over(self, items: Sequence[Item], task: Callable[[Generation, list[Item]], T]) -> list[T]:
        """Runs a piece of work over many items, slice by slice, so that other requests get their turn in
        between; what became of each slice, in order."""
        done: list[T] = []
        for start in range(0, len(items), _SLICE):
            part = list(items[start : start + _SLICE])
            done.append(await self.run(partial(_on, part, task)))
        return done


def _on(part: Item, task: Callable[[Generation, Item], T], generation: Generation) -> T:
    return task(generation, part)


class _Tenancy:
    """A generation and how many requests are using it; closed when retired and unused."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.users = 0
        self.retired = False


class Served:
    """Hands out the current generation of an index. A request keeps the one it began with."""

    def __init__(self, index: Index[Generation], limiter: CapacityLimiter) -> None:
        """`limiter`: how many requests may compute at once; the others wait their turn."""
        self._index = index
        self._limiter = limiter
        self._lock = Lock()
        self._refreshing = Lock()
        self._tenancy: _Tenancy | None = None
        self.refusal: str | None = None  # why what CURRENT names is not served
        self._looked: tuple[str | None, list[str]] | None = None  # what the last look found
        self._damaged: set[str] = set()  # generations in which damage was found while they were served

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """What to answer one request from. Raises NoIndexError where nothing is served yet."""
        with self._lock:
            tenancy = self._tenancy
            if tenancy is None:
                raise NoIndexError("no index is served yet; try again in a moment")
            tenancy.users += 1
        try:
            yield Lease(tenancy.generation, self._limiter)
        finally:
            with self._lock:
                tenancy.users -= 1
                self._close_if_unused(tenancy)

    async def run(self, task: Callable[[Generation], T]) -> T:
        """Runs a request's work off the event loop, on one generation from beginning to end."""
        with self.lease() as lease:
            return await lease.run(task)

    @property
    def ready(self) -> bool:
        return self._tenancy is not None

    @property
    def models(self) -> Models | None:
        """The models of what is served, so that another collection need not load the same again."""
        return self._tenancy.generation.models if self._tenancy else None

    def refresh(self, loaded: Models | None = None) -> None:
        """Serves what CURRENT names, if that changed and is whole; otherwise what was served stays.

        `loaded`: models already there, taken where they are the very ones that the generation has.
        """
        with self._refreshing:
            try:
                looked = self._index.current(), self._index.ids()
            except UnreachableError as error:  # what is served stays, and is asked by who comes
                self._looked = None
                self._refused_once(str(error))
                return
            if looked == self._looked:
                return
            self._looked = looked
            self.refusal = None
            named = looked[0]
            serving = self._tenancy.generation if self._tenancy else None
            if named in self._damaged:
                self.refusal = f"generation {named} is damaged; run: dateline index verify"
                return
            if serving and named in {None, serving.id}:
                return
            try:
                generation = self._open(named, serving, serving.models if serving else loaded)
            except OSError:
                self._looked = None  # a disk may fail for a moment: it is looked at again
                raise
            except UnreachableError as error:
                self._looked = None
                self._refused_once(str(error))
                return
            except DatelineError as error:
                self.refusal = str(error)
                if looked[1]:  # an index that is not there yet is no error: it is waited for
                    log.error("generation %s is refused: %s", named, error)  # noqa: TRY400  the message says it
                return
            self._exchange(generation)
            log.info("serving generation %s", generation.id)

    def roll_back(self, generation_id: str | None, command: str) -> None:
        """Serves the generation before, or the one that is asked for. Raises what the index's does."""
        self._index.roll_back(generation_id, command)
        self.refresh()

    def scrub(self) -> None:
        """Compares one more file of a large generation, which was not compared before it was served. Where it
        is damaged, the best other generation is served, or none."""
        with self._refreshing:
            serving = self._tenancy.generation if self._tenancy else None
            if serving is None:
                return
            try:
                serving.verify_next()
            except DatelineError as error:
                log.error("generation %s is refused: %s", serving.id, error)  # noqa: TRY400  the message says it
                self.refusal = str(error)
                self._damaged.add(serving.id)
                try:
                    other = self._open(None, None, serving.models)
                except DatelineError:
                    self.close()
                else:
                    self._exchange(other)

    def close(self) -> None:
        with self._lock:
            if self._tenancy:
                self._retire(self._tenancy)
            self._tenancy = None

    def _open(self, named: str | None, serving: Generation | None, loaded: Models | None) -> Generation:
        """Opened, verified and tried out: what cannot serve is refused, and the first user does not wait."""
        if named is None or serving is None:
            generation = self._index.open_best(self._refused, loaded=loaded, known_damaged=self._damaged)
        else:
            generation = self._index.open(named, loaded=loaded)
        try:
            search(generation, SearchQuery("news", limit=1))
        except BaseException:
            generation.close()
            raise
        return generation

    def _refused_once(self, reason: str) -> None:
        """Says what lasts, and is found at each look, when it begins."""
        if self.refusal != reason:
            log.error(reason)
        self.refusal = reason

    def _refused(self, reason: str) -> None:
        self.refusal = self.refusal or reason
        log.error(reason)

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


class Collections:
    """Every index that is served, by its collection's name; they share one cap on work."""

    def __init__(self, indexes: Mapping[str, Index[Generation]], *, at_once: int) -> None:
        """`at_once`: how many requests may compute at a time, whatever they ask."""
        limiter = CapacityLimiter(at_once)
        self._served = {name: Served(index, limiter) for name, index in indexes.items()}

    def __getitem__(self, name: str) -> Served:
        """Raises NotFoundError for a name that is none."""
        if name not in self._served:
            known = ", ".join(self._served)
            raise NotFoundError(f"no collection is called {name[:200]!r}; there is {known}", "collection")
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    @property
    def ready(self) -> bool:
        """Whether anything is served: a collection that is damaged must not silence the others."""
        return any(served.ready for served in self._served.values())

    async def watch(self) -> None:
        """Follows every index's CURRENT until cancelled."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    def _look(self) -> None:
        """All of it in one go: handed on piece by piece, each may find the thread of the last one still busy,
        and get one of its own."""
        self.refresh()
        self.load()
        self.scrub()

    def refresh(self) -> None:
        """Serves what each index's CURRENT names, where that changed and is whole."""
        for name, served in self._served.items():
            try:
                served.refresh(next((one.models for one in self._served.values() if one.models), None))
            except Exception:  # a bug or a failing disk must end neither the watch nor what is served
                log.exception("looking for a new generation of %s failed", name)

    def load(self) -> None:
        """Has the models at hand that no search waits for."""
        for name, served in self._served.items():
            try:
                if served.models:
                    served.models.load()
            except Exception:  # as for `refresh`
                log.exception("loading the models of %s failed", name)

    def scrub(self) -> None:
        """Compares one more file of each index, where some are too large to be compared before they serve."""
        for name, served in self._served.items():
            try:
                served.scrub()
            except Exception:  # as for `refresh`
                log.exception("comparing the files of %s failed", name)

    def close(self) -> None:
        for served in self._served.values():
            served.close()
