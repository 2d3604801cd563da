"""Reading: where in a passage the answer to a question stands, and whether it stands there at all."""

from indexer.reader.export import BUNDLED, NONE, carry, locate
from indexer.reader.facts import Facts, Fit
from indexer.reader.reader import Reader, Reading

__all__ = ["BUNDLED", "NONE", "Facts", "Fit", "Reader", "Reading", "carry", "locate"]
