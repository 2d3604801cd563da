"""The malformed requests that are known by name, as bytes, and what each is to be answered with."""

import json
from collections.abc import Mapping
from typing import Any

Headers = Mapping[str, str] | tuple[tuple[str, str], ...]

JSON = {"Content-Type": "application/json"}
MCP = {**JSON, "Accept": "application/json, text/event-stream"}


def request(
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Headers = (),
    *,
    length: str | None = None,
    host: str | None = "localhost",
    end: bool = True,
) -> bytes:
    """A request as bytes, with everything in it as it is given."""
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [
        f"{name}: {value}" for name, value in (headers.items() if isinstance(headers, Mapping) else headers)
    ]
    if body is not None or length is not None:
        lines.append(f"Content-Length: {len(body or b'') if length is None else length}")
    lines += ["Connection: close"] if end else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def post(path: str, body: bytes | dict[str, Any], headers: Headers = JSON, **more: Any) -> bytes:
    return request(
        "POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers, **more
    )


def nested(opening: str, closing: str, levels: int, inside: str = "1") -> bytes:
    return (opening * levels + inside + closing * levels).encode()


# A sensible request of each protocol, and where its question stands.
ASKED: dict[str, dict[str, Any]] = {
    "/v1/search": {"query": "bridge cost", "limit": 2, "filters": {"source": ["Harbour Courier"]}},
    "/v1/answer": {"query": "Who opposes the bridge?", "turns": [{"query": "bridge", "answer": "Yes."}]},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Who opposes the bridge?"}]},
    "/v1/responses": {"input": "Who opposes the bridge?", "model": "dateline-links"},
    "/v1/vector_stores/default/search": {
        "query": "bridge",
        "max_num_results": 2,
        "filters": {"type": "and", "filters": [{"type": "eq", "key": "source", "value": "Harbour Courier"}]},
        "ranking_options": {"ranker": "auto", "score_threshold": 0.1},
    },
    "/v1/rerank": {"query": "bridge", "documents": ["A bridge.", {"text": "A boat."}], "top_n": 1},
    "/v2/rerank": {"query": "bridge", "documents": ["A bridge.", "A boat."], "model": "dateline"},
    "/v1/embeddings": {"model": "dateline", "input": ["a", "b"], "encoding_format": "base64"},
    "/v1/admin/rollback": {"collection": "default", "generation": "000009-00000000"},
    "/mcp": {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "bridge", "limit": 2}},
    },
}  # fmt: skip
OURS = ("/v1/search", "/v1/answer")

# Bodies that are no request in any of our protocols.
NO_REQUEST = {
    "empty": b"", "null": b"null", "array": b"[]", "number": b"7", "text": b'"a"', "word": b"nul",
    "cut": b'{"query": "a', "trailing": b'{"query": "a"} x', "twice": b'{"query": "a"}{"query": "b"}',
    "comment": b'{"query": "a" /* b */}', "single quotes": b"{'query': 'a'}", "last comma": b'{"query": "a",}',
    "nested lists": b"[" * 100_000 + b"]" * 100_000, "nested objects": nested('{"a":', "}", 100_000),
    "nested a little": nested('{"query":', "}", 70), "raw NUL": b'{"query": "a\x00b"}',
    "not UTF-8": b'{"query": "\xff"}', "cut UTF-8": b'{"query": "\xe2\x82"}', "surrogate bytes": b'{"query": "\xed\xa0\x80"}',
    "UTF-16": '{"query": "a"}'.encode("utf-16"), "UTF-16LE": '{"query": "a"}'.encode("utf-16-le"),
    "UTF-16BE": '{"query": "a"}'.encode("utf-16-be"), "UTF-32": '{"query": "a"}'.encode("utf-32"),
    "BOM": b'\xef\xbb\xbf{"query": "a"}', "gzip": b"\x1f\x8b\x08\x00garbage",
    "form": b"query=a&limit=2", "spaces": b"  \n ", "NUL": b"\x00",
}  # fmt: skip

# By name: path, body, and the field that the refusal has to name.
FIELDS: dict[str, tuple[str, bytes | dict[str, Any], str]] = {
    "key twice": ("/v1/search", b'{"query": "a", "query": "b"}', "query"),
    "key twice inside": ("/v1/search", b'{"query": "a", "filters": {"source": [], "source": ["x"]}}', "source"),
    "key twice, others' protocol": ("/v1/chat/completions", b'{"messages": [], "n": 1, "n": 2}', "n"),
    "NaN": ("/v1/search", b'{"query": "a", "limit": NaN}', "limit"),
    "-Infinity": ("/v1/search", b'{"query": "a", "offset": -Infinity}', "offset"),
    "1e999": ("/v1/search", b'{"query": "a", "limit": 1e999}', "limit"),
    "1e999 in what is ignored": ("/v1/responses", b'{"input": "a", "temperature": 1e999}', "temperature"),
    "NaN in a list": ("/v1/embeddings", b'{"model": "dateline", "input": ["a", NaN]}', "input.1"),
    "5,000 digits": ("/v1/search", b'{"query": "a", "limit": ' + b"9" * 5000 + b"}", "limit"),
    "300 digits": ("/v1/search", b'{"query": "a", "limit": ' + b"9" * 300 + b"}", "limit"),
    "bool as int": ("/v1/search", {"query": "a", "limit": True}, "limit"),
    "bool as int, vector store": ("/v1/vector_stores/default/search", {"query": "a", "max_num_results": True}, "max_num_results"),
    "bool as int, embeddings": ("/v1/embeddings", {"model": "dateline", "input": "a", "dimensions": True}, "dimensions"),
    "bool as a score": (
        "/v1/vector_stores/default/search",
        {"query": "a", "ranking_options": {"score_threshold": True}},
        "ranking_options.score_threshold",
    ),
    "text as int": ("/v1/search", {"query": "a", "limit": "2"}, "limit"),
    "float as int": ("/v1/search", {"query": "a", "limit": 2.0}, "limit"),
    "int as bool": ("/v1/search", {"query": "a", "facets": 1}, "facets"),
    "unknown field": ("/v1/answer", {"query": "a", "limit": 3}, "limit"),
    "unknown field of a megabyte": ("/v1/answer", {"query": "a", "x" * 900_000: 3}, "x" * 500),
    "unknown filter": ("/v1/search", {"query": "a", "filters": {"colour": "red"}}, "filters.colour"),
    "10,000 filters": ("/v1/search", {"query": "a", "filters": {"source": ["x"] * 10_000}}, "filters.source"),
    "10,000 filters, vector store": (
        "/v1/vector_stores/default/search",
        {"query": "a", "filters": {"type": "and", "filters": [{"type": "eq", "key": "source", "value": "x"}] * 10_000}},
        "filters.and.filters",
    ),
    "10,000 values, vector store": (
        "/v1/vector_stores/default/search",
        {"query": "a", "filters": {"type": "in", "key": "source", "value": ["x"] * 10_000}},
        "filters",
    ),
    "surrogate in a filter": ("/v1/search", {"query": "a", "filters": {"source": ["\ud800"]}}, "filters.source.0"),
    "surrogate in a filter, vector store": (
        "/v1/vector_stores/default/search",
        {"query": "a", "filters": {"type": "eq", "key": "source", "value": "\ud800"}},
        "filters",
    ),
    "surrogate as a filter's type": (
        "/v1/vector_stores/default/search",
        {"query": "a", "filters": {"type": "\ud800", "key": "source", "value": "a"}},
        "filters",
    ),
    "surrogate alone": ("/v1/answer", {"query": "\ud800"}, "query"),
    "surrogate in a turn": ("/v1/answer", {"query": "a", "turns": [{"query": "a", "answer": "\udfff"}]}, "turns.0.answer"),
    "surrogate to embed": ("/v1/embeddings", {"model": "dateline", "input": "\ud800"}, "input.0"),
    "surrogate to rank": ("/v1/rerank", {"query": "a", "documents": ["\ud800"]}, "documents.0"),
    "spaces only": ("/v1/answer", {"query": " \t\n"}, "query"),
    "zero width only": ("/v1/answer", {"query": "\u200b\u2060\ufeff"}, "query"),
    "NUL only": ("/v1/answer", {"query": "\x00"}, "query"),
    "spaces only, chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": " "}]}, "messages"),
    "a megabyte": ("/v1/answer", {"query": "why " * 250_000}, "query"),
    "a token of 100,000": ("/v1/search", {"query": "a" * 100_000}, "query"),
    "no question": ("/v1/chat/completions", {"messages": [{"role": "system", "content": "a"}]}, "messages"),
    "limit 0": ("/v1/search", {"query": "a", "limit": 0}, "limit"),
    "limit -1": ("/v1/search", {"query": "a", "limit": -1}, "limit"),
    "limit 1e9": ("/v1/search", {"query": "a", "limit": 10**9}, "limit"),
    "offset": ("/v1/search", {"query": "a", "offset": 10**9}, "offset"),
    "no date": ("/v1/search", {"query": "a", "as_of": "soon"}, "as_of"),
    "30 February": ("/v1/search", {"query": "a", "as_of": "2026-02-30"}, "as_of"),
    "year 0": ("/v1/search", {"query": "a", "filters": {"published_after": "0000-01-01"}}, "filters.published_after"),
    "days of other digits": ("/v1/search", {"query": "a", "as_of": "٢٠٢٦-٠١-٠١"}, "as_of"),
    "after before": (
        "/v1/search",
        {"query": "a", "filters": {"published_after": "2026-02-02", "published_before": "2026-02-01"}},
        "filters.published_after",
    ),
    "name of 301": ("/v1/search", {"query": "a", "collection": "x" * 301}, "collection"),
    "51 turns": ("/v1/answer", {"query": "a", "turns": [{"query": "a"}] * 51}, "turns"),
    "deep in others'": ("/v1/vector_stores/default/search", {"query": "a", "filters": {"type": "or", "filters": []}}, "filters"),
    "nothing to embed": ("/v1/embeddings", {"model": "dateline", "input": []}, "input"),
    "tokens to embed": ("/v1/embeddings", {"model": "dateline", "input": [1, 2]}, "input"),
    "gone response": ("/v1/responses", {"input": "a", "previous_response_id": "\ud800"}, "previous_response_id"),
}  # fmt: skip

# Addresses: what is refused, by which status and field.
PLACES: dict[str, tuple[str, int, str | None]] = {
    "limit 0": ("/v1/search?q=a&limit=0", 422, "limit"),
    "limit -1": ("/v1/search?q=a&limit=-1", 422, "limit"),
    "limit 1e9": ("/v1/search?q=a&limit=1e9", 422, "limit"),
    "limit 1_0": ("/v1/search?q=a&limit=1_0", 422, "limit"),
    "limit 5.0": ("/v1/search?q=a&limit=5.0", 422, "limit"),
    "limit +5": ("/v1/search?q=a&limit=%2B5", 422, "limit"),
    "limit of 5,000 digits": ("/v1/search?q=a&limit=" + "9" * 5000, 422, "limit"),
    "limit of other digits": ("/v1/search?q=a&limit=%D9%A1", 422, "limit"),
    "limit twice": ("/v1/search?q=a&limit=1&limit=2", 422, "limit"),
    "question twice": ("/v1/search?q=a&q=b", 422, "q"),
    "collection twice": ("/v1/index?collection=default&collection=a", 422, "collection"),
    "offset": ("/v1/search?q=a&offset=99999999999999999999", 422, "offset"),
    "bool": ("/v1/search?q=a&collapse=2", 422, "collapse"),
    "unknown": ("/v1/search?q=a&colour=red", 422, "colour"),
    "3,000 filters": ("/v1/search?q=a&" + "&".join(["source=x"] * 3000), 422, "source"),
    "10,000 parameters": ("/v1/search?q=a&" + "&".join(f"p{at}=x" for at in range(10_000)), 400, None),
    "no date": ("/v1/quotes?speaker=a&published_after=soon", 422, "published_after"),
    "no question": ("/v1/search?q=%20", 422, "q"),
    "NUL for a question": ("/v1/search?q=%00", 422, "q"),
    "unknown collection": ("/v1/index?collection=none", 404, "collection"),
    "../ for a collection": ("/v1/index?collection=../../etc", 404, "collection"),
    "NUL for a collection": ("/v1/index?collection=%00", 404, "collection"),
    "%2e%2e for an article": ("/v1/articles/%2e%2e/%2e%2e/etc/passwd", 404, "article_id"),
    "../ for an article": ("/v1/articles/../../../etc/passwd", 404, "article_id"),
    "/ for an article": ("/v1/articles//etc/passwd", 404, "article_id"),
    "\\ for an article": ("/v1/articles/..%5C..%5Cmanifest.json", 404, "article_id"),
    "NUL for an article": ("/v1/articles/%00", 404, "article_id"),
    "half a percent": ("/v1/articles/%", 404, "article_id"),
    "no percent": ("/v1/articles/%zz", 404, "article_id"),
    "no UTF-8": ("/v1/articles/%ff%fe", 404, "article_id"),
    "too long for UTF-8": ("/v1/articles/%c0%ae%c0%ae%c0%af", 404, "article_id"),
    "surrogate": ("/v1/articles/%ed%a0%80", 404, "article_id"),
    "300 letters": ("/v1/history/" + "a" * 300, 404, "article_id"),
    "30,000 letters": ("/v1/history/" + "a" * 30_000, 404, "article_id"),
    "100,000 letters": ("/v1/history/" + "a" * 100_000, 400, None),
    "raw bytes": ("/v1/articles/\xff", 400, None),
    "a store of ..": ("/v1/vector_stores/%2e%2e", 404, "collection"),
    "a model with a line": ("/v1/models/%0aTraceback", 404, None),
    "static ..": ("/static/../app.py", 404, None),
    "static %2e%2e": ("/static/%2e%2e/app.py", 404, None),
    "static %2f": ("/static/..%2f..%2fservice/app.py", 404, None),
    "static \\": ("/static/..%5c..%5capp.py", 404, None),
    "static //": ("/static//etc/passwd", 404, None),
    "static NUL": ("/static/index.html%00.png", 404, None),
    "static 300 letters": ("/static/" + "a" * 300, 404, None),
    "static 5,000 letters": ("/static/" + "a/" * 2500, 404, None),
    "static folder": ("/static/styles", 404, None),
    "nowhere": ("/%2e%2e/%2e%2e/etc/passwd", 404, None),
    "no slash": ("healthz", 400, None),
    "space": ("/health z", 400, None),
}  # fmt: skip

HEADS: dict[str, tuple[bytes, int]] = {
    "no type": (post("/v1/search", {"query": "a"}, {}), 415),
    "another type": (post("/v1/search", {"query": "a"}, {"Content-Type": "text/plain"}), 415),
    "a form": (post("/v1/chat/completions", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}), 415),
    "a broken type": (post("/v1/answer", {"query": "a"}, {"Content-Type": "\xff/;;=\x80"}), 415),
    "gzip": (post("/v1/search", b"\x1f\x8b\x08bogus", {**JSON, "Content-Encoding": "gzip"}), 415),
    "unknown encoding": (post("/v1/search", {"query": "a"}, {**JSON, "Content-Encoding": "a, b"}), 415),
    "negative length": (post("/v1/search", b"{}", length="-5"), 400),
    "no length": (post("/v1/search", b"{}", length="five"), 400),
    "length of 30 digits": (post("/v1/search", b"{}", length="9" * 30), 400),
    "length over the limit": (post("/v1/search", b"{}", length="99999999"), 413),
    "two lengths": (post("/v1/search", b"{}", {**JSON, "Content-Length": "3"}), 400),
    "the same length twice": (post("/v1/search", b"{}", {**JSON, "Content-Length": "2"}), 400),
    "length and chunks": (post("/v1/search", b"0\r\n\r\n", {**JSON, "Transfer-Encoding": "chunked"}), 400),
    "no chunk": (request("POST", "/v1/search", None, {**JSON, "Transfer-Encoding": "chunked"}) + b"zz\r\n{}", 400),
    "an encoding of HTTP/2": (request("POST", "/v1/search", None, {**JSON, "Transfer-Encoding": "xyz"}) + b"{}", 400),
    "64 KiB in a header": (request("GET", "/healthz", None, {"X-A": "a" * 65_536}), 431),
    "64 KiB in names": (request("GET", "/healthz", None, {"X" * 65_536: "a"}), 431),
    "a header without end": (request("GET", "/healthz", None, {"X-A": "a"}, end=False)[:-4] + b"a" * 200_000, 431),
    "1,000 headers": (request("GET", "/healthz", None, {f"X-{at}": "a" for at in range(1000)}), 431),
    "no Host": (request("GET", "/healthz", host=None), 400),
    "two Hosts": (request("GET", "/healthz", None, {"Host": "b"}), 400),
    "half an address for a Host": (post("/v1/chat/completions", ASKED["/v1/chat/completions"], host="[::1"), 400),
    "a script for a Host": (post("/v1/chat/completions", ASKED["/v1/chat/completions"], host="<script>"), 400),
    "a path for a Host": (request("GET", "/static", host="a/b@c?d#e"), 400),
    "bytes for a Host": (request("GET", "/healthz", host="\xff\xfe"), 400),
    "a port of six digits": (request("GET", "/healthz", host="a:999999"), 400),
    "a Host of 300 letters": (request("GET", "/healthz", host="a" * 300), 400),
    "a folded header": (request("GET", "/healthz", None, {"X-A": "a\r\n b"}), 400),
    "NUL in a header": (request("GET", "/healthz", None, {"X-A": "a\x00b"}), 400),
    "a header without a name": (request("GET", "/healthz", None, {"": "a"}), 400),
    "a space in a header's name": (request("GET", "/healthz", None, {"X A": "a"}), 400),
    "PUT": (request("PUT", "/v1/search", b"{}", JSON), 405),
    "DELETE": (request("DELETE", "/v1/articles/a"), 405),
    "PATCH": (request("PATCH", "/static/index.html"), 405),
    "GET of what is posted": (request("GET", "/v1/answer"), 405),
    "POST to the page": (post("/", {"query": "a"}), 405),
    "TRACE": (request("TRACE", "/healthz"), 405),
    "CONNECT": (request("CONNECT", "localhost:80"), 400),
    "no method": (request("BREW", "/healthz"), 400),
    "a method of 9,000 letters": (request("A" * 9000, "/healthz"), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/9.9": (b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50, 400),
    "nothing but lines": (b"\r\n" * 100 + b"\x00", 400),
    "an operator from another page": (request("GET", "/v1/admin", None, {"Origin": "http://[::1"}), 403),
    "an operator without JSON": (post("/v1/admin/rollback", b"{}", {}), 415),
    "no such generation": (post("/v1/admin/rollback", {"generation": "../../etc/passwd"}), 422),
    "another site's page at MCP": (post("/mcp", ASKED["/mcp"], {**MCP, "Origin": "https://evil.example"}), 403),
    "another Host at MCP": (post("/mcp", ASKED["/mcp"], MCP, host="evil.example"), 421),
    "an oversized message": (post("/mcp", {**ASKED["/mcp"], "x": "x" * 2_000_000}, MCP), 413),
    "MCP as text": (post("/mcp", ASKED["/mcp"], {"Content-Type": "text/plain"}), 400),
    "MCP for a browser": (post("/mcp", ASKED["/mcp"], {**JSON, "Accept": "text/html"}), 406),
    "GET of MCP": (request("GET", "/mcp"), 405),
}  # fmt: skip

MESSAGES: dict[str, bytes] = {
    **NO_REQUEST,
    "batch": b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
    "no version": b'{"id": 1, "method": "ping"}',
    "another version": b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
    "method twice": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/list"}',
    "no method": b'{"jsonrpc": "2.0", "id": 1}',
    "an answer": b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
    "a list of parameters": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [1]}',
    "true for an id": b'{"jsonrpc": "2.0", "id": true, "method": "ping"}',
    "1e999 for an id": b'{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}',
    "a surrogate": b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}',
}
TOOL_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown tool": ({"name": "rm", "arguments": {"path": "/"}}, "Unknown tool"),
    "unknown argument": (
        {"name": "search", "arguments": {"query": "a", "source": "b"}},
        "source: no such argument",
    ),
    "no question": ({"name": "search", "arguments": {}}, "query: Field required"),
    "an empty question": ({"name": "ask", "arguments": {"question": " "}}, "query: is empty"),
    "a number for a question": ({"name": "search", "arguments": {"query": 7}}, "query: "),
    "true for a limit": ({"name": "search", "arguments": {"query": "a", "limit": True}}, "limit: "),
    "an empty turn": (
        {"name": "ask", "arguments": {"question": "a", "turns": [{"query": ""}]}},
        "turns.0.query: ",
    ),
    "a long question": ({"name": "search", "arguments": {"query": "x" * 900_000}}, "query: "),
    "no day": (
        {"name": "search", "arguments": {"query": "a", "published_after": "soon"}},
        "published_after: ",
    ),
    "no article": ({"name": "fetch", "arguments": {"id": "../../etc/passwd"}}, "no article has the id"),
}

# What looks malformed and is a question like any other.
SAFE = (
    "the of and", "a AND (b OR", 'say "unbalanced', "title:x^5 +-&&||!{}[]~*?\\", "'; DROP TABLE article; --",
    "{{7*7}} ${7*7} <%= 7*7 %>", "\x1b[31mred\x1b[0m", "\u202eright to left", "e" + "\u0301" * 1000, "a\x00b",
    "👩\u200d👩\u200d👧 family", "?", "w" * 2000, "жил был мост", "<script>alert(1)</script>",
    "../../etc/passwd", "%2e%2e%2f", "last year before yesterday", "\ufeffbridge", "ﷺ" * 300, "𝔟𝔯𝔦𝔡𝔤𝔢",
)  # fmt: skip
