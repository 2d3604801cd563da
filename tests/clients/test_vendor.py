"""The libraries that the page ships are what their packages hold; `make vendor` installs these."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NPM = shutil.which("npm") or ""
BUNDLE = ROOT / "service/web/vendor/preact.js"


@pytest.mark.skipif(not NPM, reason="needs npm")
@pytest.mark.skipif(not (ROOT / "vendor/node_modules").is_dir(), reason="not installed; run: make vendor")
def test_the_bundle_is_made_of_its_packages(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "vendor", tmp_path / "vendor", symlinks=True)
    (tmp_path / "service/web/vendor").mkdir(parents=True)
    subprocess.run([NPM, "run", "build"], cwd=tmp_path / "vendor", check=True, capture_output=True)
    assert (tmp_path / "service/web/vendor/preact.js").read_bytes() == BUNDLE.read_bytes()


@pytest.mark.parametrize("package", ["preact", "htm", "@preact/signals", "@preact/signals-core"])
def test_every_licence_travels_with_the_bundle(package: str) -> None:
    licences = (BUNDLE.parent / "LICENSES.txt").read_text(encoding="utf-8")
    assert f"== {package} " in licences
    found = ROOT / "vendor/node_modules" / package / "LICENSE"
    if found.is_file():
        assert found.read_text(encoding="utf-8").strip() in licences
