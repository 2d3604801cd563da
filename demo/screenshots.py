"""Pictures of the page for the README, taken of a service over seeds/ in headless Chromium.

    make screenshots
    python demo/screenshots.py [--folder docs]

Each is of an address that a reader can open as well. It fails where the page says that something went wrong.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from indexer.reader import BUNDLED
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import SEEDS, build_index
from tests.integration.server import serving

QUESTION = "What does Gabuev expect from military cooperation?"
WIDE, PHONE = ViewportSize(width=1200, height=800), ViewportSize(width=390, height=844)


class Picture(NamedTuple):
    """What to picture: an address, words that are there when it is whole, and how it is looked at."""

    name: str
    view: str
    asked: dict[str, str]
    words: str
    size: ViewportSize = WIDE
    scheme: Literal["light", "dark"] = "light"
    pointed_at: str | None = None


PICTURES = [
    Picture(
        "ask",
        "/",
        {"q": "How many homes were flooded at Saltmarsh?"},
        "Seventeen",
        pointed_at=".chip >> nth=1",
    ),
    Picture("search", "/search", {"q": "bridge cost"}, "246 million"),
    Picture("quotes", "/quotes", {"speaker": "Idony Hallam"}, "a more expensive good idea"),
    Picture("timeline", "/timeline", {"q": "Narrows bridge"}, "First pile driven"),
    Picture("phone", "/", {"q": QUESTION}, "closer military cooperation", size=PHONE),
    Picture("dark", "/search", {"q": "storm damage"}, "Saltmarsh", scheme="dark"),
]


def take(browser: Browser, url: str, picture: Picture, folder: Path) -> None:
    context = browser.new_context(
        viewport=picture.size, color_scheme=picture.scheme, device_scale_factor=1.5, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{url}{picture.view}?{urlencode(picture.asked)}")
    expect(page.locator("main")).to_contain_text(picture.words, timeout=30_000)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("alert")).to_have_count(0)
    if picture.pointed_at:
        page.locator(picture.pointed_at).hover()
        expect(page.locator("[popover]:popover-open")).to_be_visible()
    page.screenshot(path=folder / f"page-{picture.name}.png", animations="disabled")
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "docs")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("needs Chromium; run: apt-get install chromium")
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        build_index(Path(work) / "index", SEEDS, reader=BUNDLED)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with serving(Path(work) / "index") as server:
            for picture in PICTURES:
                take(browser, server.url, picture, options.folder)
                print(options.folder / f"page-{picture.name}.png")
        browser.close()


if __name__ == "__main__":
    main()
