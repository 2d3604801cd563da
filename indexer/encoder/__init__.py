"""Text to vectors: the model exported once at build time, then run from its own folder."""

from indexer.encoder.encoder import Encoder, Facts
from indexer.encoder.export import DEFAULT_MODEL, export, fingerprint, locate

__all__ = ["DEFAULT_MODEL", "Encoder", "Facts", "export", "fingerprint", "locate"]
