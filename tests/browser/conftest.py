"""A real browser in front of a real service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.integration.server import Server, serving

expect.set_options(timeout=20_000)  # milliseconds; two workers share the cores
CHROMIUM = shutil.which("chromium")
# Without the last ones Chromium asks for Google's hosts by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        reason = pytest.mark.skip(reason="needs Chromium; run: apt-get install chromium")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(reason)


@pytest.fixture(scope="package")
def server(seed_index: Path) -> Iterator[Server]:
    with serving(seed_index) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with these tests: while it lives, Playwright has an event loop running in this thread."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of its own for each test; it fails where anything is written to the console as an error, thrown,
    or asked of another origin."""
    # Colours on their way from one theme to the other are neither's.
    context = browser.new_context(
        base_url=server.url, viewport={"width": 1200, "height": 800}, reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    wrong: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            wrong.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            wrong.append(f"asked another origin: {request.url}")

    opened.on("console", said)
    opened.on("pageerror", lambda error: wrong.append(f"thrown: {error}"))
    opened.on("request", asked)
    yield opened
    expected = getattr(opened, "expected_errors", 0)
    context.close()
    assert len(wrong) <= expected, wrong


# What fades in has no colour of its own yet; what turns for ever is not waited for.
_AT_REST = """() => Promise.allSettled(
  document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().iterations !== Infinity)
    .map((one) => one.finished),
).then(() => null)"""


def settled(page: Page) -> None:
    """Waits until a view shows what came of its address."""
    expect(page.locator("main h1").first).to_be_attached()
    expect(page.locator("main .loading, main [aria-busy=true]")).to_have_count(0)


def check_accessible(page: Page) -> None:
    """No violation that axe knows of, in light and in dark."""
    for theme in ("light", "dark"):
        page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
        page.evaluate(_AT_REST)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
