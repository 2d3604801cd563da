"""A generation opened for reading: its texts, vectors, words and encoder belong together."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from indexer.columns import Columns
from indexer.corpus import Corpus
from indexer.encoder import Encoder
from indexer.errors import DamagedError, NoIndexError
from indexer.folder import IndexFolder
from indexer.fulltext import FullTextIndex
from indexer.tokenvectors import TokenVectorIndex
from indexer.vectors import VectorIndex

CORPUS, COLUMNS, FULLTEXT, ENCODER = "corpus.sqlite", "columns", "fulltext", "encoder"
VECTORS, TOKENS = "vectors", "tokens"
# What is added to as it is: folders of files that are never changed.
GROWING = (VECTORS, TOKENS, FULLTEXT, ENCODER)
REPORT = "report.jsonl"


_AT_ONCE = 1 << 29  # bytes compared with their checksums before a generation is served: half a second


class Generation:
    """One verified generation, kept from removal until it is closed. Threads may share it.

    Of more than half a gigabyte the largest files are only looked at for their size at first, or a large
    index would not be served for minutes: `verify_next` compares them, one by one.
    """

    def __init__(
        self, index: IndexFolder, generation_id: str, *, encoder: Encoder | None = None, cores: int = 0
    ) -> None:
        """Checks its files first. Raises DamagedError or NoIndexError, naming what is wrong.

        `encoder`: one already loaded, taken where it is the very one that is stored here; else it runs on so
        many `cores`, 0 meaning all.
        """
        with ExitStack() as opened:
            self.path: Path = opened.enter_context(index.lease(generation_id))
            at_once = index.manifest(generation_id).smallest(_AT_ONCE)
            self.manifest = index.verify(generation_id, at_once)
            self._unverified = sorted(self.manifest.files.keys() - set(at_once))
            self._index = index
            self.corpus = Corpus(self.path / CORPUS)
            opened.callback(self.corpus.close)
            self.vectors = VectorIndex.open(self.path / VECTORS)
            self.fulltext = FullTextIndex(self.path / FULLTEXT)
            stored = Encoder(self.path / ENCODER, streams=1, threads=cores)
            self.encoder = encoder if encoder and encoder.facts == stored.facts else stored
            self.tokens = self._token_vectors()
            self.columns = Columns(self.path / COLUMNS)
            passages = {self.corpus.passage_count, len(self.fulltext), self.manifest.counts["passages"]}
            rows = {self.corpus.passage_rows, len(self.columns), len(self.vectors)}
            if self.tokens:
                rows.add(len(self.tokens))
            if len(passages) > 1 or len(rows) > 1:
                raise DamagedError(f"{self.path}: its parts count differently; run: dateline index build")
            if self.vectors.dimension != self.encoder.facts.dimension:
                raise DamagedError(
                    f"{self.path}: its vectors have {self.vectors.dimension} dimensions, its encoder "
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


def open_best(
    index: IndexFolder,
    warn: Callable[[str], None],
    *,
    encoder: Encoder | None = None,
    cores: int = 0,
    known_damaged: Collection[str] = (),
) -> Generation:
    """The current generation; where that is damaged, the best one that is whole.

    `warn` is told of each generation refused; `encoder` and `cores` as for a generation. Raises
    NoIndexError where none is left.
    """
    refused: NoIndexError | None = None
    for candidate in index.candidates():
        if candidate in known_damaged:
            continue
        try:
            return Generation(index, candidate, encoder=encoder, cores=cores)
        except NoIndexError as error:
            warn(f"generation {candidate} is refused: {error}")
            refused = refused or error
    raise refused or NoIndexError(f"{index.path}: holds no index; run: dateline index build PATH…")
