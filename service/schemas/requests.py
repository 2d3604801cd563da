"""Questions of our own protocol, as they are validated."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from indexer.errors import UsageError
from indexer.models import Filters
from indexer.settings import DEFAULT_COLLECTION
from service.asking import Asked, Turn
from service.quoting import QuotesQuery
from service.retrieval import DEFAULT_RESCORING, GroupBy, Mode, Rescoring, SearchQuery, Sort
from service.schemas.fields import (
    MAX_LIMIT,
    MAX_OFFSET,
    MAX_VALUES,
    CollectionName,
    Day,
    Limit,
    Offset,
    Question,
    Request,
    Speaker,
    Value,
    Whole,
    without_surrogates,
)

MOST_TURNS = 50  # of a conversation; the last ones count
LONGEST_ANSWER = 20_000  # characters
REPEATABLE = {"source", "author"}  # parameters of an address that may stand there several times


class FiltersIn(Request):
    """Days are inclusive; an empty list lets everything pass."""

    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=MAX_VALUES)] = []
    author: Annotated[list[Value], Field(max_length=MAX_VALUES)] = []

    def to_filters(self) -> Filters:
        """Raises UsageError where the days are the wrong way round."""
        try:
            return Filters(
                self.published_after, self.published_before, tuple(self.source), tuple(self.author)
            )
        except ValueError as error:
            raise UsageError(str(error), param="filters.published_after") from error


class _Asking(Request):
    """What every question can bring along. `interpret`: whether its own words about days and speakers count;
    `as_of`: answer as the collection stood on that day, which is then today."""

    query: Question
    collection: CollectionName = DEFAULT_COLLECTION
    filters: FiltersIn = FiltersIn()
    interpret: StrictBool = True
    as_of: Day | None = None


class SearchIn(_Asking):
    limit: Limit = 10
    offset: Offset = 0
    mode: Mode = "hybrid"
    sort: Sort = "relevance"
    group_by: GroupBy = "article"
    collapse: StrictBool = True
    highlight: StrictBool = True
    facets: StrictBool = False

    def to_asked(self, rescoring: Rescoring = DEFAULT_RESCORING) -> Asked:
        query = SearchQuery(
            text=self.query,
            limit=self.limit,
            offset=self.offset,
            mode=self.mode,
            filters=self.filters.to_filters(),
            sort=self.sort,
            group_by=self.group_by,
            collapse=self.collapse,
            rescoring=rescoring,
        )
        return Asked(query, as_of=self.as_of, interpreted=self.interpret)


class SearchParameters(Request):
    """`SearchIn` as the query string of a GET."""

    q: Question
    collection: CollectionName = DEFAULT_COLLECTION
    limit: Annotated[Whole, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[Whole, Field(ge=0, le=MAX_OFFSET)] = 0
    mode: Mode = "hybrid"
    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=MAX_VALUES)] = []
    author: Annotated[list[Value], Field(max_length=MAX_VALUES)] = []
    sort: Sort = "relevance"
    group_by: GroupBy = "article"
    collapse: bool = True
    highlight: bool = True
    facets: bool = False
    interpret: bool = True
    as_of: Day | None = None

    def to_search(self) -> SearchIn:
        return SearchIn(
            query=self.q,
            filters=FiltersIn(
                published_after=self.published_after,
                published_before=self.published_before,
                source=self.source,
                author=self.author,
            ),
            **self.model_dump(include=SearchIn.model_fields.keys() & SearchParameters.model_fields.keys()),
        )


class QuotesIn(Request):
    """Who said something, or on what, or both; also the query string of a GET."""

    speaker: Speaker | None = None
    q: Question | None = None
    collection: CollectionName = DEFAULT_COLLECTION
    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=MAX_VALUES)] = []
    limit: Annotated[Whole, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[Whole, Field(ge=0, le=MAX_OFFSET)] = 0

    def to_query(self) -> QuotesQuery:
        """Raises UsageError where nothing is asked for, or the days are the wrong way round."""
        filters = FiltersIn(
            published_after=self.published_after, published_before=self.published_before, source=self.source
        )
        return QuotesQuery(self.speaker, self.q, filters.to_filters(), self.limit, self.offset)


class SpeakersIn(Request):
    """Who is quoted most, as the query string of a GET; `q` is a part of the name."""

    q: Speaker | None = None
    collection: CollectionName = DEFAULT_COLLECTION
    limit: Annotated[Whole, Field(ge=1, le=MAX_LIMIT)] = 20


class TurnIn(Request):
    """A question asked before, and the answer it got."""

    query: Question
    answer: Annotated[str, Field(max_length=LONGEST_ANSWER), AfterValidator(without_surrogates)] = ""


class AnswerIn(_Asking):
    """`turns` are those before this question, the oldest first: "and in the Arctic?" needs them. With
    `stream` the answer is told while it grows, as server-sent events."""

    turns: Annotated[list[TurnIn], Field(max_length=MOST_TURNS)] = []
    stream: StrictBool = False

    def to_asked(self, rescoring: Rescoring = DEFAULT_RESCORING) -> Asked:
        query = SearchQuery(self.query, filters=self.filters.to_filters(), rescoring=rescoring)
        turns = tuple(Turn(turn.query, turn.answer) for turn in self.turns)
        return Asked(query, turns, self.as_of, self.interpret)
