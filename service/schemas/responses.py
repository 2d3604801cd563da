"""OpenAI's responses: https://platform.openai.com/docs/api-reference/responses"""

import time
from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel

from indexer.errors import UsageError
from indexer.generation import Generation
from service.rendering import Annotation, Rendered
from service.replying import Reply
from service.schemas.chat import MessageIn, Tolerant, UrlCitationOut, UsageOut, VerdictOut, to_answer
from service.schemas.requests import AnswerIn


class ResponsesIn(Tolerant):
    """Like `ChatIn`. Nothing is kept between requests, whatever `store` says: earlier messages come along in
    `input`, in which what is no message, such as a tool's call, is passed over."""

    model: str = "dateline"
    input: str | list[MessageIn]
    stream: bool = False
    previous_response_id: str | None = None

    @property
    def messages(self) -> list[MessageIn]:
        if isinstance(self.input, str):
            return [MessageIn(role="user", content=self.input)]
        return self.input

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    def to_answer(self, collection: str) -> AnswerIn:
        """Raises UsageError where it asks nothing, or goes on from a response."""
        if self.previous_response_id is not None:
            raise UsageError(
                "previous_response_id: no responses are kept; send the earlier messages in input",
                param="previous_response_id",
            )
        return to_answer(self.messages, collection, param="input")


class FlatAnnotationOut(UrlCitationOut):
    """As `AnnotationOut` says it, in one level."""

    type: Literal["url_citation"] = "url_citation"


def flat_annotations(annotations: Sequence[Annotation]) -> list[FlatAnnotationOut]:
    return [FlatAnnotationOut(**UrlCitationOut.from_annotation(one).model_dump()) for one in annotations]


class OutputTextOut(BaseModel):
    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[FlatAnnotationOut]
    logprobs: list[None] = []

    @classmethod
    def from_rendered(cls, shown: Rendered) -> "OutputTextOut":
        return cls(text=shown.text, annotations=flat_annotations(shown.annotations))


class OutputMessageOut(BaseModel):
    id: str
    type: Literal["message"] = "message"
    status: Literal["in_progress", "completed"]
    role: Literal["assistant"] = "assistant"
    content: list[OutputTextOut]


class InputDetailsOut(BaseModel):
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetailsOut(BaseModel):
    reasoning_tokens: int = 0


class ResponseUsageOut(BaseModel):
    """As `UsageOut` counts."""

    input_tokens: int
    input_tokens_details: InputDetailsOut = InputDetailsOut()
    output_tokens: int
    output_tokens_details: OutputDetailsOut = OutputDetailsOut()
    total_tokens: int

    @classmethod
    def from_texts(cls, generation: Generation, asked: Sequence[str], answered: str) -> "ResponseUsageOut":
        usage = UsageOut.from_texts(generation, asked, answered)
        return cls(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        )


class ResponseOut(BaseModel):
    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed"]
    error: None = None
    incomplete_details: None = None
    instructions: None = None
    metadata: dict[str, str] = {}
    model: str
    output: list[OutputMessageOut]
    parallel_tool_calls: bool = False
    previous_response_id: None = None
    store: Literal[False] = False
    temperature: None = None
    text: dict[str, Any] = {"format": {"type": "text"}}
    tool_choice: Literal["none"] = "none"
    tools: list[None] = []
    top_p: None = None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsageOut | None
    dateline: VerdictOut | None


class ResponseMaker:
    """Makes one response, at once or event by event."""

    def __init__(self, asked: ResponsesIn) -> None:
        self._asked = asked
        self._id = f"resp_{uuid4().hex}"
        self._message_id = f"msg_{uuid4().hex}"
        self._created_at = int(time.time())
        self._sequence = -1

    def begun(self) -> ResponseOut:
        """Without a word yet."""
        return ResponseOut(
            id=self._id,
            created_at=self._created_at,
            status="in_progress",
            model=self._asked.model,
            output=[],
            usage=None,
            dateline=None,
        )

    def whole(self, generation: Generation, reply: Reply, shown: Rendered) -> ResponseOut:
        return self.begun().model_copy(
            update={
                "status": "completed",
                "output": [self.message([OutputTextOut.from_rendered(shown)], "completed")],
                "usage": ResponseUsageOut.from_texts(generation, self._asked.texts, shown.text),
                "dateline": VerdictOut.from_reply(generation, reply),
            }
        )

    def message(
        self, content: list[OutputTextOut], status: Literal["in_progress", "completed"]
    ) -> OutputMessageOut:
        return OutputMessageOut(id=self._message_id, status=status, content=content)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  models and what JSON holds
        """An event about the response or its only message, numbered in the order of the calls."""
        self._sequence += 1
        place: dict[str, str | int] = {}
        if kind.startswith("response.output_item."):
            place = {"output_index": 0}
        elif kind.startswith(("response.content_part.", "response.output_text.")):
            place = {"item_id": self._message_id, "output_index": 0, "content_index": 0}
        return {
            "type": kind,
            "sequence_number": self._sequence,
            **place,
            **{
                name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
                for name, value in fields.items()
            },
        }
