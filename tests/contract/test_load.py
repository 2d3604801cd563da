"""A service over a Milvus server under load: switches go unnoticed, and one that dies is said to be away."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.backends import Backend, Server
from tests.contract.collection import write_edition
from tests.contract.conftest import Tell, until
from tests.integration.server import serving
from tests.torture.test_load import Asking

BUILDS = 4
CLIENTS = 3
QUESTIONS = [
    "How many boats were at the quay",
    "harbour master",
    "In edition harbour report",
    "boats counted",
]
PATHS = [f"/v1/search?limit=6&q={question.replace(' ', '+')}" for question in QUESTIONS]
TIMEOUT_S, DEADLINE_S = 3, 10


@pytest.fixture
def server(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that may be killed; the services that are started know it."""
    assert isinstance(backend, Server)
    for name, value in {
        **backend.settings,
        "DATELINE_MILVUS_TIMEOUT_S": str(TIMEOUT_S),
        "DATELINE_DEADLINE_S": str(DEADLINE_S),
        "DATELINE_LASTING_QUEUE": "8",  # nobody is refused here
    }.items():
        monkeypatch.setenv(name, value)
    yield backend
    backend.forget("default")


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def dateline(*arguments: str | Path) -> dict[str, str]:
    """What a command that ends well prints as JSON."""
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found: dict[str, str] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return found


@pytest.mark.usefixtures("server")
def test_no_request_fails_or_mixes_generations_while_the_alias_moves(
    editions_folder: Path, tell: Tell
) -> None:
    index = editions_folder
    editions: dict[str, int] = {}

    def build(number: int) -> str:
        """Builds and publishes an edition by the command line."""
        file = write_edition(index.with_name(f"edition-{number}.jsonl"), number)
        built = dateline("index", "build", file, "--index", index, "--json")["id"]
        editions[built] = number
        return built

    build(0)
    with serving(index) as service:
        asking = Asking(service, clients=CLIENTS, shown=True, until_eof=True)
        switched = 0
        for number in range(1, BUILDS + 1):
            service.await_log(f"serving generation {build(number)}")
            switched += 1
        for _ in range(2):
            dateline("index", "rollback", "--index", index)
            service.await_log("serving generation")
            switched += 1
        told = asking.end()
    tell(
        f"{len(told['accepted_ms'])} answers to {CLIENTS} clients during {switched} switches: "
        f"{len(told['failed'])} failed, {len(told['refused_ms'])} refused"
    )
    assert told["failed"] == told["refused_ms"] == []
    assert {line.split()[0] for line in told["shown"]} == set(editions)
    for line in told["shown"]:
        generation, *articles = line.split()
        assert len(articles) == 6
        assert all(article.startswith(f"edition-{editions[generation]}-") for article in articles)


def test_a_server_that_is_killed_is_said_to_be_away_and_served_from_when_it_is_back(
    server: Server, editions_folder: Path, tell: Tell
) -> None:
    index = editions_folder
    dateline("index", "build", write_edition(index.with_name("edition.jsonl"), 0), "--index", index)
    with serving(index) as service:

        def answers(status: int) -> bool:
            return service.client.get(PATHS[0]).status_code == status

        asking = Asking(service, clients=CLIENTS, until_eof=True, away=True)
        assert all(answers(200) for _ in range(100))
        server.server.kill()
        until(lambda: answers(503), within_s=TIMEOUT_S + DEADLINE_S)
        for path, body in (("/v1/answer", {"query": "How many boats?"}), ("/v1/search", {"query": "boats"})):
            away = service.client.post(path, json=body)
            assert away.status_code == 503
            assert int(away.headers["Retry-After"]) >= 1
            assert "Milvus does not answer" in away.json()["detail"]
        assert service.client.get("/healthz").status_code == 200
        status = command("index", "status", "--index", index, "--json")
        assert status.returncode == 1
        assert {json.loads(line)["state"] for line in status.stdout.splitlines()} == {"unknown"}
        assert "Milvus does not answer" in status.stderr
        began = time.monotonic()
        server.server.start()
        started = time.monotonic() - began
        until(lambda: answers(200), within_s=300)
        recovered = time.monotonic() - began
        assert all(answers(200) for _ in range(100))
        told = asking.end()
    longest = max(told["away_ms"]) / 1000
    tell(
        f"killed under load: {len(told['accepted_ms'])} answered, {len(told['away_ms'])} told to come again "
        f"after {longest:.2f} s at most, {len(told['failed'])} failed; the server was up "
        f"after {started:.0f} s, the service answered after {recovered:.0f} s"
    )
    assert told["failed"] == []
    assert longest < TIMEOUT_S + DEADLINE_S
