"""Asks a service from a process of its own, at a rate whatever it answers or from so many clients in turn.

    python asking.py '{"url": "http://127.0.0.1:8000", "paths": ["/v1/search?q=bridge"], "rate": 400, "seconds": 5}'

prints as JSON, one list for each kind: the milliseconds of what was accepted, refused, and of looks at
/healthz; what failed; and of every accepted answer its generation and the articles that it shows.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

_HEALTH_EVERY_S = 0.01


@dataclass
class Told:
    accepted_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
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


async def asked(spec: dict[str, Any]) -> Told:
    """`rate` asks so many a second, `clients` each when it is answered; for `seconds`, or `count` requests in
    all. Each question has a number behind it, so that none is asked twice."""
    told = Told()
    ends = time.perf_counter() + spec.get("seconds", 1e9)
    numbers = itertools.count()
    paths = (f"{path}+{number}" for path, number in zip(itertools.cycle(spec["paths"]), numbers, strict=False))

    def goes_on() -> bool:
        return time.perf_counter() < ends

    async def one(client: Client, path: str) -> None:
        try:
            status = await client.ask(path)
        except ConnectionError as error:
            told.failed.append(repr(error))
            return
        if status == 200:
            told.accepted_ms.append(client.took_ms)
            if spec.get("shown"):
                answer = json.loads(client.body)
                articles = sorted({one["article"]["id"] for one in answer["results"]})
                told.shown[f"{answer['index']['generation']} {' '.join(articles)}"] += 1
        elif status == 503 and client.headers.get("retry-after") == "1" and b'"overloaded"' in client.body:
            told.refused_ms.append(client.took_ms)
        else:
            told.failed.append(f"{status} {bytes(client.body[:200])!r}")

    async def look(goes_on: Callable[[], bool]) -> None:
        client = await Client.to(spec["url"])
        while goes_on():
            if await client.ask("/healthz") != 200:
                told.failed.append("/healthz")
            told.health_ms.append(client.took_ms)
            await asyncio.sleep(_HEALTH_EVERY_S)
        client.close()

    looking = asyncio.create_task(look(lambda: goes_on() and not done.is_set()))
    done = asyncio.Event()
    if "rate" in spec:
        await _at_rate(spec, paths, one, goes_on)
    else:
        left = itertools.count(spec.get("count", 1 << 60), -1)

        async def in_turn() -> None:
            client = await Client.to(spec["url"])
            while goes_on() and next(left) > 0:
                if not client.open:
                    client = await Client.to(spec["url"])
                await one(client, next(paths))
            client.close()

        await asyncio.gather(*(in_turn() for _ in range(spec["clients"])))
    done.set()
    await looking
    return told


async def _at_rate(spec: dict[str, Any], paths: Any, one: Any, goes_on: Callable[[], bool]) -> None:
    idle: list[Client] = []
    running: set[asyncio.Task[None]] = set()

    async def ask(path: str) -> None:
        client = None
        while idle and (client is None or not client.open):
            client = idle.pop()
        if client is None or not client.open:
            client = await Client.to(spec["url"])
        await one(client, path)
        if client.open:
            idle.append(client)

    due = time.perf_counter()
    while goes_on():
        due += 1 / spec["rate"]
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(ask(next(paths)))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for client in idle:
        client.close()


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(-10)  # what is measured is the service's time, not the time until this process is run again
    found = uvloop.run(asked(json.loads(sys.argv[1])))
    json.dump(vars(found), sys.stdout)
