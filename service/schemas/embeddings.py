"""OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings"""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from indexer.encoder import Facts
from indexer.errors import UsageError
from indexer.models import Vector
from service.schemas.chat import Tolerant
from service.schemas.fields import without_surrogates

MOST_INPUTS = 2048


def _texts(given: object) -> object:
    """One text or several; token ids are those of some other model's tokenizer."""
    texts = given if isinstance(given, list) else [given]
    if any(isinstance(one, int | list) for one in texts):
        raise ValueError(
            "holds token ids, which only the model that they were made for can read; send text "
            "(in LangChain OpenAIEmbeddings(check_embedding_ctx_length=False))"
        )
    return texts


def _something(text: str) -> str:
    if not text:
        raise ValueError("is an empty text, which has no embedding; leave it out")
    return without_surrogates(text)


class EmbeddingsIn(Tolerant):
    """`model` is a model's id, or the name of an encoder. `input_type` is not OpenAI's: it tells an encoder
    that treats them differently whether it reads questions. What is longer than the encoder reads is cut."""

    model: str
    input: Annotated[
        list[Annotated[str, AfterValidator(_something)]],
        Field(min_length=1, max_length=MOST_INPUTS),
        BeforeValidator(_texts, json_schema_input_type=str | list[str]),
    ]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1, strict=True)] | None = None
    input_type: Literal["query", "document"] = "document"

    def check(self, facts: Facts) -> None:
        """Raises UsageError where the encoder has other dimensions than are asked for."""
        if self.dimensions not in {None, facts.dimension}:
            raise UsageError(
                f"dimensions: {facts.model} has {facts.dimension}, not {self.dimensions}; leave it out",
                param="dimensions",
            )


class EmbeddingOut(BaseModel):
    """Of norm 1; with base64 the same numbers as little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsageOut(BaseModel):
    """Tokens of the inputs as the encoder counts them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingsUsageOut

    @classmethod
    def from_vectors(cls, asked: EmbeddingsIn, vectors: Sequence[Vector], tokens: int) -> "EmbeddingsOut":
        if asked.encoding_format == "base64":
            told: list[list[float] | str] = [
                base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode() for vector in vectors
            ]
        else:
            told = [vector.tolist() for vector in vectors]
        return cls(
            data=[EmbeddingOut(index=at, embedding=one) for at, one in enumerate(told)],
            model=asked.model,
            usage=EmbeddingsUsageOut(prompt_tokens=tokens, total_tokens=tokens),
        )
