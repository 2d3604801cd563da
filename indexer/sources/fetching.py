"""The only way to the network while indexing: polite, bounded, and to public addresses alone."""

import io
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore
import httpx
from protego import Protego

from indexer.errors import SourceError
from indexer.models import Origin, RawArticle
from indexer.sources import feed, sitemap
from indexer.sources.document import Document, NoArticleError, Skip, place_of
from indexer.sources.unpacking import LARGEST, unpacked, whole

_AGENT = f"dateline/{version('dateline')}"
_PRODUCT = "dateline"
_MOST_HOPS = 5
_MOST_NESTING = 3  # of sitemaps
_MOST_PAUSE = 30.0  # seconds, whatever a server asks for
_MOST_ROBOTS = 500 << 10  # bytes, RFC 9309
_RETRIED = {429, 503}
_REDIRECTS = {301, 302, 303, 307, 308}
_TOLD = ("title", "published", "source", "author", "language")  # by a feed of a page
_KEPT = ("content-type", "etag", "last-modified", "location", "retry-after")
_Offered = TypeVar("_Offered")
_TYPES = ("text/html", "application/xhtml+xml", "application/pdf", "text/plain")


class UnfetchedError(Exception):
    """Something cannot be had from the network; the message says why."""


@dataclass(frozen=True, slots=True)
class Politeness:
    """How a fetcher behaves. `cache` is where it keeps what it fetched, for a second visit to ask only
    whether that has changed; None keeps nothing. Times in seconds."""

    cache: Path | None = None
    most_pages: int = 1000
    private_addresses: bool = False
    pause_s: float = 1.0
    connect_s: float = 5.0
    read_s: float = 20.0
    whole_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Fetched:
    url: str
    content: bytes
    media_type: str = ""
    charset: str = ""


class _CheckedBackend(httpcore.SyncBackend):
    """Connects to the very address that was checked, so that a name cannot mean another one later."""

    def __init__(self, resolve: Callable[[str, int], list[str]], *, private: bool) -> None:
        super().__init__()
        self._resolve = resolve
        self._private = private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be found") from error
        if not self._private:
            for address in addresses:
                if not _is_public(address):
                    raise UnfetchedError(
                        f"its address {address} is not public; allow such with fetch_private = true"
                    )
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)  # type: ignore[arg-type]


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        nat64 = (
            ipaddress.ip_address(found.packed[-4:]) if found in ipaddress.ip_network("64:ff9b::/96") else None
        )
        if wrapped := inner or nat64:
            return _is_public(str(wrapped))
    return found.is_global and not found.is_multicast


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Fetcher:
    """Fetches what feeds and sitemaps name; use as a context.

    A feed or sitemap is fetched because the user asks for it; pages only where their site's robots.txt
    lets us, one at a time, with a pause between two of a host.
    """

    def __init__(
        self,
        politeness: Politeness,
        *,
        resolve: Callable[[str, int], list[str]] = _resolve,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._politeness = politeness
        self._clock = clock
        self._sleep = sleep
        self._next_turn: dict[str, float] = {}
        self._robots: dict[str, Protego | None] = {}
        self._cache = _Cache(politeness.cache)
        transport = httpx.HTTPTransport(trust_env=False)
        transport._pool = httpcore.ConnectionPool(  # noqa: SLF001  httpx has no other door to the backend
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=4,
            network_backend=_CheckedBackend(resolve, private=politeness.private_addresses),
        )
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(politeness.read_s, connect=politeness.connect_s),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "gzip, deflate"},
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def feed(self, url: str, skip: Skip) -> Iterator[Document | RawArticle]:
        """The page of each entry of a feed, or, where that cannot be had, what the feed itself tells.

        Raises SourceError where the feed cannot be had.
        """
        fetched = self._asked_for(url, "feed")
        if not feed.recognises(fetched.content[: 1 << 16], ""):
            raise SourceError(f"{url}: is no RSS or Atom feed")
        try:
            found = feed.parsed(fetched.content, fetched.url)
        except NoArticleError as error:
            raise SourceError(f"{url}: {error}") from error
        entries = [
            feed.article_of(found, entry, place_of(url), Origin(url, number, "entry"), fetched.url)
            for number, entry in enumerate(found.entries, start=1)
        ]
        for entry in self._most(entries, url, skip):
            try:
                if not entry.url:
                    raise UnfetchedError("names no page")
                known = {name: value for name in _TOLD if (value := getattr(entry, name))}
                yield self._page(entry.url, known, "feed")
            except UnfetchedError as error:
                if entry.text:
                    yield entry
                else:
                    skip(entry.origin, f"{entry.url}: {error}")

    def sitemap(self, url: str, skip: Skip) -> Iterator[Document]:
        """The pages that a sitemap, or those it names, list. Raises SourceError where it cannot be had."""
        for page in self._most(self._listed(url, skip), url, skip):
            try:
                yield self._page(page["url"], page, "sitemap")
            except UnfetchedError as error:
                skip(Origin(page["url"]), str(error))

    def _most(self, offered: Iterable[_Offered], url: str, skip: Skip) -> Iterator[_Offered]:
        for number, one in enumerate(offered):
            if number == self._politeness.most_pages:
                skip(Origin(url), f"what comes after its first {number} pages is left out (fetch_pages)")
                return
            yield one

    def _listed(self, url: str, skip: Skip) -> Iterator[dict[str, str]]:
        """The pages of a sitemap and of those that it names, each sitemap once."""
        waiting, seen = [(url, 0)], {url}
        while waiting:
            address, depth = waiting.pop(0)
            try:
                fetched = self._asked_for(address, "sitemap")
                with unpacked(io.BytesIO(fetched.content)) as stream:
                    found = sitemap.read(whole(stream))
            except (SourceError, NoArticleError) as error:
                if address == url:
                    raise SourceError(str(error)) from error
                skip(Origin(address), str(error))
                continue
            if found.damage or not (found.pages or found.nested):
                skip(Origin(address), f"is a damaged sitemap: {found.damage or 'it names no page'}")
            yield from found.pages
            for nested in found.nested:
                if depth < _MOST_NESTING and nested not in seen:
                    seen.add(nested)
                    waiting.append((nested, depth + 1))

    def _asked_for(self, url: str, what: str) -> Fetched:
        try:
            return self._get(url, robots=False)
        except UnfetchedError as error:
            raise SourceError(f"{url}: the {what} cannot be fetched: {error}") from error

    def _page(self, url: str, known: Mapping[str, str], known_from: str) -> Document:
        fetched = self._get(url, robots=True)
        if fetched.media_type and fetched.media_type not in _TYPES:
            raise UnfetchedError(f"holds {fetched.media_type}, no page")
        seen = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Document(
            fetched.content,
            Origin(url),
            place_of(url),
            charset=fetched.charset,
            known={**known, "url": fetched.url, "seen": seen},
            known_from=known_from,
        )

    def _get(self, url: str, *, robots: bool) -> Fetched:
        """What stands at a url, each redirect checked as the url itself is. Raises UnfetchedError."""
        for _ in range(_MOST_HOPS + 1):
            parts = _checked(url)
            if robots:
                self._ask_robots(url)
            answer = self._request(url, parts.hostname or "")
            if answer.status not in _REDIRECTS:
                if answer.status >= 400:  # noqa: PLR2004  errors
                    raise UnfetchedError(f"the server answers {answer.status}")
                kind, _, rest = answer.headers.get("content-type", "").partition(";")
                charset = rest.partition("charset=")[2].strip(" \"'")
                return Fetched(url, answer.content, kind.strip().lower(), charset)
            target = urljoin(url, answer.headers.get("location", ""))
            if parts.scheme == "https" and urlsplit(target).scheme == "http":
                raise UnfetchedError(f"it leads from https to {target}")
            url = target
        raise UnfetchedError(f"it redirects more than {_MOST_HOPS} times")

    def _request(self, url: str, host: str, largest: int = LARGEST) -> "_Answer":
        for last in (False, True):
            self._wait(host)
            known = self._cache.read(url)
            try:
                answer = self._send(url, known.conditions if known else {}, largest)
            except httpx.HTTPError as error:
                raise UnfetchedError(f"it cannot be reached ({error or type(error).__name__})") from error
            if known and answer.status == httpx.codes.NOT_MODIFIED:
                return known
            if answer.status not in _RETRIED or last:
                break
            with suppress(ValueError):
                self._put_off(host, min(_MOST_PAUSE, float(answer.headers.get("retry-after", "1"))))
        if answer.status == httpx.codes.OK:
            self._cache.write(url, answer)
        return answer

    def _send(self, url: str, conditions: Mapping[str, str], largest: int) -> "_Answer":
        deadline = self._clock() + self._politeness.whole_s
        content = bytearray()
        with self._client.stream("GET", url, headers=dict(conditions)) as response:
            self._client.cookies.clear()
            for part in response.iter_bytes(1 << 16):
                content += part
                if len(content) > largest:
                    raise UnfetchedError(f"it holds more than {largest >> 10:,} KiB")
                if self._clock() > deadline:
                    raise UnfetchedError(f"it did not arrive within {self._politeness.whole_s:.0f} s")
            headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
            return _Answer(response.status_code, headers, bytes(content))

    def _wait(self, host: str) -> None:
        wait = self._next_turn.get(host, 0.0) - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._put_off(host, self._politeness.pause_s)

    def _put_off(self, host: str, seconds: float) -> None:
        self._next_turn[host] = max(self._next_turn.get(host, 0.0), self._clock() + seconds)

    def _ask_robots(self, url: str) -> None:
        """Raises UnfetchedError where the site does not want the page fetched. RFC 9309: a site without
        a robots.txt allows everything, one whose robots.txt fails allows nothing."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._robots:
            self._robots[site] = self._rules(site + "/robots.txt")
        rules = self._robots[site]
        if rules is None:
            raise UnfetchedError("its site's robots.txt cannot be read now")
        if not rules.can_fetch(url, _PRODUCT):
            raise UnfetchedError("its site's robots.txt does not let us fetch it")
        if pause := rules.crawl_delay(_PRODUCT):
            self._put_off(parts.hostname or "", min(_MOST_PAUSE, float(pause)))

    def _rules(self, url: str) -> Protego | None:
        try:
            for _ in range(_MOST_HOPS + 1):
                answer = self._request(url, _checked(url).hostname or "", _MOST_ROBOTS)
                if answer.status not in _REDIRECTS:
                    break
                url = urljoin(url, answer.headers.get("location", ""))
        except UnfetchedError:
            return None
        if answer.status >= 500:  # noqa: PLR2004  the server's own errors
            return None
        return Protego.parse(
            answer.content.decode("utf-8", "replace") if answer.status == httpx.codes.OK else ""
        )


def _checked(url: str) -> SplitResult:
    """The parts of a url that may be fetched; raises UnfetchedError for any other."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UnfetchedError(f"is no url ({error})") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UnfetchedError(f"{url[:200]} is no http or https address")
    if parts.username or parts.password:
        raise UnfetchedError("a url that carries a password is not fetched")
    return parts


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def conditions(self) -> dict[str, str]:
        """What to ask with, for the server to say only whether this has changed."""
        asked = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
        return {asked[name]: value for name, value in self.headers.items() if name in asked}


class _Cache:
    """What was fetched last, a file for each url: a line of JSON, then the content. Without a folder it
    keeps nothing; a file that is damaged counts as none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def _file(self, url: str) -> Path | None:
        return self._folder / sha256(url.encode()).hexdigest() if self._folder else None

    def read(self, url: str) -> _Answer | None:
        file = self._file(url)
        try:
            head, _, content = file.read_bytes().partition(b"\n") if file else (b"", b"", b"")
            facts = json.loads(head) if head else {}
        except (OSError, ValueError):
            return None
        if not isinstance(facts, dict) or facts.get("sha256") != sha256(content).hexdigest():
            return None
        return _Answer(httpx.codes.OK, facts["headers"], content)

    def write(self, url: str, answer: _Answer) -> None:
        file = self._file(url)
        if file and answer.conditions:
            facts = {
                "url": url,
                "headers": dict(answer.headers),
                "sha256": sha256(answer.content).hexdigest(),
            }
            new = file.with_suffix(".new")
            with suppress(OSError):  # a cache that cannot be written costs a second fetch, not the build
                file.parent.mkdir(parents=True, exist_ok=True)
                new.write_bytes(json.dumps(facts).encode() + b"\n" + answer.content)
                new.rename(file)
