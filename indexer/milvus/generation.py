"""A generation in Milvus, opened for reading, and the alias that says which is served.

Of the index folder, which other machines share or have a copy of, it takes a generation's manifest, its
models, and its words (published/ID.words); everything else comes from Milvus.
"""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from indexer.errors import DamagedError, NoIndexError, UsageError
from indexer.folder import IndexFolder, best_first
from indexer.generation import Index, Models
from indexer.milvus import schema
from indexer.milvus.connection import Connection
from indexer.milvus.corpus import Corpus
from indexer.milvus.passages import Columns, FullText, Tokens, VectorSearch
from indexer.milvus.words import Words

_PUBLISH = "run: dateline index publish"


class MilvusGeneration:
    """One generation whose collections are complete. Threads may share it."""

    def __init__(
        self,
        folder: IndexFolder,
        connection: Connection,
        alias: str,
        generation_id: str,
        *,
        loaded: Models | None = None,
        cores: int = 0,
    ) -> None:
        """Raises DamagedError or NoIndexError where a part of it is missing, here or in Milvus.

        `loaded`: models already there, taken where they are the very ones that are stored here; others run on
        so many `cores`, 0 meaning all.
        """
        if generation_id not in folder.published():
            raise NoIndexError(
                f"{folder.path}: has no manifest and words of generation {generation_id}, which Milvus "
                f"has; copy them and its models from where it was built, the words last, or {_PUBLISH}"
            )
        with ExitStack() as opened:
            path = opened.enter_context(folder.lease(generation_id))
            self.manifest = folder.verify_models(generation_id)
            self.models = Models.open(path, self.manifest, loaded, cores)
            self.encoder, self.reader = self.models.encoder, self.models.reader
            words = Words(folder.words(generation_id))
            opened.callback(words.close)
            passages, articles = schema.collections_of(alias, generation_id)
            fields = connection.fields(passages)
            facts = words.facts
            _check_whole(connection, {passages: facts["passages"], articles: facts["documents"]})
            self.columns = Columns(connection, passages)
            self.vectors = VectorSearch(connection, passages, self.columns, self.encoder.facts.dimension)
            self.fulltext = FullText(
                connection, passages, self.columns, words, searched=schema.WORDS in fields
            )
            self.corpus = Corpus(
                connection,
                articles,
                self.columns,
                articles=self.manifest.counts["articles"],
                passages=self.manifest.counts["passages"],
                rows=facts["rows"],
            )
            bits = int(self.manifest.settings["token_bits"])
            self.tokens = (
                Tokens(
                    connection,
                    passages,
                    schema.code_names(fields),
                    dimension=self.encoder.facts.token_dimension,
                    bits=bits,
                )
                if bits
                else None
            )
            self._opened = opened.pop_all()

    @property
    def id(self) -> str:
        return self.manifest.id

    def verify_next(self) -> bool:
        """Milvus keeps checksums of its own."""
        return False

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


def _check_whole(connection: Connection, wanted: Mapping[str, int]) -> None:
    """Raises DamagedError or NoIndexError where a collection has not as many entities as it should have."""
    for name, count in wanted.items():
        connection.check_loaded(name)
        # The newest state: who searches may be some seconds behind it.
        there = connection.count(name, strong=True)
        if there != count:
            raise DamagedError(f"{name}: holds {there:,} of {count:,} entities; {_PUBLISH}")


class MilvusIndex(Index[MilvusGeneration]):
    """The generations of a folder that were published, served from Milvus."""

    def __init__(
        self, folder: IndexFolder, connection: Connection, collection: str, *, cores: int = 0
    ) -> None:
        """`collection`: the name under which it is served. `cores`: on how many the models run; 0 means
        all."""
        self._folder = folder
        self._connection = connection
        self._alias = schema.alias_of(collection)
        self._cores = cores

    def __str__(self) -> str:
        return f"{self._alias} at {self._connection.uri}"

    def ids(self) -> list[str]:
        """As for any index; what it takes of the folder is there. Milvus is not asked."""
        return self._folder.published()

    def current(self) -> str | None:
        """The generation that the alias names: one small question."""
        named = self._connection.alias(self._alias)
        return schema.generation_of(self._alias, named) if named else None

    def candidates(self) -> list[str]:
        """The current generation, though what it takes of the folder may not be there yet, then earlier ones,
        then later."""
        current = self.current()
        ids = sorted({*self.ids(), *([current] if current else [])})
        if not ids:
            raise NoIndexError(f"{self}: nothing is published; run: dateline index build PATH…")
        return best_first(ids, current)

    def open(self, generation_id: str, *, loaded: Models | None = None) -> MilvusGeneration:
        """As for any index."""
        return MilvusGeneration(
            self._folder,
            self._connection,
            self._alias,
            generation_id,
            loaded=loaded,
            cores=self._cores,
        )

    def roll_back(self, generation_id: str | None, command: str) -> str:
        """As for any index. The folder's own current generation becomes the same: what is built next starts
        from it."""
        ids = self.ids()
        target = generation_id
        if target is None:
            current = self.current()
            earlier = [name for name in ids if current and name < current]
            if not earlier:
                raise NoIndexError(f"{self}: there is no generation before {current}")
            target = earlier[-1]
        elif target not in ids:
            raise UsageError(f"{target}: no such generation; there are {', '.join(ids)}", param="generation")
        with closing(Words(self._folder.words(target))) as words:
            facts = words.facts
        passages, articles = schema.collections_of(self._alias, target)
        _check_whole(self._connection, {passages: facts["passages"], articles: facts["documents"]})
        with self._folder.writing(command):
            self._folder.switch(target)
            self._connection.point(self._alias, passages)
        return target
