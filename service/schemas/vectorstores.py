"""OpenAI's vector stores: https://platform.openai.com/docs/api-reference/vector-stores/search

A collection is a vector store, an article a file, its passages the chunks.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, StrictBool

from indexer.errors import UsageError
from indexer.folder import Manifest
from indexer.models import Filters
from service.asking import Asked
from service.retrieval import Hit, Rescoring, SearchQuery
from service.schemas.chat import Tolerant
from service.schemas.fields import MAX_VALUES, Question, Request, validated
from service.schemas.requests import FiltersIn

_MOST_QUERIES = 20
_MOST_RESULTS = 50
_NAMES = ("source", "author")
_DAYS = ("published_at", "date")
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 24 * 60 * 60
_SUPPORTED = (
    "supported are source and author with eq or in, published_at and date with eq, gt, gte, lt or lte, "
    "and any of these joined by and"
)


def _several(given: object) -> object:
    return given if isinstance(given, list) else [given]


class ComparisonIn(Request):
    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: JsonValue

    @property
    def names(self) -> list[str]:
        """Of which the article has to have one. Raises UsageError."""
        wanted = self.value if self.type == "in" else [self.value]
        if self.type not in {"eq", "in"}:
            raise _unsupported(self)
        if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
            kind = "a list of texts" if self.type == "in" else "a text"
            raise UsageError(f"filters: {self.key} with {self.type} needs {kind}", param="filters")
        return [str(one) for one in wanted]

    @property
    def days(self) -> tuple[float, float]:
        """The first and last ordinal between which the article's day has to be. Raises UsageError."""
        if self.type not in {"eq", "gt", "gte", "lt", "lte"}:
            raise _unsupported(self)
        at = self._ordinal()
        first = {"eq": at, "gt": math.floor(at) + 1, "gte": at}.get(self.type, -math.inf)
        last = {"eq": at, "lt": math.ceil(at) - 1, "lte": at}.get(self.type, math.inf)
        return first, last

    def _ordinal(self) -> float:
        """The day; a moment between two days lies between their ordinals."""
        value = self.value
        try:
            if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
                return date.fromisoformat(value).toordinal()
            if isinstance(value, int | float) and not isinstance(value, bool):
                at = _EPOCH + value / _DAY_SECONDS
                if 1 <= at < date.max.toordinal() + 1:
                    return at
        except (ValueError, OverflowError):
            pass
        raise UsageError(
            f"filters: {self.key} is compared with a day, YYYY-MM-DD, or with Unix seconds", param="filters"
        )


class CompoundIn(Request):
    type: Literal["and", "or"]
    filters: Annotated[list["FilterIn"], Field(max_length=MAX_VALUES)]


FilterIn = Annotated[ComparisonIn | CompoundIn, Field(discriminator="type")]


def _unsupported(asked: ComparisonIn | CompoundIn) -> UsageError:
    named = f"{asked.key[:200]!r} with " if isinstance(asked, ComparisonIn) else ""
    return UsageError(f"filters: {named}{asked.type} is not supported; {_SUPPORTED}", param="filters")


def _joined(asked: ComparisonIn | CompoundIn) -> Iterator[ComparisonIn]:
    """The comparisons that all have to hold. Raises UsageError."""
    if isinstance(asked, ComparisonIn):
        yield asked
        return
    if asked.type != "and":
        raise _unsupported(asked)
    for one in asked.filters:
        yield from _joined(one)


class RankingOptionsIn(Tolerant):
    """`none` leaves the best passages in the order in which they were found; all else puts them in order."""

    ranker: str = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0


class VectorSearchIn(Tolerant):
    """A filter that cannot be held is refused, never passed over. An article counts from the first second, in
    UTC, of the day of its publication. With `rewrite_query` the question's own words about days count."""

    query: Annotated[
        list[Question],
        Field(min_length=1, max_length=_MOST_QUERIES),
        BeforeValidator(
            lambda given: given if isinstance(given, list) else [given],
            json_schema_input_type=str | list[str],
        ),
    ]
    max_num_results: Annotated[int, Field(ge=1, le=_MOST_RESULTS, strict=True)] = 10
    filters: FilterIn | None = None
    ranking_options: RankingOptionsIn | None = None
    rewrite_query: StrictBool | None = None

    @property
    def score_threshold(self) -> float:
        return self.ranking_options.score_threshold if self.ranking_options else 0.0

    def to_asked(self, rescoring: Rescoring) -> list[Asked]:
        """The questions to search for; none where the filters contradict each other, so that none can pass.

        Raises UsageError for a filter that cannot be held.
        """
        filters = self._filters()
        if filters is None:
            return []
        if self.ranking_options and self.ranking_options.ranker == "none":
            rescoring = Rescoring(0)
        return [
            Asked(
                SearchQuery(
                    text,
                    limit=self.max_num_results,
                    filters=filters,
                    group_by="passage",
                    rescoring=rescoring,
                ),
                interpreted=bool(self.rewrite_query),
            )
            for text in self.query
        ]

    def _filters(self) -> Filters | None:
        names: dict[str, list[str]] = {}
        first, last = -math.inf, math.inf
        for one in _joined(self.filters) if self.filters else ():
            if one.key in _NAMES:
                wanted = one.names
                names[one.key] = [name for name in names.get(one.key, wanted) if name in wanted]
            elif one.key in _DAYS:
                earliest, latest = one.days
                first, last = max(first, earliest), min(last, latest)
            else:
                raise _unsupported(one)
        if not all(names.values()):
            return None
        days = {}
        if (first, last) != (-math.inf, math.inf):  # both bounds, so that no undated article passes
            after = math.ceil(max(first, date.min.toordinal()))
            before = math.floor(min(last, date.max.toordinal()))
            if after > before:
                return None
            days = {
                "published_after": date.fromordinal(after),
                "published_before": date.fromordinal(before),
            }
        try:
            return validated(FiltersIn, **names, **days).to_filters()
        except UsageError as error:
            raise UsageError(f"filters: {error}", param="filters") from error


class ContentOut(BaseModel):
    type: Literal["text"] = "text"
    text: str


class FoundOut(BaseModel):
    """A passage: `attributes` say where in which article. A score gives order only."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, str | int]
    content: list[ContentOut]

    @classmethod
    def from_hit(cls, hit: Hit) -> "FoundOut":
        article, passage = hit.article, hit.passage
        attributes = {
            "source": article.source,
            "author": article.author,
            "published_at": article.published_at,
            "url": article.url,
            "passage_id": passage.id,
            "start": passage.start,
            "end": passage.end,
        }
        return cls(
            file_id=article.id,
            filename=article.title,
            score=hit.score,
            attributes={name: value for name, value in attributes.items() if value is not None},
            content=[ContentOut(text=passage.text)],
        )


class VectorSearchOut(BaseModel):
    """The one page that there is; `search_query` are the questions as they were searched for."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[FoundOut]
    has_more: Literal[False] = False
    next_page: None = None

    @classmethod
    def from_hits(
        cls, asked: VectorSearchIn, searched: Sequence[str], hits: Sequence[Hit]
    ) -> "VectorSearchOut":
        kept = [hit for hit in hits if hit.score >= asked.score_threshold]
        return cls(
            search_query=list(searched),
            data=[FoundOut.from_hit(hit) for hit in kept[: asked.max_num_results]],
        )


class FileCountsOut(BaseModel):
    """Articles; what could not be read is none, and stands in the build's report."""

    total: int
    completed: int
    in_progress: int = 0
    failed: int = 0
    cancelled: int = 0


class VectorStoreOut(BaseModel):
    """A collection that is served. `usage_bytes` are those of its index on disk."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    name: str
    created_at: int
    last_active_at: None = None
    status: Literal["completed"] = "completed"
    usage_bytes: int
    file_counts: FileCountsOut
    metadata: dict[str, str] = {}

    @classmethod
    def from_manifest(cls, name: str, manifest: Manifest) -> "VectorStoreOut":
        articles = manifest.counts["articles"]
        return cls(
            id=name,
            name=name,
            created_at=int(datetime.fromisoformat(manifest.created_at).timestamp()),
            usage_bytes=sum(file["bytes"] for file in manifest.files.values()),
            file_counts=FileCountsOut(total=articles, completed=articles),
        )


class VectorStoresOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[VectorStoreOut]
    first_id: str | None
    last_id: str | None
    has_more: Literal[False] = False
