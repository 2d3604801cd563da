"""Nothing that was written is lost, and nothing damaged is served, whatever befalls a writer or its disk."""

import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from indexer import storage
from indexer.errors import DamagedError, NoIndexError, StorageError
from indexer.folder import FORMAT, IndexFolder
from indexer.local.corpus import CorpusWriter
from indexer.local.fulltext import FullTextWriter
from indexer.local.generation import LocalIndex
from indexer.local.vectors import VectorWriter
from indexer.models import Article
from tests.conftest import build_index
from tests.integration.server import serving
from tests.torture.conftest import Tries

FORMATS = Path(__file__).parent / "formats"
PAGE = 4096
Tell = Callable[[str], None]


class Writer:
    """Runs commands, one at a time: writer.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.writer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # The model of these indexes is to be had nowhere: each carries its encoder.
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )

    def begin(self, *argv: str, **how: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"argv": argv, **how}) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        assert self._process.stdout
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        return result

    def run(self, *argv: str, **how: object) -> dict[str, Any]:
        self.begin(*argv, **how)
        return self.end()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.close()


@pytest.fixture(scope="module")
def other() -> Iterator[Writer]:
    """One that works at the same time."""
    writer = Writer()
    yield writer
    writer.close()


class Kind(NamedTuple):
    """A command that writes, and what it makes of the base."""

    argv: tuple[str, ...]
    corpus: str
    operations: int
    took_s: float


class Base(NamedTuple):
    """An index of two generations, the second added to the first; what serves, and what changes it."""

    path: Path
    current: str
    digest: str
    corpus: str
    kinds: dict[str, Kind]


def article(number: int) -> dict[str, str]:
    text = f"Report {number}: on Monday {number * 7} boats came in. “More than ever,” said Ann Lee."
    return {"id": f"r{number}", "title": f"Report {number}", "text": text, "source": "Wire"}


def written(path: Path, *numbers: int) -> str:
    path.write_text("\n".join(json.dumps(article(number)) for number in numbers), encoding="utf-8")
    return str(path)


def linked(base: Path, target: Path) -> Path:
    """A copy of an index whose generations are the same files: no writer may change one."""
    target.mkdir()
    shutil.copytree(base / "generations", target / "generations", copy_function=os.link)
    shutil.copy(base / "CURRENT", target / "CURRENT")
    return target


def digest(index: Path, generation_id: str) -> str:
    manifest = IndexFolder(index).generation(generation_id) / "manifest.json"
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def base(writer: Writer, tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    index = folder / "index"
    shutil.copytree(FORMATS / str(FORMAT), index)
    added = writer.run("index", "add", written(folder / "first.jsonl", *range(12)), "--index", str(index))
    assert added["code"] == 0, added["stderr"]
    current = IndexFolder(index).current()
    assert current
    commands = {
        "add": ("add", written(folder / "add.jsonl", *range(9, 20))),
        "build": ("build", written(folder / "build.jsonl", *range(5, 15)), "--model", "tiny"),
        "remove": ("remove", "r1", "r2"),
    }
    kinds = {}
    for kind, argv in commands.items():
        changed = linked(index, folder / kind)
        result = writer.run("index", *argv, "--index", str(changed))
        assert result["code"] == 0, result["stderr"]
        found = IndexFolder(changed)
        made = found.manifest(found.current() or "").corpus
        kinds[kind] = Kind(argv, made, result["operations"], result["took_s"])
    corpus = IndexFolder(index).manifest(current).corpus
    assert len({corpus, *(kind.corpus for kind in kinds.values())}) == 4
    return Base(index, current, digest(index, current), corpus, kinds)


def told(base: Base, kind: Kind, index: Path) -> str:
    """Whether what serves now is the old generation or the new; fails where it is neither."""
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as opened:
        whole = IndexFolder(index).verify(opened.id)
        if opened.id == base.current:
            assert digest(index, opened.id) == base.digest
            return "old"
        assert whole.corpus == kind.corpus
        return "new"


def assert_nothing_is_left(index: Path) -> None:
    """Of whatever was cut off: only whole generations, none of them later than the one that is served."""
    folder = IndexFolder(index)
    assert {path.name for path in index.iterdir()} == {"CURRENT", "LOCK", "generations"}
    assert {path.name for path in (index / "generations").iterdir()} == set(folder.ids())
    assert folder.ids()[-1] == folder.current()
    for name in folder.ids():
        files = {
            path.relative_to(folder.generation(name)).as_posix()
            for path in folder.generation(name).rglob("*")
            if path.is_file()
        }
        assert files == {*folder.verify(name).files, "manifest.json"}


def sampled(number: int, most: int) -> list[int]:
    """So many of 0 to `most` - 1, spread over all; every one where there are as many."""
    return sorted({round((at + 0.5) * most / number - 0.5) for at in range(min(number, most))})


def cut_off(writer: Writer, base: Base, kind: Kind, index: Path, **how: object) -> tuple[dict[str, Any], str]:
    """What a command said that was cut off, and what served afterwards: the old generation or the new."""
    linked(base.path, index)
    result = writer.run("index", *kind.argv, "--index", str(index), **how)
    served = told(base, kind, index)
    cleared = writer.run("index", "gc", "--index", str(index))
    assert cleared["code"] == 0, cleared["stderr"]
    assert told(base, kind, index) == served
    assert_nothing_is_left(index)
    shutil.rmtree(index)
    return result, served


def test_every_write_below_an_index_goes_through_one_module(
    writer: Writer, base: Base, tmp_path: Path
) -> None:
    index = str(linked(base.path, tmp_path / "index"))
    commands = [*(base.kinds[name].argv for name in ("remove", "add", "build")), ("rollback",), ("gc",)]
    for argv in (*commands, ("gc", "--keep", "0"), ("verify",), ("status",)):
        result = writer.run("index", *argv, "--index", index, index=index)
        assert result["code"] == 0, result["stderr"]
        assert result["elsewhere"] == []
        assert bool(result["operations"]) == (argv[0] not in {"verify", "status"})


def test_what_is_named_was_synced_before(base: Base, tmp_path: Path) -> None:
    index = linked(base.path, tmp_path / "index")
    folder = IndexFolder(index)
    done: list[tuple[str, Path]] = []
    with storage.watched(lambda what, path: done.append((what, path))):
        build_index(index, Path(base.kinds["add"].argv[1]), from_current=True, model="tiny")
    made = folder.generation(folder.current() or "")
    named = done.index(("rename", made))
    (staging,) = {path for what, path in done if what == "make folder" and ".building-" in path.name}
    for path in (made, *made.rglob("*")):
        before = folder.generation(base.current) / path.relative_to(made)
        if before.is_file() and path.samefile(before):
            continue  # synced when that was written
        place = staging / path.relative_to(made)
        synced = done.index(("sync", place))
        assert synced < named
        assert not [what for what, other in done[synced + 1 : named] if other == place]
    generations = index / "generations"
    assert done.index(("sync", generations)) < named
    current = done.index(("rename", index / "CURRENT"))
    assert ("sync", generations) in done[named:current]
    assert ("sync", index / ".CURRENT.new") in done[named:current]
    assert ("sync", index) in done[current:]


def test_a_new_index_is_made_to_stay(tmp_path: Path) -> None:
    done: list[tuple[str, Path]] = []
    index = tmp_path / "srv" / "news" / "index"
    with storage.watched(lambda what, path: done.append((what, path))), IndexFolder(index).writing("test"):
        pass
    for made in (tmp_path / "srv", index.parent, index, index / "generations"):
        at = done.index(("make folder", made))
        assert done[at + 1] == ("sync", made.parent)


def test_a_build_killed_at_any_moment_leaves_the_old_or_the_new(
    writer: Writer, base: Base, tmp_path: Path, tries: Tries, tell: Tell
) -> None:
    chance = random.Random(1)  # noqa: S311
    served: Counter[str] = Counter()
    for number in range(tries(3, of=200)):
        kind = base.kinds[("add", "build", "remove")[number % 3]]
        result, found = cut_off(
            writer, base, kind, tmp_path / "index", kill_after_s=chance.uniform(0, kind.took_s)
        )
        assert result["code"] in {-9, 0}, result["stderr"]
        served[f"{found}, {'killed' if result['code'] else 'ended before'}"] += 1
    assert_the_base_is_as_it_was(base)
    tell(f"{served.total()} builds killed at random: {dict(served)}")


@pytest.mark.parametrize("name", ["add", "build", "remove"])
def test_a_build_killed_at_any_operation_leaves_the_old_or_the_new(
    writer: Writer, base: Base, tmp_path: Path, tries: Tries, tell: Tell, name: str
) -> None:
    kind = base.kinds[name]
    served: Counter[str] = Counter()
    for at in sampled(tries(2, of=kind.operations), kind.operations):
        result, found = cut_off(writer, base, kind, tmp_path / "index", kill_at=at)
        assert result["code"] == -9, result["stderr"]
        served[found] += 1
    assert_the_base_is_as_it_was(base)
    tell(f"{name} killed at {served.total()} of {kind.operations} operations: {dict(served)}")


@pytest.mark.parametrize("name", ["add", "build", "remove"])
def test_an_operation_that_fails_ends_the_build_with_what_and_where(
    writer: Writer, base: Base, tmp_path: Path, tries: Tries, tell: Tell, name: str
) -> None:
    kind = base.kinds[name]
    served: Counter[str] = Counter()
    for code in (errno.ENOSPC, errno.EIO):
        for at in sampled(tries(1, of=kind.operations), kind.operations):
            result, found = cut_off(writer, base, kind, tmp_path / "index", fail_at=at, errno=code)
            assert "Traceback" not in result["stderr"]
            if result["code"]:
                last = result["stderr"].splitlines()[-1]
                assert last.startswith(f"error: {tmp_path}"), last
                assert f"cannot be written ({os.strerror(code)}" in last
                assert "then run the same again" in last
            else:  # what failed was clearing up, and the build was done
                assert found == "new"
            served[f"{found}, {'failed' if result['code'] else 'done'}"] += 1
    assert_the_base_is_as_it_was(base)
    tell(f"{name} with {served.total()} failing operations: {dict(served)}")


def assert_the_base_is_as_it_was(base: Base) -> None:
    """The base shares its files with what was written to."""
    folder = IndexFolder(base.path)
    assert folder.current() == base.current
    for name in folder.ids():
        folder.verify(name)


def mount(*options: str) -> bool:
    command = ["mount", *options]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def mounted(target: Path, *options: str) -> Iterator[None]:
    """A file system of one's own for a test; where that is not allowed, the test is skipped."""
    target.mkdir(exist_ok=True)
    if not shutil.which("mount") or not mount(*options, str(target)):
        pytest.skip("may not mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)  # noqa: S607


def test_a_full_disk_ends_the_build_and_the_service_answers(
    writer: Writer, base: Base, tmp_path: Path, tries: Tries, tell: Tell
) -> None:
    disk = tmp_path / "disk"
    kind = base.kinds["build"]
    served: Counter[str] = Counter()
    with mounted(disk, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        index = disk / "index"
        shutil.copytree(base.path, index)
        used = shutil.disk_usage(disk).used
        assert writer.run("index", *kind.argv, "--index", str(index))["code"] == 0
        needed = shutil.disk_usage(disk).used - used
        shutil.rmtree(index)
        shutil.copytree(base.path, index)
        with serving(index) as server:
            for step in sampled(tries(3, of=20), 20):
                size = used + needed * step // 20
                assert mount("-o", f"remount,size={size}", str(disk))
                writer.begin("index", *kind.argv, "--index", str(index))
                answered = server.client.get("/v1/search", params={"q": "boats"})
                result = writer.end()
                assert answered.status_code == 200
                assert result["code"] == 1, result["stderr"]
                assert "Traceback" not in result["stderr"]
                assert "panicked" not in result["stderr"]
                last = result["stderr"].splitlines()[-1]
                assert last.startswith(f"error: {disk}"), last
                assert "cannot be written" in last
                assert "free" in last
                assert [path.name for path in (index / "generations").glob(".*")] == []
                served[told(base, kind, index)] += 1
                assert server.client.get("/v1/search", params={"q": "boats"}).status_code == 200
            assert mount("-o", "remount,size=64m", str(disk))
            assert writer.run("index", *kind.argv, "--index", str(index))["code"] == 0
            assert told(base, kind, index) == "new"
    assert set(served) == {"old"}
    tell(f"{served.total()} builds on a full disk of {needed // 1000} KB too few and less: all left the old")


def test_a_folder_that_may_only_be_read_serves(writer: Writer, base: Base, tmp_path: Path) -> None:
    index = linked(base.path, tmp_path / "index")
    with mounted(index, "--bind", str(index)):
        assert mount("-o", "remount,bind,ro", str(index))
        before = sorted(path.relative_to(index) for path in index.rglob("*"))
        commands = {
            ("search", "boats"): "Report",
            ("ask", "Who said more than ever?"): "Ann Lee",
            ("index", "status"): base.current,
            ("index", "verify"): f"{base.current}: whole",
        }
        for argv, expected in commands.items():
            result = writer.run(*argv, "--index", str(index))
            assert result["code"] == 0, result["stderr"]
            assert expected in result["stderr"]
        with serving(index) as server:
            assert server.client.get("/v1/search", params={"q": "boats"}).json()["results"]
        for command in (base.kinds["build"].argv, ("rollback",), ("gc",)):
            result = writer.run("index", *command, "--index", str(index))
            assert result["code"] == 1
            assert "cannot be written (Read-only file system); make it writable" in result["stderr"]
        assert sorted(path.relative_to(index) for path in index.rglob("*")) == before


def damages(
    content: bytes, chance: random.Random, flips: int, cuts: int, pages: int
) -> Iterator[bytes | None]:
    """A file as it is after damage, each of them different from what it was; None where it is gone."""
    for _ in range(flips if content else 0):
        bit = chance.randrange(len(content) * 8)
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)
    for _ in range(cuts if content else 0):
        yield content[: chance.randrange(len(content))]
    starts = [start for start in range(0, len(content), PAGE) if any(content[start : start + PAGE])]
    for start in chance.sample(starts, min(pages, len(starts))):
        end = min(start + PAGE, len(content))
        yield content[:start] + bytes(end - start) + content[end:]
    yield None


def test_every_damage_is_refused_and_the_generation_before_serves(
    base: Base, tmp_path: Path, tries: Tries, tell: Tell
) -> None:
    chance = random.Random(2)  # noqa: S311
    index = IndexFolder(linked(base.path, tmp_path / "index"))
    newest = index.current() or ""
    (before,) = (name for name in index.ids() if name != newest)
    generation = index.generation(newest)
    files = sorted(path for path in generation.rglob("*") if path.is_file())
    refused = served = 0
    asked = tries(
        4, of=1000
    )  # what is refused by verifying is refused by whoever opens it, which takes longer
    for file in files:
        content = file.read_bytes()
        for number, damaged in enumerate(
            damages(content, chance, tries(3, of=100), tries(1, of=20), tries(1, of=10))
        ):
            file.unlink()  # the other generation may have the same file
            if damaged is not None:
                file.write_bytes(damaged)
            with pytest.raises(DamagedError, match=file.name.replace(".", r"\.")):
                index.verify(newest)
            refused += 1
            if number % 10 == 0 and served < asked:
                warned: list[str] = []
                with LocalIndex(index).open_best(warned.append) as opened:
                    assert opened.id == before
                assert file.name in warned[0]
                served += 1
            file.unlink(missing_ok=True)
            file.write_bytes(content)
    assert index.verify(newest).id == newest
    tell(
        f"{refused} of {refused} damages to {len(files)} files refused; {served} times served the one before"
    )


def test_of_two_builds_at_once_one_wins_and_the_other_names_it(
    writer: Writer, other: Writer, base: Base, tmp_path: Path, tries: Tries, tell: Tell
) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(tries(2, of=100)):
        kinds = [base.kinds[name] for name in (("add", "build"), ("build", "add"))[number % 2]]
        index = linked(base.path, tmp_path / "index")
        for one, kind in zip((writer, other), kinds, strict=True):
            one.begin("index", *kind.argv, "--index", str(index))
        results = [one.end() for one in (writer, other)]
        won = [kind for kind, result in zip(kinds, results, strict=True) if result["code"] == 0]
        for result in results:
            if result["code"]:
                assert result["code"] == 1
                assert "is being written by process" in result["stderr"], result["stderr"]
                assert "(dateline index" in result["stderr"]
        assert won
        folder = IndexFolder(index)
        number_made = int(folder.ids()[-1].split("-")[0]) - int(base.current.split("-")[0])
        assert number_made == len(won)
        if len(won) == 1:
            assert told(base, won[0], index) == "new"
        assert_nothing_is_left(index)
        outcomes["one won" if len(won) == 1 else "one after the other"] += 1
        shutil.rmtree(index)
    assert outcomes["one won"]  # a process that the system held up may begin when the other has ended
    tell(f"{outcomes.total()} races: {dict(outcomes)}")


def test_every_format_that_there_was_is_read_or_refused_with_the_remedy(tmp_path: Path) -> None:
    formats = sorted(int(path.name) for path in FORMATS.iterdir() if path.is_dir())
    assert formats == list(range(1, FORMAT + 1)), "a format is new: keep an index of it in formats/"
    index = tmp_path / "index"
    shutil.copytree(FORMATS / str(FORMAT), index)
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as opened:
        found = opened.corpus.article("bridge")
        assert found
        assert "voted on Tuesday" in found.text
    for number in formats[:-1]:
        old = IndexFolder(FORMATS / str(number))
        remedy = f"has format {number}, this version reads {FORMAT}; run: dateline index build"
        with pytest.raises(NoIndexError, match=remedy):
            LocalIndex(old).open_best(lambda _: None)
        # Beside one that is read it is passed over.
        (name,) = old.ids()
        shutil.copytree(old.generation(name), index / "generations" / name)
        (index / "CURRENT").write_text(f"{name}\n", encoding="utf-8")
        warned: list[str] = []
        with LocalIndex(IndexFolder(index)).open_best(warned.append) as opened:
            assert opened.manifest.format == FORMAT
        assert remedy in warned[0]


def _rows(folder: Path) -> None:
    vectors = np.eye(64, dtype=np.float32).repeat(64, axis=0)
    with VectorWriter(folder / "vectors", 64, exact_up_to=1000) as writer:
        writer.add(vectors)


def _articles(folder: Path) -> None:
    with CorpusWriter(folder / "corpus") as corpus:
        for number in range(40):
            corpus.add(Article(f"a{number}", f"{number} " * 60_000, ""), "test", "", "")


def _words(folder: Path) -> None:
    with FullTextWriter(folder / "words") as fulltext:
        for row in range(3000):
            words = " ".join(f"w{row}x{word}" for word in range(50))
            fulltext.add(row, words, Article(f"a{row}", words, ""))


@pytest.mark.parametrize("size", ["128k", "600k", "660k"])
@pytest.mark.parametrize("fill", [_rows, _articles, _words])
def test_what_a_library_cannot_write_is_told_like_any_other(
    fill: Callable[[Path], None], size: str, tmp_path: Path
) -> None:
    """FAISS, SQLite and tantivy; the first two sizes hold some of what they write."""
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        with pytest.raises(StorageError, match=f"{disk}.*cannot be written.*free"):
            fill(disk)
        assert list(disk.iterdir())
