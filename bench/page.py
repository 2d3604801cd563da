"""How soon the page can be used, on a processor four times slower.

    python bench/page.py [--index index]

Opens the page anew in headless Chromium, nothing cached, and waits until its field can be typed into.
Prints the milliseconds from the navigation to then, and the bytes that came: least, median, most.
"""

import argparse
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.integration.server import serving

VISITS = 7
USABLE = """() => new Promise((done) => {
  const look = () =>
    document.querySelector("#field") ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--index", type=Path, default=Path("index"))
    parser.add_argument("--slower", type=int, default=4)
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("needs Chromium; run: apt-get install chromium")
    times, sizes = [], []
    with serving(options.index) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(VISITS + 1):
            context = browser.new_context()
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Emulation.setCPUThrottlingRate", {"rate": options.slower})
            came: list[float] = []
            session.on(
                "Network.loadingFinished", lambda event, came=came: came.append(event["encodedDataLength"])
            )
            page.goto(server.url, wait_until="commit")
            times.append(page.evaluate(USABLE))
            page.wait_for_load_state("networkidle")
            sizes.append(sum(came) / 1024)
            context.close()
        browser.close()
    del times[0], sizes[0]  # the browser's own first start
    for name, values in ((f"usable, ms ({options.slower}x slower)", times), ("sent to open it, KB", sizes)):
        print(f"{name:30s} {min(values):8.0f} {statistics.median(values):8.0f} {max(values):8.0f}")


if __name__ == "__main__":
    main()
