"""OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat"""

import time
from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.errors import UsageError
from indexer.generation import Generation
from service.rendering import Annotation, Rendered, without_rendering
from service.replying import Reply
from service.schemas.fields import MAX_QUERY, validated
from service.schemas.requests import LONGEST_ANSWER, MOST_TURNS, AnswerIn, TurnIn
from service.schemas.results import InterpretedOut


class Tolerant(BaseModel):
    """A request of a protocol that is not ours: fields that mean nothing to us are no error, and a null says
    nothing, which clients send for what they were not given."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class PartIn(Tolerant):
    type: str = "text"
    text: str | None = None


class MessageIn(Tolerant):
    """`content` is a text or parts of it; what is no text is passed over."""

    role: str = ""
    content: str | list[PartIn] | None = None

    @property
    def text(self) -> str:
        content = self.content or ""
        text = content if isinstance(content, str) else "\n".join(part.text or "" for part in content)
        return text.encode("utf-8", "replace").decode()  # a lone surrogate is no character


class StreamOptionsIn(Tolerant):
    include_usage: bool = False


class ChatIn(Tolerant):
    """The last user's message is the question, and those before it are what it may refer to. There is nothing
    to tune, and nothing is cut: `stop`, `max_tokens`, `temperature`, `tools` and the like have no effect."""

    model: str = "dateline"
    messages: list[MessageIn] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptionsIn | None = None

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    def to_answer(self, collection: str) -> AnswerIn:
        return to_answer(self.messages, collection, param="messages")


def to_answer(messages: Sequence[MessageIn], collection: str, *, param: str) -> AnswerIn:
    """A conversation as a question and the turns before it. Raises UsageError where it asks nothing."""
    asked = [at for at, message in enumerate(messages) if message.role == "user"]
    if not asked:
        raise UsageError(f"{param}: there is no message of the role user, so no question", param=param)
    *earlier, last = asked
    turns = []
    for at, following in zip(earlier, asked[1:], strict=True):
        answers = [one.text for one in messages[at + 1 : following] if one.role == "assistant"]
        answer = without_rendering(answers[-1]) if answers else ""
        if any(map(str.isalnum, question := messages[at].text[:MAX_QUERY])):
            turns.append(TurnIn.model_construct(query=question, answer=answer[:LONGEST_ANSWER]))
    try:
        whole = validated(AnswerIn, query=messages[last].text, collection=collection)
    except UsageError as error:
        reason = str(error).removeprefix("query: ")
        raise UsageError(f"{param}.{last}.content: {reason}", param=param) from error
    return whole.model_copy(update={"turns": turns[-MOST_TURNS:]})


class UrlCitationOut(BaseModel):
    start_index: int
    end_index: int
    title: str
    url: str

    @classmethod
    def from_annotation(cls, annotation: Annotation) -> "UrlCitationOut":
        return cls(
            start_index=annotation.start,
            end_index=annotation.end,
            title=annotation.title,
            url=annotation.url,
        )


class AnnotationOut(BaseModel):
    """`start_index` to `end_index`, in code points of the content, is the number that leads to `url`."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitationOut


def annotations_out(annotations: Sequence[Annotation]) -> list[AnnotationOut]:
    return [AnnotationOut(url_citation=UrlCitationOut.from_annotation(one)) for one in annotations]


class SearchResultOut(BaseModel):
    """An article that the answer quotes, in the order of its numbers; `snippet` is its first quote."""

    title: str
    url: str
    date: str | None
    snippet: str


class SourcesOut(BaseModel):
    """Where Perplexity's clients look: addresses and articles in the order of the answer's numbers."""

    citations: list[str]
    search_results: list[SearchResultOut]

    @classmethod
    def from_rendered(cls, shown: Rendered) -> "SourcesOut":
        results = [
            SearchResultOut(
                title=source.title,
                url=source.url,
                date=source.day.isoformat() if source.day else None,
                snippet=source.snippet,
            )
            for source in shown.sources
        ]
        return cls(citations=[one.url for one in results], search_results=results)


class UsageOut(BaseModel):
    """Tokens as the index's encoder counts them: of the messages, and of the answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def from_texts(cls, generation: Generation, asked: Sequence[str], answered: str) -> "UsageOut":
        count = generation.encoder.token_spans
        prompt, completion = sum(len(count(text)) for text in asked), len(count(answered))
        return cls(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


class VerdictOut(BaseModel):
    """What the protocol has no field for."""

    status: Literal["answered", "no_answer"]
    confidence: float
    degraded: bool
    written_by: str
    interpreted: InterpretedOut
    generation: str

    @classmethod
    def from_reply(cls, generation: Generation, reply: Reply) -> "VerdictOut":
        return cls(
            status=reply.answer.status,
            confidence=round(reply.answer.confidence, 4),
            degraded=reply.answer.degraded,
            written_by=reply.answer.model,
            interpreted=InterpretedOut.from_understood(reply.understood),
            generation=generation.id,
        )


class ChatMessageOut(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[AnnotationOut]


class ChoiceOut(BaseModel):
    index: int = 0
    message: ChatMessageOut
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class ChatOut(SourcesOut):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut
    dateline: VerdictOut

    @classmethod
    def from_reply(cls, generation: Generation, asked: ChatIn, reply: Reply, shown: Rendered) -> "ChatOut":
        message = ChatMessageOut(content=shown.text, annotations=annotations_out(shown.annotations))
        return cls(
            **SourcesOut.from_rendered(shown).model_dump(),
            id=f"chatcmpl-{uuid4().hex}",
            created=int(time.time()),
            model=asked.model,
            choices=[ChoiceOut(message=message)],
            usage=UsageOut.from_texts(generation, asked.texts, shown.text),
            dateline=VerdictOut.from_reply(generation, reply),
        )


class ChatChunks:
    """The chunks of one streamed completion, as JSON can hold them."""

    def __init__(self, asked: ChatIn) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": asked.model,
        }

    def chunk(self, delta: dict[str, Any], **beside: object) -> dict[str, Any]:
        """One with a piece of the message, its finish reason, or what stands beside the choices."""
        choice = {"index": 0, "delta": delta, "finish_reason": beside.pop("finish_reason", None)}
        return {**self._head, "choices": [choice], **beside}

    def usage(self, usage: UsageOut) -> dict[str, Any]:
        return {**self._head, "choices": [], "usage": usage.model_dump()}


class ModelOut(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["dateline"] = "dateline"


class ModelsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]
