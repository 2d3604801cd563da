"""A folder of parts: articles as they were read, with the vectors of their passages, encoded beforehand.

    DIR/                          on this machine, shared by several, or in an object store (s3://…)
      encoder/                    what the passages were encoded with, as a generation carries it
      made.json                   how: encoder, passages, precision, columns; written before the parts
      KEY-NNNNNN.parquet          what stood in one block of a shard, in its order
      KEY-NNNNNN-last.parquet     the shard's last block
      order.json                  the shards in order; written when all their parts are there

A row is an article, or the reason why there is none in its place. The name of a part says what is in it, and
it gets that name only when it is whole: whoever finds it need not make it again.
"""

import json
import re
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from indexer import storage
from indexer.encoder import Facts
from indexer.errors import SourceError, StorageError, UsageError
from indexer.lateinteraction import Codes
from indexer.models import Origin, RawArticle, Vector
from indexer.sources import Intake

_ENCODER, _MADE, _ORDER = "encoder", "made.json", "order.json"
_PART = re.compile(r"(?P<shard>[0-9a-f]{24})-(?P<number>\d{6})(?P<last>-last)?\.parquet")
_UNFINISHED = ".new-"
_ROWS = 64  # articles of a row group: what is in memory at a time
_KEY = b"dateline"  # of what a part says of itself, among the metadata of its schema
# Whatever an article has in words: a field that it gets is kept, and not forgotten here.
_TEXTS = tuple(one.name for one in fields(RawArticle) if one.name not in {"origin", "extracted", "found"})
_READ = ("file", "at", "unit", "reason", "extracted", "found", *_TEXTS)
_AGAIN = "run: dateline index build --engine ray --parts"


@dataclass(frozen=True, slots=True)
class Made:
    """How parts were made; parts that were made otherwise cannot stand beside them."""

    encoder: Facts
    passage_tokens: int
    token_bits: int
    columns: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, content: str | bytes) -> "Made":
        """Raises ValueError, TypeError or KeyError for what `to_json` did not write."""
        facts = json.loads(content)
        return cls(**{**facts, "encoder": Facts(**facts["encoder"])})

    def __str__(self) -> str:
        told = (
            f"{self.encoder.model}, passages of {self.passage_tokens} tokens, "
            f"{self.token_bits} bits a token's dimension"
        )
        return told + (f", columns {self.columns}" if self.columns else "")


class EncodedPassage(NamedTuple):
    """A passage by the digest of its encoded text; `codes` are empty where no token vectors are kept."""

    digest: bytes
    vector: Vector
    codes: Codes


class Row(NamedTuple):
    """What stood in one place of a shard: an article with its passages, or why there is none."""

    origin: Origin
    article: RawArticle | None
    reason: str = ""
    passages: Sequence[EncodedPassage] = ()


class PartName(NamedTuple):
    """Which block of which shard a part holds."""

    shard: str
    number: int
    last: bool

    def __str__(self) -> str:
        return f"{self.shard}-{self.number:06d}{'-last' if self.last else ''}.parquet"


class Parts:
    """One folder of parts. Any number of machines may write parts into it at a time."""

    def __init__(self, where: str) -> None:
        """`where`: a folder, or the URI of one in an object store. Raises UsageError where it is neither."""
        import pyarrow as pa  # noqa: PLC0415  loads long, and only parts need it here
        from pyarrow.fs import FileSystem, LocalFileSystem  # noqa: PLC0415

        self._where = where if "://" in where else str(Path(where).absolute())
        if "://" in where:
            try:
                self._files, self._root = FileSystem.from_uri(where)
            except (pa.ArrowException, OSError) as error:
                raise UsageError(
                    f"{where}: no folder that can be reached ({error})", param="parts"
                ) from error
        else:
            self._files, self._root = LocalFileSystem(), self._where

    def __str__(self) -> str:
        """As it is named on any machine: absolute."""
        return self._where

    # --- making

    def begin(self, made: Made, encoder: Path) -> None:
        """Makes it a folder for such parts, with the encoder that lies in a folder here."""
        for file in sorted(path for path in encoder.rglob("*") if path.is_file()):
            self._write(f"{_ENCODER}/{file.relative_to(encoder).as_posix()}", file.read_bytes())
        self._write(_MADE, made.to_json().encode())

    def names(self) -> set[PartName]:
        """The parts that are there, whole."""
        found = (_PART.fullmatch(name) for name in self._listed())
        return {PartName(one["shard"], int(one["number"]), bool(one["last"])) for one in found if one}

    def write(self, name: PartName, rows: Sequence[Row]) -> None:
        """Writes a part; one of this name that is there already holds the same."""
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        sink = pa.BufferOutputStream()
        parquet.write_table(
            _table(rows, self.made),
            sink,
            row_group_size=_ROWS,
            compression="zstd",
            use_dictionary=False,
            write_page_checksum=True,
        )
        self._write(str(name), sink.getvalue())

    def finish(self, shards: Sequence[str]) -> None:
        """Says that these shards, in this order, are all. Raises StorageError where a part is missing."""
        there = self.names()
        for shard in shards:
            if _of_shard(shard, there) is None:
                raise StorageError(
                    f"{self}: parts of shard {shard} are not there; is it a folder that all machines share? "
                    "Then run the same again: what is there is not done again"
                )
        self._write(_ORDER, json.dumps({"shards": list(shards)}).encode())
        for name in self._listed():
            if name.startswith(_UNFINISHED):  # of a process that was killed
                with suppress(OSError):
                    self._files.delete_file(self._path(name))

    # --- reading

    def is_begun(self) -> bool:
        return _MADE in self._listed()

    @cached_property
    def made(self) -> Made:
        """Raises SourceError where this is no folder of parts."""
        try:
            return Made.from_json(self._read(_MADE))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SourceError(
                f"{self}: holds no parts of this version ({error}); {_AGAIN} {self} PATH…"
            ) from error

    def carry_encoder(self, target: Path) -> None:
        """Writes the encoder into a folder that is not there yet."""
        from pyarrow.fs import FileSelector  # noqa: PLC0415

        storage.make_folder(target)
        root = self._path(_ENCODER)
        selector = FileSelector(root, recursive=True)
        for one in sorted(self._files.get_file_info(selector), key=lambda one: one.path):
            path = target / one.path.removeprefix(root).lstrip("/")
            if one.is_file:
                storage.make_folders(path.parent)
                storage.write(path, self._files.open_input_stream(one.path).read())

    def articles(self, intake: Intake) -> Iterator[RawArticle]:
        """Every article in the order of the shards; what is none goes to `intake`, as it did when they were
        read. Raises SourceError for parts that are missing, damaged or made otherwise, naming the first."""
        names = self._in_order()
        intake.bytes_total = len(names)
        for done, name in enumerate(names, start=1):
            for row in self._rows(name):
                origin = Origin(_text(row["file"]), row["at"], _text(row["unit"]))
                if row["reason"] is not None:
                    intake.skip(origin, _text(row["reason"]))
                else:
                    intake.offered += 1
                    texts: dict[str, Any] = {name: _text(row[name]) for name in _TEXTS}
                    found = json.loads(row["found"])
                    yield RawArticle(origin=origin, extracted=row["extracted"], found=found, **texts)
            intake.bytes_read = done

    def _rows(self, name: PartName) -> Iterator[dict[str, Any]]:
        with self._opened(name) as part:
            for batch in part.iter_batches(_ROWS, columns=list(_READ), use_threads=False):
                yield from batch.to_pylist()

    def _in_order(self) -> list[PartName]:
        try:
            shards = json.loads(self._read(_ORDER))["shards"]
        except (OSError, ValueError, KeyError) as error:
            raise SourceError(f"{self}: its parts are not complete; {_AGAIN} {self} PATH…") from error
        there = self.names()
        every = []
        for shard in shards:
            names = _of_shard(shard, there)
            if names is None:
                raise SourceError(f"{self}: parts of shard {shard} are missing; {_AGAIN} {self} PATH…")
            every += names
        return every

    def _opened(self, name: PartName) -> "_Part":
        return _Part(self, name, self.made)

    def vectors(self, workspace: Path) -> "PartVectors":
        """The vectors of every passage, to be found by digest; where they stand is kept in a file in
        `workspace`."""
        parts = [self._opened(name) for name in self._in_order()]
        return PartVectors(parts, self.made, workspace / "parts.sqlite")

    # --- files

    def open(self, name: str) -> Any:  # noqa: ANN401  pyarrow's file
        return self._files.open_input_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _listed(self) -> list[str]:
        from pyarrow.fs import FileSelector  # noqa: PLC0415

        found = self._files.get_file_info(FileSelector(self._root, allow_not_found=True))
        return [one.base_name for one in found]

    def _read(self, name: str) -> bytes:
        with self._files.open_input_stream(self._path(name)) as stream:
            return bytes(stream.read())

    def _write(self, name: str, content: Any) -> None:  # noqa: ANN401  whatever has bytes
        """Writes a file that has its name only when it is whole; one of that name is replaced."""
        path = self._path(name)
        folder, _, plain = path.rpartition("/")
        unfinished = f"{folder}/{_UNFINISHED}{uuid.uuid4().hex}-{plain}"
        try:
            self._files.create_dir(folder, recursive=True)
            with self._files.open_output_stream(unfinished, compression=None) as stream:
                stream.write(content)
            self._files.move(unfinished, path)
        except OSError as error:
            raise storage.failure(Path(path), error) from error


class _Part:
    """One part, open for reading as a context. What goes wrong meanwhile is a SourceError that names it."""

    def __init__(self, parts: Parts, name: PartName, made: Made) -> None:
        self._parts, self._name, self._made = parts, name, made

    def __enter__(self) -> Any:  # noqa: ANN401  pyarrow's ParquetFile
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415

        try:
            self._stream = self._parts.open(str(self._name))
            file = ParquetFile(self._stream, pre_buffer=False, page_checksum_verification=True)
            stated = (file.schema_arrow.metadata or {}).get(_KEY)
            made = Made.from_json(stated) if stated else None
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            raise self._damaged(error) from error
        if made != self._made:
            raise SourceError(
                f"{self._parts}/{self._name}: was made with {made or 'something else'}, what lies beside it "
                f"with {self._made}; remove it, then {_AGAIN} {self._parts} PATH…"
            )
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import pyarrow as pa  # noqa: PLC0415

        self._stream.close()
        if isinstance(error, pa.ArrowException) or (
            isinstance(error, OSError | ValueError) and not isinstance(error, StorageError)
        ):
            raise self._damaged(error) from error

    def _damaged(self, error: BaseException) -> SourceError:
        return SourceError(
            f"{self._parts}/{self._name}: is damaged ({' '.join(str(error).split())[:200]}); remove it, then "
            f"{_AGAIN} {self._parts} PATH…: it alone is made anew"
        )


class PartVectors:
    """Vectors and codes by the digest of what was encoded; use as a context.

    In memory is what is asked for at a time: where each passage stands is looked up in a file, and articles
    come in the order of the parts, so that their passages stand side by side there too.
    """

    def __init__(self, parts: Sequence[_Part], made: Made, path: Path) -> None:
        self._parts, self._made, self._path = parts, made, path

    def __enter__(self) -> Self:
        with storage.written_by("SQLite", self._path, sqlite3.OperationalError):
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            self._db.execute(
                "CREATE TABLE place (digest BLOB PRIMARY KEY, part INTEGER, rows INTEGER, at INTEGER)"
                " STRICT, WITHOUT ROWID"
            )
            self._db.execute("BEGIN")
            for number, one in enumerate(self._parts):
                with one as part:
                    for group in range(part.num_row_groups):
                        digests = _flat(part, group, "digests").to_pylist()
                        self._db.executemany(
                            "INSERT OR IGNORE INTO place VALUES (?, ?, ?, ?)",
                            ((digest, number, group, at) for at, digest in enumerate(digests)),
                        )
            self._db.execute("COMMIT")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        storage.remove(self._path)

    def __contains__(self, digest: object) -> bool:
        return self._place(digest) is not None

    def _place(self, digest: object) -> tuple[int, int, int] | None:
        found: tuple[int, int, int] | None = self._db.execute(
            "SELECT part, rows, at FROM place WHERE digest = ?", (digest,)
        ).fetchone()
        return found

    def find(self, digests: Iterable[bytes]) -> dict[bytes, tuple[Vector, Codes]]:
        """Those of the digests that are known."""
        places = sorted((place, digest) for digest in set(digests) if (place := self._place(digest)))
        found: dict[bytes, tuple[Vector, Codes]] = {}
        for number, of_part in groupby(places, key=lambda one: one[0][0]):
            with self._parts[number] as part:
                for group, of_group in groupby(of_part, key=lambda one: one[0][1]):
                    vectors, codes = (_flat(part, group, name) for name in ("vectors", "codes"))
                    for (_, _, at), digest in of_group:
                        vector = np.frombuffer(vectors[at].as_py(), np.float32)
                        found[digest] = vector, self._codes(codes[at].as_py())
        return found

    def _codes(self, content: bytes) -> Codes:
        width = self._made.encoder.token_dimension * self._made.token_bits // 8
        return np.frombuffer(content, np.uint8).reshape(-1, width) if width else np.empty((0, 0), np.uint8)


def _of_shard(shard: str, there: Iterable[PartName]) -> list[PartName] | None:
    """The parts of a shard in order; None where one is missing."""
    found = sorted(name for name in there if name.shard == shard)
    whole = found and found[-1].last and [name.number for name in found] == list(range(len(found)))
    return found if whole else None


def _flat(part: Any, group: int, name: str) -> Any:  # noqa: ANN401  pyarrow's types
    """A column of the passages in a row group, one after another."""
    return (
        part.read_row_group(group, columns=[name], use_threads=False).column(name).combine_chunks().flatten()
    )


def _table(rows: Sequence[Row], made: Made) -> Any:  # noqa: ANN401  pyarrow's type
    import pyarrow as pa  # noqa: PLC0415

    # Texts as bytes: what sources hold is not always Unicode that may be written as such.
    schema = pa.schema(
        [
            ("file", pa.binary()),
            ("at", pa.int64()),
            ("unit", pa.binary()),
            ("reason", pa.binary()),
            ("extracted", pa.bool_()),
            ("found", pa.string()),
            *((name, pa.binary()) for name in _TEXTS),
            ("digests", pa.list_(pa.binary(16))),
            ("vectors", pa.list_(pa.binary(4 * made.encoder.dimension))),  # float32, little endian
            ("codes", pa.list_(pa.binary())),
        ],
        metadata={_KEY: made.to_json().encode()},
    )
    return pa.Table.from_pylist([_record(row) for row in rows], schema=schema)


def _record(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = {
        "file": _bytes(row.origin.file),
        "at": row.origin.at,
        "unit": _bytes(row.origin.unit),
        "digests": [passage.digest for passage in row.passages],
        "vectors": [passage.vector.astype("<f4").tobytes() for passage in row.passages],
        "codes": [passage.codes.tobytes() for passage in row.passages],
    }
    if row.article is None:
        return {**record, "reason": _bytes(row.reason)}
    texts = {name: _bytes(getattr(row.article, name)) for name in _TEXTS}
    return {
        **record,
        **texts,
        "extracted": row.article.extracted,
        "found": json.dumps(dict(row.article.found)),
    }


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
