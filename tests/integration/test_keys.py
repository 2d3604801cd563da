"""A service that asks for keys, as those who have one and those who have none see it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import AuthenticationError, OpenAI

from service.door.access import OPEN, SCOPES
from service.keys import KeyFile
from tests.integration.server import Server, serving

QUESTION = {"query": "What does Gabuev expect from military cooperation?"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    monkeypatch.setenv("DATELINE_KEYS", str(tmp_path / "keys.json"))
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def keys(kept: KeyFile) -> dict[str, str]:
    return {scope: kept.add(scope, [scope]) for scope in ("search", "chat", "admin")}


@pytest.fixture(scope="module")
def server(seed_index: Path, kept: KeyFile, keys: dict[str, str]) -> Iterator[Server]:
    assert keys
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATELINE_KEYS", str(kept.path))
        with serving(seed_index) as running:
            yield running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _routes(server: Server) -> list[tuple[str, str]]:
    """Every route that is described, and some that are not."""
    paths = server.client.get("/openapi.json").json()["paths"]
    described = [
        (method.upper(), re.sub(r"\{.*?\}", "x", path))
        for path, methods in paths.items()
        for method in methods
        if path not in OPEN
    ]
    assert len(described) > 20
    return [*described, ("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/nowhere"), ("GET", "/metrics")]


def test_without_a_key_nothing_is_told_but_that_it_lives(server: Server) -> None:
    for method, path in _routes(server):
        refused = server.client.request(method, path)
        assert refused.status_code == 401, path
        assert refused.headers["www-authenticate"].startswith("Bearer"), path
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert refused.json()["status"] == 401
    for path in OPEN:
        if not path.endswith("/") or path == "/":
            assert server.client.get(path).status_code == 200, path
    assert server.client.get("/static/app.js").status_code == 200


def test_each_scope_opens_its_own_and_what_no_scope_names_is_the_operators(
    server: Server, keys: dict[str, str]
) -> None:
    for method, path in _routes(server):
        wanted = next(
            (scopes for known, scopes in SCOPES.items() if f"{path}/".startswith(f"{known}/")), {"admin"}
        )
        for scope, key in keys.items():
            with server.client.stream(method, path, headers=bearer(key)) as response:  # one may have no end
                pass
            if scope in wanted:
                assert response.status_code not in {401, 403}, (scope, path)
                continue
            assert response.status_code == 403, (scope, path)
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


def test_a_key_that_is_for_something_else_says_so(server: Server, keys: dict[str, str]) -> None:
    refused = server.client.post("/v1/answer", json=QUESTION, headers=bearer(keys["search"]))
    assert refused.json()["error"]["code"] == "insufficient_scope"
    assert refused.json()["detail"] == "this key is for search, and this needs one for chat"


def test_what_is_no_key_is_refused_alike(server: Server, keys: dict[str, str]) -> None:
    good = f"Bearer {keys['search']}"
    for given in (
        [],
        [""],
        ["Bearer"],
        [keys["search"]],
        [f"Basic {keys['search']}"],
        [good[:-1]],
        [good + "A"],
        [good.lower()],
        [f"{good}, {good}"],
        [f"{good} {good}"],
        [good, good],
        [good, "Bearer x"],
        ["Bearer x", good],
        ["Bearer \xff\xfe"],
        ["Bearer " + "x" * 8_000],
    ):
        raw = [(b"Authorization", value.encode("latin-1")) for value in given]
        refused = server.client.get("/v1/search?q=storm", headers=raw)
        assert refused.status_code == 401, given
        assert refused.headers["www-authenticate"].startswith('Bearer realm="dateline"')
        assert keys["search"] not in refused.text
    for written in (good, good.replace("Bearer", "bearer"), good.replace(" ", "  ")):
        answered = server.client.get("/v1/search?q=storm", headers={"Authorization": written})
        assert answered.status_code == 200
    for elsewhere in ({"X-API-Key": keys["search"]}, {"Cookie": f"key={keys['search']}"}):
        assert server.client.get("/v1/search?q=storm", headers=elsewhere).status_code == 401
    assert server.client.get("/v1/search", params={"q": "storm", "key": keys["search"]}).status_code == 401


def test_keys_come_and_go_while_it_serves(seed_index: Path, file: KeyFile) -> None:
    file.add("first", ["search"])
    with serving(seed_index) as server:

        def asked(key: str) -> int:
            return server.client.get("/v1/search?q=storm", headers=bearer(key)).status_code

        second = file.add("second", ["search"])
        assert asked(second) == 200
        file.revoke("second")
        assert asked(second) == 401
        third = file.add("second", ["search"])
        assert (asked(second), asked(third)) == (401, 200)
        away = file.path.rename(file.path.with_name("away"))
        assert asked(third) == 503
        away.rename(file.path)
        assert asked(third) == 200
        file.path.write_text("{")
        refused = server.client.get("/v1/search?q=storm", headers=bearer(third))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "keys_unreadable")
        assert server.client.get("/healthz").status_code == 200


def test_the_first_key_closes_a_service_that_runs(
    seed_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATELINE_KEYS", raising=False)  # which the module's own service was started with
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    with serving(seed_index) as server:
        assert server.client.get("/v1/search?q=storm").status_code == 200
        made = _dateline("keys", "add", "first", "--scope", "search")
        key = made.stdout.strip()
        assert "shown only now" in made.stderr
        assert key not in made.stderr
        assert server.client.get("/v1/search?q=storm").status_code == 401
        assert server.client.get("/v1/search?q=storm", headers=bearer(key)).status_code == 200
        listed = json.loads(_dateline("keys", "list", "--json").stdout)
        assert (listed["name"], listed["scopes"]) == ("first", ["search"])
        assert "sha256" not in listed
        assert "first" in _dateline("keys", "list").stdout
        _dateline("keys", "revoke", "first")
        assert server.client.get("/v1/search?q=storm", headers=bearer(key)).status_code == 401


def test_keys_that_go_away_before_anybody_asks_let_nobody_in(
    seed_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATELINE_KEYS", raising=False)  # which the module's own service was started with
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    file = KeyFile(tmp_path / "keys.json")
    file.add("first", ["search"])
    with serving(seed_index, "--workers", "2") as server:
        server.await_log("serving generation")  # the second as well
        file.path.unlink()
        assert server.client.get("/v1/search?q=storm").status_code == 503
        for line in [line for line in server.log if "Started server process" in line]:
            os.kill(int(line.split("[")[1].partition("]")[0]), signal.SIGKILL)
            server.await_log("another takes its place")
            server.await_log("serving generation")
        fresh = httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(retries=10), timeout=30)
        for _ in range(8):  # of both
            assert fresh.get("/v1/search?q=storm", headers={"Connection": "close"}).status_code == 503


def _dateline(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_who_asks_too_often_is_told_when_to_come_again(seed_index: Path, file: KeyFile) -> None:
    hasty, other = file.add("hasty", ["search"], limit="2/hour"), file.add("other", ["search"])
    with serving(seed_index) as server:
        for status in (200, 200, 429, 429):
            response = server.client.get("/v1/search?q=storm", headers=bearer(hasty))
            assert response.status_code == status
        assert 3_000 < int(response.headers["retry-after"]) <= 3_600
        assert response.json()["error"]["code"] == "rate_limit_exceeded"
        assert server.client.get("/v1/search?q=storm", headers=bearer(other)).status_code == 200


def test_a_public_address_needs_keys_or_a_word(
    seed_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATELINE_KEYS", raising=False)  # which the module's own service was started with
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    public = ["serve", "--index", str(seed_index), "--port", "0", "--host", "0.0.0.0"]  # noqa: S104  what is tried
    command = [sys.executable, "-m", "service.cli", *public]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "dateline keys add NAME" in refused.stderr
    assert "--open" in refused.stderr
    with serving(seed_index, "--host", "0.0.0.0", "--open") as server:  # noqa: S104  what is tried
        port = httpx.URL(server.url).port
        assert httpx.get(f"http://127.0.0.1:{port}/v1/index").status_code == 200
    key = KeyFile(tmp_path / "keys.json").add("operator", ["admin"])
    with serving(seed_index, "--host", "0.0.0.0") as server:  # noqa: S104  what is tried
        address = f"http://127.0.0.1:{httpx.URL(server.url).port}/v1/admin"
        # With keys, the place that somebody asks from is neither needed nor enough.
        assert httpx.get(address).status_code == 401
        far = {"Host": "news.example", "X-Forwarded-For": "203.0.113.9", "Origin": "https://news.example"}
        assert httpx.get(address, headers={**bearer(key), **far}).status_code == 200


def test_openais_client_sends_its_key(server: Server, keys: dict[str, str]) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key=keys["chat"], max_retries=0)
    told = client.chat.completions.create(
        model="dateline", messages=[{"role": "user", "content": QUESTION["query"]}]
    )
    assert "closer military cooperation" in str(told.choices[0].message.content)
    assert client.models.list().data
    with pytest.raises(AuthenticationError, match="no longer one"):
        OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0).models.list()


def test_an_agent_sends_its_key(server: Server, keys: dict[str, str]) -> None:
    async def work() -> None:
        async with (
            httpx2.AsyncClient(headers=bearer(keys["chat"]), timeout=30) as sending,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=sending)) as client,
        ):
            told = await client.call_tool("ask", {"question": QUESTION["query"]})
            assert "closer military cooperation" in told.structured_content["answer"]

    anyio.run(work)
