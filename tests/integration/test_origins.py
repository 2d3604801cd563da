"""Under which names the service answers, to whose pages, and what browsers are told."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.server import Server, serving

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPTED = {"Accept": "application/json, text/event-stream"}
OPEN = ("--host", "0.0.0.0", "--open")  # noqa: S104  what is tried


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


def _tools(server: Server, **headers: str) -> int:
    url = f"http://127.0.0.1:{httpx.URL(server.url).port}/mcp"
    return httpx.post(url, json=CALL, headers={**ACCEPTED, **headers}, timeout=30).status_code


@pytest.mark.parametrize("host", ["news.example", "127.0.0.1.news.example", "localhost.news.example", ""])
def test_a_name_that_somebody_pointed_at_us_is_refused(server: Server, host: str) -> None:
    for path in ("/", "/v1/index", "/v1/admin", "/mcp", "/docs", "/openapi.json", "/static/app.js"):
        refused = server.client.get(path, headers={"Host": host})
        assert refused.status_code == 421, path
        assert refused.json()["error"]["code"] == "unknown_host"
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.8.9.10", "[::1]:8000", "192.0.2.1"])
def test_an_address_and_our_own_names_are_answered(server: Server, host: str) -> None:
    assert server.client.get("/v1/index", headers={"Host": host}).status_code == 200


def test_a_public_service_goes_by_every_name_until_it_is_told_which(
    seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_PUBLIC_URL", "https://known.example/news")
    with serving(seed_index, *OPEN) as server:
        address = f"http://127.0.0.1:{httpx.URL(server.url).port}/v1/index"
        assert httpx.get(address, headers={"Host": "any.example"}).status_code == 200
        # The tools want a name that we know even so.
        assert _tools(server, Host="any.example") == 421
        assert _tools(server, Host="known.example") == 200
    monkeypatch.setenv("DATELINE_ALLOWED_HOSTS", '["News.example"]')
    with serving(seed_index, *OPEN) as server:
        address = f"http://127.0.0.1:{httpx.URL(server.url).port}/v1/index"
        for host, status in (("news.example:80", 200), ("known.example", 200), ("any.example", 421)):
            assert httpx.get(address, headers={"Host": host}).status_code == status
        assert _tools(server, Host="news.example") == 200
    monkeypatch.setenv("DATELINE_ALLOWED_HOSTS", '["*"]')
    with serving(seed_index) as server:
        assert server.client.get("/v1/index", headers={"Host": "any.example"}).status_code == 200


def test_pages_of_other_sites_may_ask_where_they_are_named(
    server: Server, seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    by_default = server.client.options("/v1/search", headers=asking)
    assert "access-control-allow-origin" not in by_default.headers
    assert _tools(server, Origin="https://page.example") == 403
    assert _tools(server, Origin=server.url) == 200
    monkeypatch.setenv("DATELINE_CORS_ORIGINS", '["https://page.example"]')
    with serving(seed_index) as running:
        allowed = running.client.options("/v1/search", headers=asking)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in allowed.headers
        found = running.client.get("/v1/search?q=storm", headers={"Origin": "https://page.example"})
        assert found.headers["access-control-allow-origin"] == "https://page.example"
        other = running.client.options("/v1/search", headers={**asking, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        assert _tools(running, Origin="https://page.example") == 200
        assert _tools(running, Origin="https://other.example") == 403
        # Without keys, operating is for our own page alone.
        operating = running.client.get("/v1/admin", headers={"Origin": "https://page.example"})
        assert operating.status_code == 403


def test_every_response_tells_browsers_to_run_and_frame_nothing_of_it(server: Server) -> None:
    for path in (
        "/", "/admin", "/static/app.js", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/healthz",
        "/v1/index", "/v1/search", "/v1/nowhere", "/v1/articles/sample/harbour-courier/bridge-cost",
    ):  # fmt: skip
        headers = server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
