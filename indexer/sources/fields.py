"""Field names as sources spell them, for every format that has fields."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from indexer.errors import SourceError
from indexer.models import Origin, RawArticle
from indexer.sources.document import place_of
from indexer.sources.html import fragment_text

# By field of RawArticle, the likeliest spelling first.
_NAMES = {
    "id": ("id", "_id", "guid", "uid"),
    "text": (
        "text", "body", "content", "article", "maintext", "articlebody", "full_text", "fulltext",
        "article_text", "content_html", "story", "description", "summary",
    ),
    "title": ("title", "headline", "hed", "heading"),
    "published": (
        "published_at", "published", "date_publish", "date_published", "publish_date", "publication_date",
        "datepublished", "date", "datetime", "pubdate", "release_date", "timestamp",
    ),
    "source": (
        "source", "publisher", "outlet", "site_name", "source_domain", "publication", "sitename", "domain",
    ),
    "author": ("author", "authors", "byline", "creator"),
    "language": ("language", "lang", "inlanguage"),
    "url": ("url", "link", "canonical_url", "uri"),
    "seen": ("seen", "date_download", "crawled_at", "fetched_at", "warc_date"),
}  # fmt: skip
_MARKUP = re.compile(r"</(?:p|div|a|span|b|strong|em|i|li|h[1-6])\s*>|<(?:br|p)\s*/?>", re.IGNORECASE)


def knows(name: str) -> str:
    """The field of an article that a column of this name holds; empty for none."""
    return next((field for field, names in _NAMES.items() if _folded(name) in names), "")


def article_from(
    fields: Mapping[str, object], place: str, origin: Origin, columns: Mapping[str, str] | None = None
) -> RawArticle:
    """An article from the fields of a record; the first known spelling with a value counts, and
    `columns`, from field to name, above all. Without an id it is called by its url, else by its place."""
    by_name: dict[str, object] = {}
    nested = fields.get("metadata")
    for part in (fields, nested if isinstance(nested, Mapping) else {}):
        for key, value in part.items():
            by_name.setdefault(_folded(str(key)), value)
    values: dict[str, str] = {}
    found: dict[str, str] = {}
    for name, keys in _NAMES.items():
        mapped = (columns or {}).get(name)
        for key in [_folded(mapped)] if mapped else keys:
            if text := _text(by_name.get(key)):
                values[name] = text
                found[name] = f"field {key}"
                break
    text = values.get("text", "")
    if _MARKUP.search(text):
        values["text"] = fragment_text(text)
    place = place_of(values.get("url", "")) or place
    return RawArticle(origin=origin, place=place, found=found, **{"text": "", **values})  # type: ignore[arg-type]


def check_columns(columns: Mapping[str, str], names: Iterable[str], file: str) -> None:
    """Raises SourceError where a column that the user names is not there."""
    there = list(names)
    for field, column in columns.items():
        if _folded(column) not in {_folded(name) for name in there}:
            raise SourceError(
                f"{file}: has no column {column!r} for the {field}; it has {', '.join(there)[:300]}"
            )


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _text(value: object, depth: int = 2) -> str:
    """A field's value as text: a list's parts joined, a mapping's name; nothing for the rest, nor
    for what lies deeper than lists of people do."""
    match value:
        case str():
            return value.strip()
        case bytes():
            return value.decode("utf-8", "replace").strip()
        case bool() | None:
            return ""
        case int() | float():
            return str(value)
        case date() | datetime():
            return value.isoformat()
        case list() if depth:
            return ", ".join(filter(None, (_text(part, depth - 1) for part in value)))
        case {"name": name} | {"title": name} if depth:
            return _text(name, depth - 1)
    return ""
