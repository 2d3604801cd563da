"""Rebuilding under load: the service goes on, and no answer is made of two generations."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from tests.conftest import build_index
from tests.integration.server import serving

REBUILDS = 20
CLIENTS = 3


def _edition(folder: Path, number: int) -> Path:
    """A collection whose every passage says which edition it is of."""
    path = folder / "edition.jsonl"
    lines = [
        {
            "id": f"a{article}",
            "title": f"Harbour report {article}",
            "text": f"In edition {number} the harbour master counted {article + 3} boats at the quay.",
            "published_at": f"2026-01-{article + 1:02d}",
        }
        for article in range(8)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_twenty_rebuilds_fail_no_request_and_mix_no_generations(tmp_path: Path) -> None:
    index = tmp_path / "index"
    editions = {build_index(index, _edition(tmp_path, 0)).id: 0}
    done = Event()
    responses: list[tuple[int, dict[str, object]]] = []

    def load(url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not done.is_set():
                asked = {"query": "How many boats were at the quay?", "limit": 8, "group_by": "passage"}
                search = client.post("/v1/search", json=asked)
                answer = client.post(
                    "/v1/answer", json={"query": "How many boats did the harbour master count?"}
                )
                responses.extend([(one.status_code, one.json()) for one in (search, answer)])

    with serving(index) as server, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load, server.url) for _ in range(CLIENTS)]
        try:
            for number in range(1, REBUILDS + 1):
                manifest = build_index(index, _edition(tmp_path, number), keep=1)
                editions[manifest.id] = number
                if number % 5 == 0:
                    server.await_log(f"serving generation {manifest.id}")
        finally:
            done.set()
        for client in clients:
            client.result()

    assert [status for status, _ in responses if status != 200] == []
    served = set()
    for _, body in responses:
        generation = str(body["index"]["generation"])  # type: ignore[index]
        served.add(generation)
        texts = [passage["text"] for passage in body.get("results", [])]  # type: ignore[attr-defined]
        texts += [citation["quote"] for citation in body.get("citations", [])]  # type: ignore[attr-defined]
        assert texts
        assert all(f"In edition {editions[generation]} " in text for text in texts)
    assert len(served) > REBUILDS / 5
    # What nobody reads any more is gone: the served one and one for rollback.
    assert len(IndexFolder(index).ids()) <= 3


def test_a_damaged_new_generation_is_refused_while_the_old_one_serves(tmp_path: Path) -> None:
    index = tmp_path / "index"
    first = build_index(index, _edition(tmp_path, 1)).id
    with serving(index) as server:
        folder = IndexFolder(index)
        second = build_index(index, _edition(tmp_path, 2)).id
        server.await_log(f"serving generation {second}")
        with folder.writing("test"):
            folder.switch(first)
        server.await_log(f"serving generation {first}")
        corpus = folder.generation(second) / "corpus.sqlite"
        corpus.write_bytes(corpus.read_bytes()[:-100])
        with folder.writing("test"):
            folder.switch(second)
        refusal = server.await_log("refused")
        assert "corpus.sqlite" in refusal
        assert server.client.get("/v1/index").json()["generation"] == first
        assert server.client.get("/v1/search?q=boats").status_code == 200
    with LocalIndex(folder).open_best(lambda _: None) as best:
        assert best.id == first
