"""One suite over every way to keep generations: what holds for one holds for all.

By default `local` is tried; --backends names others (make test-milvus).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from indexer.folder import IndexFolder
from indexer.generation import Generation
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.models import Article, Passage
from service.retrieval import Mode
from tests.conftest import QUESTIONS
from tests.contract.backends import BACKENDS, Backend
from tests.contract.collection import build_made


@dataclass(frozen=True)
class Kept:
    """A collection, kept by the backend that is tried; `local` is what it has to equal, the folder itself."""

    name: str
    generation: Generation
    local: LocalGeneration
    words: bool

    @property
    def mode(self) -> Mode:
        """What it can do of a search by default."""
        return "hybrid" if self.words else "dense"

    def articles(self) -> list[Article]:
        """Every article, as the folder has it."""
        return [stored.article for stored in self.local.corpus.articles()]

    def passages(self) -> list[tuple[Passage, Article]]:
        """Every passage with its article, as the folder has them."""
        return [(one, article) for article in self.articles() for one in self.local.corpus.passages(article.id)]

    def questions(self) -> list[str]:
        lines = (QUESTIONS / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines]


def _asked(config: pytest.Config) -> list[str]:
    return cast("str", config.getoption("--backends")).split(",")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", _asked(metafunc.config), scope="session", indirect=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    asked = _asked(config)
    others = ", ".join(name for name in BACKENDS if name not in asked)
    if others:
        terminalreporter.write_line(f"contract: over {', '.join(asked)}; not over {others}: make test-milvus")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with BACKENDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


@pytest.fixture(scope="session")
def made_index(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the made collection. Read it; copy it before writing to it."""
    index = tmp_path_factory.mktemp("made") / "index"
    build_made(index, seed_index)
    return index


@pytest.fixture(scope="session", params=["seeds", "made"])
def kept(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Kept]:
    folder: Path = request.getfixturevalue({"seeds": "seed_index", "made": "made_index"}[request.param])
    with (
        LocalIndex(IndexFolder(folder)).open_best(pytest.fail) as local,
        backend.publish(folder, request.param).open_best(pytest.fail, encoder=local.encoder) as generation,
    ):
        yield Kept(request.param, generation, local, backend.words)
