"""What every part of an encoder's folder agrees on: its file names, and the facts of its model."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from indexer import storage
from indexer.errors import DamagedError

Kind = Literal["query", "passage"]
TOKENIZER = "tokenizer.json"
_FACTS = "encoder.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a generation says of its encoder; written beside it as JSON.

    `fingerprint` identifies the model's files, `token_dimension` is that of a single token's vector (0 where
    the model has none), `max_tokens` counts the special tokens (longer texts are truncated), `least_cosine`
    is the smallest agreement with sentence-transformers that the export measured, in [-1, 1].
    """

    model: str
    fingerprint: str
    runtime: Literal["openvino", "sentence-transformers"]
    dimension: int
    token_dimension: int
    max_tokens: int
    query_prompt: str
    passage_prompt: str
    least_cosine: float

    def write(self, folder: Path) -> None:
        storage.remove(folder / _FACTS)  # the export writes it before and after it measures the cosine
        storage.write(folder / _FACTS, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        """Raises DamagedError where the folder holds no encoder of this version."""
        try:
            return cls(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DamagedError(
                f"{folder}: holds no encoder that this version reads ({error}); run: dateline index build"
            ) from error
