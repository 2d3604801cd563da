"""Which requests are worked on and which wait for their turn; what is beyond that is refused at once."""

import math
from contextvars import ContextVar

from anyio import CancelScope, current_time

_LASTING_S = 1.0

_visit: ContextVar["Visit | None"] = ContextVar("visit", default=None)


class Admission:
    """A place for each request that computes or waits for its turn to.

    A queue makes everybody wait and nothing go faster, so it is short while more requests come than can be
    answered. One that forms for a moment goes by itself, and may be long. Use it in one event loop.
    """

    def __init__(self, *, cores: int, queue: int, lasting_queue: int, deadline_s: float) -> None:
        """`cores` requests compute at once. Beside them `queue` may wait, but no more than `lasting_queue`
        once there has been a queue for a second, until none was refused for as long."""
        self._cores, self._queue = cores, queue
        self._lasting_queue = min(queue, lasting_queue)
        self._deadline_s = deadline_s
        self._inside: set[Visit] = set()
        self._lasts = False  # the queue
        self._since = -math.inf  # when nobody waited last; while it lasts, when one was refused last
        self._hurries = False

    @property
    def inside(self) -> int:
        """How many requests have a place."""
        return len(self._inside)

    @property
    def working(self) -> int:
        """How many of them compute."""
        return min(self.inside, self._cores)

    @property
    def waiting(self) -> int:
        """How many of them wait."""
        return self.inside - self.working

    def refuses(self) -> bool:
        """Whether there is no place for one more."""
        now = current_time()
        long_since = now - self._since > _LASTING_S
        if long_since and (self._lasts or self.waiting):
            self._lasts, self._since = not self._lasts, now
        refused = self.inside >= self._cores + (self._lasting_queue if self._lasts else self._queue)
        if refused and self._lasts:
            self._since = now
        return refused

    def hurry(self) -> None:
        """Has every request that has not begun to answer given up now: the service ends."""
        self._hurries = True
        for visit in self._inside:
            visit.scope.cancel()

    def enter(self, visit: "Visit") -> None:
        self._inside.add(visit)
        self._look()
        visit.scope.deadline = current_time() + self._deadline_s
        if self._hurries:
            visit.scope.cancel()

    def leave(self, visit: "Visit") -> None:
        self._inside.discard(visit)
        self._look()
        visit.scope.deadline = math.inf

    def _look(self) -> None:
        if not self._lasts and not self.waiting:
            self._since = current_time()


class Visit:
    """One request. It has a place from when it has come in whole until it begins to answer, or waits for
    somebody else's computer, and a deadline just as long; `scope` is cancelled at that."""

    def __init__(self, admission: Admission, scope: CancelScope) -> None:
        self.scope = scope
        self._admission = admission
        self._came = False
        _visit.set(self)

    def enter(self) -> bool:
        """Takes a place, once; False where none is free."""
        if not self._came:
            if self._admission.refuses():
                return False
            self._came = True
            self._admission.enter(self)
        return True

    def leave(self) -> None:
        """Gives the place away for good: what the request still needs, it gets in its turn."""
        self._came = True
        self._admission.leave(self)


def step_aside() -> None:
    """Gives away the place of the request that is being worked on: it will wait without computing."""
    if visit := _visit.get():
        visit.leave()
