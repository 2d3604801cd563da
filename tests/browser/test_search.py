"""The view that searches: the list, what narrows it down, and that it keeps its place."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import check_accessible
from tests.integration.server import Server

ALL = 25  # the 27 articles of seeds/, three of them copies of one story


def titles(page: Page) -> Locator:
    return page.get_by_role("heading", level=3)


def amount(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator(".amount")).to_have_text(words)


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def settled(page: Page) -> None:
    """Waits for the first of the list; more may come as it is scrolled."""
    expect(page.locator(".results")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".filters")).to_have_attribute("aria-busy", "false")


def to_the_end(page: Page) -> None:
    """Scrolls down, which brings the rest."""
    settled(page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.get_by_text("That is all.")).to_be_visible()


def test_a_search_marks_its_words_and_opens_the_passage(page: Page) -> None:
    page.goto("/search")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search the articles")
    page.keyboard.press("/")
    page.keyboard.type("cost of the bridge")
    page.keyboard.press("Enter")
    amount(page, f"{ALL} results")
    assert parameters(page) == {"q": ["cost of the bridge"]}
    expect(page).to_have_title("cost of the bridge · Search · Dateline")
    marked = {one.lower() for one in page.locator(".result mark").all_inner_texts()}
    assert {"bridge", "cost"} <= marked <= {"bridge", "bridges", "cost", "costs", "costing"}
    title = titles(page).first.inner_text()
    words = page.locator(".result .words").first.inner_text().removesuffix("Read on").strip("… \u00a0")
    titles(page).first.get_by_role("button").click()
    pane = page.get_by_role("dialog", name="Article")
    expect(pane.get_by_role("heading", level=2)).to_have_text(title)
    read = " ".join(pane.locator("mark").all_inner_texts())
    assert " ".join(words.split()) in " ".join(read.split())


def test_a_source_narrows_the_list_and_stands_in_the_address(page: Page, server: Server) -> None:
    page.goto("/search?q=bridge")
    courier = page.get_by_role("checkbox", name="Harbour Courier")
    expect(courier).not_to_be_checked()
    courier.check()
    amount(page, "9 results")
    assert parameters(page)["source"] == ["Harbour Courier"]
    told = {one.inner_text() for one in page.locator(".result .source").all()}
    assert told <= {"Harbour Courier", "Northgate Tribune", "Meridian Wire"}
    page.get_by_role("checkbox", name="The Valley Ledger").check()
    amount(page, "15 results")
    assert parameters(page)["source"] == ["Harbour Courier", "The Valley Ledger"]
    # The address alone tells it all, and the way back is open.
    page.goto(page.url.replace(server.url, ""))
    amount(page, "15 results")
    expect(courier).to_be_checked()
    page.get_by_role("button", name="Remove: The Valley Ledger").click()
    amount(page, "9 results")
    page.go_back()
    amount(page, "15 results")
    page.get_by_role("button", name="Remove all").click()
    amount(page, f"{ALL} results")
    assert parameters(page) == {"q": ["bridge"]}


def test_authors_beyond_the_first_eight_are_asked_for(page: Page) -> None:
    page.goto("/search?q=bridge")
    authors = page.get_by_role("group", name="Author")
    expect(authors.get_by_role("checkbox")).to_have_count(8)
    authors.get_by_role("button", name=re.compile(r"^\d+ more$")).click()
    expect(authors.get_by_role("checkbox")).not_to_have_count(8)
    last = authors.get_by_role("checkbox").last
    last.check()
    amount(page, re.compile("result"))
    authors.get_by_role("button", name="Fewer").click()
    expect(last).to_be_checked()


def test_a_bar_chooses_its_days_and_gives_them_back(page: Page) -> None:
    page.goto("/search?q=storm")
    bar = page.get_by_role("button", name="November 2025: 3")
    bar.click()
    amount(page, "3 results")
    assert parameters(page) == {"q": ["storm"], "after": ["2025-11-01"], "before": ["2025-11-30"]}
    expect(bar).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("From", exact=True)).to_have_value("2025-11-01")
    page.get_by_role("button", name="By day").click()
    day = page.get_by_role("button", name="21 November 2025: 1")
    day.click()
    amount(page, "One result")
    assert parameters(page)["after"] == parameters(page)["before"] == ["2025-11-21"]
    page.get_by_role("button", name="Remove: 21 November 2025").click()
    amount(page, f"{ALL} results")
    assert parameters(page) == {"q": ["storm"]}


def test_a_stretch_of_days_is_drawn(page: Page) -> None:
    page.goto("/search?q=storm")
    settled(page)
    first = page.get_by_role("button", name=re.compile("^January 2026:")).bounding_box()
    last = page.get_by_role("button", name=re.compile("^March 2026:")).bounding_box()
    assert first
    assert last
    page.mouse.move(first["x"] + 2, first["y"] + 20)
    page.mouse.down()
    page.mouse.move(last["x"] - 2, last["y"] + 30, steps=4)
    page.mouse.move(last["x"] + 2, last["y"] + 30, steps=2)
    expect(page.locator(".scale")).to_contain_text("1 Jan 2026 – 31 Mar 2026")
    page.mouse.up()
    amount(page, "7 results")
    assert parameters(page)["after"] == ["2026-01-01"]
    assert parameters(page)["before"] == ["2026-03-31"]


def test_days_are_chosen_by_keyboard(page: Page) -> None:
    page.goto("/search?q=storm")
    settled(page)
    plot = page.get_by_role("group", name=re.compile("^Articles by month"))
    plot.get_by_role("button").first.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("button", name=re.compile("^June 2026:"))).to_be_focused()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    amount(page, re.compile(r"^\d+ results"))
    expect(page).to_have_url(re.compile("after=2026-05-01&before=2026-06-30"))
    page.get_by_label("To", exact=True).fill("2026-05-20")
    expect(page).to_have_url(re.compile("after=2026-05-01&before=2026-05-20"))
    amount(page, "2 results")


def test_the_newest_come_first_where_wanted(page: Page) -> None:
    page.goto("/search?q=bridge")
    page.get_by_role("button", name="Newest first").click()
    expect(page).to_have_url(re.compile("sort=date"))
    expect(titles(page).first).to_have_text("Hallam wins second term in Port Ellery by 412 votes")
    to_the_end(page)
    days = [one.get_attribute("datetime") for one in page.locator(".result time").all()]
    dated = [day for day in days if day]
    assert dated == sorted(dated, reverse=True)
    assert days[-1] is None


def test_the_list_goes_on_until_all_is_there(page: Page) -> None:
    page.goto("/search?q=the+sea")
    expect(titles(page)).to_have_count(20)
    to_the_end(page)
    expect(titles(page)).to_have_count(ALL)
    assert len(set(titles(page).all_inner_texts())) == ALL
    expect(page.locator(".results")).to_have_attribute("aria-busy", "false")


def scrolled(page: Page, to: int) -> None:
    page.wait_for_function("to => Math.abs(scrollY - to) < 2", arg=to)


def far_down(page: Page) -> int:
    """At a place that only the whole list reaches."""
    page.goto("/search?q=the+sea")
    to_the_end(page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight - innerHeight - 300)")
    return int(page.evaluate("scrollY"))


def test_the_pane_leaves_the_list_where_it_was(page: Page) -> None:
    there = far_down(page)
    page.evaluate("document.querySelectorAll('.result h3 button')[23].focus({ preventScroll: true })")
    page.keyboard.press("Enter")
    pane = page.get_by_role("dialog", name="Article")
    expect(pane.get_by_role("heading", level=2)).to_be_visible()
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()
    scrolled(page, there)
    expect(titles(page)).to_have_count(ALL)
    expect(titles(page).nth(23).get_by_role("button")).to_be_focused()


def test_the_way_back_leads_to_the_same_place(page: Page) -> None:
    there = far_down(page)
    page.evaluate("document.querySelector('nav a[href=\"/quotes\"]').click()")
    expect(page).to_have_title(re.compile("Who said what"))
    page.go_back()
    scrolled(page, there)
    expect(titles(page)).to_have_count(ALL)
    # Another search begins at its top; the way back from there leads here as well.
    page.evaluate("document.querySelectorAll('.filters input[type=checkbox]')[0].click()")
    amount(page, "9 results")
    assert page.evaluate("scrollY") < there
    page.go_back()
    amount(page, f"{ALL} results")
    scrolled(page, there)
    page.go_forward()
    amount(page, "9 results")


def test_a_reload_leads_to_the_same_place(page: Page) -> None:
    there = far_down(page)
    page.reload()
    scrolled(page, there)
    expect(titles(page)).to_have_count(ALL)


def test_a_story_names_its_copies_and_opens_them(page: Page) -> None:
    page.goto("/search?q=Storm+Hesper+sea+wall")
    story = page.locator(".result", has_text="Also in")
    expect(story).to_have_count(1)
    expect(story.locator(".also")).to_have_text("Also in Harbour Courier, Northgate Tribune")
    story.get_by_role("button", name="Harbour Courier").click()
    pane = page.get_by_role("dialog", name="Article")
    expect(pane.get_by_role("heading", level=2)).to_have_text(
        "Sea breaks through wall at Saltmarsh as Hesper strikes"
    )


def test_what_was_read_in_the_question_can_be_left_aside(page: Page) -> None:
    page.goto("/search?q=What+did+Hallam+say+in+November+2025%3F")
    notes = page.get_by_role("list", name="Understood")
    expect(notes.get_by_role("listitem")).to_have_count(2)
    expect(notes).to_contain_text("said by Hallam")
    page.get_by_role("button", name="Take it literally").click()
    expect(page).to_have_url(re.compile("interpret=false"))
    expect(notes).to_be_hidden()
    page.get_by_role("button", name="Remove: taken literally").click()
    expect(notes).to_be_visible()


def test_where_nothing_is_left_the_filters_can_go(page: Page) -> None:
    page.goto("/search?q=bridge&source=Nobody")
    expect(page.get_by_text("No article fits")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Nobody")).to_be_checked()
    check_accessible(page)
    page.get_by_role("button", name="Search without filters").click()
    amount(page, f"{ALL} results")


def test_days_the_wrong_way_round_are_refused_in_words(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    page.goto("/search?q=bridge&after=2026-05-01&before=2025-05-01")
    expect(page.get_by_role("alert")).to_contain_text("This cannot be asked")
    page.get_by_role("button", name=re.compile("^Remove: ")).click()
    amount(page, f"{ALL} results")


def test_without_the_service_it_says_so_and_tries_again(page: Page) -> None:
    page.expected_errors = 3  # type: ignore[attr-defined]  # Chromium asks for the icon too
    page.goto("/search")
    expect(page.get_by_role("searchbox")).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("searchbox").fill("storm")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The service cannot be reached")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search: storm")
    check_accessible(page)
    page.context.set_offline(False)
    alert.get_by_role("button", name="Try again").click()
    amount(page, f"{ALL} results")
    expect(alert).to_be_hidden()


def test_a_page_that_fails_keeps_those_before(page: Page) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    page.set_viewport_size({"width": 1200, "height": 400})
    page.goto("/search?q=storm")
    expect(titles(page)).to_have_count(20)
    page.context.set_offline(True)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(titles(page)).to_have_count(20)
    page.context.set_offline(False)
    alert.get_by_role("button", name="Try again").click()
    expect(titles(page)).to_have_count(ALL)


@pytest.mark.parametrize("why", ["no index is served", "too many requests at once"])
def test_while_the_service_cannot_answer_it_says_why(page: Page, why: str) -> None:
    page.expected_errors = 1  # type: ignore[attr-defined]
    body = json.dumps({"error": {"message": why}})
    page.route("**/v1/search?*", lambda route: route.fulfill(status=503, body=body))
    page.goto("/search?q=storm")
    expect(page.get_by_role("alert")).to_contain_text("The service cannot answer now")
    expect(page.get_by_role("alert")).to_contain_text(why)
    page.unroute("**/v1/search?*")
    page.get_by_role("button", name="Try again").click()
    amount(page, f"{ALL} results")


def test_while_it_waits_it_says_so(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/search?*", hold)
    page.goto("/search?q=storm")
    expect(page.locator(".amount")).to_have_text("Searching")
    check_accessible(page)
    held[0].continue_()
    amount(page, f"{ALL} results")
    page.get_by_role("checkbox", name="Harbour Courier").check()
    expect(page.locator(".results")).to_have_attribute("aria-busy", "true")
    check_accessible(page)
    held[1].continue_()
    amount(page, "9 results")


@pytest.mark.parametrize(
    "query",
    [
        "q=storm",
        "q=What+did+Hallam+say+since+last+week%3F&after=2025-11-01&before=2025-11-30",
        "q=bridge&source=Harbour+Courier&author=Linnet+Garraway&sort=date&interpret=false",
    ],
)
def test_the_list_is_accessible_and_no_wider_than_a_phone(page: Page, query: str) -> None:
    page.goto(f"/search?{query}")
    amount(page, re.compile("result"))
    check_accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    filters = page.get_by_role("button", name=re.compile("^Filters"))
    expect(page.get_by_role("group", name="Source")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    filters.click()
    expect(filters).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("group", name="Source")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    check_accessible(page)
