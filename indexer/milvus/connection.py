"""The only door to pymilvus: one server, or milvus-lite's file; what it is asked, and what becomes of errors.

pymilvus takes half a second and 120 MB to import, so it is imported where the first question is asked.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar

from indexer.errors import NoIndexError, UnreachableError, UsageError
from indexer.models import Vector
from indexer.settings import IndexSettings

T = TypeVar("T")
Entity = dict[str, Any]
"""A row of a collection, by field."""

MOST_FOUND = 16_384
"""What one search may ask for."""
LONGEST_TEXT = 65_535
"""Bytes of a text field."""
_PAGE = 8_192  # entities of an iteration that come at a time
_SPARSE_SINCE = (2, 4)  # the release that has sparse vectors
_WRITING_S = 600.0  # for one step of publishing
_BETWEEN_LOOKS_S = 0.5
_LEAST_EF, _EF_FOR_EACH = 256, 2  # of HNSW, by what is looked for
# Within the time that a question has, what failed is asked again: a node that ends hands over its segments.
_PAUSES_S = (0.1, 0.4)
# Once it was away nobody waits for it again so soon: who asks is told at once.
_AWAY_S = 1.0
# Codes of what is a mistake of ours or of the settings, and no server's trouble.
_NO_COLLECTION = {4, 100}
_NO_ALIAS = 1600
_INVALID = range(1100, 1200)
_NOT_ALLOWED = {1400, 1401, 1800, 1801, 1802, 2000}

Kind = Literal["number", "text", "sparse", "vector"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a collection. A text holds `size` bytes, a vector as many numbers, a sparse one those that
    are not 0, by their places."""

    name: str
    kind: Kind
    size: int = 0
    primary: bool = False
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search found; the score is an inner product."""

    score: float
    entity: Entity


class Connection:
    """One Milvus. Threads may share it; it connects when it is first asked, and again where it was cut off.

    Every question ends within about `timeout_s` and raises UnreachableError where Milvus does not answer,
    NoIndexError where the collection is not there.
    """

    def __init__(self, uri: str, *, token: str = "", ca: Path | None = None, timeout_s: float) -> None:
        self.uri = uri
        self.lite = "://" not in uri
        self._token = token
        self._ca = ca
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._client: Any = None
        self._away_until = 0.0
        self._away = ""
        self.calls = 0
        """Questions asked so far."""

    @classmethod
    def by(cls, settings: IndexSettings) -> "Connection":
        """As the settings have it."""
        return cls(
            settings.milvus_uri,
            token=settings.milvus_token.get_secret_value(),
            ca=settings.milvus_ca,
            timeout_s=settings.milvus_timeout_s,
        )

    # --- what there is

    def has_words(self) -> bool:
        """Whether it has what words are found by: sparse vectors."""
        said = self._read(lambda client: client.get_server_version(timeout=self._timeout_s))
        found = re.search(r"(\d+)\.(\d+)", said)
        return self.lite or (found is not None and (int(found[1]), int(found[2])) >= _SPARSE_SINCE)

    def collections(self) -> list[str]:
        names: list[str] = self._read(lambda client: client.list_collections(timeout=self._timeout_s))
        return names

    def fields(self, collection: str) -> set[str]:
        """The names of a collection's fields. Raises NoIndexError where it is not there."""
        found = self._read(lambda client: client.describe_collection(collection, timeout=self._timeout_s))
        return {field["name"] for field in found["fields"]}

    def alias(self, name: str) -> str | None:
        """The collection that an alias names."""
        try:
            found = self._read(lambda client: client.describe_alias(name, timeout=self._timeout_s))
        except NoIndexError:
            return None
        return str(found["collection_name"])

    def count(self, collection: str, condition: str = "", *, strong: bool = False) -> int:
        """How many entities there are: those written up to now where `strong`, else as searches see it."""
        found = self._query(collection, condition, ["count(*)"], "Strong" if strong else _SERVED)
        return int(found[0]["count(*)"])

    # --- reading

    def query(self, collection: str, condition: str, fields: Sequence[str], *, most: int = 0) -> list[Entity]:
        """The entities that fulfil a condition, in no order; `most` of them where it is given."""
        return self._query(collection, condition, fields, _SERVED, **({"limit": most} if most else {}))

    def scan(self, collection: str, condition: str, fields: Sequence[str]) -> Iterator[Entity]:
        """All the entities that fulfil a condition, however many, a page at a time."""
        pages = self._read(
            lambda client: client.query_iterator(
                collection,
                batch_size=_PAGE,
                filter=condition,
                output_fields=list(fields),
                consistency_level=_SERVED,
                timeout=self._timeout_s,
            )
        )
        try:
            while page := self._read(lambda _: pages.next()):
                yield from page
        finally:
            pages.close()

    def search(
        self,
        collection: str,
        field: str,
        asked: Vector | dict[int, float],
        k: int,
        condition: str,
        fields: Sequence[str],
    ) -> list[Hit]:
        """The k best entities, at most MOST_FOUND, by the inner product with a vector or a sparse one."""
        wanted = min(k, MOST_FOUND)
        effort = {} if isinstance(asked, dict) else {"ef": max(_LEAST_EF, _EF_FOR_EACH * wanted)}
        found = self._read(
            lambda client: client.search(
                collection,
                [asked],
                anns_field=field,
                limit=wanted,
                filter=condition,
                output_fields=list(fields),
                search_params={"metric_type": "IP", "params": effort},
                consistency_level=_SERVED,
                timeout=self._timeout_s,
            )
        )
        return [Hit(hit["distance"], hit["entity"]) for hit in found[0]]

    def _query(
        self, collection: str, condition: str, fields: Sequence[str], consistency: str, **more: int
    ) -> list[Entity]:
        found = self._read(
            lambda client: client.query(
                collection,
                filter=condition,
                output_fields=list(fields),
                consistency_level=consistency,
                timeout=self._timeout_s,
                **more,
            )
        )
        return list(found)

    # --- writing

    def create(self, collection: str, fields: Sequence[Field], *, exact: bool) -> None:
        """Makes a collection with its indexes, where they are not there. `exact`: vectors are compared one by
        one, else by HNSW; in milvus-lite they always are, for its HNSW loses most of what a selective filter
        lets through."""
        self._write(lambda client: self._create(client, collection, fields, exact=exact or self.lite))

    def _create(self, client: Any, collection: str, fields: Sequence[Field], *, exact: bool) -> None:  # noqa: ANN401
        from pymilvus import DataType  # noqa: PLC0415

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        indexes = client.prepare_index_params()
        for field in fields:
            match field.kind:
                case "number":
                    schema.add_field(field.name, DataType.INT64, is_primary=field.primary)
                    if field.indexed and not self.lite:
                        indexes.add_index(field.name, index_type="STL_SORT")
                case "text":
                    schema.add_field(
                        field.name, DataType.VARCHAR, max_length=field.size, is_primary=field.primary
                    )
                case "vector":
                    schema.add_field(field.name, DataType.FLOAT_VECTOR, dim=field.size)
                    graph = {"M": 24, "efConstruction": 300}
                    indexes.add_index(
                        field.name,
                        index_type="FLAT" if exact else "HNSW",
                        metric_type="IP",
                        params={} if exact else graph,
                    )
                case "sparse":
                    schema.add_field(field.name, DataType.SPARSE_FLOAT_VECTOR)
                    indexes.add_index(field.name, index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        if not client.has_collection(collection, timeout=self._timeout_s):
            client.create_collection(collection, schema=schema, consistency_level=_SERVED, timeout=_WRITING_S)
        # By themselves: made together with the collection they would have it loaded while it is written,
        # where a search finds a tenth less than by the indexes that it gets.
        there = client.list_indexes(collection)  # one that is there milvus-lite does not make again
        missing = client.prepare_index_params()
        missing.extend(one for one in indexes if one.field_name not in there)
        if missing:
            client.create_index(collection, missing, timeout=_WRITING_S)

    def upsert(self, collection: str, entities: list[Entity]) -> None:
        """Writes entities, over those that have the same primary key: to be done again at any time."""
        self._write(lambda client: client.upsert(collection, entities, timeout=_WRITING_S))

    def settle(self, collection: str) -> None:
        """Waits until what was written is in segments that stay, and these have their indexes."""
        self._write(lambda client: client.flush(collection, timeout=_WRITING_S))
        end = time.monotonic() + _WRITING_S
        while any(self._pending(collection, name) for name in self._indexes(collection)):
            if time.monotonic() > end:
                raise UnreachableError(
                    f"{self.uri}: Milvus has not built the indexes of {collection} after {_WRITING_S:.0f} s; "
                    "run: dateline index publish"
                )
            time.sleep(_BETWEEN_LOOKS_S)

    def _indexes(self, collection: str) -> list[str]:
        return list(self._read(lambda client: client.list_indexes(collection)))

    def _pending(self, collection: str, index: str) -> int:
        """How many rows an index is still to hold."""
        found = self._read(lambda client: client.describe_index(collection, index, timeout=self._timeout_s))
        return int((found or {}).get("pending_index_rows") or 0)

    def load(self, collection: str) -> None:
        """Waits until a collection can be searched, however long it takes."""
        self._write(lambda client: client.load_collection(collection, timeout=_WRITING_S))

    def check_loaded(self, collection: str) -> None:
        """Has a collection loaded where it is not, and waits no longer for it than for an answer."""
        self._read(lambda client: client.load_collection(collection, timeout=self._timeout_s))

    def point(self, alias: str, collection: str) -> None:
        """Makes an alias name a collection, at once for everybody."""
        if self.alias(alias) is None:
            self._write(lambda client: client.create_alias(collection, alias, timeout=_WRITING_S))
        else:
            self._write(lambda client: client.alter_alias(collection, alias, timeout=_WRITING_S))

    def drop(self, collection: str) -> None:
        """Takes a collection away."""
        self._write(lambda client: client.drop_collection(collection, timeout=_WRITING_S))

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    # --- asking

    def _read(self, ask: Callable[[Any], T]) -> T:
        """What it answers; what failed is asked again while there is time for it, as it changes nothing."""
        end = time.monotonic() + self._timeout_s
        if time.monotonic() < self._away_until:
            raise UnreachableError(self._away)
        for pause_s in (*_PAUSES_S, None):
            try:
                return self._ask(ask)
            except UnreachableError as error:
                if pause_s is None or time.monotonic() + pause_s > end:
                    self._away, self._away_until = str(error), time.monotonic() + _AWAY_S
                    raise
                time.sleep(pause_s)
        raise AssertionError("the last turn returns or raises")

    def _write(self, ask: Callable[[Any], T]) -> T:
        return self._ask(ask)

    def _ask(self, ask: Callable[[Any], T]) -> T:
        client = self._connected()
        self.calls += 1
        try:
            return ask(client)
        except Exception as error:
            raise self._told(error) from error

    def _connected(self) -> Any:  # noqa: ANN401  pymilvus has no types to speak of
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:  # noqa: ANN401
        try:
            from pymilvus import MilvusClient  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("milvus_uri is set; run: pip install 'dateline[milvus]', or unset it") from error
        # It writes each error with its trace, and so what was asked; we say it once, where it belongs.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        if self._ca and not self._ca.is_file():
            raise UsageError(f"milvus_ca: {self._ca}: no such file")
        secure: Mapping[str, object] = {"secure": True} if self.uri.startswith("https://") else {}
        if secure and self._ca:
            secure = {**secure, "server_pem_path": str(self._ca)}
        try:
            client = MilvusClient(
                self.uri,
                token=self._token,
                timeout=self._timeout_s,
                # It is noticed within a second that a server is back, not within the two minutes of gRPC's.
                grpc_options={
                    "grpc.min_reconnect_backoff_ms": 200,
                    "grpc.initial_reconnect_backoff_ms": 200,
                    "grpc.max_reconnect_backoff_ms": 1000,
                },
                **secure,
            )
        except Exception as error:
            raise self._told(error) from error
        # gRPC connects again by itself. pymilvus would make a new channel for each thread that fails, one
        # after the other under one lock, and who came last would wait for them all.
        client._handler._on_rpc_error = lambda _: False  # noqa: SLF001
        return client

    def _told(self, error: Any) -> Any:  # noqa: ANN401  pymilvus's
        """What to raise instead of an error of pymilvus's; itself where it is a mistake of ours."""
        import grpc  # noqa: PLC0415
        from pymilvus.exceptions import MilvusException, ParamError  # noqa: PLC0415

        where = f"{self.uri}: Milvus"
        if isinstance(error, grpc.RpcError):
            code: grpc.StatusCode = error.code()
            if code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
                return UsageError(f"{where} refuses us ({error.details()}); mend milvus_token")
            if code is grpc.StatusCode.INVALID_ARGUMENT:
                return error
            return UnreachableError(f"{where} does not answer ({code.name.lower()}); see that it runs")
        if not isinstance(error, MilvusException) or isinstance(error, ParamError):
            return error
        said = " ".join(str(error.message).split())[:300]
        if error.code in _NO_COLLECTION or error.code == _NO_ALIAS:
            return NoIndexError(f"{where} has no such collection ({said}); run: dateline index publish")
        if error.code in _NOT_ALLOWED or "auth check failure" in said:
            return UsageError(f"{where} refuses us ({said}); mend milvus_token")
        if error.code in _INVALID:
            return error
        return UnreachableError(f"{where} does not answer ({said}); see that it runs")


# What is served was complete before it was named, so a searcher that lags a few seconds behind sees all of
# it; one that lags more is waited for. "Strong" would have each question wait for the next tick.
_SERVED = "Bounded"


def batches(entities: Iterable[tuple[Entity, int]], *, most: int, most_bytes: int) -> Iterator[list[Entity]]:
    """Entities, each with its size in bytes, as many at a time as a message may hold."""
    batch: list[Entity] = []
    size = 0
    for entity, bytes_ in entities:
        if batch and (len(batch) == most or size + bytes_ > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(entity)
        size += bytes_
    if batch:
        yield batch
