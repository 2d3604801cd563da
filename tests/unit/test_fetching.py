"""Polite, bounded, and to public addresses alone: against a real site on a socket."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.models import Origin, RawArticle
from indexer.sources import fetching
from indexer.sources.document import Document
from indexer.sources.fetching import Fetcher, Politeness
from tests.newsroom import STORIES, page
from tests.site import Page, Site, site

STORY = STORIES["html"]
PAGE = Page(page(STORY).encode(), headers={"Content-Type": "text/html; charset=utf-8"})
ALLOWED = Page(b"User-agent: *\nDisallow: /closed\n")
OPEN = Politeness(private_addresses=True, pause_s=0)


class Told:
    """What is skipped, and the waits of a clock that nobody has to sit through."""

    def __init__(self) -> None:
        self.skipped: list[str] = []
        self.waits: list[float] = []
        self.now = 0.0

    def skip(self, origin: Origin, reason: str) -> None:
        self.skipped.append(f"{origin}: {reason}")

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def fetcher(self, politeness: Politeness = OPEN, **more: Callable[[str, int], list[str]]) -> Fetcher:
        return Fetcher(politeness, clock=lambda: self.now, sleep=self.sleep, **more)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def there() -> Iterator[Site]:
    with site() as there:
        there.pages["/robots.txt"] = ALLOWED
        there.pages["/story"] = PAGE
        yield there


def sitemap(there: Site, *paths: str, nested: bool = False) -> Page:
    kind, entry = ("sitemapindex", "sitemap") if nested else ("urlset", "url")
    urls = "".join(
        f"<{entry}><loc>{path if '://' in path else there.url + path}</loc></{entry}>" for path in paths
    )
    return Page(f"<?xml version='1.0'?><{kind}>{urls}</{kind}>".encode())


def feed(*items: str) -> Page:
    channel = f"<channel><title>Echo</title>{''.join(items)}</channel>"
    return Page(f"<?xml version='1.0'?><rss version='2.0'>{channel}</rss>".encode())


def item(link: str, text: str = "") -> str:
    return f"<item><title>A title</title><link>{link}</link><description>{text}</description></item>"


def fetch_sitemap(there: Site, told: Told, politeness: Politeness = OPEN) -> list[Document]:
    with told.fetcher(politeness) as fetcher:
        return list(fetcher.sitemap(there.url + "/sitemap.xml", told.skip))


def fetch_one(there: Site, told: Told, path: str, politeness: Politeness = OPEN) -> list[Document]:
    there.pages["/sitemap.xml"] = sitemap(there, path)
    return fetch_sitemap(there, told, politeness)


def test_the_pages_of_a_sitemap_and_of_those_it_names_are_fetched(there: Site, told: Told) -> None:
    there.pages["/sitemap.xml"] = sitemap(there, "/a.xml", "/b.xml.gz", "/sitemap.xml", nested=True)
    there.pages["/a.xml"] = sitemap(there, "/story")
    there.pages["/b.xml.gz"] = Page(gzip.compress(sitemap(there, "/other").body))
    there.pages["/other"] = PAGE
    found = fetch_sitemap(there, told)
    assert [one.known["url"] for one in found] == [there.url + "/story", there.url + "/other"]
    assert found[0].content == PAGE.body
    assert found[0].charset == "utf-8"
    assert told.skipped == []
    assert there.paths().count("/robots.txt") == 1
    assert all("dateline/" in request.headers["User-Agent"] for request in there.asked)


def test_each_entry_of_a_feed_is_its_page_or_else_what_the_feed_tells(there: Site, told: Told) -> None:
    url = there.url
    there.pages["/feed"] = feed(
        item(f"{url}/story"), item(f"{url}/gone", "What the feed tells of it."), item(f"{url}/gone-too")
    )
    with told.fetcher() as fetcher:
        page_of, teaser = fetcher.feed(f"{url}/feed", told.skip)
    assert isinstance(page_of, Document)
    assert (page_of.known["title"], page_of.known["source"]) == ("A title", "Echo")
    assert isinstance(teaser, RawArticle)
    assert teaser.text == "What the feed tells of it."
    assert [reason.endswith("the server answers 404") for reason in told.skipped] == [True]


def test_robots_txt_is_obeyed(there: Site, told: Told) -> None:
    assert fetch_one(there, told, "/closed/story") == []
    assert "robots.txt does not let us" in told.skipped[0]
    assert "/closed/story" not in there.paths()


@pytest.mark.parametrize(("status", "fetched"), [(404, True), (403, True), (500, False), (503, False)])
def test_without_rules_all_is_allowed_and_where_they_fail_nothing(
    there: Site, told: Told, status: int, fetched: bool
) -> None:
    there.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /", status)
    assert bool(fetch_one(there, told, "/story")) == fetched
    assert ("/story" in there.paths()) == fetched


def test_requests_to_one_host_are_spaced_by_the_pause_or_what_the_site_asks(there: Site, told: Told) -> None:
    there.pages["/sitemap.xml"] = sitemap(there, "/story", "/story", "/story")
    fetch_sitemap(there, told, replace(OPEN, pause_s=2))
    assert told.waits == [2, 2, 2, 2]
    there.pages["/robots.txt"] = Page(b"User-agent: *\nCrawl-delay: 7\n")
    told.waits.clear()
    fetch_sitemap(there, told)
    assert told.waits == [7, 7, 7]


def test_a_busy_server_is_asked_once_more_when_it_says(there: Site, told: Told) -> None:
    there.pages["/story"] = [Page(status=503, headers={"Retry-After": "9"}), PAGE]
    assert fetch_one(there, told, "/story")
    assert told.waits == [9]
    there.pages["/story"] = Page(status=429, headers={"Retry-After": "86400"})
    told.waits.clear()
    assert fetch_one(there, told, "/story") == []
    assert told.waits == [30]
    assert told.skipped == [f"{there.url}/story: the server answers 429"]


def test_what_did_not_change_is_not_sent_again(there: Site, told: Told, tmp_path: Path) -> None:
    politeness = replace(OPEN, cache=tmp_path)
    there.pages["/story"] = PAGE._replace(headers={**PAGE.headers, "ETag": '"1"'})
    (first,) = fetch_one(there, told, "/story", politeness)
    (second,) = fetch_one(there, told, "/story", politeness)
    assert second.content == first.content
    assert there.asked[-1].headers["If-None-Match"] == '"1"'
    there.pages["/story"] = Page(b"<html>new</html>", headers={"ETag": '"2"'})
    (third,) = fetch_one(there, told, "/story", politeness)
    assert third.content == b"<html>new</html>"


def test_a_cache_that_cannot_be_written_costs_nothing_but_itself(
    there: Site, told: Told, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    there.pages["/story"] = PAGE._replace(headers={**PAGE.headers, "ETag": '"1"'})
    assert fetch_one(there, told, "/story", replace(OPEN, cache=tmp_path / "cache"))


def test_a_damaged_cache_counts_as_none(there: Site, told: Told, tmp_path: Path) -> None:
    politeness = replace(OPEN, cache=tmp_path)
    there.pages["/story"] = PAGE._replace(headers={**PAGE.headers, "ETag": '"1"'})
    fetch_one(there, told, "/story", politeness)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    (again,) = fetch_one(there, told, "/story", politeness)
    assert again.content == PAGE.body


def test_redirects_are_followed_and_the_last_address_is_the_pages(there: Site, told: Told) -> None:
    there.pages["/old"] = Page(status=301, headers={"Location": "/story"})
    (found,) = fetch_one(there, told, "/old")
    assert found.known["url"] == there.url + "/story"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/closed/story", "robots.txt does not let us"),
        ("/loop", "redirects more than 5 times"),
        ("file:///etc/passwd", "is no http or https address"),
        ("http://user:secret@127.0.0.1/", "carries a password"),
        ("http://[::1", "cannot be reached"),
    ],
)
def test_every_redirect_is_checked_as_the_address_was(
    there: Site, told: Told, target: str, reason: str
) -> None:
    there.pages["/loop"] = Page(status=302, headers={"Location": target})
    assert fetch_one(there, told, "/loop") == []
    assert reason in told.skipped[0]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.8", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3",
        "224.0.0.1", "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_not_connected_to(told: Told, there: Site, address: str) -> None:
    politeness = replace(OPEN, private_addresses=False)
    with told.fetcher(politeness, resolve=lambda _host, _port: [address]) as fetcher:
        with pytest.raises(SourceError, match="is not public"):
            list(fetcher.sitemap("http://news.test/sitemap.xml", told.skip))
        with pytest.raises(SourceError, match="is not public"):
            list(fetcher.feed("https://news.test/feed", told.skip))
    assert there.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(told: Told) -> None:
    politeness = replace(OPEN, private_addresses=False)
    resolve = lambda _host, _port: ["93.184.216.34", "127.0.0.1"]  # noqa: E731
    with (
        told.fetcher(politeness, resolve=resolve) as fetcher,
        pytest.raises(SourceError, match=r"127\.0\.0\.1"),
    ):
        list(fetcher.feed("http://news.test/feed", told.skip))


def test_the_address_that_was_checked_is_the_one_that_is_asked(there: Site, told: Told) -> None:
    """A name that means another address at each look cannot lead elsewhere."""
    there.pages["/sitemap.xml"] = sitemap(there, "/story")
    port = int(there.url.rpartition(":")[2])
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with told.fetcher(resolve=resolve) as fetcher:
        list(fetcher.sitemap(f"http://news.test:{port}/sitemap.xml", told.skip))
    assert asked[0] == "news.test"
    assert there.paths()[0] == "/sitemap.xml"
    assert there.asked[0].headers["Host"] == f"news.test:{port}"


def test_a_page_that_is_too_large_is_not_read_to_its_end(
    there: Site, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching.Fetcher._request, "__defaults__", (100_000,))
    there.pages["/story"] = PAGE._replace(body=b"<html>" + b"x" * 1_000_000)
    assert fetch_one(there, told, "/story") == []
    assert "holds more than" in told.skipped[0]


def test_what_is_packed_on_its_way_is_bounded_by_what_it_unpacks_to(there: Site, told: Told) -> None:
    there.pages["/story"] = Page(
        gzip.compress(b"x" * (40 << 20)), headers={"Content-Encoding": "gzip", "Content-Type": "text/html"}
    )
    assert fetch_one(there, told, "/story") == []
    assert "holds more than" in told.skipped[0]


def test_what_does_not_arrive_in_time_is_given_up(there: Site, told: Told) -> None:
    there.pages["/story"] = PAGE._replace(body=PAGE.body * 100)
    clock = iter(range(0, 10_000, 40))
    there.pages["/sitemap.xml"] = sitemap(there, "/story")
    with Fetcher(OPEN, clock=lambda: float(next(clock)), sleep=told.sleep) as fetcher:
        assert list(fetcher.sitemap(there.url + "/sitemap.xml", told.skip)) == []
    assert "did not arrive within 60 s" in told.skipped[0]


def test_a_body_shorter_than_promised_is_no_page(there: Site, told: Told) -> None:
    there.pages["/story"] = PAGE._replace(headers={"Content-Length": str(len(PAGE.body) + 1)})
    assert fetch_one(there, told, "/story") == []
    assert "cannot be reached" in told.skipped[0]


def test_what_is_no_page_is_named(there: Site, told: Told) -> None:
    there.pages["/story"] = PAGE._replace(headers={"Content-Type": "video/mp4"})
    assert fetch_one(there, told, "/story") == []
    assert told.skipped == [f"{there.url}/story: holds video/mp4, no page"]


def test_only_so_many_pages_are_fetched_and_the_rest_is_said(there: Site, told: Told) -> None:
    there.pages["/sitemap.xml"] = sitemap(there, "/story", "/story", "/story")
    assert len(fetch_sitemap(there, told, replace(OPEN, most_pages=2))) == 2
    assert told.skipped == [
        f"{there.url}/sitemap.xml: what comes after its first 2 pages is left out (fetch_pages)"
    ]


def test_cookies_are_not_carried_from_page_to_page(there: Site, told: Told) -> None:
    there.pages["/story"] = PAGE._replace(headers={"Set-Cookie": "reader=1", **PAGE.headers})
    there.pages["/sitemap.xml"] = sitemap(there, "/story", "/story")
    fetch_sitemap(there, told)
    assert all("Cookie" not in request.headers for request in there.asked)


@pytest.mark.parametrize(
    ("what", "content", "reason"),
    [
        ("feed", b"<html></html>", "is no RSS or Atom feed"),
        ("sitemap", b"<html></html>", "is a damaged sitemap"),
        ("feed", None, "the server answers 404"),
        ("sitemap", None, "the server answers 404"),
    ],
)
def test_a_feed_or_sitemap_that_is_none_is_named(
    there: Site, told: Told, what: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        there.pages["/it"] = Page(content)
    with told.fetcher() as fetcher:
        try:
            found = list(getattr(fetcher, what)(f"{there.url}/it", told.skip))
        except SourceError as error:
            told.skip(Origin("error"), str(error))
            found = []
    assert found == []
    assert reason in told.skipped[0]
    assert f"{there.url}/it" in told.skipped[0]


def test_a_server_that_is_not_there_is_named(told: Told) -> None:
    with (
        told.fetcher() as fetcher,
        pytest.raises(SourceError, match=r"127\.0\.0\.1:1/feed: .* cannot be reached"),
    ):
        list(fetcher.feed("http://127.0.0.1:1/feed", told.skip))
