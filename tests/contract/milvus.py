"""A Milvus server of our own, the one that PyPI has: started, killed, started again, and always ended."""

import gc
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path

STARTS_WITHIN_S = 240  # a minute after it was killed: etcd waits until leases have run out
_COMPONENTS = ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")


def alone_on_the_network() -> bool:
    """Whether nobody else reaches this machine: the server listens on every address there is."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


class MilvusServer:
    """Its process, and its data in a folder, which outlive it."""

    def __init__(self, folder: Path) -> None:
        import milvus  # noqa: PLC0415  not installed everywhere

        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        port, self._health_port = _free_ports(2)
        self.uri = f"http://127.0.0.1:{port}"
        # The package's own command would take another port where that of one that was killed is not free yet,
        # and leave the server behind where it is killed itself.
        config = milvus.MilvusServerConfig(data_dir=str(folder), proxy_port=port)
        for component in _COMPONENTS:
            config.set(f"{component}.ip", "127.0.0.1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            config.resolve()
            gc.collect()  # of the sockets that it tried ports with and left open
        milvus._initialize_data_files(config.base_data_dir)

    def start(self) -> float:
        """Starts it, and returns when it is well, with how many seconds that took."""
        began = time.monotonic()
        program = self._folder / "bin" / "milvus"
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "run", "standalone"],
                cwd=self._folder,
                env={
                    **os.environ,
                    "DEPLOY_MODE": "STANDALONE",
                    "METRICS_PORT": str(self._health_port),
                    "MILVUS_RUN_DIR": str(self._folder / "run"),
                    "LD_LIBRARY_PATH": str(program.parent),
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the tests, which end it
            )
        while not self._is_well():
            if self._process.poll() is not None or time.monotonic() > began + STARTS_WITHIN_S:
                self.kill()
                raise AssertionError(f"Milvus did not start; {self._folder}/server.log tells why")
            time.sleep(0.1)
        return time.monotonic() - began

    def _is_well(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._health_port}/healthz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.read() == b"OK")
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it as a machine does that loses its power."""
        if self._process:
            self._process.kill()
            self._process.wait(30)
        self._process = None

    def remove_data(self) -> None:
        """Keeps its logs alone: it takes half a gigabyte."""
        for part in ("bin", "data", "run"):
            shutil.rmtree(self._folder / part, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
