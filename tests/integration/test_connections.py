"""HTTP that is out of measure or out of order."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.door.connections import Connection, Door
from tests.integration.server import Server, serving


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the service hangs up."""
    found = b""
    while part := connection.recv(1 << 16):
        found += part
    return found


@pytest.mark.parametrize(
    "headers", [{"X-Long": "a" * (64 << 10)}, {f"X-{number}": "a" for number in range(1_000)}]
)
def test_a_head_that_is_too_large_is_refused(server: Server, headers: dict[str, str]) -> None:
    response = httpx.get(f"{server.url}/healthz", headers=headers)
    assert response.status_code == 431
    assert response.headers["connection"] == "close"
    assert response.json()["error"]["code"] == "headers_too_large"


def test_a_head_without_an_end_is_refused_once_it_is_too_large(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * (40 << 10))
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"headers_too_large" in answer


_IN_CHUNKS = (
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize("line_end", [b"\r\n", b""])
def test_trailers_without_an_end_are_refused_as_a_head_is(server: Server, line_end: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not connection.recv(4096).endswith(b"}"):  # answered without its body
            pass
        connection.sendall(b"0\r\nX-Long: " + (b"a" * 90 + line_end) * 400)
        assert everything(connection).startswith(b"HTTP/1.1 431 ")


def test_trailers_are_no_headers(server: Server) -> None:
    with connected(server) as connection:
        body = b'{"query": "bridge"}'
        connection.sendall(_IN_CHUNKS + b"%x\r\n%s\r\n0\r\n" % (len(body), body))
        connection.sendall(b"Host: elsewhere.example\r\nX-Request-Id: trailing\r\n\r\n")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"trailing" not in answer


def test_whoever_asks_before_sending_a_body_that_is_too_long_is_told_not_to(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert everything(connection).startswith(b"HTTP/1.1 413 ")


def test_requests_sent_without_waiting_are_answered_in_their_order(server: Server) -> None:
    paths = ["/v1/search?q=bridge", "/healthz", "/nowhere"] * 10
    with connected(server) as connection:
        lines = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths]
        connection.sendall("".join(lines).encode()[:-2] + b"Connection: close\r\n\r\n")
        answers = everything(connection)
    statuses = [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404"] * 10


def test_of_many_who_come_at_once_each_beyond_the_limit_has_another_make_room() -> None:
    async def nothing(_: Scope, __: Receive, ___: Send) -> None: ...

    async def come() -> int:
        config = uvicorn.Config(nothing, ws="none", log_config=None)
        config.load()
        door, state = Door(patience_s=10, most=5), ServerState()

        def connection() -> Connection:
            return Connection(config=config, server_state=state, app_state={}, door=door)

        running = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=50)
        with ExitStack() as opened:
            async with running:
                address = running.sockets[0].getsockname()
                for _ in range(20):  # all before the loop looks at one
                    opened.enter_context(socket.create_connection(address))
                for _ in range(50):  # turns of the loop, more than enough to take them and let them go
                    await asyncio.sleep(0)
                return len(state.connections)

    assert asyncio.run(come()) == 5


def test_whoever_sends_more_requests_than_that_is_hung_up_on(server: Server) -> None:
    with connected(server) as connection:
        try:
            connection.sendall(b"GET /v1/search?q=bridge HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5_000)
            answers = everything(connection)
        except ConnectionError:
            answers = b""
    assert answers.count(b"HTTP/1.1 ") < 5_000
    assert server.client.get("/healthz").status_code == 200


def test_a_request_on_a_kept_connection_is_answered_while_the_service_ends(seed_index: Path) -> None:
    with serving(seed_index) as ending:
        with connected(ending) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            first = b""
            while not first.endswith(b"}"):
                first += connection.recv(4096)
            assert b"connection: close" not in first
            ending.process.terminate()
            ending.await_log("Shutting down")
            connection.sendall(b"GET /v1/search?q=bridge HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer
        ending.process.wait(timeout=30)
