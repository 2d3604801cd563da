"""What a question may be asked of: a generation, wherever it is kept.

`indexer.local` keeps them in a folder of this machine. All that searches and answers stands on what is here,
and knows of no other difference. A passage is named by its row throughout, a number that is its own in its
generation.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from indexer.encoder import Encoder
from indexer.errors import NoIndexError
from indexer.folder import ENCODER, READER, Manifest
from indexer.models import (
    EVERYTHING,
    Article,
    Filters,
    Passage,
    Rows,
    Scores,
    Span,
    TokenVectors,
    Vector,
    Vectors,
    Version,
)
from indexer.quotes import Called, Quotation
from indexer.reader import Reader


class Mentioned(NamedTuple):
    """A stretch of an article and the days it speaks of, ISO 8601, both inclusive."""

    span: Span
    first: str
    last: str


class Quoted(NamedTuple):
    """A quotation and the article that it stands in."""

    quotation: Quotation
    article: Article


class Named(NamedTuple):
    """A way in which a speaker is written, and how many quotations have it, those of copies too."""

    name: str
    called: Called
    quotations: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An article as the corpus holds it; `page` is what its url names, empty without one."""

    row: int
    article: Article
    origin: str
    seen_at: str
    page: str


class Corpus(Protocol):
    """The articles, their passages, and what was found in them."""

    @property
    def article_count(self) -> int: ...

    @property
    def passage_count(self) -> int: ...

    def article(self, article_id: str) -> Article | None: ...

    def stored(self, article_id: str) -> Stored | None: ...

    def articles(self) -> Iterator[Stored]:
        """Every article, in the order in which they were read."""

    def versions(self, article_id: str) -> list[Version]:
        """What an article said before it changed, the oldest first."""

    def copies(self, article_id: str) -> list[Article]:
        """The copies of an article's story, itself among them, the first copy first; none where it is the
        only one."""

    def stories(self) -> Iterator[list[str]]:
        """The ids of each story's copies where there are several, the first copy first."""

    def passages(self, article_id: str) -> list[Passage]:
        """An article's passages in order."""

    def read(self, rows: Sequence[int]) -> list[tuple[Passage, Article]]:
        """The passages of the rows, in their order, each with its article. KeyError where one is none."""

    def mentions(self, rows: Sequence[int]) -> dict[int, list[Mentioned]]:
        """The days that passages speak of, by row; a passage that speaks of none is left out."""

    def quotations(
        self,
        speaker: str | None = None,
        *,
        article_ids: Sequence[str] | None = None,
        filters: Filters = EVERYTHING,
    ) -> Iterator[Quoted]:
        """What is quoted: of a speaker (a name, a surname or a description), in some articles or in all that
        pass the filters; the newest article first, undated last, within it in order of place."""

    def speakers(self) -> list[Named]:
        """Every way in which speakers are written, the oftenest first."""


class VectorSearch(Protocol):
    """Which passages lie nearest to a question's vector."""

    def search(self, vector: Vector, k: int, filters: Filters = EVERYTHING) -> tuple[Rows, Scores]:
        """The k best rows by cosine, best first; fewer only where fewer pass the filters."""

    def vectors(self, rows: Rows) -> Vectors:
        """The passages' vectors, (len(rows), dim)."""


class FullText(Protocol):
    """Which passages hold a question's words, as `indexer.words` tells words."""

    @property
    def lacking(self) -> str:
        """Why words cannot be searched here, and the remedy; empty where they can, as nearly everywhere."""

    def search(
        self, terms: Sequence[str], k: int, filters: Filters, asked: Sequence[tuple[date, date]] = ()
    ) -> tuple[Rows, Scores]:
        """The k best rows by BM25 over any of the terms, best first; fewer where fewer match. A passage that
        speaks of the days `asked` for, first to last, is found as if it named them. Raises UsageError
        where something is `lacking`."""

    def rarity(self, term: str) -> float:
        """Inverse document frequency in [0, about ln(passages)]; a word of every passage has about 0."""


class Columns(Protocol):
    """What is asked of many passages at once."""

    def hold(self, filters: Filters) -> bool:
        """Whether any passage passes."""

    def articles_of(self, rows: Sequence[int]) -> list[tuple[int, int | None]]:
        """The article that each passage belongs to, and its story where that has several copies: as
        numbers that mean nothing else."""

    def days_of(self, rows: Sequence[int]) -> dict[int, date]:
        """The day of publication of each passage's article, by row; undated ones are left out."""


class Tokens(Protocol):
    """What the encoder made of every token of a passage."""

    def similarities(self, question: TokenVectors, rows: Sequence[int]) -> list[npt.NDArray[np.float32]]:
        """For each row the cosines of the question's tokens to the passage's, (question tokens, tokens)."""

    def late_interaction(self, question: TokenVectors, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """MaxSim in [-1, 1]: how well each of the question's tokens is met, on average; (len(rows),)."""


@dataclass(frozen=True, slots=True)
class Models:
    """The networks that a generation carries, wherever it is kept; `reader` is None where it has none."""

    encoder: Encoder
    reader: Reader | None = None

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, loaded: "Models | None", cores: int) -> "Models":
        """Those of a generation's folder, to run on so many `cores`, 0 meaning all. Of those that are
        `loaded` the very ones that are stored there are taken. Raises DamagedError where one is none."""
        encoder = Encoder(folder / ENCODER, streams=1, threads=cores)
        if loaded and loaded.encoder.facts == encoder.facts:
            encoder = loaded.encoder
        if not manifest.has_reader:
            return cls(encoder)
        reader = Reader(folder / READER, threads=cores)
        if loaded and loaded.reader and loaded.reader.facts == reader.facts:
            reader = loaded.reader
        return cls(encoder, reader)

    def load(self) -> None:
        """Has the first question not wait for what it would else wait for."""
        self.encoder.load()
        if self.reader:
            self.reader.load()


class Generation(Protocol):
    """An index as it stood when it was built. Threads may share it; it is there until it is closed."""

    @property
    def id(self) -> str: ...

    @property
    def manifest(self) -> Manifest: ...

    @property
    def models(self) -> Models: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def reader(self) -> Reader | None:
        """None where the settings gave none."""

    @property
    def corpus(self) -> Corpus: ...

    @property
    def vectors(self) -> VectorSearch: ...

    @property
    def fulltext(self) -> FullText: ...

    @property
    def columns(self) -> Columns: ...

    @property
    def tokens(self) -> Tokens | None:
        """None where the settings or the model gave none."""

    def verify_next(self) -> bool:
        """Compares the next part that was not compared when this was opened; returns whether there was one.

        Raises DamagedError where it is not what was written.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


Opened_co = TypeVar("Opened_co", bound=Generation, covariant=True)


class Index(Protocol[Opened_co]):
    """Where generations are kept, and which of them is to be served. As a string it is its place."""

    def ids(self) -> list[str]:
        """Every generation, oldest first."""

    def current(self) -> str | None:
        """The one to be served; None where there is none."""

    def candidates(self) -> list[str]:
        """What may be served, best first. Raises NoIndexError where there is nothing."""

    def open(self, generation_id: str, *, loaded: Models | None = None) -> Opened_co:
        """A generation, looked through first. Raises DamagedError or NoIndexError, naming what is wrong.

        `loaded`: models already there, taken where they are the very ones that the generation has.
        """

    def open_best(
        self,
        warn: Callable[[str], None],
        *,
        loaded: Models | None = None,
        known_damaged: Collection[str] = (),
    ) -> Opened_co:
        """The current generation; where that is damaged, the best one that is whole.

        `warn` is told of each generation refused. Raises NoIndexError where none is left.
        """
        refused: NoIndexError | None = None
        for candidate in self.candidates():
            if candidate in known_damaged:
                continue
            try:
                return self.open(candidate, loaded=loaded)
            except NoIndexError as error:
                warn(f"generation {candidate} is refused: {error}")
                refused = refused or error
        raise refused or NoIndexError(f"{self}: holds nothing that is whole; run: dateline index build PATH…")

    def roll_back(self, generation_id: str | None, command: str) -> str:
        """Has the generation before the current one served, or the one that is asked for, once it is found
        whole; returns its id. `command` is who does so.

        Raises NoIndexError where there is none before, DamagedError where it is not whole, UsageError where
        it is not there, LockedError where another process writes.
        """
