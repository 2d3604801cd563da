"""What an operator sees of the service, as it leaves, and what may be asked of it."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field

from indexer.folder import Manifest
from indexer.settings import DEFAULT_COLLECTION
from service.rebuilding import Rebuild, RebuildState
from service.schemas.fields import CollectionName, Request, without_surrogates
from service.schemas.results import IndexDetailsOut
from service.watching.recording import Recorder, RouteRecord, quantile


class RebuildIn(Request):
    collection: CollectionName = DEFAULT_COLLECTION


class RollbackIn(Request):
    """Without a generation the one before is meant."""

    collection: CollectionName = DEFAULT_COLLECTION
    generation: (
        Annotated[str, Field(min_length=1, max_length=100), AfterValidator(without_surrogates)] | None
    ) = None


class RouteOut(BaseModel):
    """Counts since the start; times until a response is complete, over its last requests."""

    route: str
    requests: int
    client_errors: int
    server_errors: int
    left: int
    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def from_record(cls, route: str, record: RouteRecord) -> Self:
        p50, p95 = (quantile(record.took_ms, share) for share in (0.5, 0.95))
        return cls(
            route=route,
            requests=record.requests,
            client_errors=record.by_status["4xx"],
            server_errors=record.by_status["5xx"],
            left=record.by_status["left"],
            p50_ms=p50 and round(p50, 2),
            p95_ms=p95 and round(p95, 2),
        )


class AnswersOut(BaseModel):
    """`degraded` are those, of either kind, that a language model failed on."""

    answered: int
    no_answer: int
    degraded: int


class ServiceOut(BaseModel):
    """What all workers, the processes that share the port, counted since the start. `worker` is the one that
    tells, `resident_bytes` its memory, null where that is not to be had; looking at this is not counted."""

    version: str
    worker: int
    workers: int
    started_at: datetime
    resident_bytes: int | None
    requests: int
    client_errors: int
    server_errors: int
    last_server_error_at: datetime | None
    answers: AnswersOut
    routes: list[RouteOut]

    @classmethod
    def from_recorder(cls, recorder: Recorder, *, version: str, resident_bytes: int | None) -> Self:
        routes = [
            RouteOut.from_record(route, record)
            for route, record in sorted(recorder.routes().items(), key=lambda one: (-one[1].requests, one[0]))
        ]
        return cls(
            version=version,
            worker=os.getpid(),
            workers=recorder.workers,
            started_at=recorder.started_at,
            resident_bytes=resident_bytes,
            requests=sum(one.requests for one in routes),
            client_errors=sum(one.client_errors for one in routes),
            server_errors=sum(one.server_errors for one in routes),
            last_server_error_at=recorder.last_server_error_at,
            answers=AnswersOut(
                answered=recorder.counted("answered"),
                no_answer=recorder.counted("no_answer"),
                degraded=recorder.counted("degraded"),
            ),
            routes=routes,
        )


class GenerationOut(BaseModel):
    """`damage` says why it cannot be served, as far as its manifest tells; its files are compared before
    it is."""

    id: str
    created_at: str | None
    articles: int | None
    passages: int | None
    bytes: int | None
    served: bool
    damage: str | None

    @classmethod
    def from_manifest(cls, manifest: Manifest, *, served: bool) -> Self:
        return cls(
            id=manifest.id,
            created_at=manifest.created_at,
            articles=manifest.counts["articles"],
            passages=manifest.counts["passages"],
            bytes=sum(file["bytes"] for file in manifest.files.values()),
            served=served,
            damage=None,
        )

    @classmethod
    def damaged(cls, generation_id: str, damage: str, *, served: bool) -> Self:
        return cls(
            id=generation_id,
            created_at=None,
            articles=None,
            passages=None,
            bytes=None,
            served=served,
            damage=damage,
        )


class RebuildOut(BaseModel):
    state: RebuildState
    started_at: datetime
    ended_at: datetime | None
    lines: list[str]
    exit_code: int | None
    error: str | None

    @classmethod
    def from_rebuild(cls, rebuild: Rebuild) -> Self:
        return cls(
            state=rebuild.state,
            started_at=rebuild.started_at,
            ended_at=rebuild.ended_at,
            lines=list(rebuild.lines),
            exit_code=rebuild.exit_code,
            error=rebuild.error,
        )


class AdminCollectionOut(BaseModel):
    """`named` is the generation that the index names to be served, `refused` why that is not the one that is;
    `writer` is who writes the index now; `articles` is what a rebuild reads, empty where none can be started
    from here."""

    name: str
    folder: Path
    served: IndexDetailsOut | None
    named: str | None
    refused: str | None
    generations: list[GenerationOut]
    writer: str | None
    articles: list[Path]
    rebuild: RebuildOut | None


class AdminOut(BaseModel):
    service: ServiceOut
    collections: list[AdminCollectionOut]
