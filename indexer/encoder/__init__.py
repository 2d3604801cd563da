"""Text to vectors: the model exported once at build time, then run from its own folder."""

from indexer.encoder.encoder import Encoder, Facts
from indexer.encoder.export import export, fingerprint, locate

__all__ = ["Encoder", "Facts", "export", "fingerprint", "locate"]
