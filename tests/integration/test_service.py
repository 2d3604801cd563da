"""The service as its clients meet it: a real server on a socket."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import SEED_ID
from tests.integration.server import Server, serving

QUESTION = "What does Gabuev expect from military cooperation?"


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


def _problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Asserts the one error body and returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "detail", "error", "request_id"}
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["status"] == status
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["code"] == code
    assert body["error"]["message"] == body["detail"]
    return body


def test_an_answer_quotes_its_article_letter_for_letter(server: Server) -> None:
    answer = server.client.post("/v1/answer", json={"query": QUESTION}).json()
    assert answer["status"] == "answered"
    assert any("closer military cooperation" in citation["quote"] for citation in answer["citations"])
    for citation in answer["citations"]:
        article = server.client.get(f"/v1/articles/{citation['article_id']}").json()
        assert article["text"][citation["quote_start"] : citation["quote_end"]] == citation["quote"]
        assert answer["answer"][citation["start"] : citation["end"]] == f"[{citation['number']}]"
        assert citation["quote"] in answer["answer"]
        context = article["text"][citation["context_start"] : citation["context_end"]]
        assert context == citation["context"]
        assert citation["quote"] in context
    (source,) = answer["sources"]
    assert source["article_id"] == SEED_ID
    assert source["published_at"] == "2023-10-16"
    assert source["source"] == "Business International News"
    assert source["title"].startswith("Russian President Vladimir Putin")


def test_a_streamed_answer_ends_as_the_whole_would(server: Server) -> None:
    whole = server.client.post("/v1/answer", json={"query": QUESTION}).json()
    with server.client.stream("POST", "/v1/answer", json={"query": QUESTION, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = "".join(response.iter_text()).strip().split("\n\n")
    assert all(event.startswith("event: answer\ndata: {") for event in events)
    *_, last = [json.loads(event.split("data: ", 1)[1]) for event in events]
    assert last.pop("ended")
    assert {**last, "id": 0, "timings_ms": 0} == {**whole, "id": 0, "timings_ms": 0}
    refused = server.client.post("/v1/answer", json={"query": " ", "stream": True})
    _problem(refused, 422, "invalid_value")


def test_what_the_articles_do_not_tell_is_said_plainly(server: Server) -> None:
    answer = server.client.post(
        "/v1/answer", json={"query": "Who won the 2014 chess olympiad in Norway?"}
    ).json()
    assert answer["status"] == "no_answer"
    assert answer["answer"] == "The articles do not tell."
    assert answer["citations"] == answer["sources"] == []
    assert len(answer["nearest"]) == 3


def test_passages_stand_where_they_say(server: Server) -> None:
    results = server.client.post("/v1/search", json={"query": "bridge cost", "limit": 20}).json()["results"]
    assert len(results) == 20
    for passage in results:
        article = server.client.get(f"/v1/articles/{passage['article_id']}").json()
        assert article["text"][passage["start"] : passage["end"]] == passage["text"]
        for mark in passage["highlights"]:
            word = passage["text"][mark["start"] : mark["end"]]
            assert word.lower().startswith(("bridge", "cost"))
    assert [passage["score"] for passage in results] == sorted((p["score"] for p in results), reverse=True)
    assert len({passage["article_id"] for passage in results}) == 20


def test_a_link_searches_as_a_body_does(server: Server) -> None:
    asked = {"query": "storm", "limit": 3, "filters": {"source": ["Harbour Courier", "Meridian Wire"]}}
    by_body = server.client.post("/v1/search", json=asked).json()
    link = "/v1/search?q=storm&limit=3&source=Harbour+Courier&source=Meridian+Wire"
    by_link = server.client.get(link).json()
    assert by_link["results"] == by_body["results"]
    assert by_link["index"] == by_body["index"]
    assert {passage["source"] for passage in by_link["results"]} == {"Harbour Courier", "Meridian Wire"}


def test_pages_follow_one_another(server: Server) -> None:
    whole = server.client.post("/v1/search", json={"query": "the sea", "limit": 27}).json()
    assert whole["next_offset"] is None
    offset: int | None = 0
    paged: list[dict[str, Any]] = []
    while offset is not None:
        page = server.client.get(f"/v1/search?q=the+sea&limit=4&offset={offset}").json()
        paged += page["results"]
        offset = page["next_offset"]
    assert paged == whole["results"]


def test_facets_come_where_they_are_asked_for(server: Server) -> None:
    assert server.client.get("/v1/search?q=bridge").json()["facets"] is None
    asked = {"query": "bridge", "facets": True, "limit": 1, "filters": {"source": ["Harbour Courier"]}}
    found = server.client.post("/v1/search", json=asked).json()
    by_link = server.client.get("/v1/search?q=bridge&facets=true&limit=1&source=Harbour+Courier").json()
    assert by_link["facets"] == found["facets"]
    sources = {one["value"]: one["count"] for one in found["facets"]["sources"]["values"]}
    assert found["facets"]["articles"] == sources["Harbour Courier"] > 1
    assert len(sources) > 3


def test_facets_stand_as_the_collection_stood(server: Server) -> None:
    asked = {"query": "bridge", "facets": True, "as_of": "2025-12-31"}
    days = server.client.post("/v1/search", json=asked).json()["facets"]["days"]["values"]
    assert days
    assert all(one["value"] <= "2025-12-31" for one in days)


def test_filters_hold_before_ranking(server: Server) -> None:
    filters = {"published_after": "2026-02-01", "published_before": "2026-02-28"}
    results = server.client.post("/v1/search", json={"query": "eelgrass", "filters": filters}).json()[
        "results"
    ]
    assert len(results) == 4
    assert all(passage["published_at"].startswith("2026-02") for passage in results)


def test_the_index_tells_what_is_served(server: Server) -> None:
    index = server.client.get("/v1/index").json()
    assert index["articles"] == 27
    assert index["encoder"]["runtime"] == "openvino"
    assert server.client.get("/readyz").status_code == 200
    assert server.client.get("/healthz").json() == {"status": "ok"}


def test_ids_with_slashes_and_strange_letters_are_looked_up_and_never_paths(server: Server) -> None:
    assert server.client.get("/v1/articles/sample/harbour-courier/bridge-cost").status_code == 200
    assert server.client.get("/v1/articles/sample%2Fharbour-courier%2Fbridge-cost").status_code == 200
    for strange in ("%2e%2e/%2e%2e/etc/passwd", "..%2F..%2Fmanifest.json", "%00", "a" * 3000, "%ff"):
        _problem(server.client.get(f"/v1/articles/{strange}"), 404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"query": "a"} trailing', b"[" * 100_000, b"\xff\xfe{\x00", b'{"query": "\xff"}', b"nul",
    ],
    ids=["empty", "cut", "trailing", "nested", "utf-16", "bad utf-8", "word"],
)  # fmt: skip
def test_a_body_that_is_no_json_is_named_so(server: Server, body: bytes) -> None:
    response = server.client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    _problem(
        response, response.status_code, "invalid_json" if response.status_code == 400 else "invalid_value"
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": " \t\n"}, "query"),
        ({"query": "\u200b\u200b"}, "query"),
        ({"query": "a" * 2001}, "query"),
        ({"query": 7}, "query"),
        ({"query": None}, "query"),
        ({}, "query"),
        ({"query": "a", "limit": 0}, "limit"),
        ({"query": "a", "limit": -1}, "limit"),
        ({"query": "a", "limit": 10**9}, "limit"),
        ({"query": "a", "limit": True}, "limit"),
        ({"query": "a", "limit": 1.5}, "limit"),
        ({"query": "a", "offset": 10**9}, "offset"),
        ({"query": "a", "mode": "psychic"}, "mode"),
        ({"query": "a", "unknown": 1}, "unknown"),
        ({"query": "a", "turns": []}, "turns"),
        ({"query": "a", "as_of": "yesterday"}, "as_of"),
        ({"query": "a", "as_of": 0}, "as_of"),
        ({"query": "a", "as_of": "2026-02-30"}, "as_of"),
        ({"query": "a", "as_of": "2025-12-31", "filters": {"published_after": "2026-01-01"}}, "as_of"),
        ({"query": "a", "interpret": "no"}, "interpret"),
        ({"query": "a", "interpret": 0}, "interpret"),
        ({"query": "a", "filters": {"colour": "red"}}, "filters.colour"),
        ({"query": "a", "filters": {"published_after": "yesterday"}}, "filters.published_after"),
        ({"query": "a", "filters": {"published_after": "0000-01-01"}}, "filters.published_after"),
        ({"query": "a", "filters": {"published_after": 0}}, "filters.published_after"),
        ({"query": "a", "filters": {"published_after": "86400"}}, "filters.published_after"),
        (
            {"query": "a", "filters": {"published_after": "2026-02-02", "published_before": "2026-02-01"}},
            "filters.published_after",
        ),
        ({"query": "a", "filters": {"source": ["x"] * 101}}, "filters.source"),
        ({"query": "a", "filters": {"source": ["x" * 301]}}, "filters.source.0"),
    ],
)
def test_a_senseless_request_is_refused_by_the_name_of_its_field(
    server: Server, fields: dict[str, Any], param: str
) -> None:
    body = _problem(server.client.post("/v1/search", json=fields), 422, "invalid_value")
    assert body["error"]["param"] == param
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1/search", "/v1/answer"])
@pytest.mark.parametrize(
    "body", ['{"query": "\\ud800"}', '{"query": "a\\ud800b", "x\\udfff": 1}', "null", "[]", "7"]
)
def test_what_is_json_but_no_request_gets_the_same_body(server: Server, path: str, body: str) -> None:
    response = server.client.post(path, content=body, headers={"content-type": "application/json"})
    if response.status_code != 200:  # a lone surrogate beside words is left out of the question
        _problem(response, 422, "invalid_value")


@pytest.mark.parametrize(
    "question",
    [
        "the of and",
        "a AND (b OR",
        'say "unbalanced',
        "title:x^5 +-&&||!{}[]~*?\\",
        "'; DROP TABLE article; --",
        "{{7*7}}",
        "\x1b[31mred",
        "\u202eright to left",
        "e" + "\u0301" * 1000,
        "👩‍👩‍👧 family",
        "?",
        "w" * 2000,
        "жил был мост",
    ],
)
def test_odd_questions_are_questions(server: Server, question: str) -> None:
    for path in ("/v1/search", "/v1/answer"):
        response = server.client.post(path, json={"query": question})
        assert response.status_code == 200, response.text


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unannounced_length_is_refused_when_it_gets_too_long(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"query": "'
        for _ in range(40):
            yield b"a" * 65536

    response = server.client.post(
        "/v1/search", content=endless(), headers={"content-type": "application/json"}
    )
    _problem(response, 413, "body_too_large")


def test_a_question_of_a_megabyte_is_refused(server: Server) -> None:
    response = server.client.post("/v1/answer", json={"query": "why " * 250_000})
    _problem(response, 422, "invalid_value")


def test_what_is_not_there_gets_the_same_body(server: Server) -> None:
    _problem(server.client.get("/nowhere"), 404, "not_found")
    _problem(server.client.get("/v1/answer"), 405, "method_not_allowed")
    _problem(server.client.get("/v1/search"), 422, "invalid_value")
    _problem(server.client.get("/v1/search?q=a&limit=0"), 422, "invalid_value")


def test_requests_at_once_get_what_one_gets_alone(server: Server) -> None:
    def ask(question: str) -> tuple[str, str]:
        response = httpx.post(f"{server.url}/v1/answer", json={"query": question}, timeout=60)
        answer = response.json()
        return answer["status"], answer["answer"]

    questions = [QUESTION, "Who opposes the bridge?", "How many homes were flooded at Saltmarsh?"]
    alone = [ask(question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, questions * 6)) == alone * 6


def test_serving_needs_no_torch_and_little_memory(seed_index: Path) -> None:
    with serving(seed_index) as server:
        server.client.post("/v1/answer", json={"query": QUESTION}).raise_for_status()
        process = Path("/proc") / str(server.process.pid)
        maps = (process / "maps").read_text(encoding="utf-8")
        status = (process / "status").read_text(encoding="utf-8")
    assert "openvino" in maps
    assert "/torch/" not in maps
    resident_kb = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    assert resident_kb < 350 * 1024


def test_no_part_of_serving_imports_torch_or_transformers(seed_index: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.app import create_app\n"
        "from service.settings import load; from service.served import Collections\n"
        "from indexer.folder import IndexFolder; from indexer.local.generation import LocalIndex\n"
        "index = LocalIndex(IndexFolder(Path(sys.argv[1])))\n"
        "served = Collections({'default': index}, at_once=1); served.refresh()\n"
        "assert served.ready; create_app(load(), served); served.close()\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(seed_index)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_a_service_may_wait_for_its_index(tmp_path: Path, seed_index: Path) -> None:
    index = tmp_path / "index"
    with serving(index, "--wait") as server:
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(base_url=server.url, transport=transport) as client:
            assert client.get("/healthz").status_code == 200
            for method, path in (("GET", "/readyz"), ("GET", "/v1/index"), ("GET", "/v1/search?q=a")):
                response = client.request(method, path)
                _problem(response, 503, "index_not_ready")
                assert int(response.headers["retry-after"]) >= 1
            index.symlink_to(seed_index)
            server.await_log("serving generation")
            assert client.get("/readyz").status_code == 200
            assert client.get("/v1/search?q=bridge").json()["results"]


def test_openapi_describes_every_route(server: Server) -> None:
    """All but MCP, which is a protocol of its own."""
    paths = json.loads(server.client.get("/openapi.json").text)["paths"]
    assert {
        "/v1/search",
        "/v1/answer",
        "/v1/articles/{article_id}",
        "/v1/history/{article_id}",
        "/v1/quotes",
        "/v1/speakers",
        "/v1/index",
        "/v1/collections",
        "/v1/admin",
        "/v1/admin/rebuild",
        "/v1/admin/rollback",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/vector_stores",
        "/v1/vector_stores/{store}",
        "/v1/vector_stores/{store}/search",
        "/v1/rerank",
        "/v2/rerank",
        "/v1/embeddings",
        "/healthz",
        "/metrics",
        "/readyz",
    } == set(paths)


def _quotes(server: Server, **asked: str | int) -> list[dict[str, Any]]:
    response = server.client.get("/v1/quotes", params=asked)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


@pytest.mark.parametrize("speaker", ["Gabuev", "alexander gabuev", "Gabuev's", "Mr. Gabuev"])
def test_a_speakers_words_are_found_however_they_are_called(server: Server, speaker: str) -> None:
    results = _quotes(server, speaker=speaker)
    assert [result["speaker"] for result in results] == ["Alexander Gabuev"] * len(results)
    assert any(result["quote"].startswith("I don't expect") for result in results)


@pytest.mark.parametrize(
    "asked", [{"speaker": "Gabuev"}, {"q": "the cost of the bridge"}, {"speaker": "Hallam", "q": "toll"}]
)
def test_a_quote_stands_in_its_article_letter_for_letter(server: Server, asked: dict[str, str]) -> None:
    results = _quotes(server, **asked, limit=50)
    assert results
    for result in results:
        text = server.client.get(f"/v1/articles/{result['article_id']}").json()["text"]
        assert text[result["quote_start"] : result["quote_end"]] == result["quote"]
        assert text[result["context_start"] : result["context_end"]] == result["context"]
        assert result["quote"] in result["context"]
        assert (result["score"] is None) == ("q" not in asked)


def test_quotes_are_newest_first_or_by_what_they_have_of_the_topic(server: Server) -> None:
    newest = [result["published_at"] for result in _quotes(server, speaker="Hallam", limit=50)]
    assert len(newest) > 1
    assert newest == sorted(newest, reverse=True)
    ranked = _quotes(server, q="military alliance of Russia and China")
    assert ranked[0]["quote"].startswith(
        "I don't expect that Russia and China will create a military alliance"
    )
    assert [result["score"] for result in ranked] == sorted((r["score"] for r in ranked), reverse=True)


def test_quotes_heed_days_sources_and_pages(server: Server) -> None:
    every = _quotes(server, q="bridge", limit=50)
    source = every[0]["source"]
    assert {one["source"] for one in _quotes(server, q="bridge", source=source, limit=50)} == {source}
    assert all(
        one["published_at"] <= "2023-12-31"
        for one in _quotes(server, q="bridge", published_before="2023-12-31")
    )
    pages = [_quotes(server, q="bridge", limit=2, offset=offset) for offset in (0, 2)]
    assert [*pages[0], *pages[1]] == every[:4]
    first = server.client.get("/v1/quotes", params={"q": "bridge", "limit": 2}).json()
    assert first["next_offset"] == 2


def test_an_unknown_speaker_said_nothing(server: Server) -> None:
    assert _quotes(server, speaker="Nobody Whatever") == []
    assert _quotes(server, speaker="Nobody Whatever", q="bridge") == []


def test_speakers_have_as_many_quotes_as_they_are_said_to(server: Server) -> None:
    body = server.client.get("/v1/speakers", params={"limit": 5}).json()
    assert len(body["results"]) == 5 < body["total"]
    for one in body["results"]:
        assert len(_quotes(server, speaker=one["speaker"], limit=100)) == one["quotes"]
    (found,) = server.client.get("/v1/speakers", params={"q": "gabu"}).json()["results"]
    assert (found["name"], found["quotes"], found["direct"]) == ("Alexander Gabuev", 2, 2)
    assert found["first_published_at"] == found["last_published_at"] == "2023-10-16"
    assert server.client.get("/v1/speakers", params={"q": "nobody"}).json()["results"] == []
    _problem(server.client.get("/v1/speakers", params={"limit": 0}), 422, "invalid_value")
    _problem(server.client.get("/v1/speakers", params={"q": " "}), 422, "invalid_value")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({}, "speaker"),
        ({"speaker": " "}, "speaker"),
        ({"q": ""}, "q"),
        ({"speaker": "Gabuev", "limit": 0}, "limit"),
        ({"speaker": "Gabuev", "offset": -1}, "offset"),
        ({"speaker": "Gabuev", "who": "me"}, "who"),
        ({"speaker": "Gabuev", "published_after": "today"}, "published_after"),
        ({"speaker": "x" * 301}, "speaker"),
    ],
)
def test_quotes_are_asked_for_strictly(server: Server, asked: dict[str, str | int], param: str) -> None:
    body = _problem(server.client.get("/v1/quotes", params=asked), 422, "invalid_value")
    assert body["error"]["param"] == param


def _asked(server: Server, path: str, **asked: Any) -> dict[str, Any]:
    response = server.client.post(path, json=asked)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("path", ["/v1/search", "/v1/answer"])
def test_a_response_tells_how_its_question_was_understood(server: Server, path: str) -> None:
    question = "What has Hallam recently said since the flood?"
    body = _asked(server, path, query=question)
    interpreted = body["interpreted"]
    assert set(interpreted) == {
        "query", "rewritten", "published_after", "published_before", "newest_first", "speaker", "findings",
    }  # fmt: skip
    assert (interpreted["query"], interpreted["rewritten"]) == (question, False)
    assert interpreted["published_after"] == "2025-11-09"
    assert interpreted["published_before"] is None
    assert (interpreted["newest_first"], interpreted["speaker"]) == (True, "Hallam")
    findings = {one["text"]: (one["kind"], one["applied"]) for one in interpreted["findings"]}
    assert findings["recently"] == ("newest_first", True)
    assert findings["Hallam"] == ("speaker", True)
    assert findings["since the flood"] == ("published", True)
    for one in interpreted["findings"]:
        assert question[one["start"] : one["end"]] == one["text"]
        assert one["meaning"]
    shown = body.get("results") or body["sources"] or body["nearest"]
    assert shown
    assert all(one["published_at"] >= "2025-11-09" for one in shown)


def test_the_speaker_who_is_asked_for_is_named(server: Server) -> None:
    interpreted = _asked(server, "/v1/answer", query=QUESTION)["interpreted"]
    assert interpreted["speaker"] == "Gabuev"
    (finding,) = interpreted["findings"]
    assert (finding["kind"], finding["text"], finding["applied"]) == ("speaker", "Gabuev", True)


@pytest.mark.parametrize("path", ["/v1/search", "/v1/answer"])
def test_days_without_an_article_are_told_and_not_applied(server: Server, path: str) -> None:
    body = _asked(server, path, query="What did Gabuev say yesterday?")
    interpreted = body["interpreted"]
    assert (interpreted["published_after"], interpreted["published_before"]) == (None, None)
    (ignored,) = [one for one in interpreted["findings"] if not one["applied"]]
    assert ignored["text"] == "yesterday"
    assert "no article was published then" in ignored["meaning"]


def test_an_unknown_event_is_told_and_not_applied(server: Server) -> None:
    interpreted = _asked(server, "/v1/search", query="What happened since the coronation?")["interpreted"]
    (unknown,) = interpreted["findings"]
    assert (unknown["kind"], unknown["applied"]) == ("not_understood", False)


@pytest.mark.parametrize("path", ["/v1/search", "/v1/answer"])
def test_a_question_need_not_be_interpreted(server: Server, path: str) -> None:
    question = "What is the latest on the bridge since the flood?"
    interpreted = _asked(server, path, query=question, interpret=False)["interpreted"]
    assert interpreted == {
        "query": question,
        "rewritten": False,
        "published_after": None,
        "published_before": None,
        "newest_first": False,
        "speaker": None,
        "findings": [],
    }


def test_as_of_a_day_nothing_later_is_known(server: Server) -> None:
    question = "What will the bridge cost?"
    now = _asked(server, "/v1/search", query=question, limit=100)
    then = _asked(server, "/v1/search", query=question, limit=100, as_of="2025-12-31")
    assert any(one["published_at"] and one["published_at"] > "2026" for one in now["results"])
    assert then["results"]
    assert all(one["published_at"] < "2026" for one in then["results"])
    assert then["interpreted"]["published_before"] == "2025-12-31"
    # A correction of the cost came on the ninth.
    answer = _asked(server, "/v1/answer", query=question, as_of="2025-12-05")
    assert answer["sources"]
    assert all(source["published_at"] <= "2025-12-05" for source in answer["sources"])


def test_as_of_a_day_this_week_is_the_week_of_that_day(server: Server) -> None:
    body = _asked(server, "/v1/search", query="What was reported this week?", as_of="2025-11-14")
    assert body["interpreted"]["published_before"] == "2025-11-14"
    assert body["interpreted"]["published_after"] >= "2025-11-07"
    assert body["results"]


def test_a_link_is_interpreted_as_a_body_is(server: Server) -> None:
    question = "What is the latest on the bridge?"
    asked = {"q": question, "as_of": "2025-12-31", "interpret": "false"}
    by_link = server.client.get("/v1/search", params=asked).json()
    by_body = _asked(server, "/v1/search", query=question, as_of="2025-12-31", interpret=False)
    assert by_link["interpreted"] == by_body["interpreted"]
    assert by_link["results"] == by_body["results"]
    interpreted = server.client.get("/v1/search", params={"q": question}).json()["interpreted"]
    assert interpreted["newest_first"] is True


def test_a_follow_up_is_answered_as_what_it_means(server: Server) -> None:
    turns = [{"query": QUESTION}]
    body = _asked(server, "/v1/answer", query="and in the Arctic?", turns=turns)
    whole = "What does Gabuev expect from military cooperation in the Arctic?"
    assert body["query"] == "and in the Arctic?"
    assert body["interpreted"]["rewritten"] is True
    assert body["interpreted"]["query"] == whole
    assert body["interpreted"]["speaker"] == "Gabuev"
    assert body["status"] == "answered"
    assert "Arctic" in body["citations"][0]["quote"]
    assert body["citations"][0]["article_id"] == SEED_ID
    for one in body["interpreted"]["findings"]:
        assert whole[one["start"] : one["end"]] == one["text"]
    turns.append({"query": "and in the Arctic?", "answer": body["answer"]})
    asia = _asked(server, "/v1/answer", query="and in Asia?", turns=turns, interpret=False)
    assert asia["interpreted"]["query"] == "What does Gabuev expect from military cooperation in Asia?"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"as_of": "soon"}, "as_of"),
        ({"as_of": "2025-12-31", "filters": {"published_after": "2026-01-01"}}, "as_of"),
        ({"interpret": None}, "interpret"),
        ({"turns": "before"}, "turns"),
        ({"turns": [{}]}, "turns.0.query"),
        ({"turns": [{"query": " "}]}, "turns.0.query"),
        ({"turns": [{"query": "a", "speaker": "x"}]}, "turns.0.speaker"),
        ({"turns": [{"query": "a", "answer": "x" * 20_001}]}, "turns.0.answer"),
        ({"turns": [{"query": "a"}] * 51}, "turns"),
        ({"limit": 3}, "limit"),
    ],
)
def test_a_senseless_question_for_an_answer_is_refused_by_the_name_of_its_field(
    server: Server, fields: dict[str, Any], param: str
) -> None:
    response = server.client.post("/v1/answer", json={"query": "a", **fields})
    assert _problem(response, 422, "invalid_value")["error"]["param"] == param
