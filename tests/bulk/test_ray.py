"""Two machines that encode, both on this one: an index from a cluster is that of a local build, whatever
becomes of one of the machines. `make test-ray` has what this needs."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.bulk.comparing import compared
from tests.conftest import SEEDS
from tests.newsroom import write_newsroom

pytest.importorskip("ray", reason="Ray is not installed; run: make test-ray")

BIN = Path(sys.executable).parent
HEAD, SECOND = "127.0.0.2", "127.0.0.3"
ADDRESS = f"{HEAD}:6399"
ARTICLES = 1500
PATIENCE_S = 300
# A machine of its own, as far as processes go: when it is killed, all of them are.
MACHINE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

pytestmark = pytest.mark.skipif(
    subprocess.run([*MACHINE, "true"], check=False, capture_output=True).returncode != 0,
    reason="processes cannot be set apart here (unshare)",
)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump in several shards' worth of blocks, and a folder of files in every format."""
    folder = tmp_path_factory.mktemp("dump")
    write_newsroom(folder / "newsroom")
    sentences = [
        line
        for path in sorted(SEEDS.rglob("*.txt"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]
    draw = random.Random(1)  # noqa: S311  the same dump each time
    with (folder / "dump.jsonl").open("w", encoding="utf-8") as stream:
        for number in range(ARTICLES):
            # Every tenth is nearly the copy of an earlier one, which is far from it in the dump.
            if number % 10 or not number:
                text = "\n".join(draw.sample(sentences, 8))
            record = {
                "id": f"a{number}",
                "title": f"Story {number}",
                "text": text,
                "source": f"Paper {number % 7}",
            }
            print(json.dumps(record), file=stream)
        print("no JSON", file=stream)
    return folder


@pytest.fixture(scope="module")
def local(dump: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("local") / "index"
    dateline("index", "build", dump, "--index", index)
    return index


@contextmanager
def machine(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that is part of the cluster until this ends."""
    command: list[str | Path] = [*MACHINE, BIN / "ray", "start", *arguments, "--num-cpus=2", "--block"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def second() -> Iterator[subprocess.Popen[bytes]]:
    """The second of two machines that make a cluster."""
    # The paths of sockets have to be short: pytest's folders are too deep.
    with (
        TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        machine(
            "--head",
            f"--node-ip-address={HEAD}",
            "--port=6399",
            "--include-dashboard=false",
            f"--temp-dir={folder}",
        ),
        joined(1),
        machine(f"--address={ADDRESS}", f"--node-ip-address={SECOND}") as other,
        joined(2),
    ):
        yield other


@contextmanager
def joined(machines: int) -> Iterator[None]:
    """Waits until so many machines make the cluster."""

    def there() -> bool:
        told = subprocess.run(
            [BIN / "ray", "status", f"--address={ADDRESS}"], check=False, capture_output=True, text=True
        ).stdout
        return f"{2 * machines}.0 CPU" in told

    wait(there)
    yield


def wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < ends
        time.sleep(0.1)


def environment() -> dict[str, str]:
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}


def command(*arguments: str | Path) -> list[str | Path]:
    return [BIN / "dateline", *arguments]


def dateline(*arguments: str | Path) -> dict[str, object]:
    """What a command prints as JSON."""
    result = subprocess.run(
        [*command(*arguments), "--json"], check=False, capture_output=True, text=True, env=environment()
    )
    assert result.returncode == 0, result.stderr
    told: dict[str, object] = json.loads(result.stdout)
    return told


def by_cluster(dump: Path, index: Path, parts: Path) -> list[str | Path]:
    return [
        "index", "build", dump, "--index", index, "--engine", "ray", "--address", ADDRESS, "--parts", parts,
    ]  # fmt: skip


def written(parts: Path) -> dict[str, int]:
    """The parts that are whole, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in parts.glob("[!.]*.parquet")}


@pytest.mark.usefixtures("second")
def test_two_machines_make_the_index_of_a_local_build_and_do_nothing_twice(
    dump: Path, local: Path, tmp_path: Path
) -> None:
    told = dateline(*by_cluster(dump, tmp_path / "index", tmp_path / "parts"))
    difference = compared(local, tmp_path / "index")
    print(difference, told["counts"])  # noqa: T201
    assert difference.vectors < 1e-3
    assert difference.codes < 1e-2
    before = written(tmp_path / "parts")
    dateline(*by_cluster(dump, tmp_path / "again", tmp_path / "parts"))
    assert written(tmp_path / "parts") == before
    assert compared(tmp_path / "index", tmp_path / "again") == (0, 0)


def test_a_machine_that_dies_midway_costs_no_article_and_makes_none_twice(
    dump: Path, local: Path, tmp_path: Path, second: subprocess.Popen[bytes]
) -> None:
    parts = tmp_path / "parts"
    with subprocess.Popen(
        command(*by_cluster(dump, tmp_path / "index", parts)),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as build:
        wait(lambda: len(written(parts)) >= 3 and encodes(second))
        second.kill()
        _, told = build.communicate(timeout=PATIENCE_S)
    assert build.returncode == 0, told
    difference = compared(local, tmp_path / "index")
    assert difference.vectors < 1e-3
    assert difference.codes < 1e-2


def encodes(one: subprocess.Popen[bytes]) -> bool:
    """Whether a process of a machine's encodes."""
    inside = f"/proc/{one.pid}/task/{one.pid}/children"
    first = Path(inside).read_text(encoding="utf-8").split()[0]
    return any("_encode" in title and same_machine(process.name, first) for process, title in running())


def same_machine(one: str, other: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{one}/ns/pid").readlink() == Path(f"/proc/{other}/ns/pid").readlink()
    return False


def running() -> Iterator[tuple[Path, str]]:
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal():
                yield process, (process / "cmdline").read_text(encoding="utf-8", errors="replace")


@pytest.mark.usefixtures("second")
def test_a_build_that_is_broken_off_goes_on_where_it_was(dump: Path, local: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    with subprocess.Popen(
        command(*by_cluster(dump, tmp_path / "index", parts)), stderr=subprocess.DEVNULL, env=environment()
    ) as build:
        wait(lambda: len(written(parts)) >= 3)
        build.kill()
    before = written(parts)
    dateline(*by_cluster(dump, tmp_path / "index", parts))
    after = written(parts)
    assert before.items() <= after.items()
    assert len(after) > len(before)
    compared(local, tmp_path / "index")


@pytest.mark.usefixtures("second")
def test_what_goes_wrong_on_a_machine_is_told_as_here(dump: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        command(*by_cluster(dump, tmp_path / "index", tmp_path / "parts"), "--strict"),
        check=False, capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    assert result.returncode == 1
    assert f"dump.jsonl:{ARTICLES + 1}: is not JSON" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_cluster_out_of_reach_is_told(dump: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        command(*by_cluster(dump, tmp_path / "index", tmp_path / "parts")),
        check=False, capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    assert result.returncode == 1
    assert f"the cluster at {ADDRESS}: cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr
