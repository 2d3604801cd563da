"""A generation outlives the work on it, whoever leaves."""

import asyncio
import threading
import time
from typing import Any, cast

from anyio import CapacityLimiter
from starlette.types import Message, Receive, Scope, Send

from indexer.generation import Generation
from service.app import _WhileConnected
from service.served import Served


class _Generation:
    """One that notes what worked on it, how much at once, and what still did when it was closed."""

    id = "1"

    def __init__(self) -> None:
        self.begun = self.working = self.most_working = 0
        self.working_at_close: int | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        self.working_at_close = self.working

    def work(self, _: Generation) -> None:
        with self._lock:
            self.begun += 1
            self.working += 1
            self.most_working = max(self.most_working, self.working)
        time.sleep(0.1)
        with self._lock:
            self.working -= 1


def test_a_client_that_leaves_neither_frees_its_place_nor_its_generation_under_a_thread() -> None:
    generation = _Generation()
    served = Served(cast("Any", None), CapacityLimiter(1))
    served._exchange(cast("Generation", generation))

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await served.run(generation.work)
        await send({"type": "http.response.body"})

    async def leave_early() -> None:
        messages: list[Any] = [{"type": "http.request"}, {"type": "http.disconnect"}]

        async def receive() -> Message:
            await asyncio.sleep(0.02)
            found: Message = messages.pop(0)
            return found

        async def send(_: Message) -> None:
            pass

        await _WhileConnected(app)({"type": "http"}, receive, send)

    async def main() -> None:
        clients = [asyncio.create_task(leave_early()) for _ in range(5)]
        await asyncio.sleep(0.06)
        served.close()
        await asyncio.gather(*clients)

    asyncio.run(main())
    assert generation.most_working == generation.begun == 1  # those that waited never begin
    assert generation.working_at_close == 0
