"""Collections as vector stores that can be searched: OpenAI's protocol."""

from fastapi import APIRouter, Request

from indexer.errors import NoIndexError
from indexer.generation import Generation
from service.asking import understand
from service.retrieval import Hit, search
from service.routes.strict import StrictRoute
from service.schemas.vectorstores import VectorSearchIn, VectorSearchOut, VectorStoreOut, VectorStoresOut
from service.state import state

router = APIRouter(prefix="/v1/vector_stores", tags=["vector stores"], route_class=StrictRoute)


@router.get("")
async def get_vector_stores(request: Request) -> VectorStoresOut:
    """The collections that are served."""
    found = []
    for name in state(request).collections:
        try:
            found.append(await get_vector_store(request, name))
        except NoIndexError:
            continue
    ids = [one.id for one in found]
    return VectorStoresOut(data=found, first_id=ids[0] if ids else None, last_id=ids[-1] if ids else None)


@router.get("/{store}")
async def get_vector_store(request: Request, store: str) -> VectorStoreOut:
    """A collection, by its name."""
    with state(request).collections[store].lease() as lease:
        return VectorStoreOut.from_manifest(store, lease.generation.manifest)


@router.post("/{store}/search")
async def post_vector_store_search(request: Request, store: str, asked: VectorSearchIn) -> VectorSearchOut:
    """The best passages for a question, or for several. A score gives order only."""
    here = state(request)
    questions = asked.to_asked(here.answerer.rescoring)

    def work(generation: Generation) -> VectorSearchOut:
        queries = [understand(generation, question).query for question in questions]
        hits = _best_first([hit for query in queries for hit in search(generation, query).hits])
        return VectorSearchOut.from_hits(asked, [query.text for query in queries] or asked.query, hits)

    return await here.collections[store].run(work)


def _best_first(found: list[Hit]) -> list[Hit]:
    """Each passage once, with its best score; of equals the one that an earlier question found."""
    best: dict[int, Hit] = {}
    for hit in found:
        before = best.setdefault(hit.passage.row, hit)
        if hit.score > before.score:
            best[hit.passage.row] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)
