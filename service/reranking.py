"""An optional cross-encoder, which reads question and passage together: the slowest and best judge."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from indexer.errors import UsageError
from indexer.models import Scores
from service.retrieval import Rescoring
from service.settings import Settings


class Reranker:
    """A sentence-transformers CrossEncoder: a name on the hub, or a folder. Threads may share it."""

    def __init__(self, model: str) -> None:
        """Loads it, which takes seconds and needs torch. Raises UsageError where it is not to be had."""
        try:
            from sentence_transformers import CrossEncoder  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                "a reranker needs sentence-transformers; run: pip install 'dateline[build]'"
            ) from error
        # Other weight formats than safetensors can run code when they are read.
        options = {"use_safetensors": True}
        try:
            self._model = CrossEncoder(
                str(Path(model).expanduser()) if Path(model).expanduser().is_dir() else model,
                trust_remote_code=False,
                model_kwargs=options,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"reranker: {model} cannot be loaded ({error}); give a cross-encoder's name or folder"
            ) from error
        self._lock = Lock()  # Hugging Face's fast tokenizers are for one thread at a time

    def scores(self, question: str, texts: Sequence[str]) -> Scores:
        """How well each text answers the question, (len(texts),); only their order means anything."""
        with self._lock:
            found = self._model.predict([(question, text) for text in texts], show_progress_bar=False)
        return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)[:, -1]


def rescoring_by(settings: Settings) -> Rescoring:
    """What the settings say of putting the first passages in order; loads the reranker that they name."""
    if settings.reranker:
        return Rescoring(settings.rescored_passages, Reranker(settings.reranker).scores)
    return Rescoring(settings.rescored_passages)
