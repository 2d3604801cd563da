"""The page's frame: what holds in every view."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_accessible, settled

VIEWS = ["/", "/search", "/quotes", "/timeline", "/admin"]


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_view_is_accessible(page: Page, view: str) -> None:
    page.goto(view)
    settled(page)
    check_accessible(page)


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_is_wider_than_a_phone(page: Page, view: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(view)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_views_are_reached_by_links_and_the_way_back(page: Page) -> None:
    page.goto("/")
    navigation = page.get_by_role("navigation", name="Views")
    navigation.get_by_role("link", name="Search").click()
    expect(page).to_have_url(re.compile("/search$"))
    expect(page).to_have_title("Search · Dateline")
    page.go_back()
    expect(page).to_have_title("Dateline")


def test_the_chosen_theme_stays(page: Page) -> None:
    page.goto("/")
    background = "getComputedStyle(document.body.parentElement).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(background)
    assert dark != light
    page.goto("/search")
    assert page.evaluate(background) == dark


def test_a_view_that_cannot_be_loaded_says_so_and_is_tried_again(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]  # Chromium tells of the request that failed
    page.goto("/")
    page.route("**/search.js", lambda route: route.abort())
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    page.unroute("**/search.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("searchbox")).to_be_visible()
