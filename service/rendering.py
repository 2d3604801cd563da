"""An answer as a chat shows it: text, with numbers that lead to the articles."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from indexer.models import Article
from indexer.settings import DEFAULT_COLLECTION
from service.evidence import Citation
from service.replying import Reply

Address = Callable[[Article], str]
"""Where a reader finds an article."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """That `text[start:end]`, in code points, is the number of an article."""

    start: int
    end: int
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Source:
    """An article that the answer quotes, first with `snippet`; in the order of the numbers."""

    title: str
    url: str
    day: date | None
    snippet: str


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    sources: tuple[Source, ...] = ()

    def since(self, before: "Rendered") -> Iterator[tuple[str, tuple[Annotation, ...]]]:
        """What came after an earlier rendering of the same answer: text, and the annotations that it
        completes."""
        at = len(before.text)
        for annotation in self.annotations[len(before.annotations) :]:
            yield self.text[at : annotation.end], (annotation,)
            at = annotation.end
        if at < len(self.text):
            yield self.text[at:], ()


NOTHING = Rendered()


def addressed(base: str, collection: str) -> Address:
    """An article's own address where it is one of the web, else its place in the service at `base`."""
    suffix = "" if collection == DEFAULT_COLLECTION else f"?collection={collection}"

    def address(article: Article) -> str:
        if article.url and article.url.startswith(("https://", "http://")):
            return article.url
        return f"{base.rstrip('/')}/v1/articles/{quote(article.id)}{suffix}"

    return address


def rendered(reply: Reply, address: Address, *, links: bool) -> Rendered:
    """The answer so far. Without `links` its numbers are bare, "[1]"; with them they are links in Markdown,
    and the articles are listed at the end, for chats that show text alone.

    What a growing answer renders to only grows.
    """
    proof = reply.answer.proof
    text = ""
    annotations: list[Annotation] = []
    at = 0
    for citation in _marked(proof.citations):
        article = proof.sources[citation.number - 1]
        text += _inert(proof.text[at : citation.marker.start])
        at = citation.marker.end
        number = proof.text[slice(*citation.marker)]
        marker = f"[{number}]({_destination(address(article))})" if links else number
        annotations.append(Annotation(len(text), len(text) + len(marker), article.title, address(article)))
        text += marker
    text += _inert(proof.text[at:])
    if reply.ended:
        text = text or reply.answer.text
        if links:
            text += _list(reply, address)
    first = {citation.number: citation.quote.text for citation in reversed(proof.citations)}
    sources = [
        Source(article.title, address(article), article.day, first.get(number, ""))
        for number, article in enumerate(proof.sources, start=1)
    ]
    return Rendered(text, tuple(annotations), tuple(sources))


def without_rendering(text: str) -> str:
    """An answer's own words: what `rendered` added for the eye is taken away again."""
    text = _LIST.split(text)[0]
    return _MARKER.sub("", text).strip()


_SOURCES, _NEAREST = "Sources:", "Nearest:"
_LIST = re.compile(rf"\n\n(?:{_SOURCES}|{_NEAREST})\n\n")
_MARKER = re.compile(
    r" ?(?:\[\[\d+\]\]\(<?[^\s()<>]*>?\)|\[\d+\])"
)  # what no address holds bounds the search


def _marked(citations: tuple[Citation, ...]) -> list[Citation]:
    """One citation of each marker: quotes of one article in one statement share it."""
    return list({citation.marker.start: citation for citation in citations}.values())


def _list(reply: Reply, address: Address) -> str:
    sources = list(reply.answer.proof.sources)
    if sources:
        lines = [f"{number}. {_line(one, address)}" for number, one in enumerate(sources, start=1)]
        return f"\n\n{_SOURCES}\n\n" + "\n".join(lines)
    nearest = {hit.article.id: hit.article for hit in reply.answer.nearest}
    if nearest:
        return f"\n\n{_NEAREST}\n\n" + "\n".join(f"- {_line(one, address)}" for one in nearest.values())
    return ""


def _line(article: Article, address: Address) -> str:
    day = f"{article.day:%-d %B %Y}" if article.day else "undated"
    link = f"[{_plain(article.title)}]({_destination(address(article))})"
    return " · ".join([link, *(_plain(fact) for fact in (article.source, day) if fact)])


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", " ".join(text.split()))


def _inert(text: str) -> str:
    """An article's words, which chats take for Markdown: no link, image or tag of theirs comes to life, and
    no number of theirs is taken for a citation. Any other text stays as it is."""
    return _LIVE.sub(r"\\\g<0>", text)


_LIVE = re.compile(r"\\(?=[!-/:-@\[-`{-~])|(?<=\])[(\[]|\[(?=\d+\]|[^\[\]\n]*\]:)|<(?=[a-zA-Z/!?])")


def _destination(url: str) -> str:
    return re.sub(r"[()<>\s\\]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)
