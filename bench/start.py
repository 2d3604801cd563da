"""From a start to the first answer: when a service is ready, and how much memory it holds.

    python bench/start.py [--index DIR] [--starts N]

Starts `dateline serve` N times on an index that is there, asks until /readyz says 200, then one question.
Prints the seconds to ready and the resident megabytes then and after the question: least, median, most.
"""

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

QUESTION = {"query": "What does Gabuev expect from military cooperation?"}
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/answer", json.dumps(QUESTION), {"Content-Type": "application/json"})
    if connection.getresponse().status != http.client.OK:
        sys.exit("the question was not answered")
    connection.close()


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def start(index: Path) -> tuple[float, float, float]:
    """Seconds to ready, MB then, MB after one answer."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("dateline")),
        "serve",
        "--index",
        str(index),
        "--port",
        str(port),
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not is_ready(port):
            if process.poll() is not None or time.perf_counter() - started > PATIENCE_S:
                sys.exit(f"the service did not get ready; is there an index in {index}?")
            time.sleep(0.02)
        ready_s = time.perf_counter() - started
        at_ready = resident_mb(process.pid)
        ask(port)
        return ready_s, at_ready, resident_mb(process.pid)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=Path, default=Path("index"))
    parser.add_argument("--starts", type=int, default=7)
    arguments = parser.parse_args()
    figures = zip(*(start(arguments.index) for _ in range(arguments.starts)), strict=True)
    for name, values in zip(
        ("ready, s", "resident when ready, MB", "resident after an answer, MB"), figures, strict=True
    ):
        print(f"{name:30} {min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}")


if __name__ == "__main__":
    main()
