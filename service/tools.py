"""The tools of the Model Context Protocol: search, fetch, ask, quotes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from importlib.metadata import version
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from indexer.errors import DatelineError, NotFoundError
from indexer.generation import Generation
from indexer.models import Article
from indexer.settings import DEFAULT_COLLECTION
from service.asking import understand
from service.quoting import quotes
from service.rendering import Address, addressed
from service.replying import Answerer, Reply
from service.retrieval import search
from service.schemas.fields import Limit, refused, validated
from service.schemas.requests import AnswerIn, QuotesIn, SearchIn, TurnIn
from service.served import Collections
from service.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_INSTRUCTIONS = (
    "News articles. `ask` answers in their own words, each quote checked against its article, or says that "
    "they do not tell; `search` and `fetch` find and read articles; `quotes` tells who said what."
)
_CollectionName = Annotated[str, Field(description="which collection; there is mostly one")]
_FirstDay = Annotated[str | None, Field(description="published on this day or later, YYYY-MM-DD")]
_LastDay = Annotated[str | None, Field(description="published on this day or earlier, YYYY-MM-DD")]
_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


class FoundArticle(BaseModel):
    id: str
    title: str
    url: str


class Found(BaseModel):
    results: list[FoundArticle]


class FetchedArticle(BaseModel):
    """`metadata` has the source, author and date of publication where they are known."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


class ProvenQuote(BaseModel):
    """`quote` is the article's text from `quote_start` to `quote_end`, in code points; `number` is its mark
    in the answer."""

    number: int
    quote: str
    quote_start: int
    quote_end: int
    article_id: str
    title: str
    url: str
    metadata: dict[str, str]


class Told(BaseModel):
    """`interpreted` is the question that was answered, made whole by the turns before it."""

    status: Literal["answered", "no_answer"]
    answer: str
    confidence: float
    interpreted: str
    citations: list[ProvenQuote]
    nearest: list[FoundArticle]
    degraded: bool


class SaidQuote(BaseModel):
    """Words that an article gives as somebody's, inside quotation marks where `direct`."""

    speaker: str
    quote: str
    direct: bool
    context: str
    quote_start: int
    quote_end: int
    article_id: str
    title: str
    url: str
    metadata: dict[str, str]


class Said(BaseModel):
    results: list[SaidQuote]


class _Tools(MCPServer[Any]):
    """Arguments that a tool does not take are named, as our own protocol names them."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        for tool in await self.list_tools():
            known = tool.input_schema["properties"]
            if tool.name == name and (unknown := sorted(arguments.keys() - known.keys())):
                raise ToolError(f"{unknown[0][:200]}: no such argument; {name} takes {', '.join(known)}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            refusal = refused(error.__cause__)
        raise ToolError(str(refusal))


def tool_server(settings: Settings, collections: Collections, answerer: Answerer) -> MCPServer[Any]:
    """The tools over what is served, for either transport."""
    server = _Tools(
        name="dateline", title="Dateline", instructions=_INSTRUCTIONS, version=version("dateline")
    )

    def addresses(context: Context[Any, Any], collection: str) -> Address:
        request = context.request_context.request
        asked_at = str(request.base_url) if isinstance(request, Request) else None
        base = settings.public_url or asked_at or f"http://{settings.host}:{settings.port}"
        return addressed(base, collection)

    @server.tool(name="search", title="Search the articles", annotations=_READS)
    @_telling
    async def _search(
        query: Annotated[str, Field(description="a question or key words")],
        context: Context[Any, Any],
        collection: _CollectionName = DEFAULT_COLLECTION,
        limit: Limit = 10,
        published_after: _FirstDay = None,
        published_before: _LastDay = None,
    ) -> Found:
        """Find articles. Returns id, title and url of each, the best first; `fetch` reads them."""
        days = {"published_after": published_after, "published_before": published_before}
        asked = validated(SearchIn, query=query, collection=collection, limit=limit, filters=days)
        question = asked.to_asked(answerer.rescoring)
        results = await collections[collection].run(
            lambda generation: search(generation, understand(generation, question).query)
        )
        address = addresses(context, collection)
        return Found(results=[_found(hit.article, address) for hit in results.hits])

    @server.tool(name="fetch", title="Read an article", annotations=_READS)
    @_telling
    async def _fetch(
        id: Annotated[str, Field(description="an article's id, as `search` gives it")],  # noqa: A002  the protocol's
        context: Context[Any, Any],
        collection: _CollectionName = DEFAULT_COLLECTION,
    ) -> FetchedArticle:
        """Read a whole article."""
        article = await collections[collection].run(lambda generation: generation.corpus.article(id))
        if article is None:
            raise NotFoundError(f"no article has the id {id[:200]!r}; search gives ids", "id")
        address = addresses(context, collection)
        return FetchedArticle(
            **_found(article, address).model_dump(), text=article.text, metadata=_metadata(article)
        )

    @server.tool(name="ask", title="Ask the articles", annotations=_READS)
    @_telling
    async def _ask(
        question: Annotated[str, Field(description="one question, in a sentence")],
        context: Context[Any, Any],
        turns: Annotated[
            list[TurnIn] | None, Field(description="earlier questions and their answers, the oldest first")
        ] = None,
        collection: _CollectionName = DEFAULT_COLLECTION,
        published_after: _FirstDay = None,
        published_before: _LastDay = None,
    ) -> Told:
        """Answer a question in the articles' own words, each quote proven, or say that they do not tell."""
        days = {"published_after": published_after, "published_before": published_before}
        asked = validated(AnswerIn, query=question, collection=collection, filters=days, turns=turns or [])
        with collections[collection].lease() as lease:
            reply = await answerer.reply(lease, asked.to_asked(answerer.rescoring))
        return _told(reply, addresses(context, collection))

    @server.tool(name="quotes", title="Who said what", annotations=_READS)
    @_telling
    async def _quotes(
        context: Context[Any, Any],
        speaker: Annotated[str | None, Field(description="whose words: a name or a surname")] = None,
        topic: Annotated[str | None, Field(description="what they speak of")] = None,
        collection: _CollectionName = DEFAULT_COLLECTION,
        limit: Limit = 10,
        published_after: _FirstDay = None,
        published_before: _LastDay = None,
    ) -> Said:
        """Find somebody's words, words on a topic, or both; direct and reported."""
        query = validated(
            QuotesIn,
            speaker=speaker,
            q=topic,
            limit=limit,
            published_after=published_after,
            published_before=published_before,
        ).to_query()
        address = addresses(context, collection)

        def work(generation: Generation) -> list[SaidQuote]:
            return [
                SaidQuote(
                    speaker=hit.quotation.speaker or "unknown",
                    quote=hit.quote.text,
                    direct=hit.quotation.direct,
                    context=hit.article.text[slice(*hit.context)],
                    **_placed(hit.article, address, *hit.quote.place),
                )
                for hit in quotes(generation, query).hits
            ]

        return Said(results=await collections[collection].run(work))

    return server


async def speak_on_stdio(settings: Settings, collections: Collections, answerer: Answerer) -> None:
    """Serves one client on stdin and stdout until it leaves; follows the indexes meanwhile."""
    watching = asyncio.create_task(collections.watch())
    try:
        await tool_server(settings, collections, answerer).run_stdio_async()
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await answerer.aclose()
        collections.close()


def _telling(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """A tool whose foreseen errors are told to the model, which can mend its call."""

    @wraps(tool)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except DatelineError as error:
            raise ToolError(str(error)) from error

    return told


def _told(reply: Reply, address: Address) -> Told:
    answer = reply.answer
    return Told(
        status=answer.status,
        answer=answer.text,
        confidence=round(answer.confidence, 4),
        interpreted=reply.understood.query.text,
        citations=[
            ProvenQuote(
                number=one.number,
                quote=one.quote.text,
                **_placed(answer.proof.sources[one.number - 1], address, *one.quote.place),
            )
            for one in answer.proof.citations
        ],
        nearest=[_found(hit.article, address) for hit in answer.nearest],
        degraded=answer.degraded,
    )


def _found(article: Article, address: Address) -> FoundArticle:
    return FoundArticle(id=article.id, title=article.title, url=address(article))


def _placed(article: Article, address: Address, start: int, end: int) -> dict[str, Any]:
    return {
        "quote_start": start,
        "quote_end": end,
        "article_id": article.id,
        "title": article.title,
        "url": address(article),
        "metadata": _metadata(article),
    }


def _metadata(article: Article) -> dict[str, str]:
    facts = {"source": article.source, "author": article.author, "published_at": article.published_at}
    return {name: fact for name, fact in facts.items() if fact}
