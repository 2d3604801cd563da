"""Real parts for every test: the real encoder, real indexes, built once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from indexer.build import Change, Recipe, build
from indexer.encoder import Encoder
from indexer.folder import IndexFolder, Manifest
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.reader import BUNDLED, NONE
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-tries", action="store_true", help="tests/torture: every try, not a few")
    parser.addoption(
        "--backends", default="local", help="tests/contract: where generations are: local,lite,server,uri"
    )


# How long an example takes depends on the machine, and on what else that does.
settings.register_profile("dateline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dateline")

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
QUESTIONS = ROOT / "tests" / "quality" / "seeds"
SEED_ID = "000_6f77d67fd69055e2"


class Silent:
    """Progress that is only remembered."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance(self, steps: int = 1, share: float | None = None) -> None: ...

    def warn(self, message: str) -> None:
        self.warnings.append(message)


BuildIndex = Callable[..., Manifest]


def build_index(
    index: Path,
    *paths: Path,
    strict: bool = False,
    keep: int = 5,
    from_current: bool = False,
    trusted_sources: tuple[str, ...] = (),
    model: str = DEFAULT_MODEL,
    token_bits: int = 2,
    reader: str = NONE,
) -> Manifest:
    """A build as the command line runs it, by default with the default recipe but for the reader."""
    return build(
        IndexFolder(index),
        Change(from_current=from_current, offer=Offer(paths)),
        Recipe(model, 200, token_bits, trusted_sources, reader),
        Intake(strict=strict),
        Silent(),
        keep=keep,
        command="test",
    )


@pytest.fixture(scope="session")
def seed_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of seeds/, with the real encoder, without a reader. Read it; copy it before writing to it."""
    index = tmp_path_factory.mktemp("seeds") / "index"
    build_index(index, SEEDS)
    return index


@pytest.fixture(scope="session")
def default_index(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as the command line builds it, with the bundled reader."""
    index = Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("default") / "index"))
    build_index(index, SEEDS, reader=BUNDLED)
    return index


@pytest.fixture(scope="session")
def generation(seed_index: Path) -> Iterator[LocalGeneration]:
    with LocalIndex(IndexFolder(seed_index)).open_best(pytest.fail) as opened:
        yield opened


@pytest.fixture(scope="session")
def bare(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGeneration]:
    """The seeds indexed without the vectors of single tokens."""
    index = Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("bare") / "index"))
    build_index(index, SEEDS, token_bits=0)
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as opened:
        yield opened


@pytest.fixture(scope="session")
def encoder(generation: LocalGeneration) -> Encoder:
    return generation.encoder
