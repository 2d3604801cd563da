"""Results of our own protocol, as they leave."""

from datetime import date
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel

from indexer.folder import Manifest
from indexer.generation import Generation, Mentioned, Stored
from indexer.models import Article, DatedBy, Span, Version
from indexer.passages import sentences_around
from indexer.stories import changes, history
from indexer.words import content_terms, occurrences
from service.asking import Understood
from service.evidence import Citation
from service.faceting import Facet, Facets
from service.quoting import QuoteHit, Quotes, Speaker, Speakers
from service.replying import Reply
from service.retrieval import Hit, Results, also_in
from service.schemas.requests import AnswerIn, QuotesIn, SearchIn, SpeakersIn


class IndexOut(BaseModel):
    """Which generation a response comes from."""

    generation: str
    built_at: str
    articles: int

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> "IndexOut":
        return cls(generation=manifest.id, built_at=manifest.created_at, articles=manifest.counts["articles"])


class CollectionOut(BaseModel):
    """A collection, and the generation that is served of it."""

    name: str
    index: IndexOut | None


class CollectionsOut(BaseModel):
    collections: list[CollectionOut]


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
    terms = set(content_terms(query)) if highlight else set()
    return [
        PassageOut.from_hit(
            hit,
            [span for _, span in occurrences(hit.passage.text, terms)] if terms else [],
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


class FacetValueOut(BaseModel):
    """A source, an author or a day (ISO 8601), and how many articles have it."""

    value: str
    count: int


class FacetOut(BaseModel):
    """The values that articles have, and how many articles have none (`missing`): of the `of` best ones
    that pass all filters but this facet's own."""

    of: int
    values: list[FacetValueOut]
    missing: int

    @classmethod
    def from_facet(cls, facet: Facet) -> "FacetOut":
        return cls(
            of=facet.of,
            values=[FacetValueOut(value=value, count=count) for value, count in facet.values],
            missing=facet.missing,
        )


class FacetsOut(BaseModel):
    """Counts of the best hundred articles; `articles` of them pass all filters, `more` tells that others do
    as well. A story in several copies counts for the source and author of each and on its first day, unless
    `collapse` is false. Sources and authors come by their counts, days by time."""

    articles: int
    more: bool
    sources: FacetOut
    authors: FacetOut
    days: FacetOut

    @classmethod
    def from_facets(cls, facets: Facets) -> "FacetsOut":
        return cls(
            articles=facets.articles,
            more=facets.more,
            sources=FacetOut.from_facet(facets.sources),
            authors=FacetOut.from_facet(facets.authors),
            days=FacetOut.from_facet(facets.days),
        )


class SearchOut(BaseModel):
    """`facets` where they were asked for."""

    id: str
    query: str
    interpreted: InterpretedOut
    took_ms: float
    index: IndexOut
    results: list[PassageOut]
    next_offset: int | None
    facets: FacetsOut | None

    @classmethod
    def from_results(
        cls,
        generation: Generation,
        asked: SearchIn,
        understood: Understood,
        results: Results,
        counted: Facets | None,
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
            facets=counted and FacetsOut.from_facets(counted),
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


class SpeakerOut(BaseModel):
    """Somebody who is quoted: `name` is the full form of the name that is written most, `speaker` the
    words that all its forms share. `/v1/quotes?speaker=` gives as many quotes for these as `quotes` says,
    `direct` of them in quotation marks."""

    name: str
    speaker: str
    quotes: int
    direct: int
    first_published_at: date | None
    last_published_at: date | None

    @classmethod
    def from_speaker(cls, speaker: Speaker) -> "SpeakerOut":
        return cls(
            name=speaker.name,
            speaker=speaker.asked,
            quotes=speaker.quotes,
            direct=speaker.direct,
            first_published_at=date.fromisoformat(speaker.first) if speaker.first else None,
            last_published_at=date.fromisoformat(speaker.last) if speaker.last else None,
        )


class SpeakersOut(BaseModel):
    """`total` is how many people are quoted, shown or not; those who are described alone ("the mayor") are no
    people here."""

    query: str | None
    took_ms: float
    index: IndexOut
    results: list[SpeakerOut]
    total: int

    @classmethod
    def from_speakers(
        cls, generation: Generation, asked: SpeakersIn, speakers: Speakers, took_ms: float
    ) -> "SpeakersOut":
        return cls(
            query=asked.q,
            took_ms=round(took_ms, 2),
            index=IndexOut.from_manifest(generation.manifest),
            results=[SpeakerOut.from_speaker(speaker) for speaker in speakers.found],
            total=speakers.total,
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
    """`quote` is the article's text from `quote_start` to `quote_end`, `context` the sentences in which it
    stands; `start` to `end` is where its `[number]` stands in the answer. All in code points."""

    number: int
    start: int
    end: int
    quote: str
    quote_start: int
    quote_end: int
    context: str
    context_start: int
    context_end: int
    article_id: str
    passage_id: str

    @classmethod
    def from_citation(cls, citation: Citation, article: Article) -> "CitationOut":
        quote = citation.quote
        context = sentences_around(article.text, quote.place, article.language)
        return cls(
            number=citation.number,
            start=citation.marker.start,
            end=citation.marker.end,
            quote=quote.text,
            quote_start=quote.place.start,
            quote_end=quote.place.end,
            context=article.text[slice(*context)],
            context_start=context.start,
            context_end=context.end,
            article_id=quote.article_id,
            passage_id=quote.passage_id,
        )


class TimingsOut(BaseModel):
    retrieve: float
    answer: float


class AnswerOut(BaseModel):
    """With `no_answer` the nearest passages stand in `nearest`; no claim is made of them. `answer_spans` are
    the words of `answer`, in code points, that a reader takes for what was asked. `model` is who chose the
    words: "extractive", or the language model; `degraded` tells that this one failed on the way."""

    id: str
    query: str
    interpreted: InterpretedOut
    status: Literal["answered", "no_answer"]
    answer: str
    answer_spans: list[SpanOut]
    confidence: float
    citations: list[CitationOut]
    sources: list[SourceOut]
    nearest: list[PassageOut]
    model: str
    degraded: bool
    index: IndexOut
    timings_ms: TimingsOut

    @classmethod
    def from_reply(cls, generation: Generation, asked: AnswerIn, reply: Reply) -> "AnswerOut":
        understood, answer = reply.understood, reply.answer
        return cls(
            id=f"ans_{uuid4().hex}",
            query=asked.query,
            interpreted=InterpretedOut.from_understood(understood),
            status=answer.status,
            answer=answer.text,
            answer_spans=[SpanOut(start=one.start, end=one.end) for one in answer.proof.answers],
            confidence=round(answer.confidence, 4),
            citations=[
                CitationOut.from_citation(citation, answer.proof.sources[citation.number - 1])
                for citation in answer.proof.citations
            ],
            sources=[
                SourceOut.from_source(number, article, also_in(generation.corpus, article))
                for number, article in enumerate(answer.proof.sources, start=1)
            ],
            nearest=passages_out(generation, list(answer.nearest), understood.query.text, highlight=True),
            model=answer.model,
            degraded=answer.degraded,
            index=IndexOut.from_manifest(generation.manifest),
            timings_ms=TimingsOut(retrieve=round(answer.retrieve_ms, 2), answer=round(answer.answer_ms, 2)),
        )


class AnswerEventOut(AnswerOut):
    """An answer so far, in a stream: each adds to the text of the one before, and the last has `ended`."""

    ended: bool

    @classmethod
    def from_reply(cls, generation: Generation, asked: AnswerIn, reply: Reply) -> "AnswerEventOut":
        so_far = AnswerOut.from_reply(generation, asked, reply)
        return cls(**dict(so_far), ended=reply.ended)


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
