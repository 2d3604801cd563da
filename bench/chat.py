"""How soon a chat begins to be answered, when many are asked at once.

    python bench/chat.py [--index index] [--chats 16]

A service and its callers share this machine. Each caller streams one chat after another over a
connection of its own, with other words in each question, so that nothing can be remembered; timed
is from the request's first byte to the first words of the answer.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np
from load import ADMITS_ALL

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.integration.server import serving

QUESTIONS = Path(__file__).parents[1] / "tests/quality/seeds/queries.jsonl"
WARM_UP = 2  # chats of each caller that are not counted


async def first_words_ms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: str) -> float:
    """Milliseconds to the first words of one streamed chat, which is then read to its end."""
    body = json.dumps(
        {"model": "dateline", "stream": True, "messages": [{"role": "user", "content": question}]}
    ).encode()
    started = time.perf_counter()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    first = 0.0
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError("the service hung up")
        if not first and line.startswith(b"data: ") and b'"delta": {"content"' in line:
            first = time.perf_counter() - started
        if line == b"0\r\n":  # the last chunk of the body
            await reader.readline()
            return first * 1000


async def call(port: int, questions: list[str]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = [await first_words_ms(reader, writer, question) for question in questions]
    writer.close()
    return times[WARM_UP:]


async def call_at_once(port: int, chats: int, each: int) -> tuple[np.ndarray, float]:
    """The milliseconds of every chat, and how many were answered a second."""
    asked = cycle([json.loads(line)["text"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()])
    numbers = iter(range(10**6))
    questions = [[f"{next(asked)} ({next(numbers)})" for _ in range(each + WARM_UP)] for _ in range(chats)]
    started = time.perf_counter()
    times = await asyncio.gather(*(call(port, own) for own in questions))
    return np.array(times).ravel(), chats * (each + WARM_UP) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--index", type=Path, default=Path("index"))
    parser.add_argument("--chats", type=int, nargs="+", default=[1, 4, 16], help="asked at once")
    parser.add_argument("--each", type=int, default=25, help="chats of each caller")
    options = parser.parse_args()
    os.environ.update(ADMITS_ALL)  # 16 at once are a queue that lasts, which a service refuses
    with serving(options.index) as server:
        port = int(server.url.rsplit(":", 1)[1])
        print("chats at once  first words p50  p95  p99 (ms)  answered a second")
        for chats in options.chats:
            times, rate = asyncio.run(call_at_once(port, chats, options.each))
            p50, p95, p99 = np.percentile(times, (50, 95, 99))
            print(f"{chats:13d}  {p50:15.0f}  {p95:3.0f}  {p99:3.0f}       {rate:17.1f}")


if __name__ == "__main__":
    main()
