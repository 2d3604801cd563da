"""What the service tells of itself: metrics, logs, request ids and spans."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from indexer.folder import IndexFolder
from tests.conftest import ROOT, SEEDS, build_index
from tests.integration.server import Server, serving
from tests.integration.test_workers import a_client_of_each
from tests.llm import language_model_server

QUESTION = "What does Gabuev expect from military cooperation?"
UNKNOWN = "Who painted the Mona Lisa?"
Samples = dict[tuple[str, ...], float]


def scraped(client: httpx.Client) -> Samples:
    """Every sample: by its name and the values of its labels, in the order of their names."""
    answer = client.get("/metrics").raise_for_status()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_scrape_tells_requests_stages_answers_and_what_is_served(seed_index: Path) -> None:
    with serving(seed_index) as server:
        before = scraped(server.client)
        assert before["dateline_stage_seconds_count", "encode"] == 0
        for _ in range(3):
            server.client.get("/v1/search?q=storm")
        for question in (QUESTION, UNKNOWN):
            server.client.post("/v1/answer", json={"query": question})
        server.client.get("/v1/articles/none")
        server.client.get("/nowhere")
        server.client.get("/static/none.js")
        server.client.post("/mcp", json={})
        found = scraped(server.client)
        assert found["dateline_requests_total", "GET /v1/search", "2xx"] == 3
        assert found["dateline_requests_total", "GET /v1/articles/{article_id}", "4xx"] == 1
        assert found["dateline_requests_total", "elsewhere", "4xx"] == 1
        assert found["dateline_requests_total", "/static", "4xx"] == 1
        assert found["dateline_requests_total", "POST /mcp", "4xx"] == 1
        assert not any("/metrics" in key[1] for key in found if len(key) > 1)
        assert found["dateline_request_seconds_count", "GET /v1/search"] == 3
        assert found["dateline_request_seconds_bucket", "+Inf", "GET /v1/search"] == 3
        assert 0 < found["dateline_request_seconds_sum", "GET /v1/search"] < 30
        for stage, at_least in {"encode": 5, "search": 5, "rescore": 5, "answer": 2}.items():
            assert found["dateline_stage_seconds_count", stage] >= at_least
            assert found["dateline_stage_seconds_sum", stage] > 0
        assert found["dateline_stage_seconds_count", "llm"] == 0
        assert found["dateline_answers_total", "answered"] == 1
        assert found["dateline_answers_total", "no_answer"] == 1
        assert found["dateline_answers_degraded_total",] == 0
        assert found["dateline_quotes_dropped_total",] == 0
        assert found["dateline_queue_waiting",] == found["dateline_queue_refused_total",] == 0
        manifest = IndexFolder(seed_index).manifest(str(IndexFolder(seed_index).current()))
        assert found["dateline_index_info", "default", manifest.id] == 1
        assert found["dateline_index_articles", "default"] == manifest.counts["articles"]
        assert found["dateline_index_passages", "default"] == manifest.counts["passages"]
        assert 0 < found["dateline_index_age_seconds", "default"] < 3600 * 24
        assert found["dateline_index_fallback", "default"] == 0
        assert found["dateline_resident_bytes", "0"] > 50 << 20
        assert found["dateline_open_files", "0"] > 3


def test_the_page_for_operators_and_a_scrape_tell_the_same(seed_index: Path) -> None:
    with serving(seed_index) as server:
        for question in (QUESTION, UNKNOWN):
            server.client.post("/v1/answer", json={"query": question})
        server.client.post("/v1/answer", json={})
        found = scraped(server.client)
        told = server.client.get("/v1/admin").json()["service"]
        answers = next(one for one in told["routes"] if one["route"] == "POST /v1/answer")
        assert answers["requests"] == 3
        by_status = [found["dateline_requests_total", "POST /v1/answer", one] for one in ("2xx", "4xx")]
        assert by_status == [2, answers["client_errors"]]
        assert told["answers"]["no_answer"] == found["dateline_answers_total", "no_answer"] == 1


def test_every_worker_tells_what_all_counted_and_a_death_loses_nothing(seed_index: Path) -> None:
    with serving(seed_index, "--workers", "2") as server, ExitStack() as opened:
        server.await_log("serving generation")
        clients = a_client_of_each(server, opened)
        for client in clients.values():
            client.get("/v1/search?q=storm")
        key = ("dateline_requests_total", "GET /v1/search", "2xx")
        assert [scraped(client)[key] for client in clients.values()] == [2, 2]
        assert scraped(server.client)["dateline_workers",] == 2
        killed, spared = clients
        os.kill(killed, signal.SIGKILL)
        server.await_log("another takes its place")
        assert scraped(clients[spared])[key] == 2
        server.await_log("serving generation")
        again = a_client_of_each(server, opened)
        assert killed not in again
        for client in again.values():
            client.get("/v1/search?q=storm")
        assert [scraped(client)[key] for client in again.values()] == [4, 4]
        found = scraped(server.client)
        assert found["dateline_resident_bytes", "1"] > 0


def test_a_damaged_index_shows_as_an_older_one_and_an_alarm(seed_index: Path, tmp_path: Path) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    folder = IndexFolder(index)
    first = str(folder.current())
    second = build_index(index, SEEDS).id
    corpus = folder.generation(second) / "corpus.sqlite"
    corpus.write_bytes(corpus.read_bytes()[:-100])
    with serving(index) as server:
        found = scraped(server.client)
        assert found["dateline_index_info", "default", first] == 1
        assert found["dateline_index_fallback", "default"] == 1


def test_a_language_model_that_fails_is_counted_and_timed(
    seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with language_model_server() as stub:
        monkeypatch.setenv("DATELINE_LLM_BASE_URL", stub.url)
        monkeypatch.setenv("DATELINE_LLM_MODEL", "stub-500")
        with serving(seed_index) as server:
            told = server.client.post("/v1/answer", json={"query": QUESTION}).json()
            assert told["degraded"] is True
            found = scraped(server.client)
    assert found["dateline_answers_degraded_total",] == 1
    assert found["dateline_stage_seconds_count", "llm"] == 1


def test_metrics_are_for_operators(seed_index: Path) -> None:
    with serving(seed_index) as server:
        refused = server.client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")


def test_the_dashboard_and_the_alerts_name_only_what_there_is(seed_index: Path) -> None:
    with serving(seed_index) as server:
        server.client.get("/v1/search?q=storm")
        known = {key[0] for key in scraped(server.client)}
    for name in ("grafana/dateline.json", "prometheus/alerts.yml"):
        named = set(re.findall(r"dateline_\w+", (ROOT / "deploy" / name).read_text(encoding="utf-8")))
        assert named
        assert named <= known, name
    board = json.loads((ROOT / "deploy/grafana/dateline.json").read_text(encoding="utf-8"))
    assert all(panel["targets"] for panel in board["panels"] if panel["type"] != "row")


@pytest.fixture(scope="module")
def told(seed_index: Path) -> list[dict[str, Any]]:
    """The log of a service that was asked this and that, as it is when it has ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATELINE_LOG_FORMAT", "json")
        with serving(seed_index) as server:
            server.client.get("/v1/search?q=zeppelin", headers={"X-Request-Id": "from-the-proxy.1"})
            server.client.post("/v1/answer", json={"query": "Which zeppelin?", "stream": True})
            server.client.get("/v1/articles/zeppelin")
            called = {"name": "search", "arguments": {"query": "zeppelin", "collection": "zeppelins"}}
            server.client.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called},
                headers={"Accept": "application/json, text/event-stream"},
            ).raise_for_status()
            server.process.terminate()
            _, rest = server.process.communicate(timeout=30)
    return [json.loads(line) for line in [*server.log, *rest.splitlines()]]


def test_every_line_is_an_object_with_time_level_and_event(told: list[dict[str, Any]]) -> None:
    assert all({"at", "level", "logger", "event"} <= line.keys() for line in told)
    assert any(line["event"].startswith("serving generation") for line in told)


def test_every_request_is_one_event_and_nothing_that_was_asked_is_in_the_log(
    told: list[dict[str, Any]],
) -> None:
    requests = [line for line in told if line["logger"] == "dateline.access"]
    assert [
        (one["method"], one["route"], one["status"]) for one in requests if "healthz" not in one["route"]
    ] == [
        ("GET", "/v1/search", 200),
        ("POST", "/v1/answer", 200),
        ("GET", "/v1/articles/{article_id}", 404),
        ("POST", "/mcp", 200),
    ]
    assert all(one["took_ms"] > 0 for one in requests)
    ids = [one["request_id"] for one in requests]
    assert "from-the-proxy.1" in ids
    assert len(set(ids)) == len(ids)
    assert "zeppelin" not in json.dumps(told).lower()


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


def test_a_request_has_an_id_which_its_response_names(server: Server) -> None:
    ids = {server.client.get("/healthz").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "0" * 64])
def test_a_clients_own_id_is_kept(server: Server, given: str) -> None:
    assert server.client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "0" * 65, "<script>", "ä", '"}'])
def test_an_id_that_could_spoil_a_log_is_replaced(server: Server, given: str) -> None:
    answer = server.client.get("/healthz", headers={b"X-Request-Id": given.encode()})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"])


def test_an_error_names_its_request(server: Server) -> None:
    for asked in ("/v1/articles/none", "/v1/search", "/nowhere"):
        refused = server.client.get(asked)
        assert refused.json()["request_id"] == refused.headers["X-Request-Id"]


def test_what_is_logged_while_a_request_is_worked_on_names_it(
    seed_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that fails is told in the log: in the words of a language model's door, deep inside."""
    monkeypatch.setenv("DATELINE_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("DATELINE_LLM_MODEL", "none")
    for log_format, line in (
        ("text", r"made of quotes: .* \(request my-id\)$"),
        ("json", '"request_id": "my-id"'),
    ):
        monkeypatch.setenv("DATELINE_LOG_FORMAT", log_format)
        with serving(seed_index) as server:
            answer = server.client.post(
                "/v1/answer", json={"query": QUESTION}, headers={"X-Request-Id": "my-id"}
            )
            assert answer.json()["degraded"] is True
            said = server.await_log("made of quotes")
        assert re.search(line, said), said
    assert not list(tmp_path.iterdir())


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An OTLP/HTTP receiver on a real socket, and what it got."""
    got: list[ExportTraceServiceRequest] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            got.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiving:
        thread = Thread(target=receiving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{receiving.server_port}", got
        receiving.shutdown()
        thread.join()


def test_spans_of_a_request_and_its_stages_go_to_the_collector_that_the_environment_names(
    seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = "4bf92f3577b34da6a3ce929d0e0e4736"
    with collector() as (url, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        with serving(seed_index) as server:
            server.client.post(
                "/v1/answer",
                json={"query": QUESTION},
                headers={"traceparent": f"00-{callers}-00f067aa0ba902b7-01", "X-Request-Id": "my-id"},
            ).raise_for_status()
            server.client.get("/v1/articles/none")
        # Told to end, the service has sent what was left.
    resources = [one for request in got for one in request.resource_spans]
    names = {
        attribute.value.string_value
        for one in resources
        for attribute in one.resource.attributes
        if attribute.key == "service.name"
    }
    assert names == {"dateline"}
    spans = [span for one in resources for scope in one.scope_spans for span in scope.spans]
    answer = next(span for span in spans if span.name == "POST /v1/answer")
    assert answer.trace_id.hex() == callers
    assert answer.parent_span_id.hex() == "00f067aa0ba902b7"
    attributes = {one.key: one.value for one in answer.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["dateline.request_id"].string_value == "my-id"
    below = [span for span in spans if span.parent_span_id == answer.span_id]
    assert {span.name for span in below} == {"encode", "search", "rescore", "answer"}
    assert all(span.trace_id == answer.trace_id for span in below)
    missing = next(span for span in spans if span.name == "GET /v1/articles/{article_id}")
    assert missing.trace_id != answer.trace_id
    assert "Gabuev" not in str(got)


def test_without_a_collector_nothing_of_it_is_imported(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
    assert "faiss" in maps
    assert "google/_upb" not in maps
