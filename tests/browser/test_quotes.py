"""Who said what: the most quoted, a person's quotes over time, and each where it stands."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import check_accessible
from tests.browser.conftest import settled as view_settled

ALLIANCE = "I don't expect that Russia and China will create a military alliance"
STATES = {
    "most quoted": "/quotes",
    "a person": "/quotes?speaker=Hallam",
    "a topic": "/quotes?q=bridge",
    "a person on a topic": "/quotes?speaker=Hallam&q=bridge",
    "nobody": "/quotes?speaker=Nobody",
    "a part of a name": "/quotes?speaker=hal",
}
NEWEST_FIRST = """() => {
  const days = [...document.querySelectorAll("li.quote time")].map((one) => one.dateTime);
  return days.length > 1 && days.every((day, at) => !at || day <= days[at - 1]);
}"""


def settled(page: Page, address: str) -> None:
    page.goto(address)
    view_settled(page)


def test_the_most_quoted_lead_to_what_they_said(page: Page) -> None:
    page.goto("/quotes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who is quoted most")
    people = page.locator(".people a")
    expect(people.nth(20)).to_be_attached()
    numbers = [
        int(text)
        for text in people.locator(".number").evaluate_all("all => all.map(one => parseInt(one.textContent))")
    ]
    assert numbers == sorted(numbers, reverse=True)
    page.get_by_role("link", name=re.compile("Idony Hallam")).click()
    expect(page).to_have_url(re.compile(r"/quotes\?speaker=Idony\+Hallam$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Idony Hallam")
    expect(page.locator("li.quote")).to_have_count(10)
    expect(page.locator(".mark")).to_have_count(10)
    days = page.locator("li.quote time").evaluate_all("all => all.map(one => one.dateTime)")
    assert days == sorted(days, reverse=True)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Who is quoted most")


def test_a_quote_is_opened_in_its_article_at_its_mark(page: Page) -> None:
    page.goto("/quotes")
    page.get_by_label("Who", exact=True).fill("Gabuev")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alexander Gabuev")
    expect(page.locator(".mark")).to_have_count(2)
    card = page.locator("li.quote", has_text=ALLIANCE)
    expect(card.locator("mark.direct")).to_contain_text(ALLIANCE)
    expect(card.locator(".how")).to_have_text("direct")
    expect(card).to_contain_text("16 October 2023")
    card.get_by_role("button", name=re.compile("Read it there")).click()
    marked = page.get_by_role("dialog").locator("mark")
    expect(marked).to_contain_text(ALLIANCE)
    expect(marked).to_be_in_viewport()


def test_direct_and_reported_quotes_look_different(page: Page) -> None:
    page.goto("/quotes?speaker=Hallam")
    expect(page.locator(".mark.full")).to_have_count(5)
    expect(page.locator(".mark.hollow")).to_have_count(5)
    expect(page.locator("mark.reported")).to_have_count(5)
    expect(page.get_by_text("reported", exact=True).first).to_be_visible()


def test_a_topic_shows_who_speaks_of_it_the_closest_first_or_the_newest(page: Page) -> None:
    page.goto("/quotes")
    page.get_by_label("On what").fill("eelgrass")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/quotes\?q=eelgrass$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Who said what on eelgrass")
    voices = page.get_by_role("list", name="Who speaks of it")
    expect(voices.get_by_role("link", name=re.compile("Wenna Castellow"))).to_be_visible()
    # Nobody else's than of the articles on eelgrass.
    sources = set(page.locator("li.quote .title").all_inner_texts())
    assert all("eelgrass" in title.lower() for title in sources), sources
    cards = page.locator("li.quote")
    before = cards.count()
    page.get_by_role("link", name="Newest first").click()
    expect(page.get_by_role("link", name="Newest first")).to_have_attribute("aria-current", "true")
    page.wait_for_function(NEWEST_FIRST)
    page.get_by_role("button", name=re.compile("hardly speak")).click()
    expect(cards.nth(before)).to_be_attached()
    page.go_back()
    expect(page.get_by_role("link", name="Closest first")).to_have_attribute("aria-current", "true")
    voices.get_by_role("link", name=re.compile("Wenna Castellow")).click()
    expect(page).to_have_url(re.compile(r"speaker=Wenna\+Castellow&q=eelgrass"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Wenna Castellow on eelgrass")


def test_somebody_is_who_is_not_known(page: Page) -> None:
    page.goto("/quotes?q=bridge")
    expect(page.locator("li.quote .speaker", has_text="Somebody").first).to_be_visible()


def test_days_bound_what_is_found(page: Page) -> None:
    page.goto("/quotes?speaker=Hallam")
    expect(page.locator("li.quote")).to_have_count(10)
    page.get_by_label("Published from").fill("2026-01-01")
    page.get_by_role("button", name="Find").click()
    expect(page).to_have_url(re.compile("after=2026-01-01"))
    expect(page.locator("li.quote")).to_have_count(3)
    page.go_back()
    expect(page.locator("li.quote")).to_have_count(10)
    expect(page.get_by_label("Published from")).to_have_value("")


def test_marks_are_walked_by_keyboard_and_lead_to_their_quotes(page: Page) -> None:
    page.goto("/quotes?speaker=Hallam")
    marks = page.locator(".mark")
    expect(marks).to_have_count(10)
    expect(page.locator(".mark[tabindex='0']")).to_have_count(1)
    marks.first.focus()
    bubble = page.locator(".bubble")
    expect(bubble).to_contain_text("18 Sept 2025")
    page.keyboard.press("ArrowRight")
    expect(marks.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(marks.nth(9)).to_be_focused()
    expect(bubble).to_contain_text("12 May 2026")
    expect(page.locator("li.quote.lit")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(bubble).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    reached = page.locator("li.quote", has=page.locator("button:focus"))
    expect(reached).to_contain_text("18 September 2025")
    expect(reached).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("mark")).to_be_in_viewport()


def test_a_mark_and_its_quote_light_up_together(page: Page) -> None:
    page.goto("/quotes?speaker=Hallam")
    page.locator(".mark").first.hover()
    expect(page.locator(".bubble")).to_be_visible()
    expect(page.locator("li.quote.lit")).to_contain_text("18 September 2025")
    page.locator("li.quote").first.hover()
    expect(page.locator(".mark.lit")).to_have_count(1)
    expect(page.locator(".mark.lit")).to_have_attribute(
        "aria-label", re.compile("^12 May 2026, Idony Hallam")
    )


def test_whoever_is_not_quoted_may_be_meant_otherwise(page: Page) -> None:
    page.goto("/quotes?speaker=hal")
    expect(page.get_by_text("No such quote")).to_be_visible()
    page.get_by_role("link", name=re.compile("Idony Hallam")).click()
    expect(page.locator("li.quote")).to_have_count(10)


def test_names_are_suggested(page: Page) -> None:
    page.goto("/quotes")
    page.get_by_label("Who", exact=True).press_sequentially("casti")
    page.get_by_label("Who", exact=True).fill("castel")
    expect(page.locator("#names option")).to_have_count(1)
    expect(page.locator("#names option")).to_have_attribute("value", "Wenna Castellow")


def test_more_is_loaded_at_the_end(page: Page) -> None:
    def few(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=50", "limit=4"))

    page.set_viewport_size({"width": 1200, "height": 500})
    page.route("**/v1/quotes?*", few)
    page.goto("/quotes?speaker=Hallam")
    for number in (4, 8, 10):
        expect(page.locator("li.quote")).to_have_count(number)
        page.locator("li.quote").last.scroll_into_view_if_needed()
    expect(page.locator(".mark")).to_have_count(10)
    expect(page.get_by_role("button", name="More", exact=True)).to_have_count(0)
    keys = page.locator("li.quote").evaluate_all("all => all.map(one => one.dataset.entry)")
    assert len(set(keys)) == 10


@pytest.mark.parametrize("address", ["/quotes", "/quotes?speaker=Hallam"])
def test_it_is_tried_again_after_the_service_was_away(page: Page, address: str) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    pattern = "**/v1/speakers?*" if address == "/quotes" else "**/v1/quotes?*"
    page.route(pattern, lambda route: route.abort())
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    check_accessible(page)
    page.unroute(pattern)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Idony Hallam").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_makes_no_sense_is_said(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    page.goto("/quotes?speaker=Hallam&after=2026-02-01&before=2026-01-01")
    expect(page.get_by_role("alert")).to_contain_text("This cannot be asked")


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
    if page.locator(".mark").count():
        page.locator(".mark").last.focus()
        expect(page.locator(".bubble")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_name_in_another_script_finds_nobody_and_is_shown(page: Page) -> None:
    page.goto(f"/quotes?speaker={quote('ندى')}")
    expect(page.get_by_text("called “ندى”")).to_be_visible()
