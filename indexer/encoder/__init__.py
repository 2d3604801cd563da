"""Text to vectors: the model exported once at build time, then run from its own folder."""

from indexer.encoder.encoder import Encoder, read_tokenizer
from indexer.encoder.export import can_export, export, fingerprint, locate
from indexer.encoder.facts import Facts

__all__ = [
    "Encoder",
    "Facts",
    "can_export",
    "export",
    "fingerprint",
    "locate",
    "read_tokenizer",
]
