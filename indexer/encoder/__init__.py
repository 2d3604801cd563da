"""Text to vectors: the model exported once at build time, then run from its own folder."""

from indexer.encoder.encoder import Encoder, Facts
from indexer.encoder.export import can_export, export, fingerprint, locate

__all__ = ["Encoder", "Facts", "can_export", "export", "fingerprint", "locate"]
