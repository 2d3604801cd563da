"""What every part of a reader's folder agrees on: its file names, and the facts of its model."""

import json
from dataclasses import asdict, dataclass, field
from math import exp, isfinite
from pathlib import Path

from indexer import storage
from indexer.errors import DamagedError

GRAPH, WEIGHTS, TOKENIZER, FACTS = "reader.xml", "reader.bin", "tokenizer.json", "reader.json"
FILES = (GRAPH, WEIGHTS, TOKENIZER)  # and the facts
IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
SPANS, ANSWERABLE = "spans", "answerable"
_LEAST_WINDOW, _MOST_WINDOW = 32, 4096
WINDOW = 256  # tokens read at a time, as long as in training; longer passages in windows


@dataclass(frozen=True, slots=True)
class Fit:
    """How probable an answer is: a logistic function of the network's own logit for it and of the best span's
    score. As it stands, that of a model that was trained to say "no answer" by its first token."""

    by_head: float = 0.0
    by_score: float = 1.0
    bias: float = 0.0

    def odds(self, head: float, score: float) -> float:
        """The logarithm of an answer's odds."""
        return self.by_head * head + self.by_score * score + self.bias

    def probability(self, head: float, score: float) -> float:
        return 1 / (1 + exp(-max(-60.0, min(60.0, self.odds(head, score)))))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a generation says of its reader; written beside it as JSON.

    `fingerprint` identifies the model's files, `window` is the most tokens it reads at once, those of the
    question and the special ones among them, `padding` the token that fills up. `calibrated` tells that the
    fit was made for this very network, so that its probabilities are such.
    """

    model: str
    fingerprint: str
    window: int = WINDOW
    padding: int = 0
    fit: Fit = field(default_factory=Fit)
    calibrated: bool = False

    def __post_init__(self) -> None:
        counts = (self.window, self.padding)
        numbers = (self.fit.by_head, self.fit.by_score, self.fit.bias)
        if (
            not all(type(count) is int for count in counts)
            or not _LEAST_WINDOW <= self.window <= _MOST_WINDOW
            or self.padding < 0
            or not all(type(number) in {int, float} and isfinite(number) for number in numbers)
            or type(self.calibrated) is not bool
            or not all(type(text) is str for text in (self.model, self.fingerprint))
        ):
            raise ValueError("its facts are none")

    def write(self, folder: Path) -> None:
        storage.write(folder / FACTS, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        """Raises DamagedError where the folder holds no reader of this version."""
        try:
            stored = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            return cls(**{**stored, "fit": Fit(**stored["fit"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedError(
                f"{folder}: holds no reader that this version reads ({error}); run: dateline index build"
            ) from error
