"""The clients for Node, against a real service; `make test-clients` installs them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.server import serving

HERE = Path(__file__).parent
NODE = os.environ.get("NODE", "node")
LEAST = 22


def node_version() -> int:
    """The major version of Node, 0 where there is none."""
    if shutil.which(NODE) is None:
        return 0
    told = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").split(".")[0])


@pytest.mark.skipif(node_version() < LEAST, reason=f"needs Node {LEAST} or newer; name one with NODE=…")
@pytest.mark.skipif(not (HERE / "node_modules").is_dir(), reason="not installed; run: make test-clients")
def test_the_clients_for_node(seed_index: Path) -> None:
    with serving(seed_index) as server:
        result = subprocess.run(
            [NODE, "--test", "--test-reporter=spec", "chat.test.mjs"],
            cwd=HERE,
            env={**os.environ, "DATELINE_URL": server.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
