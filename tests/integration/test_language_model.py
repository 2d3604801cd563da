"""With a language model behind it the service still says nothing that is not in the articles."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from anyio import CapacityLimiter

from indexer.local.generation import LocalGeneration
from service.asking import Asked
from service.evidence import normalised
from service.replying import Answerer, Reply
from service.retrieval import SearchQuery
from service.served import Lease
from service.settings import load
from tests.integration.server import Server, serving
from tests.llm import FAULTS, MIDWAY, Stub, language_model_server

QUESTION = "What does Gabuev expect from military cooperation?"
WORDS = "closer military cooperation"
FRAMED = "Gabuev expects “closer military cooperation, more interoperability” [1]."
DEADLINE_S = 1.0


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with language_model_server() as running:
        running.scripts["stub-frames"] = lambda _: FRAMED
        running.scripts["stub-frames-and-invents"] = lambda _: (
            f"Gabuev resigned on Friday [1].\n{FRAMED}\nHe earned 7 million euros for it [9]."
        )
        yield running


def replies(generation: LocalGeneration, **settings: Any) -> list[Reply]:
    """Every reply to the question, under these settings of a language model."""

    async def asked() -> list[Reply]:
        answerer = Answerer(load(**settings))
        lease = Lease(generation, CapacityLimiter(2))
        try:
            return [one async for one in answerer.replies(lease, Asked(SearchQuery(QUESTION)))]
        finally:
            await answerer.aclose()

    return asyncio.run(asked())


def of_stub(stub: Stub, model: str, **settings: object) -> dict[str, Any]:
    return {"llm_base_url": stub.url, "llm_model": model, "llm_deadline_s": DEADLINE_S, **settings}


@contextmanager
def serving_with(
    stub: Stub, model: str, index: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> Iterator[Server]:
    for name, value in of_stub(stub, model, **settings).items():
        monkeypatch.setenv(f"DATELINE_{name.upper()}", str(value))
    with serving(index) as server:
        yield server


@pytest.mark.parametrize("model", FAULTS)
def test_whatever_fails_the_quotes_are_there(generation: LocalGeneration, stub: Stub, model: str) -> None:
    (quoted,) = replies(generation)
    *growing, last = replies(generation, **of_stub(stub, model))
    answer = last.answer
    assert last.ended
    assert answer.status == "answered"
    assert answer.degraded
    assert WORDS in answer.text
    if model not in MIDWAY:
        assert answer.proof == quoted.answer.proof
        assert answer.model == "extractive"
    for before, after in zip(growing, [*growing[1:], last], strict=True):
        assert after.answer.proof.text.startswith(before.answer.proof.text)


@pytest.mark.parametrize("model", ["stub-invents", "stub-obeys"])
def test_what_no_quote_bears_out_does_not_leave(generation: LocalGeneration, stub: Stub, model: str) -> None:
    (quoted,) = replies(generation)
    *_, last = replies(generation, **of_stub(stub, model))
    assert last.answer.proof == quoted.answer.proof


def test_a_sentence_around_a_quote_leaves_with_its_quote(generation: LocalGeneration, stub: Stub) -> None:
    *_, last = replies(generation, **of_stub(stub, "stub-frames"))
    assert last.answer.text == "Gabuev expects “closer military cooperation, more interoperability”. [1]"
    assert last.answer.model == "stub-frames"
    assert not last.answer.degraded
    (citation,) = last.answer.proof.citations
    assert citation.quote.text == "closer military cooperation, more interoperability"


def test_what_is_unproven_is_removed_or_marked(generation: LocalGeneration, stub: Stub) -> None:
    *_, removed = replies(generation, **of_stub(stub, "stub-frames-and-invents"))
    assert removed.answer.text == "Gabuev expects “closer military cooperation, more interoperability”. [1]"
    *_, marked = replies(generation, **of_stub(stub, "stub-frames-and-invents", llm_unproven="marked"))
    assert marked.answer.text.split("\n\n") == [
        "Gabuev resigned on Friday. [not in the articles]",
        "Gabuev expects “closer military cooperation, more interoperability”. [1]",
        "He earned 7 million euros for it. [not in the articles]",
    ]
    assert len(marked.answer.proof.citations) == 1


def test_where_the_model_finds_nothing_a_sure_quote_still_answers(
    generation: LocalGeneration, stub: Stub
) -> None:
    *_, last = replies(generation, **of_stub(stub, "stub-none"))
    assert (last.answer.status, last.answer.model, last.answer.degraded) == ("answered", "extractive", False)
    *_, silent = replies(generation, **of_stub(stub, "stub-none", min_confidence=1.0))
    assert silent.answer.text == "The articles do not tell."
    assert silent.answer.nearest


def test_every_protocol_tells_what_the_model_wrote(
    seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_with(stub, "stub-frames-and-invents", seed_index, monkeypatch) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        with client:
            messages: Any = [{"role": "user", "content": QUESTION}]
            whole = client.chat.completions.create(model="dateline", messages=messages)
            content = whole.choices[0].message.content
            chunks = client.chat.completions.create(model="dateline", messages=messages, stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == content
            assert client.responses.create(model="dateline", input=QUESTION).output_text == content
            with client.responses.stream(model="dateline", input=QUESTION) as stream:
                assert stream.get_final_response().output_text == content
        answer = server.client.post("/v1/answer", json={"query": QUESTION}).json()
        told = server.client.post("/v1/answer", json={"query": QUESTION, "stream": True}).text
    assert content == "Gabuev expects “closer military cooperation, more interoperability”. [1]"
    begun, *_, ended = [json.loads(line[6:]) for line in told.split("\n") if line.startswith("data: ")]
    assert (begun["answer"], begun["ended"]) == ("", False)
    assert (ended["answer"], ended["ended"]) == (content, True)
    (citation,) = ended["citations"]
    assert citation["context"].startswith("Gabuev stated, \"I don't expect")
    assert citation["quote"] in citation["context"]
    assert (answer["answer"], answer["model"]) == (content, "stub-frames-and-invents")
    assert stub.asked[-1].data["question"] == QUESTION
    assert any(WORDS in passage["text"] for passage in stub.asked[-1].passages)


def test_a_sentence_is_told_before_the_next_is_written(
    seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model hangs behind its first sentence, which has left by then; quotes follow at the deadline."""
    with (
        serving_with(stub, "fault-hangs-midway", seed_index, monkeypatch, llm_deadline_s=3) as server,
        server.client.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": "dateline", "stream": True, "messages": [{"role": "user", "content": QUESTION}]},
        ) as response,
    ):
        data = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
    told = [
        one["choices"][0]["delta"]["content"] for one in data if one["choices"][0]["delta"].get("content")
    ]
    assert re.fullmatch(r"The article says “.+”\. \[1\]", told[0])
    assert WORDS in "".join(told[1:])
    assert data[-1]["dateline"]["degraded"]


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_leaves_frees_the_model(
    seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """The stub sees its own client, the service, hang up long before the deadline."""
    stub.someone_left.clear()
    with serving_with(stub, "fault-silent", seed_index, monkeypatch, llm_deadline_s=300) as server:
        body = {"model": "dateline", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]}
        with pytest.raises(httpx.ReadTimeout):
            server.client.post("/v1/chat/completions", json=body, timeout=2)
        assert stub.someone_left.wait(30)
        assert server.client.get("/healthz").status_code == 200


def test_quotes_are_the_articles_own(generation: LocalGeneration, stub: Stub) -> None:
    *_, last = replies(generation, **of_stub(stub, "stub-honest", llm_deadline_s=20))
    assert last.answer.model == "stub-honest"
    assert last.answer.proof.citations
    for citation in last.answer.proof.citations:
        article = last.answer.proof.sources[citation.number - 1]
        assert article.text[slice(*citation.quote.place)] == citation.quote.text
        assert normalised(citation.quote.text) in normalised(last.answer.text)
