"""The only door to Ray: tasks read blocks and encode them, on all machines of a cluster.

Which block goes where, and what becomes of the work of a machine that is lost, is Ray Data's affair. Each
part is written by whoever encoded it, under the name of its block: what is done twice is there once.
"""

import atexit
import json
import logging
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from indexer.build import Progress, Recipe, begin_parts
from indexer.bulk.blocks import Block, BlockEncoder, Shard, read, shards
from indexer.errors import ClusterError, DatelineError, UsageError
from indexer.folder import IndexFolder
from indexer.parts import PartName, Parts
from indexer.sources import Intake, Pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_BLOCK, _SHARD = "block", "shard"
# Cores that reading a shard is counted as: it waits for those who encode most of the time. Were it as many as
# encoding takes, Ray Data would have one process read and encode a whole shard.
_READING = 0.5
_PATIENCE_S = 10.0


def encode(
    index: IndexFolder,
    paths: "Sequence[str]",
    columns: Mapping[str, str],
    recipe: Recipe,
    parts: Parts,
    intake: Intake,
    progress: Progress,
    *,
    address: str | None,
) -> None:
    """Fills a folder of parts with what these paths hold, on the cluster at `address`, or on this machine
    where none is named. Parts that are there are not made again.

    Raises ClusterError where the cluster cannot be reached or fails, else as reading and encoding do.
    """
    begin_parts(index, recipe, columns, parts, progress)
    wanted, pages = shards(paths, parts.made, intake)
    there: dict[str, dict[int, PartName]] = {}
    for name in parts.names():
        there.setdefault(name.shard, {})[name.number] = name
    whole = {key for key, found in there.items() if _is_whole(found)}
    missing = [shard for shard in wanted if shard.key not in whole]
    progress.stage("blocks")
    size = sum(shard.size for shard in wanted) or 1
    done = size - sum(shard.size for shard in missing)
    if missing:
        with _cluster(address) as ray:
            for articles, read_bytes in _run(
                ray, missing, pages, columns, there, parts, strict=intake.strict
            ):
                done += read_bytes
                progress.advance(articles, share=min(1.0, done / size))
    parts.finish([shard.key for shard in wanted])


def _is_whole(found: Mapping[int, PartName]) -> bool:
    return any(name.last and name.number == len(found) - 1 for name in found.values())


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected; what goes wrong with it meanwhile is a ClusterError, what our own code raised there is
    raised here."""
    # Nothing is told to Ray's makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray  # noqa: PLC0415  an extra, and seconds to load
        import ray.data  # noqa: PLC0415
        from ray.exceptions import RayError  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("--engine ray needs Ray; run: pip install 'dateline[ray]'") from error
    where = f"the cluster at {address}" if address else "Ray on this machine"
    # What Ray Data says goes to its files alone: progress and errors we tell ourselves.
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)
    own: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(
            f"{where}: cannot be reached ({_first_line(error)}); start it with ray start --head, and run "
            "this on one of its machines"
        ) from error
    try:
        yield ray
    except RayError as error:
        if ours := _ours(error):
            raise ours from error
        raise ClusterError(
            f"{where}: failed ({_first_line(error)}); run the same again: what is done is not done again"
        ) from error
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raises OSError or ValueError where nobody listens: Ray tries for minutes."""
    host, _, port = (address or "").rpartition("/")[2].rpartition(":")
    if host:
        socket.create_connection((host, int(port)), _PATIENCE_S).close()


def _run(
    ray: Any,  # noqa: ANN401  a module
    missing: "Sequence[Shard]",
    pages: Pages,
    columns: Mapping[str, str],
    there: Mapping[str, Mapping[int, PartName]],
    parts: Parts,
    *,
    strict: bool,
) -> Iterator[tuple[int, int]]:
    """Makes the missing parts; yields, for each, its articles and the bytes that were read for it."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # bytes: each of our blocks by itself, so that anybody can take it
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    gpus = ray.cluster_resources().get("GPU", 0)
    work = [json.dumps([shard.to_json(), sorted(there.get(shard.key, ()))]) for shard in missing]
    told = ray.put((pages, dict(columns)))

    def blocks(table: "pa.Table") -> "Iterator[pa.Table]":
        import pyarrow as pa  # noqa: PLC0415

        for packed in table.column(_SHARD).to_pylist():
            shard, known = json.loads(packed)
            own_pages, own_columns = ray.get(told)
            wanted = Shard.from_json(shard)
            for block in read(wanted, own_pages, own_columns, frozenset(known), strict=strict):
                yield pa.table({_BLOCK: [block.to_json()]})

    read_blocks = ray.data.from_items(
        [{_SHARD: one} for one in work], override_num_blocks=len(work)
    ).map_batches(blocks, batch_format="pyarrow", batch_size=1, num_cpus=_READING)
    encoded = read_blocks.map_batches(
        _encode,
        fn_kwargs={"parts": str(parts), "device": "cuda" if gpus else ""},
        batch_format="pyarrow",
        batch_size=1,
        num_cpus=None if gpus else 1,
        num_gpus=1 if gpus else None,
    )
    for row in encoded.iter_rows():
        yield row["articles"], row["bytes"]


def _encode(table: "pa.Table", parts: str, device: str) -> "pa.Table":
    """Makes the parts of some blocks, on one core or one GPU."""
    import pyarrow as pa  # noqa: PLC0415

    done = Counter[str]()
    for packed in table.column(_BLOCK).to_pylist():
        block = Block.from_json(packed)
        _encoder(parts, device)(block)
        done["articles"] += sum(row.article is not None for row in block.rows)
        done["bytes"] += block.size
    return pa.table({name: [done[name]] for name in ("articles", "bytes")})


@lru_cache(maxsize=1)
def _encoder(parts: str, device: str) -> BlockEncoder:
    """What a process encodes with, loaded for its first block. An actor would hold it as well, but those of a
    machine that is lost wait for room on the others, and with them the blocks that they were given."""
    folder = Path(mkdtemp(prefix="dateline-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return BlockEncoder(Parts(parts), folder / "encoder", threads=1, device=device)


def _ours(error: BaseException | None) -> DatelineError | None:
    """What our own code raised on another machine, as Ray hands it on."""
    while error is not None:
        if isinstance(error, DatelineError):
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
