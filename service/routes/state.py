"""What every route works with, put together when the app is."""

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from indexer.models import Article
from service.rendering import Address
from service.replying import Answerer
from service.served import Collections
from service.settings import DEFAULT_COLLECTION, Settings


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    collections: Collections
    answerer: Answerer


def state(request: Request) -> State:
    found: State = request.app.state.dateline
    return found


def addressed(request: Request, collection: str) -> Address:
    """Where a reader finds an article: on its own site, else here."""
    base = state(request).settings.public_url or str(request.base_url)
    suffix = "" if collection == DEFAULT_COLLECTION else f"?collection={collection}"

    def address(article: Article) -> str:
        if article.url and article.url.startswith(("https://", "http://")):
            return article.url
        return f"{base.rstrip('/')}/v1/articles/{quote(article.id)}{suffix}"

    return address
