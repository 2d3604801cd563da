"""What nobody expected is answered like every other error, and the log has the rest."""

import asyncio

import httpx
import pytest

from service.app import create_app
from service.door.headers import SECURITY
from service.served import Collections
from service.settings import load


def test_a_bug_is_a_500_with_an_id_and_the_headers_of_every_response_and_its_trace_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATELINE_CORS_ORIGINS", '["https://news.example"]')
    app = create_app(load(), Collections({}, at_once=1))

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("a secret of the inside")

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/broken", headers={"Origin": "https://news.example"})

    answer = asyncio.run(asked())
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://news.example"
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert "secret" not in answer.text
    assert "ZeroDivisionError: a secret of the inside" in caplog.text
