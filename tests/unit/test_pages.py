"""Web pages: the story without what stands around it, and what the page says of itself."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.cleaning import clean
from indexer.models import Origin, RawArticle
from indexer.sources.document import Document, NoArticleError, place_of
from indexer.sources.html import fragment_text, read, recognises
from tests.newsroom import STORIES, page

STORY = STORIES["html"]
BODY = "".join(f"<p>{paragraph}</p>" for paragraph in STORY.text.split("\n\n"))


def read_page(markup: str | bytes, *, known: dict[str, str] | None = None, charset: str = "") -> RawArticle:
    content = markup.encode() if isinstance(markup, str) else markup
    return read(Document(content, Origin("page"), "page", ".html", charset, known or {}, "WARC"))


def with_head(head: str, *, body: str = f"<h1>{STORY.title}</h1>{BODY}") -> RawArticle:
    return read_page(f"<html><head>{head}</head><body><article>{body}</article></body></html>")


def linked(**facts: object) -> str:
    data = {"@context": "https://schema.org", "@type": "NewsArticle", **facts}
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


def test_the_story_is_read_and_nothing_around_it() -> None:
    article = read_page(page(STORY))
    cleaned = clean(article).article
    assert cleaned is not None
    assert cleaned.text.split() == STORY.text.split()
    assert (article.title, article.source, article.author) == (
        STORY.title,
        "The Coast Ledger",
        "Wilhelmina Dray",
    )
    assert article.published == f"{STORY.day}T07:15:00+01:00"
    assert article.language == "en"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp1252", "utf-8-sig"])
def test_a_page_is_read_in_the_encoding_it_was_written_in(encoding: str) -> None:
    text = STORY.text.replace("hands", "über­gibt — nein: übergibt".replace("\xad", "").replace("—", "-"))
    name = encoding.removesuffix("-sig")
    markup = f'<html><head><meta charset="{name}"></head><body><article><p>{text}</p></article></body></html>'
    assert "nein: übergibt" in read_page(markup.encode(encoding)).text


def test_what_the_server_declared_is_tried_before_a_guess() -> None:
    markup = f"<html><body><article><p>Пароход пришёл. {STORY.text}</p></article></body></html>"
    assert "Пароход" in read_page(markup.encode("koi8-r"), charset="koi8-r").text


@pytest.mark.parametrize(
    ("head", "published", "where"),
    [
        (linked(datePublished="2024-03-05T07:15:00Z"), "2024-03-05T07:15:00+00:00", "JSON-LD datePublished"),
        (
            linked(datePublished="2024-03-05") + '<meta name="date" content="2020-01-01">',
            "2024-03-05",
            "JSON-LD datePublished",
        ),
        (
            '<meta property="article:published_time" content="2024-03-05">',
            "2024-03-05",
            "meta article:published_time",
        ),
        ('<meta name="pubdate" content="5 March 2024">', "2024-03-05", "meta pubdate"),
        ('<meta property="article:published_time" content="yesterday">', "", ""),
        ('<meta property="article:published_time" content="2999-01-01">', "", ""),
    ],
)
def test_the_date_is_that_which_the_page_states_of_itself(head: str, published: str, where: str) -> None:
    article = with_head(head)
    assert (article.published, article.found.get("published", "")) == (published, where)


def test_a_date_in_the_page_text_is_less_trusted() -> None:
    article = with_head("", body=f"<h1>{STORY.title}</h1><p>Published 5 March 2024</p>{BODY}")
    assert (article.published, article.published_by) == ("2024-03-05", "text")


@pytest.mark.parametrize(
    ("head", "title"),
    [
        (f"<title>{STORY.title} | The Coast Ledger</title>", STORY.title),
        (f"<title>The Coast Ledger - {STORY.title}</title>", STORY.title),
        (f'<meta property="og:title" content="{STORY.title} - The Coast Ledger">', STORY.title),
        (f'<meta property="og:title" content="{STORY.title[:20]}…">', STORY.title),
        (linked(headline="Of keepers &amp; lights"), "Of keepers & lights"),
    ],
)
def test_the_title_is_the_storys_and_not_the_outlets(head: str, title: str) -> None:
    assert with_head(f'<meta property="og:site_name" content="The Coast Ledger">{head}').title == title


def test_an_address_of_another_site_is_not_the_pages() -> None:
    known = {"url": "https://www.coast.example/news/light?utm_source=x"}
    head = '<link rel="canonical" href="{}">'
    markup = f"<html><head>{head}</head><body><article>{BODY}</article></body></html>"
    own = read_page(markup.format("/news/light"), known=known)
    assert own.url == "https://www.coast.example/news/light"
    for other in (
        "https://evil.example/news/light",
        "https://www.coast.example/",
        "javascript:alert(1)",
        "http://[",
    ):
        assert read_page(markup.format(other), known=known).url == known["url"]


def test_what_is_known_from_outside_fills_what_the_page_leaves_open() -> None:
    article = read_page(
        f"<html><body><article>{BODY}</article></body></html>",
        known={"title": "From the feed", "published": "2024-03-05", "source": "Echo"},
    )
    assert (article.title, article.published, article.source) == ("From the feed", "2024-03-05", "Echo")
    assert set(article.found.values()) == {"WARC"}


@pytest.mark.parametrize(
    "markup",
    [
        "<html><body></body></html>",
        "<html><body><script>render()</script><div id=app></div></body></html>",
        "<html><body><nav><a href=/>Home</a></nav></body></html>",
        "<html>",
    ],
)
def test_a_page_without_a_text_is_refused_with_the_remedy(markup: str) -> None:
    with pytest.raises(NoArticleError, match=r"without a text.* save it from the browser"):
        read_page(markup)


@pytest.mark.parametrize(
    "broken",
    [
        '<script type="application/ld+json">{"@type": "NewsArticle", "headline": </script>',
        f'<script type="application/ld+json">{"[" * 100_000}</script>',
        '<script type="application/ld+json">[[[{"@graph": 5}]]]</script>',
        linked(author=[[1, {"name": 7}]], publisher={"name": None}, datePublished=[2024]),
        "<div>" * 3000,
        "<p" + " a=b" * 5000 + ">",
        "<!--" + "-" * 10_000,
        "\0\0\0",
    ],
)
def test_a_broken_page_costs_itself_alone(broken: str) -> None:
    with suppress(NoArticleError):
        assert with_head("", body=broken + BODY).text


@given(st.text(alphabet="<>/ap!-&;\"'= \n\0\ud800é", max_size=80))
def test_any_fragment_becomes_text_without_tags(markup: str) -> None:
    assert "</p>" not in fragment_text(f"<p>{markup}</p>")


def test_a_fragments_paragraphs_stay_apart_and_what_is_not_seen_goes() -> None:
    unseen = "<script>x()</script><style>p{}</style>"
    markup = f"<p>One <b>bold</b>.</p>{unseen}<p>Two &amp; <!-- no -->three.<br>Four.</p>"
    assert fragment_text(markup) == "One bold.\n\nTwo & three.\n\nFour."


@pytest.mark.parametrize(
    ("start", "suffix", "page_it_is"),
    [
        (b"<!DOCTYPE html><html>", "", True),
        (b"\xef\xbb\xbf <HTML lang=en>", "", True),
        (b"<?xml version='1.0'?>\n<!-- x --><html xmlns='http://www.w3.org/1999/xhtml'>", "", True),
        ("<html>".encode("utf-16"), "", True),
        (b"<div>a</div>", ".html", True),
        (b"<div>a</div>", ".txt", False),
        (b"The <html> tag opens a page.", "", False),
    ],
)
def test_a_page_is_known_by_what_it_begins_with(start: bytes, suffix: str, page_it_is: bool) -> None:
    assert recognises(start, suffix) == page_it_is


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://www.example.org/a/?utm_source=x&id=7#top", "example.org/a?id=7"),
        ("http://example.org/a", "example.org/a"),
        ("https://example.org/a%20b?fbclid=1", "example.org/a b"),
        ("ftp://example.org/a", ""),
        ("https://[::1", ""),
        ("a b", ""),
    ],
)
def test_a_pages_place_leaves_out_what_tracks_its_readers(url: str, place: str) -> None:
    assert place_of(url) == place
