"""Markdown with front matter: one article a file."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from indexer.models import RawArticle
from indexer.sources.document import Document
from indexer.sources.fields import article_from

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<fields>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_TAG = re.compile(r"<[^>]*>")
_UNSEEN = re.compile(r"\s*<(?:script|style|!--)", re.IGNORECASE)


def recognises(content: str, suffix: str) -> bool:
    return suffix.lower() in {".md", ".markdown"} or bool(_FRONT_MATTER.match(_unix(content)))


def read(content: str, document: Document) -> RawArticle:
    """The front matter's fields and the words of the body, one paragraph a line.

    Raises nothing: front matter that is not YAML is read as lines of `key: value`.
    """
    content = _unix(content)
    match = _FRONT_MATTER.match(content)
    fields = _fields(match["fields"]) if match else {}
    body = content[match.end() :] if match else content
    fields["text"] = "\n\n".join(_paragraphs(_MARKDOWN.parse(body)))
    article = article_from(fields, "", document.origin)
    found = {name: where.replace("field", "front matter") for name, where in article.found.items()}
    return replace(article, place=document.place, found=found)


def _unix(content: str) -> str:
    return content.replace("\r\n", "\n")


def _fields(front_matter: str) -> dict[str, object]:
    # BaseLoader keeps every scalar as the text that was written: "No" is a title, 12:30 a time.
    # It cannot build objects, so it is as safe as SafeLoader.
    try:
        fields = yaml.load(front_matter, Loader=yaml.BaseLoader)  # noqa: S506  # nosec B506
    except (yaml.YAMLError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return {str(key): value for key, value in fields.items()}
    pairs = (line.split(":", 1) for line in front_matter.split("\n") if ":" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def _paragraphs(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_words(token.children or []))
        elif token.type in {"fence", "code_block"}:
            yield token.content
        elif token.type == "html_block" and not _UNSEEN.match(token.content):
            yield unescape(_TAG.sub(" ", token.content))


def _words(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type not in {"image", "html_inline"}:  # a picture's caption is not the story's words
            yield token.content
