"""The wire: requests as they are validated, responses as they leave."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, TypeVar
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
)

from indexer.corpus import Mentioned, Stored
from indexer.errors import UsageError
from indexer.folder import Manifest
from indexer.generation import Generation
from indexer.models import Article, DatedBy, Filters, Span, Version
from indexer.stories import changes, history
from service.answering import Answer
from service.asking import Turn, Understood, understand
from service.evidence import Citation
from service.quoting import QuoteHit, Quotes, QuotesQuery
from service.retrieval import (
    DEFAULT_RESCORING,
    GroupBy,
    Hit,
    Mode,
    Rescoring,
    Results,
    SearchQuery,
    Sort,
    also_in,
)

MAX_QUERY = 2000  # characters
MAX_LIMIT = 100
MAX_OFFSET = 10_000
_MAX_VALUES = 100  # of one filter
_MOST_TURNS = 50  # of a conversation; the last ones count
_LONGEST_ANSWER = 20_000  # characters
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")


def _question(text: str) -> str:
    """A question without what cannot be seen; refuses one in which nothing can."""
    visible = " ".join(_INVISIBLE.sub(" ", unicodedata.normalize("NFC", text)).split())
    if not any(unicodedata.category(character)[0] in "LNPS" for character in visible):
        raise ValueError("is empty: ask something")
    return visible


def _without_surrogates(value: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds a lone surrogate, which is no character")
    return value


def _iso_day(value: object) -> object:
    """Only a day: pydantic alone would take 0 for the first of 1970."""
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        return value
    raise ValueError("give a day as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_iso_day)]
Question = Annotated[str, Field(max_length=MAX_QUERY), AfterValidator(_question)]
Speaker = Annotated[str, Field(max_length=300), AfterValidator(_question)]
Value = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_without_surrogates)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, strict=True)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, strict=True)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


_RequestType = TypeVar("_RequestType", bound=_Request)


def validated(kind: type[_RequestType], **fields: object) -> _RequestType:
    """A request made of fields that did not come over HTTP. Raises UsageError as HTTP answers 422."""
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"]))
        raise UsageError(f"{param}: {first['msg'].removeprefix('Value error, ')}", param=param) from error


class FiltersIn(_Request):
    """Days are inclusive; an empty list lets everything pass."""

    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=_MAX_VALUES)] = []
    author: Annotated[list[Value], Field(max_length=_MAX_VALUES)] = []

    def to_filters(self) -> Filters:
        """Raises UsageError where the days are the wrong way round."""
        try:
            return Filters(
                self.published_after, self.published_before, tuple(self.source), tuple(self.author)
            )
        except ValueError as error:
            raise UsageError(str(error), param="filters.published_after") from error


class _Asking(_Request):
    """What every question can bring along. `interpret`: whether its own words about days and speakers count;
    `as_of`: answer as the collection stood on that day, which is then today."""

    query: Question
    filters: FiltersIn = FiltersIn()
    interpret: StrictBool = True
    as_of: Day | None = None

    def understood(
        self, generation: Generation, query: SearchQuery, turns: Sequence[Turn] = ()
    ) -> Understood:
        return understand(generation, query, turns=turns, as_of=self.as_of, interpreted=self.interpret)


class SearchIn(_Asking):
    limit: Limit = 10
    offset: Offset = 0
    mode: Mode = "hybrid"
    sort: Sort = "relevance"
    group_by: GroupBy = "article"
    collapse: StrictBool = True
    highlight: StrictBool = True

    def to_query(self, rescoring: Rescoring = DEFAULT_RESCORING) -> SearchQuery:
        return SearchQuery(
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


class SearchParameters(_Request):
    """`SearchIn` as the query string of a GET."""

    q: Question
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    mode: Mode = "hybrid"
    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=_MAX_VALUES)] = []
    author: Annotated[list[Value], Field(max_length=_MAX_VALUES)] = []
    sort: Sort = "relevance"
    group_by: GroupBy = "article"
    collapse: bool = True
    highlight: bool = True
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


class QuotesIn(_Request):
    """Who said something, or on what, or both; also the query string of a GET."""

    speaker: Speaker | None = None
    q: Question | None = None
    published_after: Day | None = None
    published_before: Day | None = None
    source: Annotated[list[Value], Field(max_length=_MAX_VALUES)] = []
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    def to_query(self) -> QuotesQuery:
        """Raises UsageError where nothing is asked for, or the days are the wrong way round."""
        filters = FiltersIn(
            published_after=self.published_after, published_before=self.published_before, source=self.source
        )
        return QuotesQuery(self.speaker, self.q, filters.to_filters(), self.limit, self.offset)


class TurnIn(_Request):
    """A question asked before, and the answer it got."""

    query: Question
    answer: Annotated[str, Field(max_length=_LONGEST_ANSWER), AfterValidator(_without_surrogates)] = ""


class AnswerIn(_Asking):
    """`turns` are those before this question, the oldest first: "and in the Arctic?" needs them."""

    turns: Annotated[list[TurnIn], Field(max_length=_MOST_TURNS)] = []

    def to_query(self, rescoring: Rescoring = DEFAULT_RESCORING) -> SearchQuery:
        return SearchQuery(self.query, filters=self.filters.to_filters(), rescoring=rescoring)

    def to_turns(self) -> list[Turn]:
        return [Turn(turn.query, turn.answer) for turn in self.turns]


class IndexOut(BaseModel):
    """Which generation a response comes from."""

    generation: str
    built_at: str
    articles: int

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> "IndexOut":
        return cls(generation=manifest.id, built_at=manifest.created_at, articles=manifest.counts["articles"])


class IndexDetailsOut(IndexOut):
    passages: int
    undated: int
    corpus: str
    encoder: dict[str, Any]
    settings: dict[str, Any]

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> "IndexDetailsOut":
        return cls(
            **IndexOut.from_manifest(manifest).model_dump(),
            passages=manifest.counts["passages"],
            undated=manifest.counts["undated"],
            corpus=manifest.corpus,
            encoder=manifest.encoder,
            settings=manifest.settings,
        )


class SpanOut(BaseModel):
    start: int
    end: int


class ScoresOut(BaseModel):
    """What was fused: the cosine and the BM25 score, null where not among a ranking's best."""

    dense: float | None
    lexical: float | None


class MentionOut(BaseModel):
    """Days that a passage speaks of, both inclusive; `start` and `end` count from its beginning."""

    start: int
    end: int
    first: date
    last: date


class CopyOut(BaseModel):
    """Another copy of the same story."""

    article_id: str
    title: str
    url: str | None
    source: str | None
    published_at: str | None

    @classmethod
    def from_article(cls, article: Article) -> "CopyOut":
        return cls(
            article_id=article.id,
            title=article.title,
            url=article.url,
            source=article.source,
            published_at=article.published_at,
        )


class PassageOut(BaseModel):
    """`text` is the article's text from `start` to `end`, in code points; highlights count from
    the passage's beginning. A score gives order only. `also_in` are the other copies of the story,
    the most trusted first."""

    passage_id: str
    article_id: str
    title: str
    url: str | None
    source: str | None
    author: str | None
    published_at: str | None
    language: str | None
    text: str
    start: int
    end: int
    highlights: list[SpanOut]
    mentions: list[MentionOut]
    score: float
    scores: ScoresOut
    also_in: list[CopyOut]

    @classmethod
    def from_hit(cls, hit: Hit, highlights: list[Span], mentions: list[Mentioned]) -> "PassageOut":
        return cls(
            passage_id=hit.passage.id,
            article_id=hit.article.id,
            title=hit.article.title,
            url=hit.article.url,
            source=hit.article.source,
            author=hit.article.author,
            published_at=hit.article.published_at,
            language=hit.article.language,
            text=hit.passage.text,
            start=hit.passage.start,
            end=hit.passage.end,
            highlights=[SpanOut(start=span.start, end=span.end) for span in highlights],
            mentions=[
                MentionOut(
                    start=mention.span.start - hit.passage.start,
                    end=mention.span.end - hit.passage.start,
                    first=date.fromisoformat(mention.first),
                    last=date.fromisoformat(mention.last),
                )
                for mention in mentions
            ],
            score=hit.score,
            scores=ScoresOut(dense=hit.dense, lexical=hit.lexical),
            also_in=[CopyOut.from_article(copy) for copy in hit.also_in],
        )


def passages_out(generation: Generation, hits: list[Hit], query: str, *, highlight: bool) -> list[PassageOut]:
    """The hits as they leave, the words of the question marked where wanted."""
    mentions = generation.corpus.mentions([hit.passage.row for hit in hits])
    terms = set(generation.fulltext.content_terms(query)) if highlight else set()
    return [
        PassageOut.from_hit(
            hit,
            [span for _, span in generation.fulltext.occurrences(hit.passage.text, terms)] if terms else [],
            mentions.get(hit.passage.row, []),
        )
        for hit in hits
    ]


class FindingOut(BaseModel):
    """Words of the question, from `start` to `end` of `interpreted.query`, and what they were taken to mean;
    `applied` tells whether anything followed."""

    start: int
    end: int
    text: str
    kind: Literal["published", "about", "newest_first", "speaker", "not_understood"]
    meaning: str
    applied: bool


class InterpretedOut(BaseModel):
    """The question that was searched for, made whole by the turns before it, and the filters, days and
    preferences read in it. `"interpret": false` leaves them unread."""

    query: str
    rewritten: bool
    published_after: date | None
    published_before: date | None
    newest_first: bool
    speaker: str | None
    findings: list[FindingOut]

    @classmethod
    def from_understood(cls, understood: Understood) -> "InterpretedOut":
        query = understood.query
        findings = [(one, one.kind != "not_understood") for one in understood.findings]
        findings += [(one, False) for one in understood.ignored]
        return cls(
            query=query.text,
            rewritten=understood.rewritten,
            published_after=query.filters.published_after,
            published_before=query.filters.published_before,
            newest_first=query.newest,
            speaker=query.speaker,
            findings=[
                FindingOut(
                    start=one.span.start,
                    end=one.span.end,
                    text=query.text[slice(*one.span)],
                    kind=one.kind,
                    meaning=one.meaning,
                    applied=applied,
                )
                for one, applied in sorted(findings, key=lambda found: found[0].span)
            ],
        )


class SearchOut(BaseModel):
    id: str
    query: str
    interpreted: InterpretedOut
    took_ms: float
    index: IndexOut
    results: list[PassageOut]
    next_offset: int | None

    @classmethod
    def from_results(
        cls,
        generation: Generation,
        asked: SearchIn,
        understood: Understood,
        results: Results,
        took_ms: float,
    ) -> "SearchOut":
        return cls(
            id=f"srch_{uuid4().hex}",
            query=asked.query,
            interpreted=InterpretedOut.from_understood(understood),
            took_ms=round(took_ms, 2),
            index=IndexOut.from_manifest(generation.manifest),
            results=passages_out(generation, results.hits, asked.query, highlight=asked.highlight),
            next_offset=asked.offset + asked.limit if results.more else None,
        )


class QuoteOut(CopyOut):
    """Words that an article gives as somebody's: `quote` is its text from `quote_start` to `quote_end`,
    inside the quotation marks where `direct`, else the reported clause. `speaker` is the fullest form of the
    name in the article, null where it is not known; `speaker_start` to `speaker_end` is where the speaker
    stands beside the words ("he"), `context` the sentences around them. All in code points. A score gives
    order only; it is null without a topic."""

    quote: str
    quote_start: int
    quote_end: int
    direct: bool
    speaker: str | None
    speaker_start: int | None
    speaker_end: int | None
    context: str
    context_start: int
    context_end: int
    passage_id: str
    score: float | None

    @classmethod
    def from_quote(cls, hit: QuoteHit) -> "QuoteOut":
        speaker = hit.quotation.speaker_place
        return cls(
            **CopyOut.from_article(hit.article).model_dump(),
            quote=hit.quote.text,
            quote_start=hit.quote.place.start,
            quote_end=hit.quote.place.end,
            direct=hit.quotation.direct,
            speaker=hit.quotation.speaker,
            speaker_start=speaker and speaker.start,
            speaker_end=speaker and speaker.end,
            context=hit.article.text[slice(*hit.context)],
            context_start=hit.context.start,
            context_end=hit.context.end,
            passage_id=hit.quote.passage_id,
            score=hit.score,
        )


class QuotesOut(BaseModel):
    id: str
    speaker: str | None
    query: str | None
    took_ms: float
    index: IndexOut
    results: list[QuoteOut]
    next_offset: int | None

    @classmethod
    def from_quotes(
        cls, generation: Generation, asked: QuotesIn, found: Quotes, took_ms: float
    ) -> "QuotesOut":
        return cls(
            id=f"quo_{uuid4().hex}",
            speaker=asked.speaker,
            query=asked.q,
            took_ms=round(took_ms, 2),
            index=IndexOut.from_manifest(generation.manifest),
            results=[QuoteOut.from_quote(hit) for hit in found.hits],
            next_offset=asked.offset + asked.limit if found.more else None,
        )


class SourceOut(CopyOut):
    """An article that an answer quotes, under the number of its citations."""

    number: int
    author: str | None
    also_in: list[CopyOut]

    @classmethod
    def from_source(cls, number: int, article: Article, copies: tuple[Article, ...]) -> "SourceOut":
        return cls(
            **CopyOut.from_article(article).model_dump(),
            number=number,
            author=article.author,
            also_in=[CopyOut.from_article(copy) for copy in copies],
        )


class CitationOut(BaseModel):
    """`quote` is the article's text from `quote_start` to `quote_end`; `start` to `end` is where
    its `[number]` stands in the answer. All in code points."""

    number: int
    start: int
    end: int
    quote: str
    quote_start: int
    quote_end: int
    article_id: str
    passage_id: str

    @classmethod
    def from_citation(cls, citation: Citation) -> "CitationOut":
        quote = citation.quote
        return cls(
            number=citation.number,
            start=citation.marker.start,
            end=citation.marker.end,
            quote=quote.text,
            quote_start=quote.place.start,
            quote_end=quote.place.end,
            article_id=quote.article_id,
            passage_id=quote.passage_id,
        )


class TimingsOut(BaseModel):
    retrieve: float
    answer: float


class AnswerOut(BaseModel):
    """With `no_answer` the nearest passages stand in `nearest`; no claim is made of them."""

    id: str
    query: str
    interpreted: InterpretedOut
    status: Literal["answered", "no_answer"]
    answer: str
    confidence: float
    citations: list[CitationOut]
    sources: list[SourceOut]
    nearest: list[PassageOut]
    model: str
    index: IndexOut
    timings_ms: TimingsOut

    @classmethod
    def from_answer(
        cls, generation: Generation, asked: AnswerIn, understood: Understood, answer: Answer
    ) -> "AnswerOut":
        return cls(
            id=f"ans_{uuid4().hex}",
            query=asked.query,
            interpreted=InterpretedOut.from_understood(understood),
            status=answer.status,
            answer=answer.text,
            confidence=round(answer.confidence, 4),
            citations=[CitationOut.from_citation(citation) for citation in answer.proof.citations],
            sources=[
                SourceOut.from_source(number, article, also_in(generation.corpus, article))
                for number, article in enumerate(answer.proof.sources, start=1)
            ],
            nearest=passages_out(generation, list(answer.nearest), understood.query.text, highlight=True),
            model=answer.model,
            index=IndexOut.from_manifest(generation.manifest),
            timings_ms=TimingsOut(retrieve=round(answer.retrieve_ms, 2), answer=round(answer.answer_ms, 2)),
        )


class ArticleOut(CopyOut):
    """`dated_by` is what states the date: the source's metadata, the url or the text; null where the
    article is undated. `seen_at` is when it was first read as it stands, `versions` how many others
    came before."""

    text: str
    author: str | None
    language: str | None
    dated_by: DatedBy | None
    seen_at: str
    versions: int
    also_in: list[CopyOut]
    index: IndexOut

    @classmethod
    def from_stored(cls, generation: Generation, stored: Stored) -> "ArticleOut":
        article = stored.article
        return cls(
            **CopyOut.from_article(article).model_dump(),
            text=article.text,
            author=article.author,
            language=article.language,
            dated_by=article.dated_by,
            seen_at=stored.seen_at,
            versions=len(generation.corpus.versions(article.id)),
            also_in=[CopyOut.from_article(copy) for copy in also_in(generation.corpus, article)],
            index=IndexOut.from_manifest(generation.manifest),
        )


class VersionOut(BaseModel):
    """An article as it was seen at one time, and the sentences in which it differs from the time before."""

    seen_at: str
    title: str
    published_at: str | None
    added: list[str]
    removed: list[str]

    @classmethod
    def from_version(cls, version: Version, before: Version | None) -> "VersionOut":
        removed, added = changes(before, version) if before else ([], [])
        return cls(
            seen_at=version.seen_at,
            title=version.title,
            published_at=version.published_at,
            added=added,
            removed=removed,
        )


class HistoryOut(BaseModel):
    """Every version of an article, the oldest first; the last is what search finds."""

    article_id: str
    versions: list[VersionOut]
    index: IndexOut

    @classmethod
    def from_stored(cls, generation: Generation, stored: Stored) -> "HistoryOut":
        versions = history(generation.corpus, stored)
        return cls(
            article_id=stored.article.id,
            versions=[
                VersionOut.from_version(version, before)
                for before, version in zip([None, *versions], versions, strict=False)
            ],
            index=IndexOut.from_manifest(generation.manifest),
        )


class ErrorOut(BaseModel):
    """The part of an error that OpenAI's clients read."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemOut(BaseModel):
    """RFC 9457, with `error` beside it."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorOut
