"""Connections: clients that are slow or silent are hung up on, and none is when the service ends.

uvicorn waits for ever for a request that has begun, and for a client to read its answer.
"""

import asyncio
import ctypes
import resource
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SOL_SOCKET, socket
from typing import Any

import uvicorn

from service.door.protocol import StrictProtocol

_LEAST_BYTES_S = 4096  # of a body that comes in, of an answer that goes out
_MOST_PIPELINED = 100
_MOST_CONNECTIONS = 10_000
_OTHER_FILES = 256  # that the process may have open
_LOOKS = 4  # at a connection, while one may be silent
_LINGER_S = 1.0  # for requests that are on their way when the service ends
_HURRY_S = 4.0  # after which what is not answered is answered with less
_STOP_S = 8
_LAST_CALL_S = 0.1  # in which connections are taken that were begun
_SO_ATTACH_FILTER = 26  # of Linux
_NO_SYN = (  # a program of its packet filter: drop what has the flag SYN, from byte 13 of TCP's header
    (0x30, 0, 0, 13),
    (0x45, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


@dataclass(slots=True)
class Door:
    """What the connections of a service have in common. `patience_s`: how long a client may take to send a
    request's head, and how long it may send or read hardly anything."""

    patience_s: float
    most: int
    closing: bool = False
    # Those that no request has come from yet, or not another one, in the order in which they fell silent.
    silent: "dict[Connection, None]" = field(default_factory=dict)


class Connection(StrictProtocol):
    """One client's. Where there are too many, whoever has been silent the longest makes room."""

    def __init__(self, *args: Any, door: Door, **kwargs: Any) -> None:  # noqa: ANN401  uvicorn's own
        super().__init__(*args, **kwargs)
        self._door = door
        self._looking: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when the head or body that is waited for was begun
        self._body_bytes = 0
        self._unread: tuple[float, int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits_for_head()
        self._looking = self.loop.call_later(self._door.patience_s / _LOOKS, self._look)
        if len(self.connections) > self._door.most:
            longest = next(iter(self._door.silent))
            del self._door.silent[longest]  # else, until it is closed, it would make room for others too
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.silent.pop(self, None)
        if self._looking:
            self._looking.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._door.silent.pop(self, None)
        self._body_bytes = 0
        self._since = self.loop.time()
        super().on_headers_complete()
        if self._door.closing:
            self.cycle.keep_alive = False
        if len(self.pipeline) > _MOST_PIPELINED:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle.response_complete:
            self._waits_for_head()

    def on_response_complete(self) -> None:
        if not self._in_body and self.cycle.response_complete:
            self._waits_for_head()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Ends with the request that is worked on, or in a moment: one may be on its way."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LINGER_S, super().shutdown)
        else:
            super().shutdown()

    def _waits_for_head(self) -> None:
        self._since = self.loop.time()
        self._door.silent.pop(self, None)
        self._door.silent[self] = None

    def _look(self) -> None:
        now = self.loop.time()
        if self._sends_too_slowly(now) or self._reads_too_slowly(now):
            self.transport.abort()
            return
        self._looking = self.loop.call_later(self._door.patience_s / _LOOKS, self._look)

    def _sends_too_slowly(self, now: float) -> bool:
        waited = now - self._since
        if self._in_body:
            return waited > self._door.patience_s + self._body_bytes / _LEAST_BYTES_S
        return (self.cycle is None or self.cycle.response_complete) and waited > self._door.patience_s

    def _reads_too_slowly(self, now: float) -> bool:
        size = self.transport.get_write_buffer_size()
        if not size:
            self._unread = None
            return False
        patience_s = self._door.patience_s
        if self._unread is None or self._unread[1] - size >= _LEAST_BYTES_S * patience_s:
            self._unread = now, size
        return now - self._unread[0] > patience_s


class Server(uvicorn.Server):
    """Ends within ten seconds, and answers everybody before: whoever is in line is let in, what takes long
    is hurried."""

    def __init__(self, config: uvicorn.Config, door: Door, hurry: Callable[[], None]) -> None:
        super().__init__(config)
        self._door = door
        self._hurry = hurry

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._door.closing = True
        loop = asyncio.get_running_loop()
        for door in sockets or []:
            _take_no_more(door)
        await asyncio.sleep(_LAST_CALL_S)
        hurrying = loop.call_later(_HURRY_S, self._hurry)
        try:
            await super().shutdown(sockets)
        finally:
            hurrying.cancel()


def server(app: Any, patience_s: float, hurry: Callable[[], None]) -> Server:  # noqa: ANN401  as uvicorn has it
    """A server of the app. `hurry` is called when it ends and some requests are not answered yet."""
    door = Door(patience_s, _most_connections())

    class Ours(Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            super().__init__(*args, door=door, **kwargs)

    config = uvicorn.Config(
        app,
        http=Ours,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    return Server(config, door, hurry)


def _take_no_more(door: socket) -> None:
    """Has the system begin no more connections here, so that all it has completed can be taken before the
    socket is closed: it would break off what nobody took. Callers try again, and are refused then."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _NO_SYN))
    program = struct.pack("HP", len(_NO_SYN), ctypes.addressof(code))
    with suppress(OSError):  # where there are no such filters a caller of the last moment may be lost
        door.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _most_connections() -> int:
    """As many as the process may have files open, of which it is allowed all that it may have."""
    files, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    if files < wanted:
        files = wanted if at_most == resource.RLIM_INFINITY else min(at_most, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, at_most))
    return max(1, min(files, wanted) - _OTHER_FILES)
