"""The service as a retriever, tried with the clients that others use: OpenAI's, Cohere's, LangChain's."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cohere
import httpx
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from indexer.encoder import Encoder
from indexer.local.generation import LocalGeneration
from tests.integration.server import Server, serving

QUESTION = "What does Gabuev expect from military cooperation?"
TEXTS = [
    "The bridge at Saltmarsh costs 48 million.",
    "Gabuev expects closer military cooperation between Russia and China, but no alliance.",
    "Rain is expected on Sunday.",
    "The storm flooded 212 homes.",
]
LONG = "The council met on Monday and talked about the budget of the town. " * 60
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
            patch.setenv(name, "false")
        with serving(seed_index) as running:
            yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def transport() -> Iterator[httpx.Client]:
    """What the clients that cannot be closed send by."""
    with httpx.Client(timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def ranker(server: Server, transport: httpx.Client) -> cohere.ClientV2:
    return cohere.ClientV2(base_url=server.url, api_key="none", httpx_client=transport)


def refused(answer: httpx.Response, *words: str, status: int = 422) -> dict[str, Any]:
    """The problem that an answer is, in which all the words have to stand."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"]
    return problem


# Vector stores.


def found(client: openai.OpenAI, **asked: Any) -> list[Any]:
    return client.vector_stores.search("default", **{"query": QUESTION, **asked}).data


def comparison(kind: str, key: str, value: object) -> dict[str, object]:
    return {"type": kind, "key": key, "value": value}


def test_openai_finds_passages_with_their_places(client: openai.OpenAI, generation: LocalGeneration) -> None:
    page = client.vector_stores.search("default", query=QUESTION, max_num_results=5)
    assert page.to_dict()["search_query"] == [QUESTION]
    assert 0 < len(page.data) <= 5
    first = page.data[0]
    assert "Gabuev" in first.content[0].text
    for one in page.data:
        article = generation.corpus.article(one.file_id)
        assert article
        assert one.filename == article.title
        assert one.attributes
        assert None not in one.attributes.values()
        start, end = int(one.attributes["start"]), int(one.attributes["end"])
        assert article.text[start:end] == one.content[0].text
        assert one.attributes.get("published_at") == article.published_at
    scores = [one.score for one in page.data]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert not page.has_next_page()


def test_several_questions_find_each_passage_once(client: openai.OpenAI) -> None:
    questions = [QUESTION, "How many homes were flooded at Saltmarsh?"]
    apart = [
        {one.attributes["passage_id"]: one.score for one in found(client, query=one, max_num_results=3)}
        for one in questions
    ]
    page = client.vector_stores.search("default", query=questions, max_num_results=20)
    together = {one.attributes["passage_id"]: one.score for one in page.data if one.attributes}
    assert page.to_dict()["search_query"] == questions
    assert len(together) == len(page.data)
    for passage in apart[0].keys() | apart[1].keys():
        assert together.get(passage, 0) >= max(one.get(passage, 0) for one in apart) - 1e-6


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (comparison("eq", "source", "Harbour Courier"), lambda a: a["source"] == "Harbour Courier"),
        (
            comparison("in", "source", ["Harbour Courier", "Meridian Wire"]),
            lambda a: a["source"] in {"Harbour Courier", "Meridian Wire"},
        ),
        (comparison("gte", "published_at", "2025-12-01"), lambda a: a["published_at"][:10] >= "2025-12-01"),
        (comparison("lt", "date", "2025-12-01"), lambda a: a["published_at"][:10] < "2025-12-01"),
        (comparison("eq", "published_at", "2023-10-16"), lambda a: a["published_at"][:10] == "2023-10-16"),
        (
            comparison("gt", "published_at", datetime(2025, 12, 1, 12, tzinfo=UTC).timestamp()),
            lambda a: a["published_at"][:10] >= "2025-12-02",
        ),
        (
            comparison("lte", "published_at", int(datetime(2025, 12, 1, tzinfo=UTC).timestamp())),
            lambda a: a["published_at"][:10] <= "2025-12-01",
        ),
        (
            {
                "type": "and",
                "filters": [
                    comparison("in", "source", ["Harbour Courier", "Meridian Wire"]),
                    {"type": "and", "filters": [comparison("gte", "date", "2025-01-01")]},
                ],
            },
            lambda a: (
                a["source"] in {"Harbour Courier", "Meridian Wire"} and a["published_at"] >= "2025-01-01"
            ),
        ),
    ],
)
def test_a_filter_holds_for_all_and_loses_none(client: openai.OpenAI, filters: Any, passes: Any) -> None:
    everything = {"published_at": "", "source": "", "author": ""}
    query = "What was said about the town, the storm, the bridge and Russia?"
    kept = found(client, query=query, filters=filters, max_num_results=50)
    whole = found(client, query=query, max_num_results=50)
    assert kept
    assert all(passes({**everything, **one.attributes}) for one in kept)
    # Filtered, at least as many pass as happen to be among the best without the filter.
    dated = [one for one in whole if one.attributes.get("published_at")]
    among = {one.file_id for one in dated if passes({**everything, **one.attributes})}
    assert len({one.file_id for one in kept}) >= len(among)


@pytest.mark.parametrize(
    "filters",
    [
        {"type": "and", "filters": [comparison("eq", "source", "A"), comparison("eq", "source", "B")]},
        {
            "type": "and",
            "filters": [comparison("gt", "date", "2025-01-01"), comparison("lt", "date", "2025-01-02")],
        },
        comparison("in", "source", []),
        comparison("lt", "date", "0001-01-01"),
        comparison("gt", "date", "9999-12-31"),
        comparison("eq", "date", 43_200),
    ],
)
def test_filters_that_contradict_each_other_find_nothing(client: openai.OpenAI, filters: Any) -> None:
    assert found(client, filters=filters) == []


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (comparison("ne", "source", "Meridian Wire"), ("source", "ne", "supported are")),
        (comparison("nin", "source", ["Meridian Wire"]), ("source", "nin", "supported are")),
        (comparison("gt", "source", "Meridian Wire"), ("source", "gt", "supported are")),
        (comparison("eq", "section", "sport"), ("section", "supported are")),
        (comparison("in", "published_at", ["2025-01-01"]), ("published_at", "in", "supported are")),
        (
            {"type": "or", "filters": [comparison("eq", "source", "Meridian Wire")]},
            ("or is not supported", "supported are"),
        ),
        (
            {"type": "and", "filters": [{"type": "or", "filters": []}]},
            ("or is not supported", "supported are"),
        ),
        (comparison("eq", "source", 7), ("source", "a text")),
        (comparison("in", "source", "Meridian Wire"), ("source", "a list of texts")),
        (comparison("gt", "published_at", "last week"), ("published_at", "YYYY-MM-DD", "Unix seconds")),
        (comparison("gt", "published_at", "2023-02-30"), ("published_at", "YYYY-MM-DD")),
        (comparison("gt", "published_at", "2023-10-16T08:30:00Z"), ("published_at", "YYYY-MM-DD")),
        (comparison("gt", "published_at", True), ("published_at", "YYYY-MM-DD")),
        (comparison("gt", "published_at", 1_764_590_400_000), ("published_at", "Unix seconds")),
        (comparison("like", "source", "Meridian"), ("filters",)),
        ({**comparison("eq", "source", "Meridian Wire"), "negate": True}, ("filters", "negate")),
        ({"source": "Meridian Wire"}, ("filters",)),
        ([], ("filters",)),
    ],
)
def test_a_filter_that_cannot_be_held_is_refused(
    server: Server, filters: Any, words: tuple[str, ...]
) -> None:
    asked = {"query": QUESTION, "filters": filters}
    problem = refused(server.client.post("/v1/vector_stores/default/search", json=asked), *words)
    assert problem["error"]["param"].startswith("filters")


def test_filters_too_deep_to_read_are_refused(server: Server) -> None:
    for depth in (400, 20_000):
        deep = '{"type":"and","filters":[' * depth + "]}" * depth
        answer = server.client.post(
            "/v1/vector_stores/default/search",
            content=f'{{"query": "storm", "filters": {deep}}}',
            headers={"Content-Type": "application/json"},
        )
        refused(answer, status=answer.status_code)
        assert answer.status_code in {400, 422}


def test_openai_reads_the_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="ne is not supported"):
        client.vector_stores.search(
            "default", query=QUESTION, filters={"type": "ne", "key": "source", "value": "Meridian Wire"}
        )
    with pytest.raises(openai.NotFoundError, match="no collection is called 'vs_123'"):
        client.vector_stores.search("vs_123", query=QUESTION)


def test_a_threshold_keeps_what_reaches_it(client: openai.OpenAI) -> None:
    whole = found(client)
    threshold = whole[2].score
    kept = found(client, ranking_options={"score_threshold": threshold, "ranker": "auto"})
    assert [one.score for one in kept] == [one.score for one in whole if one.score >= threshold]
    assert 0 < len(kept) < len(whole)


def test_the_question_counts_days_where_it_may_be_rewritten(client: openai.OpenAI) -> None:
    asked = "What was reported since 1 January 2026 about the bridge?"
    days = {one.attributes["published_at"][:10] for one in found(client, query=asked, rewrite_query=True)}
    assert min(days) >= "2026-01-01"
    days = {one.attributes["published_at"][:10] for one in found(client, query=asked)}
    assert min(days) < "2026-01-01"


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"query": ""}, "query"),
        ({"query": []}, "query"),
        ({"query": ["storm", " "]}, "query.1"),
        ({"query": ["storm"] * 21}, "query"),
        ({"query": 7}, "query"),
        ({}, "query"),
        ({"query": "storm", "max_num_results": 0}, "max_num_results"),
        ({"query": "storm", "max_num_results": 51}, "max_num_results"),
        ({"query": "storm", "ranking_options": {"score_threshold": 2}}, "score_threshold"),
        ({"query": "storm", "rewrite_query": "yes"}, "rewrite_query"),
    ],
)
def test_a_bad_search_is_refused_by_name(server: Server, asked: dict[str, Any], word: str) -> None:
    refused(server.client.post("/v1/vector_stores/default/search", json=asked), word)


def test_collections_are_vector_stores(client: openai.OpenAI, generation: LocalGeneration) -> None:
    (store,) = client.vector_stores.list().data
    assert store == client.vector_stores.retrieve("default")
    assert (store.id, store.name, store.status) == ("default", "default", "completed")
    assert store.file_counts.total == store.file_counts.completed == generation.corpus.article_count
    on_disk = sum(file.stat().st_size for file in generation.path.rglob("*") if file.is_file())
    assert 0 < store.usage_bytes < on_disk
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve("nope")


# Rerank.


def test_cohere_puts_texts_in_order(server: Server, ranker: cohere.ClientV2, transport: httpx.Client) -> None:
    second = ranker.rerank(model="dateline", query=QUESTION, documents=TEXTS)
    assert second.results[0].index == 1
    assert sorted(one.index for one in second.results) == [0, 1, 2, 3]
    scores = [one.relevance_score for one in second.results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    older = cohere.Client(base_url=server.url, api_key="none", httpx_client=transport)
    first = older.rerank(query=QUESTION, documents=[{"text": text} for text in TEXTS], return_documents=True)
    assert [one.index for one in first.results] == [one.index for one in second.results]
    for one in first.results:
        assert one.document
        assert one.document.text == TEXTS[one.index]


def test_no_more_come_back_than_are_wanted(ranker: cohere.ClientV2) -> None:
    whole = ranker.rerank(model=MODEL, query=QUESTION, documents=TEXTS).results
    for most in (1, 3, 9):
        some = ranker.rerank(model=MODEL, query=QUESTION, documents=TEXTS, top_n=most).results
        assert some == whole[:most]


def test_a_score_does_not_depend_on_what_stands_beside(ranker: cohere.ClientV2) -> None:
    together = ranker.rerank(model="dateline", query=QUESTION, documents=[*TEXTS, LONG] * 9).results
    assert len({one.index for one in together}) == len(together) == 45
    for place, text in enumerate([*TEXTS, LONG]):
        (alone,) = ranker.rerank(model="dateline", query=QUESTION, documents=[text]).results
        for one in together:
            if one.index % 5 == place:
                assert one.relevance_score == pytest.approx(alone.relevance_score, abs=0.01)


def test_a_long_document_counts_by_its_best_passage(ranker: cohere.ClientV2) -> None:
    hidden = LONG + TEXTS[1] + LONG
    results = ranker.rerank(model="dateline", query=QUESTION, documents=[LONG, hidden, "", TEXTS[2]]).results
    assert results[0].index == 1
    assert (results[-1].index, results[-1].relevance_score) == (2, 0.0)


def test_nothing_to_rank_is_no_error(server: Server) -> None:
    for version in "12":
        answer = server.client.post(f"/v{version}/rerank", json={"query": QUESTION, "documents": []})
        assert answer.status_code == 200
        assert answer.json()["results"] == []
        assert answer.json()["meta"] == {"api_version": {"version": version}}


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"query": "", "documents": TEXTS}, "query"),
        ({"documents": TEXTS}, "query"),
        ({"query": "storm"}, "documents"),
        ({"query": "storm", "documents": "storm"}, "documents"),
        ({"query": "storm", "documents": ["a", 7]}, "documents.1: give a text"),
        ({"query": "storm", "documents": [{"title": "Storm"}]}, "documents.0: give a text"),
        ({"query": "storm", "documents": ["a"] * 1001}, "documents: List should have at most 1000 items"),
        (
            {"query": "storm", "documents": ["a" * 100_001]},
            "documents.0: must have at most 100000 characters",
        ),
        ({"query": "storm", "documents": TEXTS, "top_n": 0}, "top_n"),
    ],
)
def test_a_bad_rerank_is_refused_by_name(server: Server, asked: dict[str, Any], word: str) -> None:
    for version in "12":
        refused(server.client.post(f"/v{version}/rerank", json=asked), word)


def test_an_unknown_model_is_told_what_there_is(client: openai.OpenAI, ranker: cohere.ClientV2) -> None:
    with pytest.raises(cohere.NotFoundError, match="'rerank-v3'"):
        ranker.rerank(model="rerank-v3", query=QUESTION, documents=TEXTS)
    with pytest.raises(openai.NotFoundError, match=rf"lists them, and {MODEL} will do here"):
        client.embeddings.create(model="text-embedding-3-small", input="storm")


# Embeddings.


def vectors_of(answer: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    assert [one.index for one in answer.data] == list(range(len(answer.data)))
    return np.array([one.embedding for one in answer.data], np.float32)


def test_openai_gets_the_encoders_own_vectors(client: openai.OpenAI, encoder: Encoder) -> None:
    usual = client.embeddings.create(model=MODEL, input=TEXTS)  # asks for base64
    plain = client.embeddings.create(
        model="all-MiniLM-L6-v2", input=TEXTS, encoding_format="float", dimensions=384
    )
    assert np.array_equal(vectors_of(usual), vectors_of(plain))
    assert np.allclose(vectors_of(usual), encoder.encode_passages(TEXTS), atol=1e-6)
    tokens = sum(len(encoder.token_spans(text)) for text in TEXTS)
    assert usual.usage.prompt_tokens == usual.usage.total_tokens == tokens
    asked = client.embeddings.create(model=MODEL, input=QUESTION, extra_body={"input_type": "query"})
    assert np.allclose(vectors_of(asked)[0], encoder.encode_queries([QUESTION])[0], atol=1e-6)


def test_base64_is_little_endian_float32(server: Server) -> None:
    asked = {"model": "dateline", "input": TEXTS[0]}
    plain, packed = (
        server.client.post("/v1/embeddings", json={**asked, "encoding_format": form}).json()["data"][0]
        for form in ("float", "base64")
    )
    assert np.frombuffer(base64.b64decode(packed["embedding"]), "<f4").tolist() == plain["embedding"]


def test_a_batch_has_the_vectors_of_its_texts(client: openai.OpenAI) -> None:
    texts = [f"{text} {number}" for number in range(20) for text in TEXTS]
    together = vectors_of(client.embeddings.create(model="dateline", input=texts))
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for place in (0, 33, 79):
        alone = vectors_of(client.embeddings.create(model="dateline", input=texts[place]))[0]
        assert float(alone @ together[place]) > 0.999


def test_the_nearest_by_them_is_the_nearest_in_the_index(
    client: openai.OpenAI, generation: LocalGeneration
) -> None:
    asked = client.embeddings.create(model="dateline", input=QUESTION, extra_body={"input_type": "query"})
    rows, scores = generation.vectors.search(vectors_of(asked)[0], 5)
    own = generation.vectors.search(generation.encoder.encode_query(QUESTION).vector, 5)
    assert rows.tolist() == own[0].tolist()
    assert np.allclose(scores, own[1], atol=1e-5)


def test_langchain_embeds_texts(server: Server, encoder: Encoder, transport: httpx.Client) -> None:
    embeddings = OpenAIEmbeddings(
        model=MODEL,
        openai_api_base=f"{server.url}/v1",
        openai_api_key=SecretStr("none"),
        check_embedding_ctx_length=False,
        http_client=transport,
    )
    assert np.allclose(embeddings.embed_documents(TEXTS), encoder.encode_passages(TEXTS), atol=1e-6)
    nearest = np.array(embeddings.embed_documents(TEXTS)) @ np.array(embeddings.embed_query(QUESTION))
    assert int(nearest.argmax()) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"input": [1, 2, 3]}, ("input", "token ids", "check_embedding_ctx_length=False")),
        ({"input": [[1, 2], [3]]}, ("input", "token ids", "check_embedding_ctx_length=False")),
        ({"input": ""}, ("input.0", "empty")),
        ({"input": ["storm", ""]}, ("input.1", "empty")),
        ({"input": []}, ("input",)),
        ({"input": ["a"] * 2049}, ("input", "2048")),
        ({"input": None}, ("input",)),
        ({"input": "storm", "dimensions": 256}, ("dimensions", "has 384, not 256")),
        ({"input": "storm", "encoding_format": "int8"}, ("encoding_format",)),
        ({"input": "storm", "input_type": "title"}, ("input_type",)),
    ],
)
def test_a_bad_embedding_is_refused_by_name(
    server: Server, asked: dict[str, Any], words: tuple[str, ...]
) -> None:
    refused(server.client.post("/v1/embeddings", json={"model": "dateline", **asked}), *words)


@pytest.mark.parametrize(
    ("path", "field", "asked"),
    [
        ("/v1/embeddings", "input", {"model": "dateline"}),
        ("/v2/rerank", "documents", {"query": "storm"}),
    ],
)
def test_what_is_no_text_is_refused(server: Server, path: str, field: str, asked: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    lone = json.dumps({**asked, field: ["storm \ud800"]})
    refused(server.client.post(path, content=lone, headers=headers), f"{field}.0", "surrogate")
