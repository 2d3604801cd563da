"""Plain text: one article a file, as copied from a page."""

from indexer.models import RawArticle
from indexer.sources.document import Document, NoArticleError


def read(content: str, document: Document) -> RawArticle:
    """One article; what its lines are is for cleaning to tell. Raises NoArticleError for other data."""
    if content.lstrip().startswith("<?xml"):
        raise NoArticleError("is XML, but neither a page, a feed nor a sitemap")
    return document.article(content)
