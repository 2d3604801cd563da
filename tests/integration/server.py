"""A real service in a process of its own, on a free port."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


class Server:
    """A running `dateline serve`; `log` holds the lines that it has written and that were read."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, log: list[str]) -> None:
        self.process = process
        self.url = url
        self.log = log
        self.client = httpx.Client(base_url=url, timeout=30)

    def await_logs(self, *patterns: str) -> None:
        """Reads on until every pattern has been matched since now, in whatever order."""
        missing = set(patterns)
        while missing:
            line = self.await_log("|".join(missing))
            missing = {pattern for pattern in missing if not re.search(pattern, line)}

    def await_log(self, pattern: str) -> str:
        """Reads on until a line matches; fails with what was said when the process ends before."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"the service ended without {pattern!r}:\n{''.join(self.log)}")


@contextmanager
def serving(index: Path, *options: str) -> Iterator[Server]:
    """Starts a service; by the time it is yielded it has a port, and an index unless it waits for one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--index", str(index), "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, "", [])
    try:
        listening = server.await_log(r"on http://")
        found = re.search(r"http://[\w.:\[\]]+", listening)
        assert found
        server.url = found[0]
        server.client = httpx.Client(base_url=server.url, timeout=30)
        if "--wait" not in options:
            server.await_log("serving generation")
            # The log may be ahead of the web server by an instant; the transport waits for it.
            transport = httpx.HTTPTransport(retries=10)
            with httpx.Client(base_url=server.url, transport=transport) as client:
                client.get("/healthz").raise_for_status()
        yield server
    finally:
        server.client.close()
        process.terminate()
        process.communicate(timeout=30)
