"""The usual troubles, and their remedies."""

import errno
import os
import platform
import resource
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import httpx

from indexer.encoder import can_export, locate
from indexer.errors import DamagedError, DatelineError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.local.generation import LocalIndex
from indexer.reader import NONE, Reader
from indexer.reader import locate as locate_reader
from service.listening import listening_socket
from service.opening import indexes
from service.settings import Settings
from service.watching.telemetry import wanted as telemetry_wanted

_LEAST_SPACE = 1 << 30  # bytes; a few generations of a small index
_MARGIN = 1.5  # of the last build's size, for the next one
_LEAST_FILES = 1024  # connections, mapped files, and then some
_PATIENCE_S = 2.0
_CLOCKS_DIFFER = timedelta(minutes=5)
# Where locks, renames or mapped files are not what they are on a disk.
_REMOTE = {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
_MOUNTS = Path("/proc/self/mounts")
_PROC = Path("/proc")


class Finding(NamedTuple):
    """The subject, whether it is sound, and what was found or what to do."""

    subject: str
    sound: bool
    text: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Looks at everything that serving and building need, one after the other."""
    python = platform.python_version()
    busy = f"{settings.workers} workers, {settings.cores} cores each"
    yield Finding("dateline", True, f"{version('dateline')} on Python {python}, {busy}")
    for path in settings.folders().values():
        # What serves from Milvus may have a copy of a few files alone.
        if not settings.milvus_uri or IndexFolder(path).current():
            yield from _index(IndexFolder(path), settings)
    yield from _milvus(settings)
    yield _model(settings)
    yield from _extras(settings)
    yield from _language_model(settings)
    yield from _articles(settings)
    yield _port(settings)
    yield _open_files()


def _index(folder: IndexFolder, settings: Settings) -> Iterator[Finding]:
    refused: list[str] = []
    size = 0
    try:
        with LocalIndex(folder).open_best(refused.append) as generation:
            generation.models.load()
            articles, facts = generation.manifest.counts["articles"], generation.encoder.facts
            served = f"serves {generation.id}, {articles} articles"
            yield Finding("index", not refused, "; ".join([*refused, served]))
            yield Finding("encoder", True, f"{facts.model} by {facts.runtime}, {facts.dimension} dimensions")
            yield from _reader(generation.reader, settings.reader)
            yield from _clock(generation.manifest)
            size = sum(one["bytes"] for one in generation.manifest.files.values())
    except DatelineError as error:
        yield Finding("index", False, str(error))
    yield from _named(folder)
    if holder := folder.holder():
        yield Finding("writer", True, f"the index is being written by {holder}")
    else:
        yield from _leftovers(folder)
    yield from _place(folder)
    yield _space(folder, size)


def _milvus(settings: Settings) -> Iterator[Finding]:
    """What each collection's alias names, and whether that can be served from here."""
    if not settings.milvus_uri:
        return
    for index in indexes(settings).values():
        refused: list[str] = []
        try:
            with index.open_best(refused.append) as generation:
                served = f"{index} serves {generation.id}"
                lacking = generation.fulltext.lacking
            yield Finding(
                "milvus",
                not refused and not lacking,
                "; ".join([*refused, served, *([lacking] if lacking else [])]),
            )
        except DatelineError as error:
            yield Finding("milvus", False, str(error))


def _named(folder: IndexFolder) -> Iterator[Finding]:
    """What CURRENT names, and which others could take its place."""
    ids = folder.ids()
    if ids and folder.current() is None:
        yield Finding(
            "CURRENT",
            False,
            f"{folder.path / 'CURRENT'}: names no generation that is there; "
            f"run: dateline index rollback {ids[-1]} --index {folder.path}",
        )
    for name in ids:
        if name != folder.current():
            try:
                folder.manifest(name)
            except DamagedError as error:
                reason = str(error).partition("; run")[0]
                yield Finding("rollback", True, f"not to {name}: {reason}; later builds remove it")


def _leftovers(folder: IndexFolder) -> Iterator[Finding]:
    left = folder.leftovers()
    if left:
        size = sum(file.stat().st_size for one in left for file in one.rglob("*") if file.is_file())
        yield Finding(
            "leftovers",
            False,
            f"{len(left)} builds were broken off and left {size / 1e6:.0f} MB; "
            f"run: dateline index gc --index {folder.path}",
        )


def _place(folder: IndexFolder) -> Iterator[Finding]:
    """Whether the folder can be written to, and is on a disk of this machine."""
    there = next(one for one in (folder.path, *folder.path.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK):
        yield Finding(
            "folder",
            False,
            f"{there}: may not be written to by user {os.geteuid()}; run: chown -R {os.geteuid()} {there}",
        )
    kind = file_system(there, _MOUNTS)
    if kind in _REMOTE or kind.startswith("fuse."):
        yield Finding(
            "folder",
            False,
            f"{folder.path}: lies on {kind}, where locks and mapped files cannot be relied on; move it to "
            "a disk of this machine",
        )


def file_system(path: Path, mounts: Path) -> str:
    """The kind of file system that holds a path, by a table of mounts; empty where that does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place = path.resolve()
    holding = [
        (len(mounted), kind)
        for _, mounted, kind, *_ in (line.split(" ") for line in lines)
        if place.is_relative_to(mounted.replace("\\040", " "))
    ]
    return max(holding, default=(0, ""))[1]


def _space(folder: IndexFolder, size: int) -> Finding:
    """Room for one more generation, which shares nothing with the others where it is built anew."""
    there = next(one for one in (folder.path, *folder.path.absolute().parents) if one.exists())
    free, wanted = shutil.disk_usage(there).free, max(_LEAST_SPACE, int(_MARGIN * size))
    told = f"{free / 1e9:.1f} GB free"
    if free > wanted:
        return Finding("disk", True, told)
    return Finding(
        "disk", False, f"{told}, and the next build wants {wanted / 1e9:.1f}; make room in {there}"
    )


def _clock(manifest: Manifest) -> Iterator[Finding]:
    """A clock that is behind makes the newest generation's day, and "today", wrong."""
    built, now = datetime.fromisoformat(manifest.created_at), datetime.now(UTC)
    if built > now + _CLOCKS_DIFFER:
        yield Finding(
            "clock",
            False,
            f"it is {now:%Y-%m-%d %H:%M} UTC here, and the index was built at {built:%Y-%m-%d %H:%M}; "
            "set the clock, or build the index again",
        )


def _reader(reader: Reader | None, wanted: str) -> Iterator[Finding]:
    """The one that the index carries, and whether a build could have the one that is set."""
    carried = reader.facts.model if reader else NONE
    if wanted in {NONE, carried}:
        yield Finding("reader", True, carried)
        return
    try:
        locate_reader(wanted)
    except DatelineError as error:
        yield Finding("reader", False, str(error))
    else:
        yield Finding("reader", True, f"{carried}; a build puts {wanted} into the index")


def _model(settings: Settings) -> Finding:
    if not can_export():
        remedy = "pip install 'dateline[build]'"
        return Finding("model", True, f"builds use the index's encoder; another needs: {remedy}")
    try:
        return Finding("model", True, f"{settings.model} at {locate(settings.model)}")
    except DatelineError as error:
        return Finding("model", False, str(error))


def _extras(settings: Settings) -> Iterator[Finding]:
    """What the settings ask for and is not installed, or not there."""
    for asked, package, extra in (
        (settings.llm_base_url and "llm_base_url", "openai", "llm"),
        (settings.reranker and "reranker", "sentence_transformers", "build"),
        (settings.milvus_uri and "milvus_uri", "pymilvus", "milvus"),
        (telemetry_wanted(), "opentelemetry.sdk", "otel"),
    ):
        if asked and not _installed(package):
            yield Finding(
                "extras", False, f"{asked} is set; run: pip install 'dateline[{extra}]', or unset it"
            )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a package that it is part of
        return False


def _language_model(settings: Settings) -> Iterator[Finding]:
    """Whether the server answers at all: nothing is asked of the model."""
    if not settings.llm_base_url:
        return
    key = settings.llm_api_key.get_secret_value()
    address = f"{settings.llm_base_url.rstrip('/')}/models"
    try:
        answer = httpx.get(
            address, timeout=_PATIENCE_S, headers={"Authorization": f"Bearer {key}"} if key else {}
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        yield Finding(
            "llm",
            False,
            f"llm_base_url: does not answer ({type(error).__name__}); start the server, or mend the setting; "
            "until then answers are made of quotes",
        )
        return
    if answer.status_code in {401, 403}:
        yield Finding("llm", False, f"the server answers {answer.status_code}; mend llm_api_key")
    elif answer.is_server_error:
        yield Finding("llm", False, f"the server answers {answer.status_code}; its log may say why")
    else:  # some servers have no such list
        yield Finding("llm", True, f"{settings.llm_model or 'no model is set'}, the server answers")


def _articles(settings: Settings) -> Iterator[Finding]:
    for path in settings.articles:
        if not path.exists():
            yield Finding("articles", False, f"{path}: no such file or folder; mend the setting articles")


def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        listening_socket(settings.host, settings.port).close()
    except UsageError as error:
        taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
        holder = listener(settings.port) if taken else ""
        if "dateline" in holder or "service.cli" in holder:
            return Finding("port", True, f"{where} is served by {holder}")
        told = f"{error}; it is taken by {holder}" if holder else str(error)
        return Finding("port", False, told)
    return Finding("port", True, f"{where} is free")


def listener(port: int) -> str:
    """The process that listens on a port: its id and command; empty where that cannot be told."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{rest[5]}]")
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is another user's
            if any(str(one.readlink()) in sockets for one in (process / "fd").iterdir()):
                command = (process / "cmdline").read_text(encoding="utf-8", errors="replace")
                told = command.replace("\0", " ").strip()[:200]
                return f"process {process.name} ({told})"
    return ""


def _open_files() -> Finding:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= _LEAST_FILES:
        return Finding("files", True, f"{most} may be open at once")
    return Finding(
        "files", False, f"{most} may be open at once; run: ulimit -n 65536, or set LimitNOFILE in its unit"
    )
