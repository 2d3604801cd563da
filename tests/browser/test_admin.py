"""Operate, as an operator uses it."""

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import check_accessible
from tests.conftest import SEEDS, build_index
from tests.integration.server import Server, serving

BUILDING = 120_000  # milliseconds that a build of seeds/ may take on a busy machine


@pytest.fixture(scope="module")
def generations(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """An index with two generations, the second of which is served."""
    index = Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("operate") / "index"))
    first = (index / "CURRENT").read_text().strip()
    return index, first, build_index(index, SEEDS).id


@pytest.fixture(scope="module")
def server(generations: tuple[Path, str, str]) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATELINE_ARTICLES", json.dumps([str(SEEDS)]))
        with serving(generations[0]) as running:
            yield running


def _open(page: Page) -> None:
    page.goto("/admin")
    expect(page.get_by_role("heading", name="Service")).to_be_visible()


def test_it_tells_what_is_served_and_how_it_fares(page: Page, server: Server) -> None:
    server.client.get("/v1/search?q=storm")
    server.client.get("/v1/articles/nowhere")
    _open(page)
    expect(page.get_by_label("Health")).to_contain_text("All is well")
    expect(page.get_by_label("Health")).to_contain_text("27 articles served")
    row = page.get_by_role("row", name="GET /v1/articles/{article_id}")
    expect(row.get_by_role("cell").nth(1)).to_have_text(re.compile("× 4xx"))
    page.get_by_text("Encoder and settings").click()
    expect(page.get_by_text("sentence-transformers/all-MiniLM-L6-v2")).to_be_visible()
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])")
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_another_generation_is_served_once_that_is_confirmed(
    page: Page, generations: tuple[Path, str, str]
) -> None:
    _, first, second = generations
    _open(page)
    button = page.get_by_role("button", name=f"Serve this one, {first}")
    dialog = page.get_by_role("dialog", name="Serve another generation?")
    button.press("Enter")
    expect(dialog).to_contain_text(first)
    check_accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    expect(page.get_by_role("row", name=second)).to_contain_text("Served")
    button.press("Enter")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()  # else Tab leaves the button below
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row", name=first)).to_contain_text("Served")
    expect(page.get_by_role("heading", name="Generations")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text(f"Generation {first} is served")
    page.get_by_role("button", name=f"Serve this one, {second}").click()
    dialog.get_by_role("button", name="Serve it").click()
    expect(page.get_by_role("row", name=second)).to_contain_text("Served")


def test_what_cannot_be_served_stays_in_the_dialog(page: Page, generations: tuple[Path, str, str]) -> None:
    index, first, _ = generations
    corpus = index / "generations" / first / "corpus.sqlite"
    whole = corpus.read_bytes()
    corpus.write_bytes(whole[:-100])
    page.expected_errors = 1  # type: ignore[attr-defined]  # the refusal, which the browser notes
    try:
        _open(page)
        page.get_by_role("button", name=f"Serve this one, {first}").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Serve it").click()
        expect(dialog.get_by_role("alert")).to_contain_text("corpus.sqlite")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
    finally:
        corpus.write_bytes(whole)


def test_a_rebuild_is_followed_until_its_generation_is_served(
    page: Page, generations: tuple[Path, str, str]
) -> None:
    _, _, second = generations
    _open(page)
    page.get_by_role("button", name="Rebuild").press("Enter")
    expect(page.get_by_role("button", name="Rebuilding…")).to_be_focused()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".steps .done").first).to_be_visible(timeout=BUILDING)
    check_accessible(page)
    expect(page.get_by_role("status")).to_contain_text("The rebuild is done", timeout=BUILDING)
    new = page.get_by_role("row", name="000003-")
    expect(new).to_contain_text("Served")
    expect(page.get_by_role("row", name=second).get_by_role("button")).to_be_enabled()
    expect(page.get_by_text("Rebuilt")).to_be_visible()
    expect(page.get_by_role("button", name="Rebuild", exact=True)).to_be_focused()
    page.get_by_text("What the build said").click()
    expect(page.get_by_role("region", name="Lines of the build")).to_contain_text("writing the generation")


def test_who_may_not_operate_is_told_how_to_allow_it(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]  # the refusal
    page.set_extra_http_headers({"X-Forwarded-For": "203.0.113.9"})
    page.goto("/admin")
    expect(page.get_by_role("alert")).to_contain_text("You may not operate the service from here")
    expect(page.get_by_role("alert")).to_contain_text("dateline keys add NAME --scope admin")
    check_accessible(page)
    page.set_extra_http_headers({})
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Health")).to_contain_text("All is well")


def test_a_service_that_is_gone_is_told_beside_what_was_known(page: Page) -> None:
    page.expected_errors = 9  # type: ignore[attr-defined]  # each look in vain
    page.clock.install()
    _open(page)

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/v1/admin?*", cut)
    page.clock.run_for(11_000)
    expect(page.get_by_label("Health")).to_contain_text("cannot be reached")
    expect(page.get_by_label("Health")).to_contain_text("27 articles served")
    page.unroute("**/v1/admin?*", cut)
    page.clock.run_for(11_000)
    expect(page.get_by_label("Health")).to_contain_text("All is well")


def test_a_service_that_is_gone_from_the_start_can_be_tried_again(page: Page) -> None:
    page.expected_errors = 3  # type: ignore[attr-defined]  # each look in vain
    page.route("**/v1/admin?*", lambda route: route.abort())
    page.goto("/admin")
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Health")).to_contain_text("All is well")


@pytest.mark.parametrize("width", [360, 1200])
def test_it_is_accessible_and_fits(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    _open(page)
    page.get_by_text("Encoder and settings").click()
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = """[...document.querySelectorAll('.admin .card *')].filter(one =>
        one.getBoundingClientRect().right > one.closest('.card').getBoundingClientRect().right).length"""
    assert page.evaluate(beyond) == 0
