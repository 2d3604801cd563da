"""The page where keys are asked for: it loads without one, asks, keeps it in its tab, and sends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.keys import KeyFile
from tests.browser.conftest import check_accessible
from tests.integration.server import Server, serving


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def keys(file: KeyFile) -> dict[str, str]:
    return {"reader": file.add("reader", ["search", "chat"]), "operator": file.add("operator", ["admin"])}


@pytest.fixture(scope="module")
def server(seed_index: Path, file: KeyFile, keys: dict[str, str]) -> Iterator[Server]:
    assert keys
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATELINE_KEYS", str(file.path))
        with serving(seed_index) as running:
            yield running


def test_it_asks_once_keeps_the_key_in_its_tab_and_sends_it(page: Page, keys: dict[str, str]) -> None:
    page.expected_errors = 9  # type: ignore[attr-defined]  # the refusals, which the browser notes
    page.goto("/search?q=storm")
    dialog = page.get_by_role("dialog", name="This service asks for a key")
    expect(dialog.get_by_label("Key", exact=True)).to_be_focused()
    check_accessible(page)
    page.keyboard.type("dateline_wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("This key is none")
    check_accessible(page)
    dialog.get_by_label("Key", exact=True).fill(f"  {keys['reader']} ")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator(".result").first).to_be_visible()
    page.reload()
    expect(page.locator(".result").first).to_be_visible()
    expect(dialog).to_be_hidden()
    assert keys["reader"] not in page.url
    assert page.evaluate("JSON.stringify(localStorage) + document.cookie").find(keys["reader"]) == -1
    page.goto("/?q=What+does+Gabuev+expect+from+military+cooperation%3F")
    expect(page.locator("main")).to_contain_text("closer military cooperation")


def test_who_gives_none_may_try_again(page: Page, keys: dict[str, str]) -> None:
    page.expected_errors = 9  # type: ignore[attr-defined]  # the refusals
    page.goto("/search?q=storm")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("alert").first).to_contain_text("This takes a key")
    page.get_by_role("button", name="Try again").first.click()
    dialog.get_by_label("Key", exact=True).fill(keys["reader"])
    dialog.get_by_role("button", name="Use it").click()
    expect(page.locator(".result").first).to_be_visible()


@pytest.mark.parametrize("width", [360, 1200])
def test_operating_takes_another_key(page: Page, keys: dict[str, str], width: int) -> None:
    page.expected_errors = 9  # type: ignore[attr-defined]  # the refusals
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/admin")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill(keys["reader"])
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("This key is for search and chat")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dialog.get_by_label("Key", exact=True).fill(keys["operator"])
    page.keyboard.press("Enter")
    expect(page.get_by_label("Health")).to_contain_text("All is well")


def test_a_key_that_is_revoked_is_asked_for_anew(page: Page, file: KeyFile, keys: dict[str, str]) -> None:
    page.expected_errors = 9  # type: ignore[attr-defined]  # the refusals
    gone = file.add("gone", ["search"])
    page.goto("/search?q=storm")
    page.get_by_label("Key", exact=True).fill(gone)
    page.keyboard.press("Enter")
    expect(page.locator(".result").first).to_be_visible()
    file.revoke("gone")
    page.goto("/search?q=bridge")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("no longer one")
    dialog.get_by_label("Key", exact=True).fill(keys["reader"])
    page.keyboard.press("Enter")
    expect(page.locator(".result").first).to_be_visible()


def test_the_description_is_read_and_tried_without_another_site(page: Page, keys: dict[str, str]) -> None:
    """`page` fails where another origin is asked, or the policy stops anything."""
    page.goto("/docs")
    expect(page.get_by_role("heading", name="Dateline")).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".modal-ux input").fill(keys["reader"])
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux").get_by_role("button", name="Close").last.click()
    page.locator("#operations-search-get_index_v1_index_get").get_by_role("button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
