"""Several processes behind one port: a client does not notice which one answers, or that one dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.server import Server, serving

QUESTIONS = ("What does Gabuev expect from military cooperation?", "bridge cost", "Who leads the union?")
MOST_CONNECTIONS = 64


def two_workers(index: Path) -> Iterator[Server]:
    with serving(index, "--workers", "2") as running:
        running.await_log("serving generation")  # the second as well
        yield running


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    yield from two_workers(seed_index)


@pytest.fixture
def mortal(seed_index: Path) -> Iterator[Server]:
    yield from two_workers(seed_index)


def told(client: httpx.Client, question: str) -> dict[str, Any]:
    """A search's answer, without what is each time another."""
    found: dict[str, Any] = client.get("/v1/search", params={"q": question}).raise_for_status().json()
    return {name: value for name, value in found.items() if name not in {"id", "took_ms"}}


def worker(client: httpx.Client) -> int:
    found: int = client.get("/v1/admin").raise_for_status().json()["service"]["worker"]
    return found


def a_client_of_each(server: Server, opened: ExitStack) -> dict[int, httpx.Client]:
    """By process id a client with a connection to it: the system divides connections, not requests."""
    found: dict[int, httpx.Client] = {}
    for _ in range(MOST_CONNECTIONS):
        client = opened.enter_context(httpx.Client(base_url=server.url, timeout=30))
        found.setdefault(worker(client), client)
        if len(found) > 1:
            return found
    raise AssertionError(f"{MOST_CONNECTIONS} connections all went to one worker")


def test_every_worker_answers_as_one_alone_would(server: Server, seed_index: Path) -> None:
    with ExitStack() as opened, serving(seed_index) as alone:
        for client in a_client_of_each(server, opened).values():
            for question in QUESTIONS:
                assert told(client, question) == told(alone.client, question)


def test_questions_asked_at_once_are_answered_as_one_after_the_other(server: Server) -> None:
    questions = [f"{question} {number}" for number in range(8) for question in QUESTIONS]
    one_by_one = [told(server.client, question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: told(server.client, question), questions)) == one_by_one


def test_a_worker_that_is_killed_is_replaced_and_the_others_fail_nobody(mortal: Server) -> None:
    with ExitStack() as opened:
        clients = a_client_of_each(mortal, opened)
        killed, spared = clients
        os.kill(killed, signal.SIGKILL)
        mortal.await_log(f"worker {killed} was ended by signal 9")
        for question in QUESTIONS:
            assert told(clients[spared], question)["results"]
        # Whoever calls before the new one is ready waits for it.
        callers = [httpx.Client(base_url=mortal.url, timeout=30) for _ in range(8)]
        assert {told(opened.enter_context(one), QUESTIONS[0])["query"] for one in callers} == {QUESTIONS[0]}
        mortal.await_log("serving generation")
        now = a_client_of_each(mortal, opened)
        assert len(now) == 2
        assert killed not in now


def test_all_workers_end_when_the_service_is_told_to(mortal: Server) -> None:
    with ExitStack() as opened:
        workers = list(a_client_of_each(mortal, opened))
    mortal.process.terminate()
    _, said = mortal.process.communicate(timeout=30)
    assert mortal.process.returncode == 0
    assert said.count("Finished server process") == 2
    assert not any(Path(f"/proc/{one}/exe").exists() for one in workers)


def test_no_worker_outlives_a_service_that_is_killed(mortal: Server) -> None:
    with ExitStack() as opened:
        workers = list(a_client_of_each(mortal, opened))
    mortal.process.kill()
    mortal.process.communicate(timeout=30)  # until nobody holds its stderr any more
    assert not any(Path(f"/proc/{one}/exe").exists() for one in workers)


def test_workers_that_cannot_serve_end_the_service(tmp_path: Path, seed_index: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    generation = (seed_index / "CURRENT").read_text(encoding="utf-8").strip()
    (index / "CURRENT").write_text(generation, encoding="utf-8")
    (index / "generations" / generation).mkdir(parents=True)
    (index / "generations" / generation / "manifest.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "service.cli", "serve", "--index", str(index), "--port", "0"]
    alone, several = (
        subprocess.run(
            [*command, "--workers", count], capture_output=True, text=True, timeout=60, check=False
        )
        for count in ("1", "2")
    )
    assert several.returncode == alone.returncode == 3
    assert "no generation is whole" in several.stderr


def test_a_port_that_others_serve_is_not_shared_with_them(server: Server, seed_index: Path) -> None:
    taken = server.url.rpartition(":")[2]
    command = [sys.executable, "-m", "service.cli", "serve", "--index", str(seed_index), "--port", taken]
    refused = subprocess.run(
        [*command, "--workers", "2"], capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "cannot be served on" in refused.stderr


@pytest.mark.parametrize("count", ["0", "many"])
def test_workers_are_a_number(count: str, seed_index: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--index", str(seed_index), "--workers", count],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2


def test_what_is_counted_names_its_worker(server: Server) -> None:
    service = server.client.get("/v1/admin").json()["service"]
    assert service["workers"] == 2
    assert service["worker"] != server.process.pid
