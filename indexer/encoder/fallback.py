"""Runs a model by sentence-transformers itself, where it could not be exported."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from indexer.encoder.facts import Facts, Kind
from indexer.errors import EncoderError
from indexer.models import Encoded

MODEL = "model"
_WINDOW = 64


class SentenceTransformersRuntime:
    """Slower to start and to run than an exported graph; takes any model and device."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        except ImportError as error:
            raise EncoderError(
                f"{folder}: this model could not be exported and needs sentence-transformers; "
                "run: pip install 'dateline[build]'"
            ) from error
        self._lock = Lock()  # Hugging Face's fast tokenizers are for one thread at a time
        self._prompts = {"query": facts.query_prompt, "passage": facts.passage_prompt}
        # Other weight formats than safetensors can run code when they are read.
        safe = {"use_safetensors": True}
        self._model = SentenceTransformer(str(folder / MODEL), trust_remote_code=False, model_kwargs=safe)

    def encode(self, texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, Encoded]]:
        """As `Runtime.encode`; of single tokens it tells nothing."""
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        for start in range(0, len(texts), _WINDOW):
            window = list(texts[start : start + _WINDOW])
            prompt = self._prompts[kind]
            with self._lock:
                found = encode(window, prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
            for at, vector in enumerate(np.asarray(found, dtype=np.float32), start=start):
                yield at, Encoded(vector, np.empty((0, 0), np.float32), [])

    def encode_question(self, text: str) -> Encoded:
        """As `Runtime.encode_question`."""
        ((_, encoded),) = self.encode([text], "query")
        return encoded

    def load(self) -> None:
        """As `Runtime.load`: there is nothing more to do."""
