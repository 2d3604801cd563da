"""Malformed requests at a running service: each is answered for what it is, in one form."""

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok

from tests.integration.server import Server, serving
from tests.torture.conftest import Tries
from tests.torture.malformed import (
    ASKED,
    FIELDS,
    HEADS,
    JSON,
    MCP,
    MESSAGES,
    NO_REQUEST,
    PLACES,
    SAFE,
    TOOL_CALLS,
    post,
    request,
)

Tell = Callable[[str], None]
# What no error may hold: a trace, a place in our files, names of our classes or of the libraries beneath.
_INSIDE = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|/(?:tmp|root|home|usr|work)/|pydantic|starlette|uvicorn|fastapi"
    rb"|\b_[a-z]+Arguments\b|\b[A-Z][a-z]+[A-Za-z]*(?:In|Out|Error|Exception)\b|JSONRPC[A-Z]|<class|0x[0-9a-f]{6}"
)
_PROBLEM = {"type", "title", "status", "detail", "error"}
_ERROR = {"message", "type", "param", "code"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def param(self) -> str | None:
        found: str | None = json.loads(self.body)["error"].get("param")
        return found


class Target:
    """A service whose log is read while it is tortured, so that it never waits for a reader."""

    def __init__(self, server: Server) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self.server = server
        self.address = (host, int(port))
        self.log: list[str] = []
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        assert server.process.stderr
        self._reading = Thread(target=self.log.extend, args=(server.process.stderr,))
        self._reading.start()

    def answers(self, raw: bytes, *, leave: bool = False) -> list[Answer]:
        """Every answer to bytes as they are, until the service closes. With `leave` it is told that nothing
        more will be sent; else the last request has to ask for the end."""
        received = b""
        self.sent += 1
        # It may have refused and closed while it was being sent to.
        with socket.create_connection(self.address, timeout=30) as connection, suppress(ConnectionError):
            connection.sendall(raw)
            if leave:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                received += part
        found = list(_parsed(received))
        for one in found:
            check(one, raw)
        self.statuses.update(one.status for one in found)
        return found

    def answer(self, raw: bytes, *, leave: bool = False) -> Answer:
        (one,) = self.answers(raw, leave=leave)
        return one

    def tried(self) -> str:
        """What the answers were since this was last asked."""
        counts, self.statuses = self.statuses, Counter()
        told = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
        return f"{counts.total():,} answers: {told}"

    def finish(self) -> None:
        self.server.process.terminate()
        self._reading.join(timeout=60)


def _parsed(received: bytes) -> Iterator[Answer]:
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", len(received)))
        yield Answer(int(first.split()[1]), headers, received[:length])
        received = received[length:] if "content-length" in headers else b""


def check(answer: Answer, sent: bytes) -> None:
    """The law for every answer, whatever was sent."""
    said = f"{answer.status} {answer.body[:500]!r} to {sent[:500]!r}"
    assert answer.status < 500 or (answer.status == 503 and "retry-after" in answer.headers), said
    if answer.status < 400 or sent.startswith(b"HEAD "):
        return
    body = json.loads(answer.body)
    if answer.headers["content-type"] == "application/json":  # the form of the Model Context Protocol
        assert b" /mcp" in sent, said
        assert set(body) == {"jsonrpc", "id", "error"}, said
        message = body["error"]["message"]
    else:
        assert answer.headers["content-type"] == "application/problem+json", said
        assert body.keys() - {"request_id"} == _PROBLEM, said  # what is no request has no id
        assert set(body["error"]) == _ERROR, said
        assert body["status"] == answer.status, said
        message = body["detail"]
        assert body["error"]["message"] == message, said
        assert answer.status != 422 or body["error"]["param"] or message.startswith("the body"), said
    assert message, said
    assert len(answer.body) < 5000, said
    echoed = sent + unquote_to_bytes(sent)
    named = [inside for inside in _INSIDE.findall(answer.body) if inside not in echoed]
    if b"/v1/admin" in sent:  # who operates the service is told where its index lies
        named = [inside for inside in named if not inside.startswith(b"/")]
    assert not named, said


@pytest.fixture(scope="module")
def target(seed_index: Path) -> Iterator[Target]:
    with serving(seed_index) as server:
        found = Target(server)
        try:
            yield found
        finally:
            found.finish()


def _asks(question: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "/v1/search", {"query": question}
    yield "/v1/answer", {"query": question}
    yield "/v1/chat/completions", {"messages": [{"role": "user", "content": question}]}
    yield "/v1/responses", {"input": question}
    yield "/v1/vector_stores/default/search", {"query": question}
    yield "/v1/rerank", {"query": question, "documents": ["A bridge."]}


@pytest.mark.parametrize("name", NO_REQUEST)
def test_a_body_that_is_no_request_is_refused(target: Target, name: str) -> None:
    for path in ASKED:
        if path != "/mcp":
            assert target.answer(post(path, NO_REQUEST[name])).status in {400, 422}, path


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_refused_by_its_name(target: Target, name: str) -> None:
    path, body, param = FIELDS[name]
    answer = target.answer(post(path, body))
    assert answer.status == 422
    assert (answer.param or "").startswith(param)


@pytest.mark.parametrize("name", PLACES)
def test_an_address_is_refused_by_what_is_wrong_with_it(target: Target, name: str) -> None:
    path, status, param = PLACES[name]
    answer = target.answer(request("GET", path))
    assert answer.status in ({400, 431} if status == 400 else {status})
    assert answer.param == param


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_refused_for_what_it_is(target: Target, name: str) -> None:
    raw, status = HEADS[name]
    assert target.answer(raw).status == status


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_is_none_is_refused_in_its_protocols_form(target: Target, name: str) -> None:
    answer = target.answer(post("/mcp", MESSAGES[name], MCP))
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["code"] in {-32700, -32600}


@pytest.mark.parametrize("name", TOOL_CALLS)
def test_a_model_is_told_what_is_wrong_with_its_call(target: Target, name: str) -> None:
    params, told = TOOL_CALLS[name]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = target.answer(post("/mcp", call, MCP))
    assert answer.status == 200
    result = json.loads(answer.body)["result"]
    assert result["isError"]
    assert told in result["content"][0]["text"]
    assert not _INSIDE.search(answer.body.replace(b"/etc/passwd", b""))


@pytest.mark.parametrize("question", SAFE)
def test_what_looks_malformed_may_be_a_question(target: Target, question: str) -> None:
    for path, body in _asks(question):
        answer = target.answer(post(path, body))
        assert answer.status == 200, (path, answer.body[:300])
        json.loads(answer.body)


def test_what_need_not_be_refused_is_answered(target: Target) -> None:
    ranges = "bytes=" + ",".join(f"{at}-{at + 1}" for at in range(1000))
    whole = target.answer(request("GET", "/static/index.html"))
    for sent in (ranges, "bytes=5-1", "bytes=99999999-", "lines=1", "bytes=" + "-" * 1000):
        answer = target.answer(request("GET", "/static/index.html", None, {"Range": sent}))
        assert (answer.status, answer.body) == (200, whole.body)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    for headers in (upgrade, {**upgrade, "Upgrade": "h2c"}, {"X-A": "a" * 30_000}, {"Expect": "a miracle"}):
        assert target.answer(request("GET", "/healthz", None, headers)).status == 200
    assert target.answer(b"GET /healthz HTTP/1.0\r\n\r\n").status == 200
    for year in ("0001-01-01", "9999-12-31"):
        for path in ("/v1/search?q=last+week", "/v1/search?q=next+month"):
            assert target.answer(request("GET", f"{path}&as_of={year}")).status == 200
        days = {"published_after": year, "published_before": year}
        assert target.answer(post("/v1/search", {"query": "a", "filters": days})).status == 200
    ignored = {"n": 10**9, "tools": [{}], "temperature": "hot", "stop": None, "logit_bias": {"\ud800": 1}}
    assert (
        target.answer(post("/v1/chat/completions", {**ASKED["/v1/chat/completions"], **ignored})).status
        == 200
    )


def test_pipelined_requests_get_their_answers_in_order(target: Target) -> None:
    one = request("GET", "/healthz", end=False)
    three = one + post("/v1/search", {"query": "bridge", "limit": 1}, end=False) + request("GET", "/nowhere")
    assert [answer.status for answer in target.answers(three)] == [200, 200, 404]
    assert [answer.status for answer in target.answers(one * 50 + request("GET", "/healthz"))] == [200] * 51
    # Whose request is not answered yet must not take the refusal of what follows for the answer.
    for broken in (b"garbage\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000):
        slow = post("/v1/answer", ASKED["/v1/answer"], end=False)
        assert [answer.status for answer in target.answers(slow + broken)] in ([], [200])


@pytest.mark.parametrize("missing", [1, 10, 60])
def test_a_body_that_ends_early_is_forgotten(target: Target, missing: int) -> None:
    raw = post("/v1/search", {"query": "bridge " * 10})
    assert target.answers(raw[:-missing], leave=True) == []


# --- by chance


def _tried(count: int, *, all_of_them: bool) -> settings:
    return settings(
        max_examples=count,
        derandomize=not all_of_them,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 10**9, 10**30, 2**63, -(2**63)]),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(SAFE),
    st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010), max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
    st.sampled_from(
        ["0001-01-01", "9999-12-31", "2026-02-30", "x" * 5000, ["x"] * 2000, {"a": {"b": {}}}, {}, []]
    ),
)


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _places(held, (*path, name))
    elif isinstance(value, list):
        for at, held in enumerate(value):
            yield from _places(held, (*path, at))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sensible request with one to three of its values replaced, renamed or dropped, or its text cut up."""
    path = draw(st.sampled_from(list(ASKED)))
    body = json.loads(json.dumps(ASKED[path]))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(_places(body))))
        if not place:
            body = deepcopy(draw(st.one_of(ODD, st.just(body))))
            continue
        holder = body
        for part in place[:-1]:
            holder = holder[part]
        match draw(st.sampled_from(["replaced", "dropped", "renamed"])):
            case "replaced":
                holder[place[-1]] = deepcopy(draw(ODD))
            case "dropped":
                del holder[place[-1]]
            case _ if isinstance(holder, dict):
                holder[draw(st.text(max_size=10))] = holder.pop(place[-1])
    text = bytearray(json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    return post(path, bytes(draw(_cut_up(text))), MCP if path == "/mcp" else JSON)


@st.composite
def _cut_up(draw: st.DrawFn, text: bytearray) -> bytearray:
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["put in", "taken out", "doubled"])):
            case "put in":
                text[at:at] = draw(
                    st.one_of(st.binary(max_size=4), st.sampled_from([b"NaN", b"1e999", b"\\ud800", b","]))
                )
            case "taken out":
                del text[at : at + draw(st.integers(1, 8))]
            case _:
                text[at:at] = text[at : at + draw(st.integers(1, 30))]
    return text


NAMES = st.sampled_from(
    "accept accept-encoding authorization cookie content-type content-length content-encoding expect range "
    "origin referer transfer-encoding te upgrade if-none-match if-modified-since x-forwarded-for "
    "x-forwarded-proto x-forwarded-host forwarded x-http-method-override "
    "mcp-protocol-version mcp-session-id".split()
)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=40),
    st.sampled_from(["", "*", "0", "-1", "9" * 25, "gzip", "identity", "chunked", "chunked, gzip", 'W/"x"']),
    st.sampled_from(["application/json", "text/event-stream", "multipart/form-data; boundary=", "a/b; c=d"]),
    st.sampled_from(["bytes=0-", "bytes=0-1,2-3", "Thu, 99 Foo 0000", "http://[::1", "[::1", "javascript:"]),
    st.sampled_from(["Bearer " + "a" * 9000, "../../etc/passwd", "application/json; charset=utf-16"]),
)


@st.composite
def soup(draw: st.DrawFn) -> bytes:
    """A sensible request under headers that are not."""
    headers = draw(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6))
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]))
    path = draw(
        st.sampled_from(
            [
                *ASKED,
                "/",
                "/healthz",
                "/readyz",
                "/static/app.js",
                "/v1/models",
                "/v1/admin",
                "/v1/search?q=a",
            ]
        )
    )
    body = json.dumps(ASKED[path]).encode() if path in ASKED and draw(st.booleans()) else None
    return request(method, path, body, tuple(headers))


@st.composite
def noise(draw: st.DrawFn) -> bytes:
    """Bytes, or a request that was cut up."""
    if draw(st.booleans()):
        return draw(st.binary(min_size=1, max_size=400))
    path = draw(st.sampled_from(list(ASKED)))
    raw = bytearray(post(path, ASKED[path], end=draw(st.booleans())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(raw), 200)))
        raw[at : at + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(raw)


MUTATED, SOUPS, NOISES, BY_SCHEMA = 3500, 1500, 1500, 5000


def test_mutated_bodies(target: Target, tries: Tries, tell: Tell) -> None:
    count = tries(120, of=MUTATED)

    @_tried(count, all_of_them=count == MUTATED)
    @given(mutated())
    def run(raw: bytes) -> None:
        target.answer(raw)

    target.tried()
    run()
    tell(f"{count:,} mutated bodies, {target.tried()}")


def test_headers_by_chance(target: Target, tries: Tries, tell: Tell) -> None:
    count = tries(80, of=SOUPS)

    @_tried(count, all_of_them=count == SOUPS)
    @given(soup())
    def run(raw: bytes) -> None:
        target.answers(raw, leave=True)

    target.tried()
    run()
    tell(f"{count:,} requests under headers by chance, {target.tried()}")


def test_bytes_by_chance(target: Target, tries: Tries, tell: Tell) -> None:
    count = tries(80, of=NOISES)

    @_tried(count, all_of_them=count == NOISES)
    @given(noise())
    def run(raw: bytes) -> None:
        target.answers(raw, leave=True)

    target.tried()
    run()
    tell(f"{count:,} times bytes by chance, {target.tried()}")


def test_requests_by_the_services_own_description(target: Target, tries: Tries, tell: Tell) -> None:
    """What OpenAPI promises of every route, and what it rules out, as schemathesis makes them of it."""
    description = target.server.client.get("/openapi.json").json()
    operations = [
        found.ok()
        for found in schemathesis.openapi.from_dict(description).get_all_operations()
        if isinstance(found, Ok)
    ]
    assert len(operations) > 20
    kinds = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    count = tries(2 * len(operations) * 2, of=BY_SCHEMA)
    each = -(-count // (len(operations) * len(kinds)))
    target.tried()
    sent = 0
    for operation in operations:
        for kind in kinds:

            @_tried(each, all_of_them=count == BY_SCHEMA)
            @given(operation.as_strategy(generation_mode=kind))
            def run(case: schemathesis.Case[Any]) -> None:
                nonlocal sent
                sent += 1
                target.sent += 1
                told = _by_schema(target, case)
                target.statuses[told] += 1

            with suppress(Unsatisfiable):  # a route without parameters has none that could be wrong
                run()
    tell(f"{sent:,} requests by the description of {len(operations)} routes, {target.tried()}")


def _by_schema(target: Target, case: schemathesis.Case[Any]) -> int:
    with suppress(requests.exceptions.InvalidHeader):  # what the client itself would not send
        found = case.call(base_url=target.server.url)
        raw = json.dumps([case.method, case.formatted_path, str(case.query), str(case.body)]).encode()
        headers = {name: values[0] for name, values in found.headers.items()}
        check(Answer(found.status_code, headers, found.content), raw)
        return found.status_code
    return 0


def test_afterwards_it_answers_as_before_and_its_log_holds_no_trace(target: Target, tell: Tell) -> None:
    found = target.answer(post("/v1/search", {"query": "What will the bridge cost?"}))
    assert found.status == 200
    assert json.loads(found.body)["results"]
    assert target.answer(request("GET", "/readyz")).status == 200
    target.finish()
    log = "".join(target.log)
    assert "Traceback" not in log
    assert not re.search(r" (ERROR|CRITICAL) ", log), log[-3000:]
    tell(f"{target.sent:,} requests in all, {len(target.log):,} lines of log without a trace")
