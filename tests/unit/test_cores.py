"""How many cores are taken of those that are seen."""

import os
from pathlib import Path

import pytest

from indexer.cores import cores

HERE = len(os.sched_getaffinity(0))


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    (tmp_path / "membership").write_text("0::/pods/one\n")
    (tmp_path / "groups/pods/one").mkdir(parents=True)
    return tmp_path / "groups"


def counted(groups: Path) -> int:
    return cores(groups.parent / "membership", groups)


def test_without_a_limit_every_core_counts(groups: Path) -> None:
    (groups / "pods/one/cpu.max").write_text("max 100000\n")
    assert counted(groups) == HERE
    assert cores(groups / "nowhere", groups) == HERE


@pytest.mark.parametrize(
    ("limit", "expected"), [("50000", 1), ("100000", 1), ("150000", 2), ("6400000", HERE)]
)
def test_a_limit_is_rounded_up_to_whole_cores(groups: Path, limit: str, expected: int) -> None:
    (groups / "pods/one/cpu.max").write_text(f"{limit} 100000\n")
    assert counted(groups) == min(expected, HERE)


def test_the_limit_of_a_group_above_counts(groups: Path) -> None:
    (groups / "pods/one/cpu.max").write_text("max 100000\n")
    (groups / "pods/cpu.max").write_text("100000 100000\n")
    assert counted(groups) == 1


def test_in_a_container_the_group_is_the_root_of_what_is_seen(groups: Path) -> None:
    (groups.parent / "membership").write_text("0::/\n")
    (groups / "cpu.max").write_text("100000 100000\n")
    assert counted(groups) == 1
