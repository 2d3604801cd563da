"""One suite over every way to keep generations: what holds for one holds for all.

By default the folder is tried; --backends names others (make test-milvus).
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import pytest

from indexer.folder import IndexFolder
from indexer.generation import Generation
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.models import Article, Passage
from service.retrieval import Mode
from tests.conftest import QUESTIONS
from tests.contract.backends import BACKENDS, Backend, Milvus, index_of
from tests.contract.collection import build_made

Tell = Callable[[str], None]

_RUN = uuid.uuid4().hex[:8]  # a cluster may hold more than what is tried here
_TOLD = "contract"


def _asked(config: pytest.Config) -> list[str]:
    return cast("str", config.getoption("--backends")).split(",")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", _asked(metafunc.config), scope="session", indirect=True)


# What a fixture is about, other backends have not: the tests that ask for it are left out there.
_ABOUT = {
    "milvus": {"lite", "server", "uri"},
    "server": {"server"},
    "worded": {"local", "lite", "uri"},
    "wordless": {"server", "uri"},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [
        item
        for item in items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and (backend := item.callspec.params.get("backend"))
        and any(backend not in about for name, about in _ABOUT.items() if name in item.fixturenames)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    asked = _asked(config)
    others = ", ".join(name for name in BACKENDS if name not in asked)
    terminalreporter.section("contract")
    terminalreporter.write_line(f"tried over {', '.join(asked)}" + (f"; not over {others}" if others else ""))
    for report in (one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])):
        for name, line in report.user_properties:
            if name == _TOLD:
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Adds a line to the summary."""
    return lambda line: record_property(_TOLD, line)


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

    @property
    def close(self) -> float:
        """How far scores may lie apart. Of few passages it tells that the folder's rarities count for a while
        what was removed."""
        return 0.1 if self.name == "made" else 1e-3

    @cached_property
    def articles(self) -> list[Article]:
        """Every article, as the folder has it."""
        return [stored.article for stored in self.local.corpus.articles()]

    @cached_property
    def passages(self) -> list[tuple[Passage, Article]]:
        """Every passage with its article, as the folder has them."""
        return [(one, article) for article in self.articles for one in self.local.corpus.passages(article.id)]

    @cached_property
    def questions(self) -> list[str]:
        lines = (QUESTIONS / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines]


@pytest.fixture(scope="session", params=["seeds", "made"])
def kept(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Kept]:
    folder: Path = request.getfixturevalue({"seeds": "seed_index", "made": "made_index"}[request.param])
    name = unique(request.param)
    backend.publish(folder, name)
    with (
        LocalIndex(IndexFolder(folder)).open_best(pytest.fail) as local,
        index_of(backend, folder, name).open_best(pytest.fail, loaded=local.models) as generation,
    ):
        yield Kept(request.param, generation, local, backend.words)


@pytest.fixture
def worded(kept: Kept) -> Kept:
    if not kept.words:
        pytest.skip("this Milvus does not rank by words")
    return kept


@pytest.fixture
def wordless(kept: Kept) -> Kept:
    if kept.words:
        pytest.skip("this Milvus ranks by words")
    return kept


@pytest.fixture
def milvus(backend: Backend) -> Milvus:
    assert isinstance(backend, Milvus)
    return backend


@pytest.fixture
def editions_folder(seed_index: Path, tmp_path: Path) -> Path:
    """A folder to build editions in, with the seeds' encoder, which is taken over."""
    return Path(shutil.copytree(seed_index, tmp_path / "index"))


def unique(name: str) -> str:
    """A name for a collection that nobody else has."""
    return f"contract-{_RUN}-{name}"


def until(holds: Callable[[], bool], within_s: float) -> float:
    """Seconds until something holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + within_s
        time.sleep(0.05)
    return time.monotonic() - began
