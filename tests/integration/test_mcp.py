"""The tools of the Model Context Protocol, by its own client, over both transports."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from tests.conftest import SEED_ID
from tests.integration.server import serving
from tests.integration.talk import TALKS

QUESTION = "What does Gabuev expect from military cooperation?"
WORDS = "closer military cooperation"


@asynccontextmanager
async def over_http(index: Path) -> AsyncIterator[Client]:
    with serving(index) as server:
        async with Client(f"{server.url}/mcp") as client:
            yield client


@asynccontextmanager
async def over_stdio(index: Path) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "service.cli", "mcp", "--index", str(index)]
    )
    async with Client(stdio_client(command)) as client:
        yield client


TRANSPORTS = pytest.mark.parametrize("transport", [over_http, over_stdio])


def told(result: CallToolResult) -> dict[str, Any]:
    """What a tool returns: one text that holds JSON, and the same as structured content."""
    assert not result.is_error, result.content
    (item,) = result.content
    assert isinstance(item, TextContent)
    found: dict[str, Any] = json.loads(item.text)
    assert found == result.structured_content
    return found


def holds_null(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    return value is None or (isinstance(value, list) and any(map(holds_null, value)))


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(60):
            await work()

    anyio.run(limited)


@TRANSPORTS
def test_a_client_finds_reads_asks_and_quotes(seed_index: Path, transport: Any) -> None:
    async def work() -> None:
        async with transport(seed_index) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {"search", "fetch", "ask", "quotes"}
            assert all(tool.description and tool.annotations.read_only_hint for tool in tools)

            found = told(await client.call_tool("search", {"query": QUESTION}))
            assert set(found) == {"results"}
            assert all(set(one) == {"id", "title", "url"} for one in found["results"])
            assert found["results"][0]["id"] == SEED_ID

            article = told(await client.call_tool("fetch", {"id": SEED_ID}))
            assert set(article) == {"id", "title", "text", "url", "metadata"}
            assert article["metadata"]["published_at"] == "2023-10-16"
            assert article["url"] == found["results"][0]["url"]

            answer = told(await client.call_tool("ask", {"question": QUESTION}))
            assert answer["status"] == "answered"
            (citation,) = answer["citations"]
            assert WORDS in citation["quote"]
            place = slice(citation["quote_start"], citation["quote_end"])
            assert article["text"][place] == citation["quote"]
            assert citation["url"] == article["url"]

            unknown = "Who won the 2014 chess olympiad in Norway?"
            silence = told(await client.call_tool("ask", {"question": unknown}))
            assert silence["answer"] == "The articles do not tell."
            assert not silence["citations"]
            assert silence["nearest"]

            said = told(await client.call_tool("quotes", {"speaker": "Gabuev", "topic": "cooperation"}))
            for quote in said["results"]:
                assert "Gabuev" in quote["speaker"]
                assert article["text"][quote["quote_start"] : quote["quote_end"]] == quote["quote"]
            assert said["results"]
            assert not any(map(holds_null, (found, article, answer, silence, said)))

    run(work)


@TRANSPORTS
def test_what_is_wrong_with_a_call_is_told_to_the_model(seed_index: Path, transport: Any) -> None:
    async def work() -> None:
        async with transport(seed_index) as client:
            for tool, arguments, reason in (
                ("fetch", {"id": "nowhere"}, "no article has the id 'nowhere'"),
                ("search", {"query": " "}, "ask something"),
                ("search", {"query": "storm", "limit": 0}, "greater than or equal to 1"),
                ("search", {"query": "storm", "published_after": "yesterday"}, "YYYY-MM-DD"),
                ("ask", {"question": "Why?", "collection": "attic"}, "no collection is called 'attic'"),
                ("quotes", {}, "say who"),
            ):
                result = await client.call_tool(tool, arguments)
                assert result.is_error
                assert reason in result.content[0].text

    run(work)


@TRANSPORTS
@pytest.mark.parametrize("talk", TALKS)
def test_five_turns_are_answered_right(
    seed_index: Path, transport: Any, talk: tuple[tuple[str, str], ...]
) -> None:
    async def work() -> None:
        turns: list[dict[str, str]] = []
        async with transport(seed_index) as client:
            for question, words in talk:
                answer = told(await client.call_tool("ask", {"question": question, "turns": turns}))
                assert words in answer["citations"][0]["quote"], question
                turns.append({"query": question, "answer": answer["answer"]})

    run(work)


def test_days_bound_what_is_found(seed_index: Path) -> None:
    async def work() -> None:
        async with over_http(seed_index) as client:
            days = {"published_after": "2026-02-01", "published_before": "2026-02-28"}
            found = told(await client.call_tool("search", {"query": "eelgrass", **days}))
            assert len(found["results"]) == 4
            silence = told(await client.call_tool("ask", {"question": QUESTION, **days}))
            assert silence["status"] == "no_answer"

    run(work)


def test_a_page_of_another_site_may_not_use_the_tools(seed_index: Path) -> None:
    """A name that leads to this machine is not enough: DNS rebinding."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepted = {"Accept": "application/json, text/event-stream"}
    with serving(seed_index) as server:
        for headers, status in (
            ({}, 200),
            ({"Host": "evil.example"}, 421),
            ({"Origin": "https://evil.example"}, 403),
        ):
            response = httpx.post(f"{server.url}/mcp", json=call, headers={**accepted, **headers}, timeout=30)
            assert response.status_code == status, response.text
