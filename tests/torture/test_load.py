"""The service under load: who is let in is answered soon, who is not is told at once, and nobody is lost."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from indexer.folder import IndexFolder
from indexer.sources import Intake, Offer, read
from tests.conftest import SEEDS, build_index
from tests.integration.server import Server, serving
from tests.llm import language_model_server
from tests.torture.conftest import Tries

Tell = Callable[[str], None]

ASKING = Path(__file__).with_name("asking.py")
PATHS = [
    "/v1/search?q=bridge+cost",
    "/v1/search?q=Who+leads+the+union",
    "/v1/search?q=What+does+Gabuev+expect+from+military+cooperation",
    "/v1/search?q=homes+flooded+at+Saltmarsh",
]
SATURATED = 4  # times as many requests as can be answered


class Asking:
    """A process that asks; `end` has it end, and gives what it was told."""

    def __init__(self, server: Server, **how: Any) -> None:
        spec = {"url": server.url, "paths": PATHS, **how}
        self._process = subprocess.Popen(
            [sys.executable, str(ASKING), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> dict[str, Any]:
        out, _ = self._process.communicate()
        assert self._process.returncode == 0
        found: dict[str, Any] = json.loads(out)
        return found


def ask(server: Server, **how: Any) -> dict[str, Any]:
    return Asking(server, **how).end()


def p99(times: list[float]) -> float:
    return float(np.percentile(times, 99))


@pytest.fixture(scope="module")
def editions(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An index of two generations with the same texts; by generation what its articles' ids begin with."""
    folder = tmp_path_factory.mktemp("editions")
    index = Path(shutil.copytree(seed_index, folder / "index"))
    texts = [raw for raw in read(Offer((SEEDS,)), Intake()) if raw.text]
    found = {}
    for edition in ("morning", "evening"):
        file = folder / f"{edition}.jsonl"
        lines = [
            json.dumps({"id": f"{edition}-{number}", "title": raw.title, "text": raw.text})
            for number, raw in enumerate(texts)
        ]
        file.write_text("\n".join(lines), encoding="utf-8")
        found[build_index(index, file).id] = edition
    IndexFolder(index).collect(keep=1)
    assert set(IndexFolder(index).ids()) == set(found)
    return index, found


def switches(server: Server, index: Path, count: int, each: Callable[[], None] = lambda: None) -> None:
    """Goes over to the other generation so many times; calls `each` when that is served."""
    folder = IndexFolder(index)
    for _ in range(count):
        other = next(name for name in folder.ids() if name != folder.current())
        folder.roll_back(other, "a test")
        server.await_log(f"serving generation {other}")
        each()


def test_no_request_fails_or_mixes_generations_while_they_are_switched(
    editions: tuple[Path, dict[str, str]], tries: Tries, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_LASTING_QUEUE", "2")  # nobody is refused here
    index, by_generation = editions
    least, switched = tries(300, of=100_000), tries(2, of=50)
    answers = failed = 0
    shown: dict[str, int] = {}
    with serving(index) as server:
        for _ in range(switched):
            asking = Asking(server, clients=2, shown=True, until_eof=True, count=least // switched)
            switches(server, index, 1)
            told = asking.end()
            failed += len(told["failed"]) + len(told["refused_ms"])
            answers += len(told["accepted_ms"])
            shown |= told["shown"]
    tell(f"{answers} answers during {switched} switches: {failed} failed")
    assert failed == 0
    assert answers >= least
    for line in shown:
        generation, *articles = line.split()
        assert articles
        assert {article.partition("-")[0] for article in articles} == {by_generation[generation]}
    assert {line.split()[0] for line in shown} == set(by_generation)


def test_beyond_what_can_be_answered_requests_are_refused_and_the_others_answered_soon(
    seed_index: Path, tries: Tries, tell: Tell
) -> None:
    seconds = tries(1, of=300)
    with serving(seed_index) as server:
        ask(server, clients=2, seconds=1)
        alone = ask(server, clients=1, seconds=min(seconds, 20))
        most = len(ask(server, clients=4, seconds=min(seconds, 20))["accepted_ms"]) / min(seconds, 20)
        begun = ask(server, rate=SATURATED * most, seconds=1.5)
        told = ask(server, rate=SATURATED * most, seconds=seconds)
    for one in (alone, begun, told):
        assert one["failed"] == []
    assert told["accepted_ms"]
    assert told["refused_ms"]
    times = {name: p99(told[f"{name}_ms"]) for name in ("accepted", "refused", "health")}
    unloaded = p99(alone["accepted_ms"])
    tell(
        f"{SATURATED * most:.0f} requests/s for {seconds} s: {len(told['accepted_ms'])} accepted, p99 "
        f"{times['accepted']:.1f} ms ({times['accepted'] / unloaded:.1f} times {unloaded:.1f}), "
        f"{len(told['refused_ms'])} refused, p99 {times['refused']:.1f} ms; /healthz {times['health']:.1f} ms"
    )
    if seconds == tries(0, of=seconds):  # times decide only where they are many
        assert times["accepted"] <= 3 * unloaded
        assert times["refused"] < 50
        assert times["health"] < 100


class Slow:
    """A client that sends `first`, and then `drip` again and again; it never reads if it is not to."""

    def __init__(self, server: Server, first: bytes, drip: bytes = b"", *, reads: bool = True) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.socket()
        if not reads:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((host, int(port)))
        self._socket.setblocking(False)
        self._socket.send(first)
        self._drip, self._reads = drip, reads

    def hung_up_on(self) -> bool:
        try:
            with suppress(BlockingIOError):
                self._socket.send(self._drip)
            with suppress(BlockingIOError):
                return self._reads and not self._socket.recv(1 << 16)
        except ConnectionError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


def test_slow_clients_are_hung_up_on_and_the_others_do_not_notice(
    seed_index: Path, tries: Tries, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = tries(15, of=250)
    monkeypatch.setenv("DATELINE_PATIENCE_S", str(tries(1, of=10)))
    head = b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with serving(seed_index) as server:
        asking = Asking(server, clients=2, until_eof=True)
        slow = [
            kind
            for _ in range(each)
            for kind in (
                Slow(server, b""),
                Slow(server, b"GET /v1/search?q=a HTTP/1.1\r\n", b"X-Drip: a\r\n"),
                Slow(server, head + b"Content-Length: 100000\r\n\r\n", b" "),
                Slow(server, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 90, b"G", reads=False),
            )
        ]
        open_ = slow
        began = time.monotonic()
        while open_ and time.monotonic() < began + 60:
            time.sleep(0.1)  # between two drops
            open_ = [one for one in open_ if not one.hung_up_on()]
        took = time.monotonic() - began
        told = asking.end()
        for one in slow:
            one.close()
    tell(
        f"{len(slow)} slow sockets, {len(slow) - len(open_)} closed within {took:.0f} s; "
        f"{len(told['accepted_ms'])} others answered, {len(told['failed'])} failed"
    )
    assert open_ == []
    assert told["failed"] == []
    assert told["accepted_ms"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_accepted_request_is_answered_when_the_service_ends(
    seed_index: Path, tries: Tries, tell: Tell, workers: str
) -> None:
    count = tries(1, of=20)
    answers = 0
    longest = 0.0
    for _ in range(count):
        with serving(seed_index, "--workers", workers) as server:
            if workers == "2":
                server.await_log("serving generation")
            asking = [Asking(server, clients=4, apart=apart, until_gone=True) for apart in (False, True)]
            ask(server, clients=1, count=20)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            ended = [one.end() for one in asking]
            server.process.communicate(timeout=30)
            longest = max(longest, time.monotonic() - began)
            assert server.process.returncode in {0, -signal.SIGTERM}
        assert [told["failed"] for told in ended] == [[], []]
        answers += sum(len(told["accepted_ms"]) for told in ended)
    assert longest < 10
    tell(f"{count} ends under load: {answers} answers, none lost; {longest:.1f} s at most")


def test_what_takes_longer_than_the_end_may_is_answered_with_what_there_is(
    seed_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with language_model_server() as stub, ThreadPoolExecutor(2) as clients:
        for name, value in {"BASE_URL": stub.url, "MODEL": "fault-hangs-midway", "DEADLINE_S": "600"}.items():
            monkeypatch.setenv(f"DATELINE_LLM_{name}", value)
        with serving(seed_index) as server:

            def post(path: str, **body: object) -> httpx.Response:
                return httpx.post(f"{server.url}{path}", json=body, timeout=60)

            texts = [f"{number} homes were flooded at Saltmarsh. " * 10 for number in range(2_000)]
            long = clients.submit(post, "/v1/embeddings", model="dateline", input=texts)
            waits = clients.submit(post, "/v1/answer", query="What does Gabuev expect from cooperation?")
            while not stub.asked:
                time.sleep(0.01)
            server.process.terminate()
            server.process.wait(timeout=10)
            given_up, quoted = long.result(), waits.result()
    assert given_up.status_code == 503
    assert given_up.json()["error"]["code"] == "deadline_exceeded"
    assert quoted.status_code == 200
    assert quoted.json()["degraded"]
    assert quoted.json()["citations"]


@contextmanager
def busy(server: Server) -> Iterator[None]:
    asking = Asking(server, clients=1, until_eof=True)
    try:
        yield
    finally:
        assert asking.end()["failed"] == []


def test_a_long_run_with_switches_leaks_nothing(
    editions: tuple[Path, dict[str, str]], tries: Tries, tell: Tell
) -> None:
    index, _ = editions
    minutes = tries(0, of=30)
    with serving(index) as server:
        process = Path(f"/proc/{server.process.pid}")

        def counts() -> tuple[int, int]:
            """The fewest in three seconds: connections that were hung up are soon noticed, and the service
            looks itself now and then, for which it opens a file. What leaks stays."""
            until = time.monotonic() + 3
            looks = []
            while time.monotonic() < until:
                looks.append([len(list((process / of).iterdir())) for of in ("fd", "task")])
                time.sleep(0.01)
            files, threads = np.min(looks, axis=0).tolist()
            return files, threads

        with busy(server):
            switches(server, index, 2)
        ask(server, clients=1, count=1)
        before = counts()
        memory: list[tuple[float, float]] = []

        def minute() -> None:
            until = time.monotonic() + 60 * bool(minutes)
            while time.monotonic() < until:
                memory.append((time.monotonic(), resident_mb(process)))
                time.sleep(1)

        with busy(server):
            switches(server, index, max(2, minutes), minute)
        ask(server, clients=1, count=1)
        after = counts()
    tell(f"descriptors and threads {before}, then {after}")
    assert all(np.less_equal(after, before))  # a pool's idle thread may have ended
    if minutes:
        settled = memory[len(memory) // 3 :]
        times, sizes = np.array(settled).T
        slope = float(np.polyfit(times, sizes, 1)[0]) * 600
        each = ", ".join(f"{size:.1f}" for _, size in memory[::60])
        tell(f"{slope:+.2f} MB in 10 minutes over {minutes} minutes; minute by minute {each}")
        assert slope < 1


def resident_mb(process: Path) -> float:
    lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024
