"""Cohere's rerank, v1 and v2, which Jina's clients speak as well: https://docs.cohere.com/reference/rerank"""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from service.schemas.chat import Tolerant
from service.schemas.fields import Question, without_surrogates

_MOST_DOCUMENTS = 1000
_LONGEST_DOCUMENT = 100_000  # characters; it is cut in one piece of work


def _text(document: object) -> object:
    """A document is a text, or an object that has one."""
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        raise ValueError("give a text, or an object whose `text` is one")  # noqa: TRY004  pydantic's way
    return text


def _checked(text: str) -> str:
    if len(text) > _LONGEST_DOCUMENT:
        raise ValueError(f"must have at most {_LONGEST_DOCUMENT} characters; send it in parts")
    return without_surrogates(text)


class DocumentOut(BaseModel):
    text: str


Document = Annotated[
    str,
    BeforeValidator(_text, json_schema_input_type=str | DocumentOut),
    AfterValidator(_checked),
]


class RerankIn(Tolerant):
    """`model` is a model's id, or the name of an encoder. Long documents count by their best passage, so
    `max_tokens_per_doc` and the like have no effect."""

    model: str = "dateline"
    query: Question
    documents: Annotated[list[Document], Field(max_length=_MOST_DOCUMENTS)]
    top_n: Annotated[int, Field(ge=1, strict=True)] | None = None
    return_documents: bool = False


class RankedOut(BaseModel):
    """`index` is the document's place in the request. A score, in [0, 1], gives order only."""

    index: int
    relevance_score: float
    document: DocumentOut | None = None


class ApiVersionOut(BaseModel):
    version: Literal["1", "2"]


class MetaOut(BaseModel):
    api_version: ApiVersionOut


class RerankOut(BaseModel):
    """The documents by falling score."""

    id: str
    results: list[RankedOut]
    meta: MetaOut

    @classmethod
    def from_ranked(
        cls, asked: RerankIn, ranked: Sequence[tuple[int, float]], version: Literal["1", "2"]
    ) -> "RerankOut":
        return cls(
            id=f"rerank_{uuid4().hex}",
            results=[
                RankedOut(
                    index=at,
                    relevance_score=score,
                    document=DocumentOut(text=asked.documents[at]) if asked.return_documents else None,
                )
                for at, score in ranked
            ],
            meta=MetaOut(api_version=ApiVersionOut(version=version)),
        )
