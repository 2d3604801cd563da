"""RSS and Atom: one article an entry, as far as the feed tells it."""

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import feedparser

from indexer.models import Origin, RawArticle
from indexer.sources.document import NoArticleError, Skip, place_of, web_url
from indexer.sources.html import fragment_text

_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s/>]", re.IGNORECASE)
_XML = re.compile(rb"\s*(?:<\?xml|<!DOCTYPE rss|<!--|<rss|<feed|<rdf:RDF)", re.IGNORECASE)
# An entity that is made of others, or that stands outside the file.
_HOSTILE = re.compile(rb"<!ENTITY\s+(?:%\s+)?\S+\s+(?:\"[^\"]*&(?!#)|'[^']*&(?!#)|SYSTEM\s)", re.IGNORECASE)
_HEAD = 1 << 16  # bytes; what is declared, is declared at the start
_LARGEST = 64 << 20  # bytes; feedparser holds all of a feed in memory
_LANGUAGE = re.compile(r"[A-Za-z]{2}(?![A-Za-z])")


def recognises(start: bytes, suffix: str) -> bool:  # noqa: ARG001  every format is asked alike
    start = start.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"")
    return bool(_XML.match(start) and _FEED.search(start[:4096]))


def read(stream: BinaryIO, place: str, file: str, skip: Skip, url: str = "") -> Iterator[RawArticle]:
    """Every entry that holds a text, be it a teaser; others go to `skip`, and so does what is damaged.

    `url` is where the feed was found, empty for a file.
    """
    content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        skip(Origin(file), f"is a feed of more than {_LARGEST >> 20} MiB")
        return
    try:
        feed = parsed(content, url)
    except NoArticleError as error:
        skip(Origin(file), str(error))
        return
    for number, entry in enumerate(feed.entries, start=1):
        origin = Origin(file, number, "entry")
        article = article_of(feed, entry, place, origin, url)
        if article.text:
            yield article
        else:
            skip(origin, "has no text")
    if feed.bozo and not isinstance(feed.bozo_exception, feedparser.CharacterEncodingOverride):
        reason = str(feed.bozo_exception).splitlines()[0][:200]
        skip(
            Origin(file), f"is damaged: what follows its entry {len(feed.entries)} cannot be read ({reason})"
        )


def parsed(content: bytes, url: str) -> Any:  # noqa: ANN401  feedparser's own dictionary
    """A feed by feedparser, which is given bytes alone: a name it would open, or fetch.

    Raises NoArticleError for one that cannot be read, or is made to do harm.
    """
    if _HOSTILE.search(content[:_HEAD]):
        raise NoArticleError("declares entities that are made of others or of files, as no feed does")
    try:
        return feedparser.parse(
            io.BytesIO(content), response_headers={"content-location": url} if url else {}
        )
    except Exception as error:  # it trips over some of what it ought to report as damage
        raise NoArticleError(f"is a feed that cannot be read ({error})"[:300]) from error


def article_of(feed: Any, entry: Any, place: str, origin: Origin, url: str) -> RawArticle:  # noqa: ANN401
    """An entry as an article; its text is empty where the feed gives none."""

    def told(name: str) -> str:
        return entry.get(name) or ""  # which may be None

    link = web_url(told("link"), url or feed.feed.get("link") or "")
    markup = next((one.get("value") for one in entry.get("content") or [] if one.get("value")), "")
    guid = told("id")
    fields: dict[str, Any] = {
        "id": "" if place_of(guid) or not guid else guid,
        "title": fragment_text(told("title")).replace("\n\n", " "),
        "published": told("published") or told("updated"),
        "source": (entry.get("source") or {}).get("title") or feed.feed.get("title") or "",
        "author": told("author"),
        "language": _language(entry, feed),
        "url": link,
    }
    return RawArticle(
        text=fragment_text(markup or told("summary")),
        origin=origin,
        place=place_of(link) or f"{place}:{origin.at}",
        found={name: "feed" for name, value in fields.items() if value},
        **fields,
    )


def _language(entry: Any, feed: Any) -> str:  # noqa: ANN401
    match = _LANGUAGE.match(feed.feed.get("language", "") or entry.get("language", "") or "")
    return match[0].lower() if match else ""
