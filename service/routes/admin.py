"""Operating: what is served and how well, rebuilding, rolling back."""

import asyncio
from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from indexer.errors import NoIndexError
from indexer.folder import IndexFolder
from service.door.access import operator
from service.problems import problem
from service.routes.metrics import resident_bytes
from service.routes.strict import StrictRoute
from service.schemas.admin import (
    AdminCollectionOut,
    AdminOut,
    GenerationOut,
    RebuildIn,
    RebuildOut,
    RollbackIn,
    ServiceOut,
)
from service.schemas.results import IndexDetailsOut
from service.state import State, state

router = APIRouter(
    prefix="/v1/admin", tags=["admin"], dependencies=[Depends(operator)], route_class=StrictRoute
)


@router.get("")
async def get_admin(request: Request, response: Response) -> AdminOut:
    """What is served of each collection, what else is there, who is writing, and how requests fare."""
    here = state(request)
    response.headers["Cache-Control"] = "no-store"
    return AdminOut(
        service=ServiceOut.from_recorder(
            here.recorder,
            version=version("dateline"),
            resident_bytes=resident_bytes(),
        ),
        collections=[await _collection(here, name) for name in here.collections],
    )


@router.post("/rebuild", status_code=HTTPStatus.ACCEPTED)
async def post_rebuild(request: Request, asked: RebuildIn) -> RebuildOut:
    """Begins to build the index anew from the setting `articles`; `GET /v1/admin` tells how far it is. The
    service goes over to the new generation by itself."""
    here = state(request)
    here.collections[asked.collection]  # raises where there is none
    return RebuildOut.from_rebuild(here.rebuilds.start(asked.collection))


@router.post("/rollback", response_model=AdminCollectionOut)
async def post_rollback(request: Request, asked: RollbackIn) -> AdminCollectionOut | Response:
    """Serves another generation, once its files are found whole."""
    here = state(request)
    served = here.collections[asked.collection]
    try:
        await asyncio.to_thread(served.roll_back, asked.generation, "the service's Operate page")
    except NoIndexError as error:  # what is asked for cannot be served; what is served goes on
        return problem(HTTPStatus.CONFLICT, str(error), code="not_servable", param="generation")
    return await _collection(here, asked.collection)


def _folder(here: State, name: str) -> IndexFolder:
    return IndexFolder(here.settings.folders()[name])


async def _collection(here: State, name: str) -> AdminCollectionOut:
    folder, served, rebuild = _folder(here, name), here.collections[name], here.rebuilds.last(name)
    try:
        with served.lease() as lease:
            details = IndexDetailsOut.from_manifest(lease.generation.manifest)
    except NoIndexError:
        details = None
    generations, named, writer = await asyncio.to_thread(_on_disk, folder, details)
    return AdminCollectionOut(
        name=name,
        folder=folder.path.absolute(),
        served=details,
        named=named,
        refused=served.refusal,
        generations=generations,
        writer=writer,
        articles=list(here.rebuilds.articles(name)),
        rebuild=RebuildOut.from_rebuild(rebuild) if rebuild else None,
    )


def _on_disk(
    folder: IndexFolder, details: IndexDetailsOut | None
) -> tuple[list[GenerationOut], str | None, str | None]:
    """The generations, the newest first; the one that is named; who writes."""
    found = []
    for name in reversed(folder.ids()):
        served = details is not None and details.generation == name
        try:
            found.append(GenerationOut.from_manifest(folder.manifest(name), served=served))
        except NoIndexError as error:
            if folder.generation(name).exists():  # else it was removed meanwhile
                found.append(GenerationOut.damaged(name, str(error), served=served))
    return found, folder.current(), folder.holder() or None
