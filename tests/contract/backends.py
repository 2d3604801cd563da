"""Where generations may be kept: each way to keep them, as a test asks for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from indexer.folder import IndexFolder
from indexer.generation import Index
from indexer.local.generation import LocalIndex


class Backend(Protocol):
    """A way to keep generations. What is served is published from a folder in which it was built."""

    words: bool
    """Whether it ranks by words (BM25)."""

    def publish(self, folder: Path, name: str) -> Index:
        """Has what the folder serves be served under a name; returns where it is then."""


class Local:
    """The folder itself."""

    words = True

    def publish(self, folder: Path, name: str) -> Index:  # noqa: ARG002  a folder's place is its name
        return LocalIndex(IndexFolder(folder))


@contextmanager
def local(_: Path) -> Iterator[Backend]:
    yield Local()


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Backend]]] = {"local": local}
"""Each opens in an empty folder, and skips, saying why, where it cannot be had."""
