"""What the README shows is what happens."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server import Server, serving

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def server(default_index: Path) -> Iterator[Server]:
    with serving(default_index) as running:
        yield running


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 12


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("curl")])
def test_every_request_in_the_readme_is_answered(server: Server, command: str) -> None:
    sent = shlex.split(command.replace("http://127.0.0.1:8000", server.url))
    result = subprocess.run([*sent, "--fail"], capture_output=True, text=True, check=True)
    body = json.loads(result.stdout)
    if "Gabuev" in command and "/v1/answer" in command and "turns" not in command:
        shown = README[README.index('"answer": "') :]
        first_quote = body["citations"][0]["quote"]
        assert json.dumps(first_quote, ensure_ascii=False)[1:-1] in shown
        for field in ("start", "end", "quote_start", "quote_end", "number"):
            assert f'"{field}": {body["citations"][0][field]}' in shown
        (confidence,) = re.findall(r'^  "confidence": ([\d.]+)', shown, re.MULTILINE)
        assert body["confidence"] == pytest.approx(float(confidence), abs=0.002)  # bfloat16 or f32
        assert set(json.loads(result.stdout)) == set(re.findall(r'^  "(\w+)"', shown, re.MULTILINE)) | {
            "id", "query", "interpreted", "status", "answer",
        }  # fmt: skip


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("dateline")])
def test_every_command_in_the_readme_runs(default_index: Path, command: str) -> None:
    here = command.replace("--index index", f"--index {shlex.quote(str(default_index))}")
    result = subprocess.run(
        [sys.executable, "-m", "service.cli", *shlex.split(here)[1:]],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DATELINE_INDEX": str(default_index), "DATELINE_PORT": "0"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_every_example_that_the_readme_prints_as_json_is_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert blocks
    assert all(json.loads(block) for block in blocks if "…" not in block)
