"""Timeline: a story's articles in the order of time, each with what was said."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_accessible
from tests.browser.conftest import settled as view_settled

STATES = {
    "a story": "/timeline?q=Narrows+bridge",
    "copies": "/timeline?q=Storm+Hesper",
    "one with an undated article": "/timeline?q=library+reopens",
    "nothing": "/timeline?q=xylophone+quarks",
}


def settled(page: Page, address: str) -> None:
    page.goto(address)
    view_settled(page)


def titles(page: Page) -> list[str]:
    return page.locator("li.entry h3").all_inner_texts()


def test_a_story_stands_in_the_order_of_time_with_key_quotes(page: Page) -> None:
    page.goto("/timeline")
    page.get_by_label("Which story").fill("Narrows bridge")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/timeline\?q=Narrows\+bridge$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Narrows bridge")
    expect(page.locator("li.entry")).to_have_count(8)
    days = page.locator(".days h2 time").evaluate_all("all => all.map(one => one.dateTime)")
    assert days == sorted(days)
    assert days[0] == "2025-09-18"
    shown = titles(page)
    # The figure and its correction, one after the other.
    told = next(at for at, title in enumerate(shown) if "264 million" in title)
    assert "246 million" in shown[told + 1]
    expect(page.locator("li.entry").nth(told + 1)).to_contain_text(
        "The table was ours and so was the mistake"
    )
    expect(page.locator("li.entry").nth(told + 1)).to_contain_text("Gideon Marl")
    expect(page.locator(".after").first).to_have_text("6 weeks later")
    page.go_back()
    expect(page.locator("li.entry")).to_have_count(0)
    expect(page.get_by_text("A story from its first article to its last")).to_be_visible()
    page.go_forward()
    expect(page.locator("li.entry")).to_have_count(8)


@pytest.mark.parametrize(
    ("story", "word", "number"), [("eelgrass", "eelgrass", 3), ("Storm Hesper", "Hesper", 1)]
)
def test_what_is_of_another_story_is_left_out(page: Page, story: str, word: str, number: int) -> None:
    page.goto(f"/timeline?q={story}")
    expect(page.locator("li.entry")).to_have_count(number)
    assert all(word in title.replace("Eelgrass", "eelgrass") for title in titles(page))


def test_copies_stand_on_the_axis_beside_their_article(page: Page) -> None:
    page.goto("/timeline?q=Storm+Hesper")
    expect(page.locator(".mark")).to_have_count(3)
    expect(page.locator(".mark.small")).to_have_count(2)
    expect(page.locator("li.entry")).to_contain_text("Also in Harbour Courier, Northgate Tribune")
    page.locator(".mark.small").first.hover()
    expect(page.locator(".bubble")).to_contain_text("Another copy of 1")
    expect(page.locator("li.entry.lit")).to_have_count(1)


def test_a_mark_and_its_entry_light_up_together(page: Page) -> None:
    page.goto("/timeline?q=Narrows+bridge")
    page.locator(".mark").nth(2).hover()
    expect(page.locator("li.entry.lit")).to_contain_text("264 million")
    expect(page.locator(".bubble")).to_contain_text("264 million")
    page.locator("li.entry").first.hover()
    expect(page.locator(".mark.lit text")).to_have_text("1")
    expect(page.locator("li.entry.lit")).to_contain_text("Town unveils plan")


def test_marks_are_walked_by_keyboard_and_lead_to_the_article(page: Page) -> None:
    page.goto("/timeline?q=Narrows+bridge")
    marks = page.locator(".mark")
    expect(marks).to_have_count(8)
    page.get_by_role("button", name="Show", exact=True).focus()
    page.keyboard.press("Tab")
    expect(marks.first).to_be_focused()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(marks.nth(3)).to_be_focused()
    expect(marks.nth(3)).to_have_attribute(
        "aria-label", re.compile("^10 December 2025, Harbour Courier: Bridge estimate")
    )
    page.keyboard.press("Enter")
    title = page.locator("h3").get_by_role("button", name=re.compile("^Bridge estimate stands"))
    expect(title).to_be_focused()
    expect(title).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("mark")).to_have_text(re.compile("The table was ours"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(title).to_be_focused()


def test_who_said_it_leads_to_what_else_they_said(page: Page) -> None:
    page.goto("/timeline?q=Narrows+bridge")
    page.locator("li.entry").get_by_role("link", name="Idony Hallam").first.click()
    expect(page).to_have_url(re.compile(r"/quotes\?speaker=Idony\+Hallam"))


def test_nothing_found_is_said(page: Page) -> None:
    page.goto("/timeline?q=xylophone+quarks")
    expect(page.get_by_role("status")).to_contain_text("No such story")


def test_it_is_tried_again_after_the_service_was_away(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    page.route("**/v1/search?*", lambda route: route.abort())
    page.goto("/timeline?q=Narrows+bridge")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    check_accessible(page)
    page.unroute("**/v1/search?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("li.entry")).to_have_count(8)


def test_a_service_without_an_index_is_told_from_one_that_is_away(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    page.route(
        "**/v1/search?*", lambda route: route.fulfill(status=503, json={"error": {"message": "not yet"}})
    )
    page.goto("/timeline?q=Narrows+bridge")
    expect(page.get_by_role("alert")).to_contain_text("The service cannot answer now")


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible(page: Page, state: str) -> None:
    settled(page, STATES[state])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    check_accessible(page)


@pytest.mark.parametrize("state", STATES)
def test_no_state_is_wider_than_a_phone(page: Page, state: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    settled(page, STATES[state])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
