"""A server that speaks the chat completions' protocol on a real socket, and breaks it in every way asked for.

The name of the model that is asked for chooses what it does. What it writes it makes from the passages in the
request, as a model would.
"""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from indexer.passages import sentences

_PLANTED = re.compile(r"Reply that (.+?)\.(?:\s|$)")
# What is somebody's and not the article's own. On purpose no list of the code's.
TELLS = re.compile(
    r"""["“”]|\b(?:sa(?:id|ys?)|told|tells?|according|promis\w+|report\w*|ask\w*|call\w*|answer\w*|expect\w*|announc\w*
    |add\w*|repeat\w*|repl\w+|agree\w*|warn\w*|read\w*|emphasi\w+|states?|stated|confirm\w*|hint\w*|mention\w*|stress\w*
    |underlin\w*|elaborat\w*|pledg\w*|dismiss\w*|critici\w+|believ\w+|thinks?|thought|accus\w*|conced\w*|prais\w*
    |demand\w*|explain\w*|insist\w*|shout\w*|argu\w+|reckon\w*|wr[io]tes?|describ\w*)\b""",
    re.IGNORECASE | re.VERBOSE,
)
KEY = "sk-very-secret-0123456789"


@dataclass
class Asked:
    """A request as it came."""

    model: str
    key: str
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.body["messages"][-1]["content"]))

    @property
    def passages(self) -> list[dict[str, Any]]:
        return list(self.data["passages"])


@dataclass
class Stub:
    """A running stub: what it was asked, and whether a client left before it had finished."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    someone_left: threading.Event = field(default_factory=threading.Event)
    scripts: dict[str, Callable[[Asked], str]] = field(default_factory=dict)
    """Models of a test's own: what each writes."""


def honest(asked: Asked) -> str:
    """Words of each of the first three passages."""
    lines = []
    for passage in asked.passages[:3]:
        fragment = a_fragment(passage["text"], Random(3))
        lines.append(f"The article says “{fragment}” [{passage['number']}].")
    return "\n".join(lines)


def a_fragment(text: str, chance: Random, fewest: int = 5) -> str:
    """Some words in a row from within one sentence of the article's own."""
    pieces = [
        text[start:end]
        for start, end in sentences(text)
        if len(text[start:end].split()) > fewest + 1 and not TELLS.search(text[start:end])
    ]
    words = chance.choice(pieces).split() if pieces else text.split()
    size = chance.randint(fewest, min(len(words), 14))
    start = chance.randint(0, len(words) - size)
    return " ".join(words[start : start + size]).strip(" ,.;:")


def invents(asked: Asked) -> str:
    return (
        "The mayor resigned on Friday after the scandal [1].\n"
        "According to the report, “nine hundred people were arrested in the capital” [1].\n"
        f"The article says “{a_fragment(asked.passages[0]['text'], Random(1))}”, for 77 billion euros [2]."
    )


def foreign_citations(asked: Asked) -> str:
    fragment = a_fragment(asked.passages[0]["text"], Random(2))
    return f"The article says “{fragment}” [9][42]【7†source】 (Passage 12) [7](http://evil.example/).\n"


def obeys(asked: Asked) -> str:
    """Does what an article tells whoever answers, with and without marks."""
    orders = [match[1] for passage in asked.passages for match in _PLANTED.finditer(passage["text"])]
    return "\n".join(f"{order.capitalize()}.\nThe article says “{order}” [1]." for order in orders) or "NONE"


WRITES: dict[str, Callable[[Asked], str]] = {
    "stub-honest": honest,
    "stub-invents": invents,
    "stub-foreign-citations": foreign_citations,
    "stub-obeys": obeys,
    "stub-none": lambda _: "NONE",
    "stub-none-loudly": lambda _: "**NONE.**\n\nThe passages do not tell.",
    "stub-thinks": lambda asked: (
        f"<think>\nThey ask for “something”. It's not there.\n</think>\n\n{honest(asked)}"
    ),
    "stub-only-thinks": lambda _: "<think>\nlet me see",
    "stub-same-again": lambda asked: (honest(asked).split("\n")[0] + "\n") * 3,
}


def chunk(text: str | None, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **more}, "finish_reason": finish}
    return event(
        {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "stub", "choices": [choice]}
    )


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _plain(status: str, body: str, *more: str, kind: str = "application/json") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}", *more]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def _refusal(message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "error", "code": None}})


STATUSES = {
    "fault-500": _plain("500 Internal Server Error", "CUDA out of memory"),
    "fault-503": _plain("503 Service Unavailable", _refusal("loading model"), "Retry-After: 60"),
    "fault-429": _plain("429 Too Many Requests", _refusal("slow down"), "Retry-After: 60"),
    "fault-401": _plain("401 Unauthorized", _refusal(f"Incorrect API key provided: {KEY}")),
    "fault-404": _plain("404 Not Found", _refusal("The model does not exist")),
    "fault-400": _plain("400 Bad Request", _refusal("context length exceeded")),
    "fault-html": _plain("200 OK", "<html><body>Welcome!</body></html>", kind="text/html"),
    "fault-not-a-stream": _plain("200 OK", json.dumps({"choices": []})),
}
# What each sends; None waits for ever.
STREAMS: dict[str, list[bytes | None]] = {
    "fault-headers-then-silence": [None],
    "fault-malformed": [chunk("The "), b'data: {"choices": [{\n\n', DONE],
    "fault-foreign-json": [event({"hello": "world"}), event([1, 2]), event("text"), DONE],
    "fault-odd-choices": [event({"choices": [{"delta": {"content": 7}}]}), event({"choices": 3}), DONE],
    "fault-error-event": [chunk("The "), event({"error": {"message": f"engine died, key {KEY}"}})],
    "fault-empty": [DONE],
    "fault-empty-finished": [chunk("", "stop"), DONE],
    "fault-blank": [chunk(" \n \n"), chunk("", "stop"), DONE],
    "fault-not-utf8": [
        chunk("The "),
        b'data: {"choices": [{"delta": {"content": "\xff\xfe\xe9"}}]}\n\n',
        DONE,
    ],
    "fault-enormous-line": [chunk("word " * 1_000_000), chunk("", "stop"), DONE],
    "fault-length": [chunk("The mayor"), chunk("", "length"), DONE],
    "fault-content-filter": [chunk("The mayor"), chunk("", "content_filter"), DONE],
}
ENDLESS: dict[str, Callable[[int], str]] = {
    "fault-endless-repetition": lambda _: "The mayor said that the mayor said so.\n",
    "fault-endless-new-text": lambda number: f"The mayor of the {number}th town said so.\n",
    "fault-endless-line": lambda number: f"and then {number} ",
    "fault-endless-thoughts": lambda number: "<think>" if number == 0 else f"hm {number} ",
}
# Faults behind a true sentence.
MIDWAY = {"fault-hangs-midway", "fault-cut-midway", "fault-ends-midway", "fault-closes-unfinished"}
FAULTS = ["fault-silent", *STATUSES, *STREAMS, *ENDLESS, *sorted(MIDWAY)]


class _Server:
    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = await self._read(reader)
            self._stub.asked.append(asked)
            gone = asyncio.create_task(reader.read(1))
            answer = asyncio.create_task(self._answer(asked, writer))
            done, _ = await asyncio.wait({gone, answer}, return_when=asyncio.FIRST_COMPLETED)
            if answer not in done:
                self._stub.someone_left.set()
            for task in (gone, answer):
                task.cancel()
            await asyncio.gather(gone, answer, return_exceptions=True)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        return Asked(body["model"], headers.get("authorization", ""), body)

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.model == "fault-silent":
            await asyncio.sleep(3600)
        if status := STATUSES.get(asked.model):
            writer.write(status)
            await writer.drain()
            return
        writer.write(_OK)
        await writer.drain()
        async for data in self._stream(asked):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        if asked.model != "fault-cut-midway":
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def _stream(self, asked: Asked) -> AsyncIterator[bytes]:
        if endless := ENDLESS.get(asked.model):
            number = 0
            while True:
                yield chunk(endless(number))
                number += 1
                await asyncio.sleep(0)
        if asked.model in MIDWAY:
            yield chunk(honest(asked).split("\n")[0] + "\nThe mayor ")
            if asked.model == "fault-hangs-midway":
                await asyncio.sleep(3600)
            if asked.model == "fault-ends-midway":
                yield DONE
            return
        if asked.model in STREAMS:
            for data in STREAMS[asked.model]:
                if data is None:
                    await asyncio.sleep(3600)
                else:
                    yield data
            return
        text = {**WRITES, **self._stub.scripts}[asked.model](asked)
        yield chunk(None, role="assistant")
        yield chunk(None, reasoning_content="The reader wants to know …")
        yield event({"choices": [], "usage": {"total_tokens": 3}})
        for start in range(0, len(text), 7):
            yield chunk(text[start : start + 7])
        yield chunk(None, "stop")
        yield event({"choices": [], "usage": {"total_tokens": 3}})
        yield DONE


@contextmanager
def language_model_server() -> Iterator[Stub]:
    """A stub in a thread of its own, until the context ends."""
    stub = Stub()
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(_Server(stub).serve, "127.0.0.1", 0, limit=1 << 24)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stub
    finally:

        async def stop() -> None:
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
