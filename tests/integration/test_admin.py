"""Operating over HTTP: rebuilds that outlive their request, rollbacks, and who may."""

import fcntl
import json
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from tests.conftest import SEED_ID, SEEDS, build_index
from tests.integration.server import Server, serving

MOST_LOOKS = 5_000


@pytest.fixture
def index(seed_index: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(seed_index, tmp_path / "index"))


@pytest.fixture(scope="module")
def server(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that is asked, and refuses; no article is set."""
    copy = Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("admin") / "index"))
    with serving(copy, "--collection", f"archive={copy}") as running:
        yield running


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough articles for a build to be caught at work."""
    path = tmp_path / "many.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number in range(2_000):
            text = f"Report {number} says that the harbour took in {number * 7} boats on that day. " * 8
            lines.write(json.dumps({"id": f"m{number}", "title": f"Report {number}", "text": text}) + "\n")
    return path


def _reads(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    monkeypatch.setenv("DATELINE_ARTICLES", json.dumps([str(path) for path in paths]))


def _seen(server: Server, name: str = "default") -> dict[str, Any]:
    found = server.client.get("/v1/admin")
    assert found.status_code == 200
    return next(one for one in found.json()["collections"] if one["name"] == name)


def _until(server: Server, said: str) -> dict[str, Any]:
    """Looks until the running build has said something."""
    for _ in range(MOST_LOOKS):
        collection = _seen(server)
        if any(line.startswith(said) for line in collection["rebuild"]["lines"]):
            return collection
        assert collection["rebuild"]["state"] == "running", collection["rebuild"]
    raise AssertionError(f"the build did not say {said!r}")


def _post(server: Server, what: str, **body: object) -> httpx.Response:
    return server.client.post(f"/v1/admin/{what}", json=body)


def test_a_rebuild_ends_in_a_new_generation_that_is_served(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reads(monkeypatch, SEEDS)
    with serving(index) as server:
        before = _seen(server)["served"]["generation"]
        begun = _post(server, "rebuild")
        assert (begun.status_code, begun.json()["state"]) == (202, "running")
        again = _post(server, "rebuild")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "index_locked")
        assert "is being rebuilt since" in again.json()["detail"]
        at_work = _until(server, "preparing the encoder")
        assert at_work["rebuild"]["ended_at"] is None
        assert server.client.get("/v1/search?q=boats").json()["index"]["generation"] == before
        server.await_logs("serving generation 000002", "rebuilt ")
        after = _seen(server)
        assert after["served"]["generation"].startswith("000002-")
        assert after["named"] == after["served"]["generation"]
        assert [one["id"] for one in after["generations"]] == [after["named"], before]
        assert [one["served"] for one in after["generations"]] == [True, False]
        assert (after["writer"], after["refused"]) == (None, None)
        rebuild = after["rebuild"]
        assert (rebuild["state"], rebuild["exit_code"], rebuild["error"]) == ("done", 0, None)
        assert "27 articles" in rebuild["lines"][-1]
        assert rebuild["ended_at"] > rebuild["started_at"]
        assert _post(server, "rebuild").status_code == 202


def test_a_rebuild_that_fails_says_why_and_the_old_index_serves_on(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reads(monkeypatch, tmp_path / "missing")
    with serving(index) as server:
        before = _seen(server)["served"]
        assert _post(server, "rebuild").status_code == 202
        server.await_log("rebuilding .* failed")
        after = _seen(server)
        assert after["rebuild"]["state"] == "failed"
        assert after["rebuild"]["exit_code"] in {1, 2}
        assert "missing" in after["rebuild"]["error"]
        assert after["served"] == before


def test_without_articles_a_rebuild_is_told_what_to_set(server: Server) -> None:
    refused = _post(server, "rebuild")
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == "articles"
    assert "set articles in dateline.toml, or run: dateline index build PATH…" in refused.json()["detail"]
    other = _post(server, "rebuild", collection="archive")
    assert other.status_code == 422
    assert "run: dateline index build PATH…" in other.json()["detail"]
    assert _post(server, "rebuild", collection="nowhere").status_code == 404
    assert _seen(server)["rebuild"] is None


def test_nothing_is_changed_while_somebody_else_writes(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _reads(monkeypatch, SEEDS)
    build_index(index, SEEDS)
    with serving(index) as server, IndexFolder(index).writing("the night's build"):
        assert "the night's build" in _seen(server)["writer"]
        for refused in (_post(server, "rebuild"), _post(server, "rollback")):
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "index_locked")
            assert "the night's build" in refused.json()["detail"]


def test_another_generation_is_served_and_the_first_again(index: Path) -> None:
    first = IndexFolder(index).current()
    with serving(index) as server:
        alone = _post(server, "rollback")
        assert (alone.status_code, alone.json()["error"]["code"]) == (409, "not_servable")
        second = build_index(index, SEEDS).id
        server.await_log(f"serving generation {second}")
        back = _post(server, "rollback")
        assert back.status_code == 200
        assert back.json()["served"]["generation"] == back.json()["named"] == first
        assert _post(server, "rollback", generation=second).json()["served"]["generation"] == second
        for nonsense in ("000009-00000000", "../..", "x" * 100):
            refused = _post(server, "rollback", generation=nonsense)
            assert (refused.status_code, refused.json()["error"]["param"]) == (422, "generation")
        assert _seen(server)["served"]["generation"] == second


def test_a_damaged_generation_is_not_gone_back_to(index: Path) -> None:
    folder = IndexFolder(index)
    first = str(folder.current())
    second = build_index(index, SEEDS).id
    corpus = folder.generation(first) / "corpus.sqlite"
    corpus.write_bytes(corpus.read_bytes()[:-100])
    with serving(index) as server:
        refused = _post(server, "rollback")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_servable")
        assert "corpus.sqlite" in refused.json()["detail"]
        (folder.generation(first) / "manifest.json").write_text("{}")
        after = _seen(server)
        assert after["served"]["generation"] == after["named"] == second
        assert "is damaged" in after["generations"][1]["damage"]


def test_why_the_named_generation_is_not_served_is_told(index: Path) -> None:
    folder = IndexFolder(index)
    first = folder.current()
    second = build_index(index, SEEDS).id
    corpus = folder.generation(second) / "corpus.sqlite"
    corpus.write_bytes(corpus.read_bytes()[:-100])
    with serving(index) as server:
        seen = _seen(server)
        assert (seen["served"]["generation"], seen["named"]) == (first, second)
        assert "corpus.sqlite" in seen["refused"]


FOREIGN = {
    "another site": {"Origin": "http://news.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "no site": {"Origin": "null"},
    "a proxy's client": {"X-Forwarded-For": "203.0.113.9"},
    "a proxy that tells little": {"Via": "1.1 proxy"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_who_comes_from_elsewhere_is_refused(server: Server, headers: dict[str, str]) -> None:
    for refused in (
        server.client.get("/v1/admin", headers=headers),
        server.client.post("/v1/admin/rollback", json={}, headers=headers),
        server.client.post("/v1/admin/rebuild", json={"no": "field"}, headers=headers),
    ):
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "forbidden"
        assert "Origin" in headers or "dateline keys add NAME --scope admin" in refused.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:80", "127.8.9.10"])
def test_this_machine_has_several_names(server: Server, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert server.client.get("/v1/admin", headers=headers).status_code == 200


def _own_address() -> str:
    """An address of this machine that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has loopback addresses only")
        return str(probe.getsockname()[0])


def test_without_keys_it_is_for_this_machine_alone_and_may_be_switched_off(
    seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _own_address()
    for setting, here in (("true", 200), ("false", 403)):
        monkeypatch.setenv("DATELINE_ADMIN", setting)
        with serving(seed_index, "--host", "0.0.0.0", "--open") as server:  # noqa: S104  what is tried
            port = httpx.URL(server.url).port
            for headers in ({}, {"Host": "127.0.0.1"}):  # a loopback name does not make the peer local
                asked = httpx.get(f"http://{address}:{port}/v1/admin", headers=headers)
                assert asked.status_code == 403
            assert httpx.get(f"http://127.0.0.1:{port}/v1/admin").status_code == here


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""]
)
@pytest.mark.parametrize("what", ["rebuild", "rollback"])
def test_what_a_foreign_form_could_send_is_refused(server: Server, kind: str, what: str) -> None:
    refused = server.client.post(f"/v1/admin/{what}", content="{}", headers={"Content-Type": kind})
    assert refused.status_code == 415
    assert refused.json()["error"]["code"] == "unsupported_media_type"


def test_requests_are_counted_by_route_and_nothing_a_client_names(seed_index: Path) -> None:
    with serving(seed_index) as server:
        for _ in range(3):
            server.client.get("/v1/search?q=storm")
        server.client.post("/v1/answer", json={"query": "What does Gabuev expect from military cooperation?"})
        server.client.post("/v1/answer", json={"query": "Who painted the Mona Lisa?"})
        server.client.post("/v1/answer", json={})
        for number in range(20):
            server.client.get(f"/v1/articles/none-{number}")
            server.client.get(f"/nowhere/{number}")
            server.client.get(f"/static/none-{number}.js")
        found = server.client.get("/v1/admin").json()["service"]
        routes = {one["route"]: one for one in found["routes"]}
        assert set(routes) <= {
            "GET /healthz",
            "GET /v1/search",
            "POST /v1/answer",
            "GET /v1/articles/{article_id}",
            "/static",
            "elsewhere",
        }
        search = routes["GET /v1/search"]
        assert (search["requests"], search["client_errors"], search["server_errors"]) == (3, 0, 0)
        assert 0 < search["p50_ms"] <= search["p95_ms"]
        assert routes["POST /v1/answer"]["client_errors"] == 1
        assert routes["GET /v1/articles/{article_id}"]["client_errors"] == 20
        assert found["answers"] == {"answered": 1, "no_answer": 1, "degraded": 0}
        assert found["requests"] == sum(one["requests"] for one in routes.values())
        assert found["resident_bytes"] is None or found["resident_bytes"] > 50 << 20


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_ends_while_it_rebuilds_leaves_its_index_whole(
    index: Path, many: Path, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reads(monkeypatch, many)
    folder = IndexFolder(index)
    with serving(index) as server:
        assert _post(server, "rebuild").status_code == 202
        _until(server, "reading articles")
        assert "index build" in folder.holder()
        server.process.send_signal(how)
        _, said = server.process.communicate(timeout=30)
    if how == signal.SIGTERM:
        assert folder.holder() == ""
        assert "interrupted" in said
    # Of a killed service the build hears at its next line, and gives up: the lock is free then.
    with (index / "LOCK").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    with LocalIndex(folder).open_best(pytest.fail) as whole:
        assert whole.id == folder.current() == folder.ids()[0]
        assert whole.corpus.article(SEED_ID)
    assert folder.ids() == [whole.id]
