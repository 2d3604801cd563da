"""A generation in a folder, opened for reading: its texts, vectors, words and encoder belong together."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from indexer.errors import DamagedError
from indexer.folder import ENCODER, READER, IndexFolder
from indexer.generation import Index, Models
from indexer.local.columns import Columns
from indexer.local.corpus import Corpus
from indexer.local.fulltext import FullTextIndex
from indexer.local.tokenvectors import TokenVectorIndex
from indexer.local.vectors import VectorIndex
from indexer.models import EVERYTHING, Filters, Rows, Scores, Vector, Vectors

CORPUS, COLUMNS, FULLTEXT = "corpus.sqlite", "columns", "fulltext"
VECTORS, TOKENS = "vectors", "tokens"
# What is added to as it is: folders of files that are never changed.
GROWING = (VECTORS, TOKENS, FULLTEXT, ENCODER, READER)
REPORT = "report.jsonl"
_AT_ONCE = 1 << 29  # bytes compared with their checksums before a generation is served: half a second


class FilteredVectors:
    """The vectors of a generation, searched with the filters that its columns know."""

    def __init__(self, index: VectorIndex, columns: Columns) -> None:
        self.index = index
        self._columns = columns

    def search(self, vector: Vector, k: int, filters: Filters = EVERYTHING) -> tuple[Rows, Scores]:
        """The k best rows by cosine, best first, the lower row first where scores are equal."""
        return self.index.search(vector, k, self._columns.allowed(filters))

    def vectors(self, rows: Rows) -> Vectors:
        """The stored vectors, (len(rows), dim): stored again, they stay the same."""
        return self.index.vectors(rows)


class LocalGeneration:
    """One verified generation, kept from removal until it is closed. Threads may share it.

    Of more than half a gigabyte the largest files are only looked at for their size at first, or a large
    index would not be served for minutes: `verify_next` compares them, one by one.
    """

    def __init__(
        self, index: IndexFolder, generation_id: str, *, loaded: Models | None = None, cores: int = 0
    ) -> None:
        """Checks its files first. Raises DamagedError or NoIndexError, naming what is wrong.

        `loaded`: models already there, taken where they are the very ones that are stored here; others run on
        so many `cores`, 0 meaning all.
        """
        with ExitStack() as opened:
            self.path: Path = opened.enter_context(index.lease(generation_id))
            at_once = index.manifest(generation_id).smallest(_AT_ONCE)
            self.manifest = index.verify(generation_id, at_once)
            self._unverified = sorted(self.manifest.files.keys() - set(at_once))
            self._index = index
            self.corpus = Corpus(self.path / CORPUS)
            opened.callback(self.corpus.close)
            vectors = VectorIndex.open(self.path / VECTORS)
            self.fulltext = FullTextIndex(self.path / FULLTEXT)
            self.models = Models.open(self.path, self.manifest, loaded, cores)
            self.encoder, self.reader = self.models.encoder, self.models.reader
            self.tokens = self._token_vectors()
            self.columns = Columns(self.path / COLUMNS)
            self.vectors = FilteredVectors(vectors, self.columns)
            passages = {self.corpus.passage_count, len(self.fulltext), self.manifest.counts["passages"]}
            rows = {self.corpus.passage_rows, len(self.columns), len(vectors)}
            if self.tokens:
                rows.add(len(self.tokens))
            if len(passages) > 1 or len(rows) > 1:
                raise DamagedError(f"{self.path}: its parts count differently; run: dateline index build")
            if vectors.dimension != self.encoder.facts.dimension:
                raise DamagedError(
                    f"{self.path}: its vectors have {vectors.dimension} dimensions, its encoder "
                    f"{self.encoder.facts.dimension}; run: dateline index build"
                )
            self._opened = opened.pop_all()

    def _token_vectors(self) -> TokenVectorIndex | None:
        """None where the settings or the model gave none."""
        bits = self.manifest.settings["token_bits"]
        if not bits:
            return None
        dimension = self.encoder.facts.token_dimension
        return TokenVectorIndex(self.path / TOKENS, dimension=dimension, bits=bits)

    def verify_next(self) -> bool:
        """Compares the next file that was not compared when this was opened; returns whether there was one.

        Raises DamagedError where it is not what was written.
        """
        if not self._unverified:
            return False
        self._index.verify(self.id, [self._unverified[-1]])
        self._unverified.pop()
        return True

    @property
    def id(self) -> str:
        return self.manifest.id

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LocalIndex(Index[LocalGeneration]):
    """The generations of a folder on this machine."""

    def __init__(self, folder: IndexFolder, *, cores: int = 0) -> None:
        """`cores`: on how many the models run; 0 means all."""
        self._folder = folder
        self._cores = cores

    def __str__(self) -> str:
        return str(self._folder.path)

    def ids(self) -> list[str]:
        return self._folder.ids()

    def current(self) -> str | None:
        return self._folder.current()

    def candidates(self) -> list[str]:
        """The current generation, then earlier ones, then later."""
        return self._folder.candidates()

    def open(self, generation_id: str, *, loaded: Models | None = None) -> LocalGeneration:
        """As for any index."""
        return LocalGeneration(self._folder, generation_id, loaded=loaded, cores=self._cores)

    def roll_back(self, generation_id: str | None, command: str) -> str:
        """As for any index."""
        return self._folder.roll_back(generation_id, command)
