"""Whatever an article or a question holds, the page shows it as text: nothing of it runs."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect

from tests.browser.conftest import settled
from tests.conftest import build_index
from tests.integration.server import Server, serving

RUN = "window.executed=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<details open ontoggle={RUN}>",
    f"<body onload={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<math><mi xlink:href='javascript:{RUN}'>x</mi></math>",
    f"<a href='javascript:{RUN}'>x</a>",
    f"<style>@import 'javascript:{RUN}'</style>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<object data='javascript:{RUN}'></object>",
    f"<base href='javascript:{RUN}//'>",
    f"<form action='javascript:{RUN}'><button>x</button></form>",
    f'"><script>{RUN}</script>',
    f"'-{RUN}-'",
    f"`${{{RUN}}}`",
    f"${{{RUN}}} {{{{constructor.constructor('{RUN}')()}}}}",
    f"</script><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"<!--><script>{RUN}</script>-->",
    f"<noscript><p title='</noscript><script>{RUN}</script>'>",
    f"<img/src='x'/onerror='{RUN}'>",
    f"<ScRiPt>{RUN}</sCrIpT>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    '{"__html": "<script>window.executed=1</script>"}',
    '{"type": "script", "props": {"children": "window.executed=1"}}',
]
URLS = [f"javascript:{RUN}", f"data:text/html,<script>{RUN}</script>", f'https://a.example/"onclick="{RUN}']


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service over articles whose every field is a payload."""
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / "articles.jsonl").open("w", encoding="utf-8") as articles:
        for number, payload in enumerate(PAYLOADS):
            record = {
                "id": f"{number} {payload}",
                "title": f"Title {payload} end",
                "text": f'The mayor said the harbour costs {number} crowns {payload} in all. "It is {payload}'
                f' that the harbour needs," said Mayor Ada {payload} Lovell of the harbour.',
                "source": f"Outlet {payload}",
                "author": f"Author {payload}",
                "url": URLS[number % len(URLS)],
                "published": f"2026-01-{number % 28 + 1:02d}",
            }
            articles.write(json.dumps(record) + "\n")
    build_index(folder / "index", folder / "articles.jsonl")
    with serving(folder / "index") as running:
        yield running


@pytest.fixture
def watched(browser: Browser, hostile: Server) -> Iterator[Page]:
    """A page that fails where a script of a payload ran, a dialog opened, or the address was left."""
    context = browser.new_context(base_url=hostile.url, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    def asked(request: Request) -> None:
        if not request.url.startswith(hostile.url):
            wrong.append(request.url)

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", asked)
    yield page
    assert page.evaluate("window.executed") is None
    assert page.url.startswith(hostile.url)
    assert page.locator("#app :is(script, iframe, object, embed, base, meta, style, math)").count() == 0
    assert page.locator("#app [href^='javascript:'], #app [href^='data:']").count() == 0
    handlers = "[...document.querySelectorAll('#app *')].flatMap(e => e.getAttributeNames())"
    assert not [name for name in page.evaluate(handlers) if name.startswith("on")]
    context.close()
    assert not wrong


@pytest.mark.parametrize("view", ["/?q=", "/search?q=", "/timeline?q=", "/quotes?q="])
def test_hostile_articles_are_shown_as_they_are(watched: Page, view: str) -> None:
    watched.goto(f"{view}{quote('What does the harbour cost in crowns?')}")
    settled(watched)
    expect(watched.locator("main")).to_contain_text("harbour")


@pytest.mark.heavy
@pytest.mark.parametrize("view", ["/?q=", "/search?q=", "/timeline?q=", "/quotes?speaker=", "/quotes?q="])
def test_hostile_questions_are_shown_as_they_are(watched: Page, view: str) -> None:
    for payload in PAYLOADS[:: 4 if view != "/?q=" else 1]:
        with watched.expect_response(re.compile("/v1/(answer|search|quotes)")) as answered:
            watched.goto(f"{view}{quote(payload)}")
        answered.value.finished()
        settled(watched)
        assert watched.evaluate("window.executed") is None


def test_a_hostile_article_is_read_as_it_is(watched: Page) -> None:
    watched.goto(f"/search?q={quote('harbour crowns')}")
    watched.get_by_role("button", name="Read").first.click()
    expect(watched.get_by_role("dialog")).to_contain_text("The mayor said the harbour costs")


def test_the_page_allows_no_script_but_its_own(hostile: Server) -> None:
    for path in ("/", "/search", "/static/app.js", "/static/vendor/preact.js"):
        headers = hostile.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/vendor/../../settings.py",
        "/static/",
    ):
        assert hostile.client.get(path).status_code == 404
