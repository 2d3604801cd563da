"""An encoder as a generation stores it: a graph or a saved model, its tokenizer, its facts."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from indexer.encoder.facts import TOKENIZER, Facts, Kind
from indexer.errors import EncoderError
from indexer.models import Encoded, Span, Vectors

_REMEMBERED = 256  # questions, of some 20 KB each


class Runtime(Protocol):
    """What runs the network; pooling and normalisation are its last steps."""

    def encode(self, texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, Encoded]]:
        """Yields each text's position with what it became, in whatever order they are done."""

    def encode_question(self, text: str) -> Encoded:
        """One question, as soon as it can be."""

    def load(self) -> None:
        """Makes ready what the first question would wait for."""


class Encoder:
    """Reads the folder that `export` wrote. Threads may share it."""

    def __init__(self, folder: Path, *, streams: int = 0, threads: int = 0) -> None:
        """Reads the facts alone: tokenizer and network load at first use, or by `load`.

        `streams`: how many inferences run side by side, sharing the cores; 0 means one for each
        core, the most texts a second. 1 gives each inference every core, the soonest answer.
        `threads`: on how many cores; 0 means all.
        """
        self.facts = Facts.read(folder)
        self._folder = folder
        self._streams = streams
        self._threads = threads
        self._loading = Lock()
        # An answer encodes its question when it searches and when it reads what it found.
        self._encoded_query = lru_cache(_REMEMBERED)(self._encode_query)

    @cached_property
    def token_spans(self) -> Callable[[str], Sequence[Span]]:
        """Where each of the model's own tokens stands in a text; special tokens left out."""
        return read_tokenizer(self._folder)

    @cached_property
    def _runtime(self) -> Runtime:
        # Each runtime is imported where it is needed: serving an exported graph needs no torch.
        if self.facts.runtime == "openvino":
            from indexer.encoder.openvino import OpenVinoRuntime  # noqa: PLC0415

            return OpenVinoRuntime(self._folder, self.facts, streams=self._streams, threads=self._threads)
        from indexer.encoder.fallback import SentenceTransformersRuntime  # noqa: PLC0415

        return SentenceTransformersRuntime(self._folder, self.facts)

    def load(self) -> None:
        """Loads the network now rather than in the first question's time."""
        self._loaded().load()

    def encode_query(self, text: str) -> Encoded:
        """A question as a whole and token by token. Read it only: the last questions are remembered."""
        return self._encoded_query(text)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Returns (n, dim) float32 rows of L2 norm 1, so that inner product is cosine in [-1, 1]."""
        return self._gathered(texts, "query")

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Like `encode_queries`, as the model treats passages."""
        return self._gathered(texts, "passage")

    def stream_passages(self, texts: Sequence[str]) -> Iterator[tuple[int, Encoded]]:
        """Like `encode_passages`, token by token too: each text's position and what it became, in
        whatever order they are done."""
        return self._encode(texts, "passage")

    def _encode_query(self, text: str) -> Encoded:
        return self._loaded().encode_question(text)

    def _gathered(self, texts: Sequence[str], kind: Kind) -> Vectors:
        vectors = np.empty((len(texts), self.facts.dimension), dtype=np.float32)
        for at, encoded in self._encode(texts, kind):
            vectors[at] = encoded.vector
        return vectors

    def _encode(self, texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, Encoded]]:
        return self._loaded().encode(texts, kind)

    def _loaded(self) -> Runtime:
        with self._loading:
            return self._runtime


def read_tokenizer(folder: Path) -> Callable[[str], Sequence[Span]]:
    """A function from a text to its tokens' places, by the tokenizer in an encoder's or a model's folder.

    Raises EncoderError where the folder holds none.
    """
    file = folder / TOKENIZER
    if not file.is_file():
        raise EncoderError(f"{file}: no such file; build an index with this model first")
    tokenizer: Tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: [Span(*place) for place in tokenizer.encode(text, add_special_tokens=False).offsets]
