"""What is installed is what is locked, and what is deployed may write nowhere but where it says."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import httpx
import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.integration.server import Server

NOBODY = 10001  # the image's user
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.*))? \\$", re.MULTILINE)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


# What the image has beside, where it is built for more than one machine: of the Makefile.
CLUSTER = tuple(re.findall(r"^CLUSTER := (.*)$", MAKEFILE, re.MULTILINE)[0].split())


def locked(name: str) -> dict[str, str]:
    """What a lock installs here, where it has a choice."""
    return {
        canonicalize_name(package): version
        for package, version, marker in PINNED.findall((ROOT / name).read_text(encoding="utf-8"))
        if not marker or Marker(marker).evaluate()
    }


def wanted(*extras: str) -> list[Requirement]:
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


LOCKS = {"requirements.lock": (), "requirements-build.lock": ("build",), "requirements-cluster.lock": CLUSTER}


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_names_what_the_project_needs_at_its_versions(lock: str, extras: tuple[str, ...]) -> None:
    pins = locked(lock)
    for one in wanted(*extras):
        if one.name != "torch":
            assert one.specifier.contains(pins[canonicalize_name(one.name)]), one
    assert "torch" not in pins


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_is_complete(lock: str, extras: tuple[str, ...]) -> None:
    """Whatever a locked package needs is locked, as far as this environment has that very package."""
    pins = locked(lock)
    for name, version in pins.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if found.version != version:
            continue
        for line in found.requires or ():
            needed = Requirement(line)
            here = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if here and canonicalize_name(needed.name) != "torch":
                assert canonicalize_name(needed.name) in pins, f"{name} needs {needed}"
    assert len(pins) > 60 + 5 * len(extras)


def test_every_locked_package_has_its_hashes_and_no_other_source() -> None:
    for lock in LOCKS:
        text = (ROOT / lock).read_text(encoding="utf-8")
        packages = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
        assert len(packages) == len(PINNED.findall(text))
        assert all("--hash=sha256:" in block for block in packages)
        assert "--index" not in text
        assert "--find-links" not in text
        assert "://" not in text


def test_the_locks_agree() -> None:
    serving, building = locked("requirements.lock"), locked("requirements-build.lock")
    for other in (building, cluster := locked("requirements-cluster.lock")):
        assert {name: serving[name] for name in serving.keys() & other.keys()} == {
            name: other[name] for name in serving.keys() & other.keys()
        }
    assert serving.keys() < cluster.keys()
    backend = re.search(r'"(hatchling)==(\S+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert backend
    assert building["hatchling"] == backend[2]


def test_the_image_installs_by_hash_and_serves_as_nobody() -> None:
    building, serving = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]
    for line in re.findall(r"pip install (.*)", building):
        assert "--require-hashes" in line or "torch==" in line or "own/*.whl" in line, line
    assert "pip" not in serving
    assert re.search(r"useradd .*--uid (\d+)", serving)
    assert f"--uid {NOBODY}" in serving
    assert serving.index("USER dateline") < serving.index("ENTRYPOINT")
    assert not re.search(r"^(ADD|USER root)", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept[0] == "*"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all(f"!{name}" in kept for name in copied.split())


def test_an_audit_that_can_tell_nothing_fails() -> None:
    (audit,) = re.findall(r"^\t.*pip-audit (.*)$", MAKEFILE, re.MULTILINE) or re.findall(
        r"pip-audit (--.*)", MAKEFILE
    )
    assert "--strict" in audit
    assert "--require-hashes" in audit


def test_every_waiver_of_the_audit_says_why() -> None:
    skips = re.search(
        r"\[tool.bandit\]\nskips = \[\n(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL
    )
    assert skips
    assert all(re.search(r'"B\d+", # \w+', line) for line in skips[1].splitlines())


def owned_by_nobody() -> set[str]:
    """What there is of this user's where anybody may write."""
    writable = ["/tmp", "/var/tmp", "/dev/shm"]  # noqa: S108
    search = ["find", *writable, "-uid", str(NOBODY)]
    return set(subprocess.run(search, capture_output=True, text=True, check=False).stdout.splitlines())


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_a_service_writes_nothing_outside_of_its_index(seed_index: Path, tmp_path: Path) -> None:
    """As the image's user, who may read everything and owns the index alone, with no home, in a folder that
    it may not write to: whatever it could leave behind would be its own."""
    temporary, index = tmp_path / "tmp", Path(shutil.copytree(seed_index, tmp_path / "index"))
    temporary.mkdir()
    for owned in (temporary, index, *index.rglob("*")):
        os.chown(owned, NOBODY, NOBODY)
    before = sorted(index.rglob("*"))
    there = owned_by_nobody()
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    as_nobody += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", "--no-new-privs"]
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    process = subprocess.Popen(
        [*as_nobody, sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={
            **environment,
            "PYTHONPATH": str(ROOT),
            "DATELINE_INDEX": str(index),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
        },
    )
    server = Server(process, "", [])
    try:
        found = re.search(r"http://\S+", server.await_log("on http://"))
        assert found
        with httpx.Client(base_url=found[0], timeout=30, transport=httpx.HTTPTransport(retries=10)) as client:
            server.await_log("serving generation")
            assert client.get("/v1/search?q=storm").json()["results"]
            question = {"query": "What does Gabuev expect from military cooperation?"}
            assert client.post("/v1/answer", json=question).json()["status"] == "answered"
            assert client.get("/metrics").status_code == 200
            tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            client.post("/mcp", json=tools, headers={"Accept": "application/json, text/event-stream"})
            # While it runs: what is removed at its end would need a place as well.
            written = owned_by_nobody() - there
    finally:
        server.client.close()
        process.terminate()
        process.communicate(timeout=30)
    assert written == set()
    assert sorted(index.rglob("*")) == before


def test_nothing_reports_to_its_makers(tmp_path: Path) -> None:
    """OpenVINO would write to the home folder whenever it is imported, to be sent along later."""
    code = "import sys, indexer.encoder.openvino; print(sys.modules['openvino_telemetry'])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert told.stdout.strip() == "None"
    assert list(tmp_path.iterdir()) == []
