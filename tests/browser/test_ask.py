"""Asking on the page: a question, its answer with its proof, and what is asked on."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import check_accessible
from tests.integration.server import Server, serving
from tests.integration.test_language_model import serving_with
from tests.llm import Stub, language_model_server

QUESTION = "What does Gabuev expect from military cooperation?"
FOLLOW_UP = "And in the Arctic?"
WHOLE = "What does Gabuev expect from military cooperation in the Arctic?"
WORDS = "closer military cooperation"
OUTLET = "Business International News"
UNANSWERED = "Who won the World Cup?"
FLOOD = "How many homes were flooded at Saltmarsh?"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with language_model_server() as running:
        running.scripts["stub-frames-and-invents"] = lambda _: (
            "Gabuev resigned on Friday [1].\n"
            "Gabuev expects “closer military cooperation, more interoperability” [1]."
        )
        yield running


def asked(*queries: str, **more: str) -> str:
    return "/?" + urlencode([("q", query) for query in queries] + list(more.items()), quote_via=quote)


def ask(page: Page, question: str) -> None:
    page.get_by_role("searchbox").fill(question)
    page.keyboard.press("Enter")


def turn(page: Page, question: str) -> Locator:
    return page.get_by_role("article", name=question, exact=True)


def chip(within: Page | Locator, outlet: str = OUTLET) -> Locator:
    return within.locator(".chip").filter(has_text=outlet).first


def card(page: Page) -> Locator:
    return page.locator(".proof:popover-open")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def events(*answers: dict[str, Any]) -> str:
    return "".join(f"event: answer\ndata: {json.dumps(one)}\n\n" for one in answers)


@contextmanager
def opened(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    context = browser.new_context(base_url=url, **options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def test_the_words_that_answer_are_strong(browser: Browser, default_index: Path) -> None:
    question = "How much did each flooded household receive from the relief fund?"
    with serving(default_index) as server, opened(browser, server.url) as page:
        page.goto(asked(question))
        answer = turn(page, question).locator(".answer")
        expect(answer.locator(".statement > strong")).to_have_text("9,000 crowns")
        expect(answer).to_contain_text("received 9,000 crowns this week")


def test_by_keyboard_alone_a_question_leads_to_its_quote_in_the_article(page: Page) -> None:
    page.goto("/")
    field = page.get_by_role("searchbox", name="Your question")
    expect(field).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if field.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q=What"))
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    expect(page.get_by_role("heading", name=QUESTION)).to_be_focused()
    cited = chip(page)
    for _ in range(5):
        page.keyboard.press("Tab")
        if cited.evaluate("element => element === document.activeElement"):
            break
    expect(card(page).locator("mark")).to_contain_text(WORDS)
    page.keyboard.press("Enter")
    article = page.get_by_role("dialog", name="Article")
    expect(article.locator("mark")).to_contain_text(WORDS)
    expect(article.locator("mark")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(article).to_be_hidden()
    expect(cited).to_be_focused()


def test_a_follow_up_is_made_whole_and_the_conversation_stays(page: Page) -> None:
    page.goto(asked(QUESTION))
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    ask(page, FOLLOW_UP)
    second = turn(page, FOLLOW_UP)
    expect(second).to_contain_text("Understood as:")
    expect(second.locator("q")).to_have_text(WHOLE)
    expect(second.locator(".answer")).to_contain_text("places like the Arctic")
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    expect(page.get_by_role("searchbox")).to_have_value("")
    check_accessible(page)
    page.go_back()
    expect(second).to_have_count(0)
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    page.go_forward()
    expect(second.locator("q")).to_have_text(WHOLE)
    page.get_by_role("button", name="New conversation").click()
    expect(page).to_have_url(re.compile(r"/$"))
    expect(page.get_by_role("searchbox", name="Your question")).to_be_focused()


def test_the_address_shares_the_conversation(page: Page) -> None:
    page.goto(asked(QUESTION, FOLLOW_UP))
    expect(turn(page, FOLLOW_UP).locator("q")).to_have_text(WHOLE)
    turn(page, FOLLOW_UP).get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name="Address copied")).to_be_focused()
    address = page.evaluate("navigator.clipboard.readText()")
    page.goto("/search")
    page.goto(address)
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    expect(turn(page, FOLLOW_UP).locator("q")).to_have_text(WHOLE)


def test_silence_is_as_finished_as_an_answer(page: Page) -> None:
    page.goto(asked(UNANSWERED))
    expect(page.get_by_role("heading", name="The articles do not tell.")).to_be_visible()
    check_accessible(page)
    passage = page.locator(".silence .card").first
    title = passage.get_by_role("heading").inner_text()
    passage.get_by_role("button", name="Read the article").click()
    article = page.get_by_role("dialog", name="Article")
    expect(article.get_by_role("heading", name=title)).to_be_visible()
    expect(article.locator("mark").first).to_be_in_viewport()


def test_a_card_shows_the_quote_on_hover_and_on_focus(page: Page) -> None:
    page.goto(asked(FLOOD))
    cited = chip(page, "Meridian Wire")
    expect(cited).to_have_attribute("aria-expanded", "false")
    cited.hover()
    expect(cited).to_have_attribute("aria-expanded", "true")
    expect(card(page)).to_contain_text("Storm Hesper breaches sea wall")
    expect(card(page)).to_contain_text("9 November 2025")
    expect(card(page)).to_contain_text("Also in Harbour Courier, Northgate Tribune")
    expect(card(page).locator("mark")).to_contain_text("leaving 11 homes uninhabitable")
    expect(cited).to_have_accessible_description(re.compile("leaving 11 homes uninhabitable"))
    check_accessible(page)
    card(page).hover()
    page.mouse.move(2, 2)
    chip(page, "Northgate Tribune").hover()
    expect(card(page)).to_have_count(1)
    expect(card(page).locator("mark")).to_contain_text("not eleven")
    page.mouse.move(2, 2)
    expect(card(page)).to_have_count(0)
    page.get_by_role("heading", name=FLOOD).focus()
    page.keyboard.press("Tab")
    expect(cited).to_be_focused()
    expect(card(page)).to_have_count(1)
    page.keyboard.press("Tab")
    expect(card(page).get_by_role("button", name="Read the article")).to_be_focused()
    page.keyboard.press("Escape")
    expect(card(page)).to_have_count(0)


def test_by_touch_the_card_comes_first(browser: Browser, server: Server) -> None:
    with opened(browser, server.url, viewport={"width": 360, "height": 740}, has_touch=True) as page:
        page.goto(asked(FLOOD))
        for outlet in ("Meridian Wire", "Northgate Tribune"):
            page.get_by_role("heading", name=FLOOD).tap()
            expect(card(page)).to_have_count(0)
            chip(page, outlet).tap()
            box = card(page).bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= 360
            assert box["y"] + box["height"] <= 740
        expect(page.get_by_role("dialog", name="Article")).to_be_hidden()
        card(page).get_by_role("button", name="Read the article").tap()
        expect(page.get_by_role("dialog", name="Article").locator("mark")).to_contain_text("not eleven")


def test_a_source_opens_at_its_first_quote(page: Page) -> None:
    page.goto(asked(FLOOD))
    page.get_by_role("group", name="Sources").get_by_role("button", name="Flood toll").click()
    expect(page.get_by_role("dialog", name="Article").locator("mark")).to_contain_text("not eleven")


def test_a_question_can_be_asked_as_it_is_written(page: Page) -> None:
    question = "What was said about the bridge since December 2025?"
    page.goto(asked(question))
    expect(page.get_by_text("published from 1 Dec 2025 on")).to_be_visible()
    page.get_by_role("button", name="Ask it as written").click()
    expect(page).to_have_url(re.compile("plain=1"))
    expect(page.get_by_text("Asked as written")).to_be_visible()
    expect(page.get_by_text("published from 1 Dec 2025 on")).to_have_count(0)
    page.get_by_role("button", name="Let them count").click()
    expect(page.get_by_text("published from 1 Dec 2025 on")).to_be_visible()


def test_stop_ends_what_nothing_came_of(page: Page) -> None:
    page.route("**/v1/answer", lambda _: None)
    page.goto("/")
    ask(page, QUESTION)
    expect(page.get_by_text("Reading the articles")).to_be_attached()
    check_accessible(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Nothing had come until then")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    page.unroute("**/v1/answer")
    page.get_by_role("button", name="Ask again").click()
    expect(turn(page, QUESTION)).to_contain_text(WORDS)


def test_what_came_before_a_stop_stays(
    browser: Browser, seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The language model hangs behind its first sentence."""
    with (
        serving_with(stub, "fault-hangs-midway", seed_index, monkeypatch, llm_deadline_s=120) as server,
        opened(browser, server.url) as page,
    ):
        page.goto(asked(QUESTION))
        expect(page.locator(".statement")).to_contain_text("The article says")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("What had come until then stands above.")).to_be_visible()
        expect(page.locator(".statement")).to_have_count(1)
        expect(page.get_by_role("group", name="Sources")).to_be_visible()
        check_accessible(page)


def test_an_answer_that_the_model_did_not_finish_says_so(
    browser: Browser, seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serving_with(stub, "fault-hangs-midway", seed_index, monkeypatch, llm_deadline_s=1) as server,
        opened(browser, server.url) as page,
    ):
        page.goto(asked(QUESTION))
        expect(
            page.get_by_text("The language model did not finish; the rest is made of quotes.")
        ).to_be_visible()
        expect(page.locator(".answer")).to_contain_text(WORDS)
        check_accessible(page)


def test_it_says_who_worded_an_answer_and_what_is_unproven(
    browser: Browser, seed_index: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "stub-frames-and-invents"
    with (
        serving_with(stub, model, seed_index, monkeypatch, llm_unproven="marked") as server,
        opened(browser, server.url) as page,
    ):
        page.goto(asked(QUESTION))
        expect(page.get_by_text(f"Worded by {model}")).to_be_visible()
        expect(page.locator(".statement").first).to_have_text(
            "Gabuev resigned on Friday. not in the articles"
        )
        expect(page.locator(".statement").last).to_contain_text(f"Gabuev expects “{WORDS}")
        chip(page).hover()
        expect(card(page).locator("mark")).to_have_text("closer military cooperation, more interoperability")
        expect(card(page).locator(".context")).to_contain_text("more joint efforts to develop")
        check_accessible(page)


def test_an_answer_is_copied_with_its_sources(page: Page) -> None:
    page.goto(asked(FLOOD))
    page.get_by_role("button", name="Copy with sources").click()
    expect(page.get_by_role("status").filter(has_text="Copied with its sources.")).to_be_attached()
    text = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"leaving 11 homes uninhabitable, .* said\. \[1\]", text)
    assert text.endswith(
        "\n\nSources\n"
        "[1] Storm Hesper breaches sea wall at Saltmarsh, 11 homes uninhabitable."
        " Meridian Wire, 9 November 2025. https://valley-ledger.example/2025/11/storm-hesper-sea-wall\n"
        "[2] Flood toll rises to 17 homes. Northgate Tribune, 21 November 2025."
        " https://northgate-tribune.example/2025/11/flood-toll-rises\n"
    )


def test_without_a_network_it_says_so_and_tries_again(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("27 articles")).to_be_visible()
    page.context.set_offline(True)
    setattr(page, "expected_errors", 2)  # noqa: B010  # the question and the page's icon
    ask(page, QUESTION)
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    check_accessible(page)
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(turn(page, QUESTION)).to_contain_text(WORDS)


def test_a_busy_service_is_asked_again_by_itself(page: Page) -> None:
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.fallback()
            return
        refused.append(route)
        route.fulfill(status=503, json={"error": {"message": "no index"}})

    setattr(page, "expected_errors", 1)  # noqa: B010  # that a request failed
    page.route("**/v1/answer", refuse_once)
    page.goto(asked(QUESTION))
    expect(page.get_by_text("The service is not ready yet")).to_be_visible()
    expect(turn(page, QUESTION)).to_contain_text(WORDS)
    expect(page.get_by_text("The service is not ready yet")).to_have_count(0)


def test_an_answer_that_breaks_off_keeps_what_came(page: Page, server: Server) -> None:
    answer = server.client.post("/v1/answer", json={"query": QUESTION}).json()
    broken = events({**answer, "ended": False}) + 'data: {"error": {"message": "an error of ours"}}\n\n'
    served = {"content_type": "text/event-stream", "body": broken}
    page.route("**/v1/answer", lambda route: route.fulfill(**served))
    page.goto(asked(QUESTION))
    expect(page.get_by_role("alert")).to_contain_text("an error of ours")
    expect(page.locator(".answer")).to_contain_text(WORDS)


def test_what_makes_no_sense_is_refused_with_the_reason(page: Page) -> None:
    setattr(page, "expected_errors", 1)  # noqa: B010  # that a request failed
    page.goto(asked(QUESTION, collection="nowhere"))
    expect(page.get_by_role("alert")).to_contain_text("This cannot be asked")
    expect(page.get_by_role("alert")).to_contain_text("nowhere")


def test_code_points_beyond_the_first_plane_and_the_other_direction(page: Page, server: Server) -> None:
    """Markers and quotes are cut where the service counted them, in a text from right to left."""
    answer = server.client.post("/v1/answer", json={"query": QUESTION}).json()
    said = "قال العمدة 🏛️🏛️ إن الجسر سيفتح في الربيع."
    source = {**answer["sources"][0], "source": "جريدة الميناء", "title": "الجسر"}
    citation = {
        **answer["citations"][0],
        "start": len(said) + 1,
        "end": len(said) + 4,
        "quote": said,
        "quote_start": 102,
        "quote_end": 102 + len(said),
        "context": f"🌍 {said} ثم",
        "context_start": 100,
        "context_end": 105 + len(said),
    }
    told = {**answer, "answer": f"{said} [1]", "citations": [citation], "sources": [source], "ended": True}
    page.route(
        "**/v1/answer", lambda route: route.fulfill(content_type="text/event-stream", body=events(told))
    )
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(asked("متى يفتح الجسر؟"))
    statement = page.locator(".statement")
    assert statement.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert statement.evaluate("element => element.firstChild.textContent").strip() == said
    statement.locator(".chip").hover()
    expect(card(page).locator("mark")).to_have_text(said)
    box = card(page).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert fits(page)
    check_accessible(page)


@pytest.mark.parametrize("query", [FLOOD, UNANSWERED, "x" * 400])
def test_no_answer_is_wider_than_a_phone(page: Page, query: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(asked(query, FOLLOW_UP))
    expect(turn(page, FOLLOW_UP).get_by_role("button", name="Share")).to_be_visible()
    assert fits(page)


def test_an_answer_is_accessible(page: Page) -> None:
    page.goto(asked(FLOOD))
    expect(page.get_by_role("group", name="Sources")).to_be_visible()
    check_accessible(page)


def test_a_collection_is_chosen_where_there_are_several(browser: Browser, seed_index: Path) -> None:
    with (
        serving(seed_index, "--collection", f"archive={seed_index}") as server,
        opened(browser, server.url) as page,
    ):
        page.goto("/")
        page.get_by_role("combobox", name="Ask").select_option("archive")
        expect(page).to_have_url(re.compile("collection=archive"))
        check_accessible(page)
        ask(page, QUESTION)
        expect(turn(page, QUESTION)).to_contain_text(WORDS)
        expect(page).to_have_url(re.compile("q=.*collection=archive"))
        chip(page).click()
        expect(page.get_by_role("dialog", name="Article").locator("mark")).to_contain_text(WORDS)


def test_on_paper_there_are_question_answer_and_numbered_sources(page: Page) -> None:
    page.goto(asked(FLOOD))
    expect(page.get_by_role("group", name="Sources")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name=FLOOD)).to_be_visible()
    expect(page.get_by_text("https://northgate-tribune.example/2025/11/flood-toll-rises")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(chip(page).locator("bdi")).to_be_hidden()
    expect(page.locator(".chip .number").first).to_be_visible()
