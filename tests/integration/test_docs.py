"""The code that docs/clients.md shows runs as it stands."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server import Server, serving

CLIENTS = (Path(__file__).resolve().parents[2] / "docs/clients.md").read_text(encoding="utf-8")
SECTIONS = {
    section.split("\n")[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    for section in CLIENTS.split("\n## ")
    if "```python" in section
}


@pytest.fixture(scope="module")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


@pytest.mark.parametrize("client", SECTIONS)
def test_a_clients_lines_run(server: Server, client: str) -> None:
    code = "\n".join(SECTIONS[client])
    assert "http://127.0.0.1:8000" in code
    result = subprocess.run(
        [sys.executable, "-c", code.replace("http://127.0.0.1:8000", server.url)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert {"Cohere": "1\n"}.get(client, "closer military cooperation") in result.stdout


def test_the_docs_name_every_client_that_is_tried() -> None:
    assert set(SECTIONS) == {"openai, Python", "LangChain", "Cohere", "MCP"}
