"""One article's bytes on their way to its text: what every format of single articles reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

from indexer.models import Origin, RawArticle


class NoArticleError(ValueError):
    """The bytes hold no article; the message says why and, where there is one, the remedy."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file, or what a crawl or a server holds in place of one.

    `place` names the article where it has no id of its own. `known` holds fields of `RawArticle`
    that are known from outside the bytes (`url` from a crawl, `published` from a sitemap), and
    `known_from` says from where. `charset` is what the server declared, empty where it did not.
    """

    content: bytes
    origin: Origin
    place: str
    suffix: str = ""
    charset: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    known_from: str = ""

    def article(
        self, text: str, fields: Mapping[str, str] = MappingProxyType({}), where: str = ""
    ) -> RawArticle:
        """What was read of it: `fields` of RawArticle as `where` states them, else as they were known."""
        stated = {name: value for name, value in fields.items() if value}
        found = {**dict.fromkeys(self.known, self.known_from), **dict.fromkeys(stated, where)}
        every = {**self.known, **stated}
        return RawArticle(text=text, origin=self.origin, place=self.place, found=found, **every)  # type: ignore[arg-type]


Skip = Callable[[Origin, str], None]
"""Told of each thing that is left out, and why."""

_TRACKING = re.compile(r"(?:utm_\w+|fbclid|gclid|mc_[ce]id|igshid)$", re.IGNORECASE)


def web_url(url: str, base: str = "") -> str:
    """The http(s) url that a link means on the page `base`; "" for none."""
    try:
        url = urljoin(base, url.strip())
    except ValueError:
        return ""
    return url if place_of(url) else ""


def place_of(url: str) -> str:
    """What makes a url this page's and no other's: host and path, and the query without what tracks
    readers. "https://www.example.org/a/?utm_source=x#top" is "example.org/a"; "" for no http(s) url."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    query = urlencode(
        [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _TRACKING.match(name)
        ]
    )
    path = unquote(parts.path).rstrip("/")
    return f"{host.removeprefix('www.')}{path}" + (f"?{query}" if query else "")
