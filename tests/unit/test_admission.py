"""Who is let in, who waits, who is sent away; on a clock of the test's own."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest
from anyio import CancelScope, sleep_forever
from starlette.types import Message, Receive, Scope, Send

import service.admission
from service.admission import Admission, Visit, step_aside
from service.door.admitting import Admitted

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(service.admission, "current_time", clock)
    return clock


def admission(**limits: int) -> Admission:
    return Admission(**{"cores": 2, "queue": 3, "lasting_queue": 0, "deadline_s": 60, **limits})


def come(to: Admission, count: int) -> list[Visit]:
    """Those of so many requests that are let in."""
    visits = [Visit(to, cast("CancelScope", SimpleNamespace(deadline=math.inf))) for _ in range(count)]
    return [visit for visit in visits if visit.enter()]


def test_a_burst_may_wait_and_what_is_beyond_is_refused(clock: Clock) -> None:
    assert clock
    here = admission()
    assert len(come(here, 7)) == 5
    assert (here.working, here.waiting) == (2, 3)


def test_a_queue_that_lasts_is_cut_until_nobody_has_been_refused_for_a_second(clock: Clock) -> None:
    here = admission()
    inside = come(here, 5)
    clock.now += 1.5
    for visit in inside[:3]:
        visit.leave()
        assert come(here, 1) == []  # two compute, and nobody may wait any more
    clock.now += 0.9
    assert come(here, 1) == []
    clock.now += 1.1
    assert len(come(here, 9)) == 3


def test_requests_that_never_wait_are_no_queue_however_long_they_come(clock: Clock) -> None:
    here = admission()
    for _ in range(10):
        for visit in come(here, 2):
            clock.now += 0.6
            visit.leave()
    assert len(come(here, 9)) == 5


def test_who_leaves_or_waits_for_somebody_else_makes_room_and_has_no_deadline(clock: Clock) -> None:
    here = admission(queue=0)
    first, second = come(here, 2)
    assert first.scope.deadline == clock.now + 60
    first.leave()
    assert first.scope.deadline == math.inf
    assert len(come(here, 2)) == 1
    second.leave()
    assert first.enter()  # it had its place, and needs no other
    assert here.inside == 1


async def nothing() -> Message:
    await sleep_forever()
    raise AssertionError


def run(app: App, here: Admission, **scope: object) -> list[Message]:
    """What is sent to one request over HTTP, whose body never comes."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        asked = {"type": "http", "path": "/v1/search", "method": "GET", "headers": [], **scope}
        await Admitted(app, admission=here)(asked, nothing, send)

    asyncio.run(ask())
    return sent


async def answers(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


def test_the_full_service_still_shows_its_health_its_page_and_its_operator() -> None:
    here = admission(cores=0, queue=0)
    for path in ("/healthz", "/readyz", "/", "/static/app.js", "/metrics", "/v1/admin"):
        assert run(answers, here, path=path)[0]["status"] == 200
    for path in ("/v1/search", "/v1/chat/completions", "/v2/rerank", "/mcp"):
        start, body = run(answers, here, path=path)
        assert start["status"] == 503
        assert (b"retry-after", b"1") in start["headers"]
        assert b'"code":"overloaded"' in body["body"]


def test_a_request_past_its_deadline_is_given_up_with_a_word() -> None:
    async def hangs(_: Scope, __: Receive, ___: Send) -> None:
        await sleep_forever()

    here = admission(deadline_s=0)
    start, body = run(hangs, here)
    assert start["status"] == 503
    assert b'"code":"deadline_exceeded"' in body["body"]
    assert here.inside == 0


def test_an_answer_that_has_begun_has_no_deadline_and_no_place() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert here.inside == 0
        here.hurry()
        await asyncio.sleep(0)
        await answers_rest(scope, receive, send)

    async def answers_rest(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.body"})

    here = admission()
    assert [message["type"] for message in run(streams, here)] == [
        "http.response.start",
        "http.response.body",
    ]


def test_an_answer_that_a_thread_ends_too_late_is_not_begun() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        with CancelScope(shield=True):  # as around a thread
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        await answers(scope, receive, send)

    start, _ = run(streams, admission(deadline_s=0))
    assert start["status"] == 503


def test_what_brings_a_body_that_nobody_asked_for_takes_a_place_all_the_same() -> None:
    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        assert here.inside == 1
        await answers(scope, receive, send)

    here = admission()
    brought = [(b"content-length", b"90000")]
    assert run(looks, here, headers=brought)[0]["status"] == 200


def test_who_waits_for_a_language_model_has_no_place() -> None:
    async def asks(scope: Scope, receive: Receive, send: Send) -> None:
        assert here.inside == 1
        step_aside()
        assert here.inside == 0
        await answers(scope, receive, send)

    here = admission()
    assert run(asks, here)[0]["status"] == 200


def test_a_body_on_its_way_takes_no_place_and_a_cancelled_request_leaves_its_own() -> None:
    async def check() -> None:
        here = admission()
        begun = asyncio.Event()

        async def reads(_: Scope, receive: Receive, __: Send) -> None:
            await receive()
            begun.set()
            await sleep_forever()

        async def body() -> Message:
            await coming.wait()
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(_: Message) -> None: ...

        coming = asyncio.Event()
        headers = [(b"content-length", b"2")]
        scope = {"type": "http", "path": "/v1/search", "method": "POST", "headers": headers}
        task = asyncio.create_task(Admitted(reads, admission=here)(scope, body, send))
        await asyncio.sleep(0)
        assert here.inside == 0
        coming.set()
        await begun.wait()
        assert here.inside == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert here.inside == 0

    asyncio.run(check())


def test_who_comes_when_the_service_ends_is_told_so_at_once() -> None:
    async def hangs(_: Scope, __: Receive, ___: Send) -> None:
        await sleep_forever()

    async def check() -> None:
        here = admission()
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "path": "/v1/search", "headers": []}
        task = asyncio.create_task(Admitted(hangs, admission=here)(scope, nothing, send))
        await asyncio.sleep(0)
        here.hurry()
        await task
        assert sent[0]["status"] == 503

    asyncio.run(check())
