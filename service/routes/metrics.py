"""The figures for Prometheus, and each worker's part in them."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response

from indexer.errors import NoIndexError
from service.door.access import operator
from service.state import State, state
from service.watching.metrics import exposition
from service.watching.recording import Own, Serving

router = APIRouter(tags=["admin"], dependencies=[Depends(operator)])

_SECONDS_BETWEEN_LOOKS = 1.0


@router.get("/metrics")
async def get_metrics(request: Request) -> Response:
    """What all workers counted since the start, and how they are: in Prometheus' text format."""
    here = state(request)
    observe(here)
    text, content_type = exposition(here.recorder)
    return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


async def keep_observing(here: State) -> None:
    """Has the other workers see how this one is, until cancelled."""
    while True:
        observe(here)
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


def observe(here: State) -> None:
    """Notes how this worker is now."""
    waiting, working = _queue(here)
    own = Own(waiting, working, resident_bytes() or 0, _open_files())
    here.recorder.observe(own, {name: _serving(here, name) for name in here.collections})


def _queue(here: State) -> tuple[int, int]:
    """How many requests wait for their turn, and how many are worked on."""
    return here.admission.waiting, here.admission.working


def _serving(here: State, name: str) -> Serving:
    served = here.collections[name]
    refused = bool(served.refusal)
    try:
        with served.lease() as lease:
            manifest = lease.generation.manifest
    except NoIndexError:
        return Serving(fallback=refused)
    return Serving.of(manifest.id, manifest.created_at, manifest.counts, fallback=refused)


def resident_bytes() -> int | None:
    """The memory that this process has in use; None where the system has no /proc."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:")), None)


def _open_files() -> int:
    """Those of this process; 0 where the system has no /proc."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0
