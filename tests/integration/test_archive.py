"""Backup: one file that holds a generation whole, and nothing from a file that does not."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.archive import export, restore
from indexer.errors import ArchiveError, DamagedError, LockedError, NoIndexError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.local.generation import LocalIndex
from service.retrieval import SearchQuery, search
from tests.conftest import build_index
from tests.integration.server import serving

QUESTION = "What does Gabuev expect from military cooperation?"
Members = dict[str, tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(scope="module")
def archive(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "seeds.dateline"
    export(IndexFolder(seed_index), target)
    return target


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one article, with the article beside it."""
    folder = tmp_path_factory.mktemp("ferry")
    (folder / "ferry.txt").write_text("Ferry stops\n\nThe ferry to Saltmarsh stopped.", encoding="utf-8")
    build_index(folder / "index", folder / "ferry.txt")
    return folder


@pytest.fixture
def target(ferry: Path, tmp_path: Path) -> IndexFolder:
    """An index that must stay as it is where nothing can be imported."""
    return IndexFolder(Path(shutil.copytree(ferry / "index", tmp_path / "target", copy_function=os.link)))


def _restore(index: IndexFolder, archive: Path | bytes) -> Manifest:
    stream = io.BytesIO(archive) if isinstance(archive, bytes) else archive.open("rb")
    with stream:
        return restore(index, stream, "news.dateline", keep=5, command="test")


def _found(index: IndexFolder) -> list[str]:
    with LocalIndex(index).open_best(pytest.fail) as generation:
        return [hit.passage.id for hit in search(generation, SearchQuery(QUESTION)).hits]


def _state(index: IndexFolder) -> dict[str, bytes]:
    return {
        path.relative_to(index.path).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in index.path.rglob("*")
        if path.name != "LOCK"
    }


def test_what_is_imported_is_what_was_exported(seed_index: Path, archive: Path, tmp_path: Path) -> None:
    here, there = IndexFolder(seed_index), IndexFolder(tmp_path / "there")
    before = here.manifest(here.candidates()[0])
    after = _restore(there, archive)
    assert there.current() == after.id
    assert there.verify(after.id) == after
    assert after.files == before.files
    for name in ("encoder", "settings", "vectors", "counts", "corpus"):
        assert getattr(after, name) == getattr(before, name)
    assert before.id in after.built_by
    assert before.created_at in after.built_by
    assert _found(there) == _found(here)


def test_an_archive_is_the_same_bytes_each_time_and_tar_reads_it(seed_index: Path, archive: Path) -> None:
    again = io.BytesIO()
    manifest = export(IndexFolder(seed_index), again)
    assert again.getvalue() == archive.read_bytes()
    with tarfile.open(archive) as read:
        assert read.getnames() == ["manifest.json", *sorted(manifest.files)]


def test_an_imported_generation_gets_the_next_number_and_a_rollback_returns(
    target: IndexFolder, archive: Path
) -> None:
    own = target.current()
    first, second = _restore(target, archive), _restore(target, archive)
    assert [name.partition("-")[0] for name in target.ids()] == ["000001", "000002", "000003"]
    assert len({own, first.id, second.id}) == 3
    assert target.current() == second.id
    assert target.roll_back(own, "test") == own
    # One that came from here comes back as another: what is there is never written over.
    own_archive = io.BytesIO()
    export(target, own_archive)
    back = _restore(target, own_archive.getvalue())
    assert back.files == target.manifest(str(own)).files
    assert target.current() == back.id == target.ids()[-1]
    assert back.built_by.count("imported") == 1


def test_an_imported_index_grows_as_any_other(
    target: IndexFolder, archive: Path, ferry: Path, tmp_path: Path
) -> None:
    imported = _restore(target, archive)
    grown = build_index(target.path, ferry / "ferry.txt", from_current=True)
    assert grown.counts["articles"] == imported.counts["articles"] + 1
    whole = io.BytesIO()
    export(target, whole)
    assert _restore(IndexFolder(tmp_path / "third"), whole.getvalue()).files == grown.files


def test_a_service_follows_an_import(target: IndexFolder, archive: Path) -> None:
    with serving(target.path) as server:
        manifest = _restore(target, archive)
        server.await_log(f"serving generation {manifest.id}")
        answer = server.client.post("/v1/answer", json={"query": QUESTION}).json()
        assert "closer military cooperation" in answer["answer"]


# --- what is no archive


def _members(archive: Path) -> Members:
    with tarfile.open(archive) as read:
        found: Members = {}
        for member in read.getmembers():
            stream = read.extractfile(member)
            assert stream
            found[member.name] = member, stream.read()
    return found


def _packed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    for member, content in members:
        packed.write(member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
    packed.write(bytes(1024))
    return packed.getvalue()


def _sealed(archive: Path, change: Callable[[Members, dict[str, Any]], None]) -> bytes:
    """An archive with changed members and a manifest that fits them: its maker knows how sums are made."""
    members = _members(archive)
    facts = json.loads(members["manifest.json"][1])
    del facts["sha256"]
    change(members, facts)
    own = members.pop("manifest.json")[0]
    content = replace(Manifest(**facts)).to_bytes() if isinstance(facts.get("files"), dict) else b"{}"
    own.size = len(content)
    return _packed([(own, content), *(members[name] for name in sorted(members))])


def _renamed(name: str) -> Callable[[Members, dict[str, Any]], None]:
    def change(members: Members, facts: dict[str, Any]) -> None:
        member, content = members.pop("report.jsonl")
        member.name = name
        members[name] = member, content
        facts["files"][name] = facts["files"].pop("report.jsonl")

    return change


def _as(kind: bytes, linkname: str = "") -> Callable[[Members, dict[str, Any]], None]:
    def change(members: Members, _: dict[str, Any]) -> None:
        member = members["report.jsonl"][0]
        member.type, member.linkname = kind, linkname

    return change


def _fact(name: str, value: object) -> Callable[[Members, dict[str, Any]], None]:
    return lambda _, facts: facts.__setitem__(name, value)


def _of_report(name: str, value: object) -> Callable[[Members, dict[str, Any]], None]:
    return lambda _, facts: facts["files"]["report.jsonl"].__setitem__(name, value)


def _content(name: str, content: bytes) -> Callable[[Members, dict[str, Any]], None]:
    def change(members: Members, facts: dict[str, Any]) -> None:
        member, _ = members[name]
        member.size = len(content)
        members[name] = member, content
        facts["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    return change


def _larger(members: Members, facts: dict[str, Any]) -> None:
    members["report.jsonl"][0].size = 1 << 50
    facts["files"]["report.jsonl"]["bytes"] = 1 << 50


def _count(members: Members, facts: dict[str, Any]) -> None:
    del members
    facts["counts"]["articles"] += 1


HOSTILE: dict[str, tuple[Callable[[Members, dict[str, Any]], None], str]] = {
    "a symbolic link": (_as(tarfile.SYMTYPE, "/etc/passwd"), "a link"),
    "a hard link": (_as(tarfile.LNKTYPE, "manifest.json"), "a link"),
    "a device": (_as(tarfile.CHRTYPE), "no file"),
    "a FIFO": (_as(tarfile.FIFOTYPE), "no file"),
    "a folder": (_as(tarfile.DIRTYPE), "no file"),
    "a sparse file": (_as(tarfile.GNUTYPE_SPARSE), "report.jsonl"),
    "a longer name to come": (_as(tarfile.GNUTYPE_LONGNAME), "report.jsonl"),
    "a header to come": (_as(tarfile.XHDTYPE), "report.jsonl"),
    "..": (_renamed("../report.jsonl"), "no index has"),
    ".. in the middle": (_renamed("vectors/../../report.jsonl"), "no index has"),
    "an absolute name": (_renamed("/tmp/report.jsonl"), "no index has"),  # noqa: S108
    "a name with a backslash": (_renamed("vectors\\report.jsonl"), "no index has"),
    "a name with NUL": (_renamed("vectors/a\x00b"), "no index has"),
    "a name with a line": (_renamed("vectors/a\nb"), "no index has"),
    "a strange name": (_renamed("install.sh"), "no index has"),
    "a manifest in a folder's place": (_renamed("manifest.json/a"), "no index has"),
    "a long name": (_renamed("vectors/" + "a" * 300), "no index has"),
    "a lock": (_renamed("fulltext/a.lock"), "no index has"),
    "a folder that is a file": (_renamed("corpus.sqlite/a"), "no index has"),
    "a file in a file": (_renamed("tokens/000001.codes/a"), "a file as its folder"),
    "a size that is none": (_of_report("bytes", -1), "no size"),
    "a size in words": (_of_report("bytes", "many"), "no size"),
    "true for a size": (_of_report("bytes", True), "no size"),
    "a petabyte": (_larger, "are free"),
    "another content": (_of_report("sha256", "0" * 64), "is not what the manifest says"),
    "another size": (_of_report("bytes", 1), "belongs"),
    "a missing file": (lambda members, _: members.__delitem__("report.jsonl"), "belongs"),
    "a file too many": (lambda members, _: members.__setitem__("zzz", members["report.jsonl"]), "holds more"),
    "another format": (_fact("format", 3), "has format 3"),
    "an id that is a path": (_fact("id", "../../000001-00000000"), "damaged"),
    "no moment": (_fact("created_at", "yesterday"), "yesterday"),
    "a moment before all others": (_fact("created_at", "0001-01-01T00:00:00"), "out of range"),
    "a builder that is no text": (_fact("built_by", 7), "no text"),
    "no files": (_fact("files", {}), "holds more"),
    "files that are none": (_fact("files", {"report.jsonl": None}), "NoneType"),
    "counts of another index": (_count, "its counts"),
    "another encoder's name": (lambda _, facts: facts["encoder"].__setitem__("model", "x"), "its encoder"),
    "no settings": (_fact("settings", {"token_bits": 2}), "its settings"),
    "a corpus that is none": (
        _content("corpus.sqlite", b"SQLite format 3\x00" + bytes(4000)),
        "cannot be served",
    ),
    "vectors that are none": (_content("vectors/000001.vectors", b"no vectors"), "cannot be served"),
    "a pickle for a column": (_content("columns/day.npy", b"\x80\x04cposix\nsystem\n"), "cannot be served"),
    "a tokenizer that is none": (_content("encoder/tokenizer.json", b"{}"), "cannot be served"),
    "a graph that is none": (_content("encoder/model.xml", b"<net/>"), "cannot be served"),
    "a full text that is none": (_content("fulltext/meta.json", b"{}"), "cannot be served"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_the_index_stays(
    target: IndexFolder, archive: Path, tmp_path: Path, name: str
) -> None:
    change, reason = HOSTILE[name]
    before, around = _state(target), sorted(tmp_path.iterdir())
    with pytest.raises(ArchiveError, match=reason):
        _restore(target, _sealed(archive, change))
    assert _state(target) == before
    assert sorted(tmp_path.iterdir()) == around


def _of_size(member: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    member.size = size
    return member


def _twice(whole: bytes) -> bytes:
    return whole + whole


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "ends early"),
    "a text": (lambda _: b"The ferry to Saltmarsh stopped on Monday. " * 100, "is no archive"),
    "zeros": (lambda _: bytes(10_240), "is no archive"),
    "a manifest that has no bottom": (
        lambda _: _packed([(_of_size(tarfile.TarInfo("manifest.json"), 100_000), b"[" * 100_000)]),
        "recursion",
    ),
    "packed": (lambda whole: b"\x1f\x8b" + whole[2:], "unpack it first"),
    "cut in its manifest": (lambda whole: whole[:1000], "ends early"),
    "cut in a file": (lambda whole: whole[: len(whole) // 2], "ends early"),
    "cut before its end": (lambda whole: whole[:-1], "ends early"),
    "cut before its end's mark": (lambda whole: whole[:-1024], "ends early"),
    "another behind it": (_twice, "holds more"),
    "something behind it": (lambda whole: whole + bytes(1000) + b"x", "holds more"),
    "without its manifest": (lambda whole: whole[512 + 8192 :], "is no archive"),
    "a bit of its manifest": (lambda whole: whole[:600] + bytes([whole[600] ^ 1]) + whole[601:], "damaged"),
    "a bit of a file": (
        lambda whole: (
            whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
        ),
        "is damaged",
    ),
    "a bit of a header": (lambda whole: whole[:100] + b"7" + whole[101:], "is no archive"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_archive_is_refused_and_the_index_stays(
    target: IndexFolder, archive: Path, name: str
) -> None:
    change, reason = DAMAGED[name]
    before = _state(target)
    with pytest.raises(ArchiveError, match=reason):
        _restore(target, change(archive.read_bytes()))
    assert _state(target) == before


def test_what_is_refused_by_its_manifest_makes_no_folder(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        _restore(IndexFolder(tmp_path / "new"), archive.read_bytes()[:1000])
    assert not (tmp_path / "new").exists()


# --- what cannot be exported, and what ends early


def test_a_damaged_generation_is_not_exported(seed_index: Path, tmp_path: Path) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    folder = IndexFolder(index)
    model = folder.generation(folder.ids()[0]) / "encoder" / "model.bin"
    whole = model.read_bytes()
    kept = tmp_path / "news.dateline"
    kept.write_bytes(b"last week's")
    for damaged in (whole[:-1], whole + b"x", whole[:-1] + bytes([whole[-1] ^ 1]), None):
        model.unlink()
        if damaged is not None:
            model.write_bytes(damaged)
        with pytest.raises(DamagedError, match=r"model\.bin"):
            export(folder, kept)
        assert kept.read_bytes() == b"last week's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "news.dateline"]
    with pytest.raises(NoIndexError):
        export(IndexFolder(tmp_path / "none"), kept)
    with pytest.raises(UsageError, match="is a folder"):
        export(folder, index)


class _FullDisk(io.BytesIO):
    def write(self, content: Any, /) -> int:
        if self.tell() > 20_000_000:
            raise OSError(28, "No space left on device")
        return super().write(content)


def test_an_archive_that_cannot_be_written_is_no_damaged_index(seed_index: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        export(IndexFolder(seed_index), _FullDisk())


def _run(*arguments: str | Path, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "service.cli", "index", *map(str, arguments)],
        capture_output=True,
        check=False,
        **more,
    )


def test_an_export_that_is_cut_off_leaves_no_file_of_its_name(seed_index: Path, tmp_path: Path) -> None:
    """Its reader is a FIFO's, which takes a part and then nothing."""
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        kept = tmp_path / "news.dateline"
        code = (
            "import os, signal, sys; from pathlib import Path; import indexer.archive as archive\n"
            "from indexer.folder import IndexFolder\n"
            # Whoever was started in the background ignores it, and so do its children.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "copied, seen = archive._copied, []\n"
            "def cut_off(source, stream, size):\n"
            "    seen.append(size)\n"
            "    if len(seen) == 9: os.kill(os.getpid(), int(sys.argv[3]))\n"
            "    return copied(source, stream, size)\n"
            "archive._copied = cut_off\n"
            "archive.export(IndexFolder(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code, str(seed_index), str(kept), str(int(ending))],
            capture_output=True,
            check=False,
        )
        assert ended.returncode != 0
        assert not kept.exists()
        assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".partial")]


def test_an_import_that_is_cut_off_leaves_the_index_as_it_was(target: IndexFolder, archive: Path) -> None:
    before = _state(target)
    whole = archive.read_bytes()
    for share in (0.1, 0.5, 0.99):
        for ending in (None, signal.SIGKILL, signal.SIGINT):
            with subprocess.Popen(
                [sys.executable, "-m", "service.cli", "index", "import", "-", "--index", str(target.path)],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process:
                assert process.stdin
                process.stdin.write(whole[: int(len(whole) * share)])
                process.stdin.flush()
                if ending:
                    process.send_signal(ending)
                process.communicate()
                assert process.returncode != 0
            with target.writing("test"):  # what was killed left something, the next writer removes it
                pass
            assert _state(target) == before


def test_one_writer_at_a_time(target: IndexFolder, archive: Path) -> None:
    with target.writing("test"), pytest.raises(LockedError):
        _restore(target, archive)


def test_the_commands_speak_through_pipes_and_end_as_they_should(
    seed_index: Path, tmp_path: Path, archive: Path
) -> None:
    exported = _run("export", "-", "--index", seed_index)
    assert exported.returncode == 0
    assert exported.stdout == archive.read_bytes()
    assert b"generation" in exported.stderr
    imported = _run("import", "-", "--index", tmp_path / "there", "--json", input=exported.stdout)
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout)["id"] == IndexFolder(tmp_path / "there").current()
    refused = _run("import", "-", "--index", tmp_path / "there", input=exported.stdout[:-5000])
    assert refused.returncode == 1
    assert refused.stderr.decode().startswith("error: -: ends early; make one by")
    assert b"Traceback" not in refused.stderr
    missing = _run("import", tmp_path / "none.dateline", "--index", tmp_path / "there")
    assert missing.returncode == 1
    assert _run("export", tmp_path / "a", "--index", tmp_path / "nowhere").returncode == 3
