"""Plain text: one article a file, as copied from a page."""

from indexer.models import RawArticle
from indexer.sources.document import Document


def read(content: str, document: Document) -> RawArticle:
    """One article; what its lines are is for cleaning to tell."""
    return RawArticle(text=content, origin=document.origin, place=document.place, **document.known)
