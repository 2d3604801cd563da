"""Several processes that serve one port: the system divides those who call among their sockets."""

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from socket import socket
from threading import Thread
from types import FrameType

from indexer.errors import DatelineError

log = logging.getLogger(__name__)

_LEAST_SECONDS = 1.0  # between the starts of a worker that does not last
_ENDING = {signal.SIGTERM, signal.SIGINT}


class Workers:
    """Forks a process for each socket and replaces one that is killed. SIGTERM and SIGINT end all of them,
    each once its requests are answered.

    The sockets stay open here, so that callers of a worker that died wait for the one that takes its place.
    Before the fork no thread may have been started; what was imported by then is in memory once for all.
    """

    def __init__(self, sockets: Sequence[socket], serve: Callable[[int, socket], None]) -> None:
        """`serve` runs in each worker, which gets its place, from 0, until it is told to end."""
        self._sockets = sockets
        self._serve = serve
        self._places: dict[int, int] = {}  # of the sockets, by the process id of their worker
        self._started: dict[int, float] = {}  # by place
        self._ending = False
        # Its end closes what the workers listen to: none outlives this process, however that ends.
        self._lifeline, self._held = os.pipe()

    def run(self) -> int:
        """Returns, once all have ended, the exit code of a worker that ended by itself, else 0."""
        for sign in _ENDING:
            signal.signal(sign, self._end)
        gc.freeze()  # a collection would write to every object, and so copy it for each worker
        for place in range(len(self._sockets)):
            self._start(place)
        code = 0
        while self._places:
            worker, status = os.wait()
            place = self._places.pop(worker)
            if self._ending:
                continue
            if (own := os.waitstatus_to_exitcode(status)) >= 0:
                # It has said why: another one would end in the same way.
                code = own
                self._end(signal.SIGTERM, None)
                continue
            log.error("worker %d was ended by signal %d; another takes its place", worker, -own)
            time.sleep(max(0.0, _LEAST_SECONDS - (time.monotonic() - self._started[place])))
            self._start(place)
        return code

    def _start(self, place: int) -> None:
        # A signal between the fork and the note of it would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            if self._ending:
                return
            worker = os.fork()
            if not worker:
                self._work(place)
            self._places[worker] = place
            self._started[place] = time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def _work(self, place: int) -> None:
        """What a worker does, from its first moment to its last."""
        code = DatelineError.exit_code
        try:
            for sign in _ENDING:
                signal.signal(sign, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            os.close(self._held)
            for other, one in enumerate(self._sockets):
                if other != place:
                    one.close()
            Thread(target=self._end_with_parent, daemon=True).start()
            self._serve(place, self._sockets[place])
            code = 0
        except DatelineError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  the end of a command
            code = error.exit_code
        except BaseException:
            log.exception("a worker broke off")
        finally:
            logging.shutdown()
            sys.stderr.flush()
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self._lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _end(self, _sign: int, _frame: FrameType | None) -> None:
        self._ending = True
        for worker in list(self._places):
            os.kill(worker, signal.SIGTERM)
        for one in self._sockets:  # else callers would wait here for workers that do not come
            one.close()
