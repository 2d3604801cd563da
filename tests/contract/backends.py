"""Where generations may be kept: each way to keep them, as a test asks for it."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import pytest

from indexer.errors import UnreachableError
from indexer.folder import IndexFolder
from indexer.generation import Generation, Index
from indexer.milvus import schema
from indexer.milvus.connection import Connection
from indexer.publishing import Publisher
from service.opening import indexes
from service.settings import load
from tests.conftest import Silent
from tests.contract.milvus import STARTS_WITHIN_S, MilvusServer, alone_on_the_network

COMMAND = "a test"


class Backend(Protocol):
    """A way to keep generations: each collection is built in a folder, and served from here under a name."""

    words: bool
    """Whether it ranks by words (BM25)."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What a service has to be told by its environment, to serve from here."""

    def publish(self, folder: Path, name: str) -> str:
        """Has the folder's current generation served; returns its id."""

    def collect(self, folder: Path, name: str) -> None:
        """Removes all that is older than what is served."""

    def restart(self) -> None:
        """Ends what keeps the generations, if anything does, and starts it again."""


def index_of(backend: Backend, folder: Path, name: str) -> Index[Generation]:
    """What a service opens of a collection."""
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in backend.settings.items():
            patch.setenv(setting, value)
        patch.setenv("DATELINE_COLLECTIONS", json.dumps({name: str(folder)}))
        return indexes(load())[name]


class Local:
    """The folders themselves."""

    words = True
    settings: Mapping[str, str] = {}

    def publish(self, folder: Path, name: str) -> str:  # noqa: ARG002  a folder needs no name
        return IndexFolder(folder).candidates()[0]

    def collect(self, folder: Path, name: str) -> None:  # noqa: ARG002
        with IndexFolder(folder).writing(COMMAND):
            IndexFolder(folder).collect(keep=0)

    def restart(self) -> None: ...


class Milvus:
    """A Milvus of whatever size. What is published is remembered, to be taken away."""

    def __init__(self, uri: str, token: str = "") -> None:
        self.uri = uri
        self.token = token
        self.settings = {"DATELINE_MILVUS_URI": uri, **({"DATELINE_MILVUS_TOKEN": token} if token else {})}
        self.connection = Connection(uri, token=token, timeout_s=30)
        self.words = self.connection.has_words()
        self._names: set[str] = set()

    def publisher(self, folder: Path, name: str) -> Publisher:
        self._names.add(name)
        return Publisher(IndexFolder(folder), self.connection, name)

    def publish(self, folder: Path, name: str) -> str:
        return self.publisher(folder, name).publish(Silent(), command=COMMAND, keep=5)

    def collect(self, folder: Path, name: str) -> None:
        self.publisher(folder, name).collect(keep=0)
        with IndexFolder(folder).writing(COMMAND):
            IndexFolder(folder).collect(keep=0)

    def restart(self) -> None:
        """A connection that is made anew; who keeps a server restarts that."""
        self.connection.close()

    def forget(self, *names: str) -> None:
        """Takes away what was published from here, or by others under these names."""
        aliases = {schema.alias_of(name) for name in names or self._names}
        with self.client() as client:
            for collection in client.list_collections():
                if any(schema.generation_of(alias, collection) for alias in aliases):
                    for alias in client.list_aliases(collection)["aliases"]:
                        client.drop_alias(alias)
                    client.drop_collection(collection)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client of its own, for what Dateline never does."""
        from pymilvus import MilvusClient  # noqa: PLC0415  not installed everywhere

        client = MilvusClient(self.uri, token=self.token)
        try:
            yield client
        finally:
            client.close()


class Server(Milvus):
    """A Milvus on this machine, which may be killed."""

    def __init__(self, server: MilvusServer) -> None:
        super().__init__(server.uri)
        self.server = server

    def restart(self) -> None:
        self.server.kill()
        self.server.start()
        end = time.monotonic() + STARTS_WITHIN_S
        while not self._loaded():
            assert time.monotonic() < end
            time.sleep(0.2)

    def _loaded(self) -> bool:
        """Whether all that is served is loaded again, which it is a while after the server answers."""
        try:
            for name in self._names:
                if served := self.connection.alias(schema.alias_of(name)):
                    self.connection.count(served)
        except UnreachableError:
            return False
        return True


@contextmanager
def local(_: Path) -> Iterator[Backend]:
    yield Local()


@contextmanager
def lite(folder: Path) -> Iterator[Backend]:
    _need("milvus_lite")
    backend = Milvus(str(folder / "milvus.db"))
    try:
        yield backend
    finally:
        backend.connection.close()


@contextmanager
def server(folder: Path) -> Iterator[Backend]:
    _need("milvus")
    if not alone_on_the_network():
        pytest.skip("a Milvus server listens on every address: it is tried by make test-milvus, alone")
    running = MilvusServer(folder)
    try:
        running.start()
        backend = Server(running)
        yield backend
        backend.connection.close()
    finally:
        running.kill()
        running.remove_data()


@contextmanager
def cluster(_: Path) -> Iterator[Backend]:
    uri = os.environ.get("MILVUS_URI")
    if not uri:
        pytest.skip("MILVUS_URI names no cluster")
    backend = Milvus(uri, os.environ.get("MILVUS_TOKEN", ""))
    try:
        yield backend
    finally:
        backend.forget()
        backend.connection.close()


def _need(module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed: make test-milvus")


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Backend]]] = {
    "local": local,
    "lite": lite,
    "server": server,
    "uri": cluster,
}
"""Each opens in an empty folder, and skips, saying why, where it cannot be had."""
