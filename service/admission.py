"""Which requests are worked on and which wait for their turn; what is beyond that is refused at once."""

import math
from contextvars import ContextVar

from anyio import CancelScope, current_time

_visit: ContextVar["Visit | None"] = ContextVar("visit", default=None)


class Admission:
    """A place for each request that computes or waits for its turn to.

    Every one of them waits behind at most all others, so few places are what keeps answers soon: waiting
    grows with them, and what is answered in a second does not. Use it in one event loop. `refused` counts
    requests that found no place, `late` those that were given up at their deadline.
    """

    def __init__(self, *, places: int, deadline_s: float) -> None:
        self.places = places
        self.refused = 0
        self.late = 0
        self._deadline_s = deadline_s
        self._inside: set[Visit] = set()
        self._hurries = False

    @property
    def inside(self) -> int:
        """How many requests have a place."""
        return len(self._inside)

    @property
    def full(self) -> bool:
        return len(self._inside) >= self.places

    def hurry(self) -> None:
        """Has every request that has not begun to answer given up now: the service ends."""
        self._hurries = True
        for visit in self._inside:
            visit.scope.deadline = current_time()

    def enter(self, visit: "Visit") -> None:
        self._inside.add(visit)
        visit.scope.deadline = current_time() + (0 if self._hurries else self._deadline_s)

    def leave(self, visit: "Visit") -> None:
        self._inside.discard(visit)
        visit.scope.deadline = math.inf


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
            if self._admission.full:
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
