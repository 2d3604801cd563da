"""Field names as sources spell them, for every format that has fields."""

from collections.abc import Mapping

from indexer.models import RawArticle

_NAMES = {
    "id": ("id", "_id", "guid", "uid"),
    "text": ("text", "body", "content", "article", "maintext"),
    "title": ("title", "headline"),
    "published": ("published_at", "published", "date_publish", "date", "datetime", "pubdate", "timestamp"),
    "source": ("source", "publisher", "outlet", "site_name", "source_domain", "publication"),
    "author": ("author", "authors", "byline", "creator"),
    "url": ("url", "link", "canonical_url"),
}


def article_from(fields: Mapping[str, object], article_id: str, origin: str) -> RawArticle:
    """An article from the fields of a record; the first known spelling with a value counts."""
    by_name = {key.lower(): value for key, value in fields.items()}
    found = {
        name: next((text for key in keys if (text := _text(by_name.get(key)))), "")
        for name, keys in _NAMES.items()
    }
    found["id"] = found["id"] or article_id
    return RawArticle(origin=origin, **found)


def _text(value: object, depth: int = 2) -> str:
    """A field's value as text: a list's parts joined, a mapping's name; nothing for the rest, nor
    for what lies deeper than lists of people do."""
    match value:
        case str():
            return value.strip()
        case bool() | None:
            return ""
        case int() | float():
            return str(value)
        case list() if depth:
            return ", ".join(filter(None, (_text(part, depth - 1) for part in value)))
        case {"name": name} | {"title": name} if depth:
            return _text(name, depth - 1)
    return ""
