"""A load for searches: clients that each ask their next question when the last is answered (HTTP/1.1).

    def url(question): return f"http://127.0.0.1:8000/v1/search?q={quote(question)}"

    figures = measure(url, distinct_questions(Path("queries.jsonl")), 16, 10)

All clients share the process that calls this, and take a few hundredths of a core.
"""

import asyncio
import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httptools
import uvloop

OK = 200
# Measured is how soon all clients are answered, so that none may be refused.
ADMITS_ALL = {"DATELINE_QUEUE": "1000", "DATELINE_LASTING_QUEUE": "1000"}
_LEAST = 200  # bytes of a body that holds results


@dataclass(frozen=True, slots=True)
class Figures:
    """Times are from sending a question until its answer is whole; `failed` had another status than 200, or
    nothing found in them. `most_ms` is the longest time: while a service answers nobody, few questions are
    asked, and percentiles do not show it. `client_cpu` is the share of one core that the clients took."""

    clients: int
    requests: int
    failed: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    client_cpu: float
    bytes_each: float


def distinct_questions(file: Path, *, seed: int = 1) -> Iterator[str]:
    """Questions that never repeat, of natural length: the first half of one question of a BEIR queries.jsonl
    and the second half of another, in an order that is random and always the same. n questions make
    n (n - 1) of them."""
    texts = [json.loads(line)["text"].split() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = list(itertools.permutations(range(len(texts)), 2))
    random.Random(seed).shuffle(pairs)  # noqa: S311  no secret
    seen = set()
    for one, other in pairs:
        first, second = texts[one], texts[other]
        question = " ".join(first[: len(first) // 2] + second[len(second) // 2 :])
        if question not in seen:
            seen.add(question)
            yield question


def measure(
    url_of_question: Callable[[str], str],
    questions: Iterator[str],
    clients: int,
    seconds: float,
    longer: Callable[[], bool] = lambda: False,
) -> Figures:
    """Asks for so many seconds, and then as long as `longer` says so. Every question is taken from
    `questions` once; ConnectionError where these end or the service hangs up."""
    return uvloop.run(_measure(url_of_question, questions, clients, seconds, longer))


async def _measure(
    url_of_question: Callable[[str], str],
    questions: Iterator[str],
    clients: int,
    seconds: float,
    longer: Callable[[], bool],
) -> Figures:
    loop = asyncio.get_running_loop()
    first = next(questions)
    place = urlsplit(url_of_question(first))
    asked = itertools.chain([first], questions)
    started, cpu = time.perf_counter(), time.process_time()
    until = started + seconds

    def goes_on(now: float) -> bool:
        return now < until or longer()

    running = [_Client(url_of_question, asked, goes_on, loop.create_future()) for _ in range(clients)]
    for client in running:
        await loop.create_connection(lambda one=client: one, place.hostname or "", place.port or 80)  # type: ignore[misc]
    await asyncio.gather(*(client.ended for client in running))
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    times = sorted(itertools.chain.from_iterable(client.took_ms for client in running))

    def quantile(share: float) -> float:
        return times[math.ceil(share * len(times)) - 1]

    return Figures(
        clients,
        len(times),
        sum(client.failed for client in running),
        len(times) / took,
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        times[-1],
        cpu / took,
        sum(client.received for client in running) / len(times),
    )


class _Client(asyncio.Protocol):
    """One connection that is kept."""

    def __init__(
        self,
        url_of_question: Callable[[str], str],
        questions: Iterator[str],
        goes_on: Callable[[float], bool],
        ended: asyncio.Future[None],
    ) -> None:
        self._url_of_question = url_of_question
        self._questions = questions
        self._goes_on = goes_on
        self.ended = ended
        self.took_ms: list[float] = []
        self.failed = 0
        self.received = 0
        self._body = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("the service hung up"))

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        now = time.perf_counter()
        self.took_ms.append((now - self._asked_at) * 1000)
        self.failed += self._parser.get_status_code() != OK or self._body < _LEAST
        if self._goes_on(now):
            # The parser is replaced when it has returned from this very call.
            asyncio.get_running_loop().call_soon(self._ask)
        else:
            self.ended.set_result(None)
            self._transport.close()

    def _ask(self) -> None:
        question = next(self._questions, None)
        if question is None:
            self.ended.set_exception(ConnectionError("there are no more distinct questions"))
            self._transport.close()
            return
        place = urlsplit(self._url_of_question(question))
        self._parser = httptools.HttpResponseParser(self)
        self._body = 0
        self._asked_at = time.perf_counter()
        self._transport.write(
            f"GET {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\nAccept: */*\r\n\r\n".encode()
        )
