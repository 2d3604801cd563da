"""A generation that is too large to be compared before it serves is compared while it does."""

import shutil
from pathlib import Path

import pytest
from anyio import CapacityLimiter

from indexer.errors import NoIndexError
from indexer.folder import IndexFolder
from indexer.local import generation
from indexer.local.generation import LocalIndex
from service.served import Served
from tests.conftest import SEEDS, build_index

ROUNDS = 100  # more than a generation has files


@pytest.fixture(autouse=True)
def nothing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every generation is one of the large."""
    monkeypatch.setattr(generation, "_AT_ONCE", 0)


def damage(folder: IndexFolder, name: str) -> None:
    """One byte is another; neither the size nor what is read at the start tells."""
    codes = folder.generation(name) / "tokens" / "000001.codes"
    content = bytearray(codes.read_bytes())
    content[len(content) // 2] ^= 1
    codes.write_bytes(content)


def serving(served: Served) -> str:
    with served.lease() as lease:
        return lease.generation.id


def scrubbed(served: Served) -> None:
    for _ in range(ROUNDS):
        served.refresh()
        served.scrub()


def test_what_is_found_damaged_gives_way_to_what_is_whole(seed_index: Path, tmp_path: Path) -> None:
    folder = IndexFolder(Path(shutil.copytree(seed_index, tmp_path / "index")))
    first = folder.current()
    second = build_index(folder.path, SEEDS).id
    damage(folder, second)
    served = Served(LocalIndex(folder), CapacityLimiter(1))
    served.refresh()
    assert serving(served) == second
    scrubbed(served)
    assert serving(served) == first
    assert second in (served.refusal or "")
    third = build_index(folder.path, SEEDS / "sample").id
    scrubbed(served)
    assert serving(served) == third
    assert served.refusal is None
    served.close()


def test_where_nothing_is_whole_nothing_is_served(seed_index: Path, tmp_path: Path) -> None:
    folder = IndexFolder(Path(shutil.copytree(seed_index, tmp_path / "index")))
    damage(folder, folder.current() or "")
    served = Served(LocalIndex(folder), CapacityLimiter(1))
    scrubbed(served)
    with pytest.raises(NoIndexError):
        serving(served)
    assert "run: dateline index" in (served.refusal or "")


def test_what_is_whole_stays(seed_index: Path) -> None:
    served = Served(LocalIndex(IndexFolder(seed_index)), CapacityLimiter(1))
    scrubbed(served)
    assert serving(served) == IndexFolder(seed_index).current()
    assert served.refusal is None
    served.close()
