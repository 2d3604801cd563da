"""The encoder as a service: OpenAI's embeddings."""

from fastapi import APIRouter, Request, Response

from indexer.generation import Generation
from indexer.models import Vectors
from service.routes.encoders import collection_of
from service.routes.strict import StrictRoute
from service.schemas.embeddings import EmbeddingsIn, EmbeddingsOut
from service.state import state

router = APIRouter(prefix="/v1", tags=["embeddings"], route_class=StrictRoute)


@router.post("/embeddings", response_model=EmbeddingsOut)
async def post_embeddings(request: Request, asked: EmbeddingsIn) -> Response:
    """The texts as the index's encoder sees them, so that they can be compared with its passages."""

    def encoded(generation: Generation, texts: list[str]) -> tuple[Vectors, int]:
        encoder = generation.encoder
        encode = encoder.encode_queries if asked.input_type == "query" else encoder.encode_passages
        return encode(texts), sum(len(encoder.token_spans(text)) for text in texts)

    with state(request).collections[collection_of(request, asked.model)].lease() as lease:
        asked.check(lease.generation.encoder.facts)
        parts = await lease.run_over(asked.input, encoded)

        def body(_: Generation) -> bytes:  # of up to 800,000 numbers, which the event loop should not write
            vectors = [vector for part, _ in parts for vector in part]
            out = EmbeddingsOut.from_vectors(asked, vectors, sum(tokens for _, tokens in parts))
            return out.model_dump_json().encode()

        return Response(await lease.run(body), media_type="application/json")
