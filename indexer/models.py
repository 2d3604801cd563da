"""The things that flow through the indexer: frozen, and valid from construction on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""(n, dim), each row of L2 norm 1, so that inner product is cosine."""
Vector = npt.NDArray[np.float32]
"""(dim,) of L2 norm 1."""
TokenVectors = npt.NDArray[np.float32]
"""(tokens, token_dim), each row of L2 norm 1: what the model makes of each token where it stands."""
Rows = npt.NDArray[np.int64]
"""(k,) positions of passages in a generation, best first."""
Scores = npt.NDArray[np.float32]
"""(k,) higher is better; only their order means anything."""
Mask = npt.NDArray[np.bool_]
"""(passages,) which may be found."""


DatedBy = Literal["metadata", "url", "text"]
"""What states an article's date, the most trusted first; never the time of a file."""


class Origin(NamedTuple):
    """Where something was read, for messages and reports: "feed.jsonl:12", "crawl.warc, byte 812"."""

    file: str
    at: int | None = None
    unit: str = "line"

    def __str__(self) -> str:
        if self.at is None:
            return self.file
        return f"{self.file}:{self.at}" if self.unit == "line" else f"{self.file}, {self.unit} {self.at}"


@dataclass(frozen=True, slots=True)
class RawArticle:
    """An article as its source holds it: nothing cleaned, nothing guessed.

    `id` is the source's own, empty where it gives none; the article is then called by its `place`:
    its url or file without prefix and suffix. `published` is the source's own wording of the date,
    `published_by` what states it. `seen` is the moment of its download, ISO 8601, where the source
    tells. With `extracted` the text is the story alone, taken out of its page by an extractor; else
    it may be a whole page's text. `found` says where each field was found ("title": "JSON-LD").
    """

    text: str
    origin: Origin
    place: str
    id: str = ""
    title: str = ""
    published: str = ""
    published_by: DatedBy = "metadata"
    source: str = ""
    author: str = ""
    language: str = ""
    url: str = ""
    seen: str = ""
    extracted: bool = False
    found: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Article:
    """A cleaned article. `text` is the one text that every offset in the system refers to.

    `published_at` is ISO 8601: a day ("2023-10-16"), or a moment with the offset the source
    gave ("2023-10-16T08:30:00+02:00"); None where the article is undated. `dated_by` is what
    states it. `language` is ISO 639-1 ("en").
    """

    id: str
    text: str
    title: str
    published_at: str | None = None
    source: str | None = None
    author: str | None = None
    url: str | None = None
    language: str | None = None
    dated_by: DatedBy | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("an article needs an id")
        if not self.text.strip():
            raise ValueError(f"{self.id}: an article needs a text")
        if self.published_at is not None:
            datetime.fromisoformat(self.published_at)

    @property
    def day(self) -> date | None:
        """The calendar day of publication, as the source's own clock showed it."""
        return date.fromisoformat(self.published_at[:10]) if self.published_at else None

    @property
    def moment(self) -> datetime | None:
        """The moment of publication, for putting articles in order: a day alone counts from its
        first minute, a time without an offset as UTC."""
        if not self.published_at:
            return None
        moment = datetime.fromisoformat(self.published_at)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Span(NamedTuple):
    """Code points `start` to `end` (exclusive) of a text."""

    start: int
    end: int


class Encoded(NamedTuple):
    """A text as an encoder reads it: as a whole, and token by token.

    `spans` are the tokens' places in the text, one for each row of `tokens`; both are empty where
    the model tells nothing of single tokens.
    """

    vector: Vector
    tokens: TokenVectors
    spans: list[Span]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of an article: `text == article.text[start:end]`.

    `row` is its position in the generation, shared by the vectors and the full-text index.
    `number` counts from 0 inside the article.
    """

    row: int
    article_id: str
    number: int
    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if self.end - self.start != len(self.text) or not self.text:
            raise ValueError(f"{self.id}: {len(self.text)} characters do not fill {self.start}..{self.end}")

    @property
    def id(self) -> str:
        return f"{self.article_id}#{self.number}"

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which articles may be found at all. Days are inclusive; an empty tuple means any.

    An undated article passes only where neither day is given.
    """

    published_after: date | None = None
    published_before: date | None = None
    sources: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        after, before = self.published_after, self.published_before
        if after and before and after > before:
            raise ValueError(f"published_after ({after}) is later than published_before ({before})")

    def __bool__(self) -> bool:
        return bool(self.published_after or self.published_before or self.sources or self.authors)

    def allow(self, article: Article) -> bool:
        """Whether an article passes."""
        if self.published_after or self.published_before:
            day = article.day
            if not day or not (self.published_after or day) <= day <= (self.published_before or day):
                return False
        return (not self.sources or article.source in self.sources) and (
            not self.authors or article.author in self.authors
        )


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Version:
    """An article as it stood when it was seen at `seen_at` (ISO 8601, UTC), before it changed."""

    seen_at: str
    title: str
    text: str
    published_at: str | None
