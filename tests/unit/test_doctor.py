"""Each usual trouble is found, and its remedy named."""

import json
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from indexer.folder import FORMAT, IndexFolder, Manifest
from service import doctor
from service.doctor import file_system, findings, listener
from service.settings import load
from tests.conftest import SEEDS, build_index


def told(subject: str, index: Path, **settings: Any) -> list[tuple[bool, str]]:
    found = findings(load(index=index, **{"port": 0, **settings}))
    return [(one.sound, one.text) for one in found if one.subject == subject]


@pytest.fixture
def index(seed_index: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(seed_index, tmp_path / "index"))


def rewritten(index: Path, **facts: Any) -> None:
    """Has the current manifest say something else, its own checksum right."""
    folder = IndexFolder(index)
    current = str(folder.current())
    manifest = folder.manifest(current)
    fields = {name: getattr(manifest, name) for name in Manifest.__slots__}
    path = folder.generation(current) / "manifest.json"
    path.write_bytes(Manifest(**{**fields, **facts}).to_bytes())


def test_a_sound_place_has_no_trouble(seed_index: Path) -> None:
    assert [one for one in findings(load(index=seed_index, port=0)) if not one.sound] == []


def test_no_index_yet(tmp_path: Path) -> None:
    ((sound, text),) = told("index", tmp_path / "none")
    assert not sound
    assert "run: dateline index build" in text


@pytest.mark.parametrize("named", ["", "nonsense\n", "000009-00000000\n", "\0"])
def test_a_current_that_names_nothing(index: Path, named: str) -> None:
    generation = str(IndexFolder(index).current())
    (index / "CURRENT").write_text(named, encoding="utf-8")
    ((sound, text),) = told("CURRENT", index)
    assert not sound
    assert f"run: dateline index rollback {generation} --index {index}" in text
    assert told("index", index)[0][0], "it is served all the same"


def test_a_generation_of_another_format(index: Path) -> None:
    rewritten(index, format=FORMAT + 1)
    ((sound, text),) = told("index", index)
    assert not sound
    assert f"has format {FORMAT + 1}, this version reads {FORMAT}; run: dateline index build" in text


def test_a_generation_that_one_cannot_go_back_to(index: Path) -> None:
    first = str(IndexFolder(index).current())
    build_index(index, SEEDS)
    (index / "generations" / first / "manifest.json").write_text("{}", encoding="utf-8")
    ((sound, text),) = told("rollback", index)
    assert sound
    assert first in text


def test_leftovers_of_a_build_that_was_killed(index: Path) -> None:
    left = index / "generations" / ".building-12345"
    left.mkdir()
    (left / "corpus.sqlite").write_bytes(bytes(3_000_000))
    ((sound, text),) = told("leftovers", index)
    assert not sound
    assert "3 MB" in text
    assert "run: dateline index gc" in text
    with IndexFolder(index).writing("test"):
        assert told("leftovers", index) == []
        assert "test" in told("writer", index)[0][1]


def test_a_disk_that_the_next_build_would_fill(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.doctor.shutil.disk_usage", lambda _: SimpleNamespace(free=2 << 30))
    assert told("disk", index)[0][0]
    files = IndexFolder(index).manifest(str(IndexFolder(index).current())).files
    monkeypatch.setattr(doctor, "_MARGIN", (3 << 30) / sum(one["bytes"] for one in files.values()))
    ((sound, text),) = told("disk", index)
    assert not sound
    assert "2.1 GB free, and the next build wants 3.2; make room" in text


def test_a_folder_that_may_not_be_written_to(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "service.doctor.os.access", lambda path, _: Path(path) != index
    )  # root may do anything
    ((sound, text),) = told("folder", index)
    assert not sound
    assert f"run: chown -R {os.geteuid()} {index}" in text


@pytest.mark.parametrize(
    ("kind", "sound"), [("nfs4", False), ("cifs", False), ("fuse.sshfs", False), ("ext4", True)]
)
def test_a_folder_on_a_network(
    index: Path, tmp_path: Path, kind: str, *, sound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n", encoding="utf-8")
    assert (file_system(index, mounts), file_system(Path("/usr"), mounts)) == (kind, "ext4")
    monkeypatch.setattr(doctor, "_MOUNTS", mounts)
    found = told("folder", index)
    assert (found == []) is sound
    assert sound or "move it to a disk of this machine" in found[0][1]


def test_a_clock_that_is_behind_the_index(index: Path) -> None:
    rewritten(index, created_at="2999-01-01T00:00:00+00:00")
    ((sound, text),) = told("clock", index)
    assert not sound
    assert "the index was built at 2999-01-01 00:00; set the clock" in text


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    empty = tmp_path / "model"
    empty.mkdir()
    ((sound, text),) = told("model", tmp_path, model=str(empty))
    assert not sound
    assert "safetensors" in text


def test_extras_that_the_settings_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("openai", "sentence_transformers", "opentelemetry"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    found = told("extras", tmp_path, llm_base_url="http://127.0.0.1:9/v1", reranker="one")
    assert [sound for sound, _ in found] == [False] * 3
    for extra, (_, text) in zip(("llm", "build", "otel"), found, strict=True):
        assert f"pip install 'dateline[{extra}]'" in text


def test_a_reader_that_the_next_build_would_have_is_told_and_one_that_is_none_is_trouble(
    index: Path, tmp_path: Path
) -> None:
    assert told("reader", index, reader="none") == [(True, "none")]
    ((sound, text),) = told("reader", index, reader="bundled")
    assert sound
    assert "a build puts bundled into the index" in text
    ((sound, text),) = told("reader", index, reader=str(tmp_path / "typo"))
    assert not sound
    assert "typo: no folder of this name" in text


def test_articles_that_are_not_there(tmp_path: Path) -> None:
    ((sound, text),) = told("articles", tmp_path, articles=(tmp_path / "none", SEEDS))
    assert not sound
    assert str(tmp_path / "none") in text


@contextmanager
def answering(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "sound", "said"),
    [(200, True, "answers"), (404, True, "answers"), (401, False, "llm_api_key"), (503, False, "503")],
)
def test_a_language_model_is_asked_for_its_list(
    tmp_path: Path, status: int, *, sound: bool, said: str
) -> None:
    with answering(status) as url:
        ((found, text),) = told("llm", tmp_path, llm_base_url=url, llm_model="m", llm_api_key="sk-secret")
    assert found is sound
    assert said in text
    assert "sk-secret" not in text


def test_a_language_model_that_is_silent_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        assert told("llm", tmp_path, llm_base_url=url)[0][0] is False
    ((sound, text),) = told("llm", tmp_path, llm_base_url="http://127.0.0.1:9/v1")
    assert not sound
    assert "start the server, or mend the setting" in text
    assert told("llm", tmp_path) == []


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert listener(port).startswith(f"process {os.getpid()} (")
        ((sound, text),) = told("port", tmp_path, port=port)
        assert not sound
        assert "choose another --host or --port" in text
        assert f"taken by process {os.getpid()}" in text
    assert listener(port) == ""


def test_a_port_that_a_service_of_ours_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "listener", lambda _: "process 7 (python -m service.cli serve)")
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert told("port", tmp_path, port=other.getsockname()[1])[0][0]


def test_too_few_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        ((sound, text),) = told("files", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not sound
    assert "ulimit -n" in text


def test_the_findings_can_be_printed(seed_index: Path) -> None:
    for one in findings(load(index=seed_index, port=0)):
        assert json.loads(json.dumps(one._asdict())) == one._asdict()
