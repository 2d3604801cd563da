"""Asks a service from a process of its own, at a rate whatever it answers or from so many clients in turn.

    python asking.py '{"url": "http://127.0.0.1:8000", "paths": ["/v1/search?q=bridge"], "rate": 400,
        "seconds": 5}'

prints as JSON, one list for each kind: the milliseconds of what was accepted, refused, and of looks at
/healthz; what failed; and how many answers there were of each generation with each set of articles. With
`"away": true` what a service needs may be away: those told so, and when to come again, are a kind as well. It
ends when it is told to by `seconds`, `count` or the end of stdin (`"until_eof": true`; `count` is the least
then), and where the service is no longer there (`"until_gone": true`). With `"apart": true` every request
has a connection of its own.
"""

import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

OK, BUSY = 200, 503
_HEALTH_EVERY_S = 0.01


@dataclass
class Told:
    accepted_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    away_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    shown: Counter[str] = field(default_factory=Counter)


class Client(asyncio.Protocol):
    """A connection that is kept."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.headers: dict[str, str] = {}
        self.took_ms = 0.0
        self._asked_at = 0.0
        self._answer: asyncio.Future[int] | None = None
        self._parser: Any = None
        self.open = False

    @classmethod
    async def to(cls, url: str) -> "Client":
        place = urlsplit(url)
        _, client = await asyncio.get_running_loop().create_connection(
            cls, place.hostname or "", place.port or 80
        )
        return client

    async def ask(self, path: str) -> int:
        """The status; raises ConnectionError where the service hangs up before the answer is whole."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self.body, self.headers = bytearray(), {}
        self._asked_at = time.perf_counter()
        if not self.open:
            raise ConnectionError("it hung up before it was asked")
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return await self._answer

    def close(self) -> None:
        self.open = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.open = True

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("it hung up"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.took_ms = (time.perf_counter() - self._asked_at) * 1000
        if self.headers.get("connection") == "close":
            self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())


class Load:
    """Asks as `spec` says; each question has a number behind it, so that none is asked twice."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.told = Told()
        self._spec = spec
        self._url: str = spec["url"]
        self._paths = (f"{path}+{number}" for number, path in enumerate(itertools.cycle(spec["paths"])))
        self._least: int = spec.get("count", 0 if spec.get("until_eof") else 1 << 60)
        self._asked = 0
        self._ends = time.perf_counter() + spec.get("seconds", 1e9)
        self._over = threading.Event()

    async def run(self) -> Told:
        if not self._spec.get("until_eof"):
            self._over.set()
        else:
            threading.Thread(target=self._read_to_the_end, daemon=True).start()
        looking = asyncio.create_task(self._look())
        if "rate" in self._spec:
            await self._at_rate(self._spec["rate"])
        else:
            await asyncio.gather(*(self._in_turn() for _ in range(self._spec["clients"])))
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        return self.told

    def _goes_on(self) -> bool:
        unended = not self._over.is_set() or self._asked < self._least
        return unended and time.perf_counter() < self._ends

    def _read_to_the_end(self) -> None:
        sys.stdin.read()
        self._over.set()

    async def _look(self) -> None:
        client = await Client.to(self._url)
        while client.open:
            try:
                if await client.ask("/healthz") != OK:
                    self.told.failed.append("/healthz")
            except ConnectionError as error:
                self.told.failed.append(f"/healthz {error!r}")
            self.told.health_ms.append(client.took_ms)
            await asyncio.sleep(_HEALTH_EVERY_S)

    async def _in_turn(self) -> None:
        client = await Client.to(self._url)
        while self._goes_on():
            if self._spec.get("apart"):
                client.close()
            if not client.open:
                try:
                    client = await Client.to(self._url)
                except ConnectionRefusedError:
                    if self._spec.get("until_gone"):
                        return
                    raise
            await self._ask(client)
        client.close()

    async def _at_rate(self, rate: float) -> None:
        idle: list[Client] = []
        running: set[asyncio.Task[None]] = set()

        async def ask() -> None:
            client = idle.pop() if idle else await Client.to(self._url)
            if not client.open:
                client = await Client.to(self._url)
            await self._ask(client)
            idle.append(client)

        due = time.perf_counter()
        while self._goes_on():
            due += 1 / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(ask())
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        for client in idle:
            client.close()

    async def _ask(self, client: Client) -> None:
        self._asked += 1
        try:
            status = await client.ask(next(self._paths))
        except ConnectionError as error:
            self.told.failed.append(repr(error))
            return
        if status == OK:
            self.told.accepted_ms.append(client.took_ms)
            if self._spec.get("shown"):
                answer = json.loads(client.body)
                articles = sorted({one["article_id"] for one in answer["results"]})
                self.told.shown[f"{answer['index']['generation']} {' '.join(articles)}"] += 1
        elif status == BUSY and client.headers.get("retry-after") == "1" and b'"overloaded"' in client.body:
            self.told.refused_ms.append(client.took_ms)
        elif status == BUSY and "retry-after" in client.headers and self._spec.get("away"):
            self.told.away_ms.append(client.took_ms)
        else:
            self.told.failed.append(f"{status} {bytes(client.body[:200])!r}")


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(-10)  # what is measured is the service's time, not the time until this process is run again
    found = uvloop.run(Load(json.loads(sys.argv[1])).run())
    json.dump(vars(found), sys.stdout)
