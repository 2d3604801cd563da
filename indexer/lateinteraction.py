"""What the encoder makes of every token of a passage, a few bits a dimension, and how a question meets it.

A question is compared token by token (MaxSim: Khattab & Zaharia, ColBERT, SIGIR 2020). The encoder hands
its token vectors out turned at random, so that all dimensions are alike and each number is close to normal:
then a few levels a number, the same for all, lose little. With two bits a token of 384 dimensions takes 96
bytes instead of 1,536.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexer.models import TokenVectors

Codes = npt.NDArray[np.uint8]
"""(tokens, dim * bits / 8) of one passage, or of several behind each other."""

_AT_A_TIME = 512  # tokens compared with a question's
# The levels that lose least of a normal number (Max, 1960), by bits.
_LEVELS = {
    1: np.array([-0.7979, 0.7979], np.float32),
    2: np.array([-1.5104, -0.4528, 0.4528, 1.5104], np.float32),
}


def coded(tokens: TokenVectors, *, bits: int) -> Codes:
    """The codes of a passage's token vectors in 1 or 2 bits a dimension; the dimensions have to fill whole
    bytes."""
    scaled = tokens * np.float32(np.sqrt(tokens.shape[1]))
    values = _LEVELS[bits]
    levels = np.zeros(tokens.shape, np.uint8)
    for threshold in (values[1:] + values[:-1]) / 2:
        levels += scaled > threshold
    packed = np.zeros((len(tokens), tokens.shape[1] * bits // 8), np.uint8)
    for place in range(8 // bits):
        packed |= levels[:, place :: 8 // bits] << np.uint8(place * bits)
    return packed


class TokenCodes:
    """Compares a question's tokens with codes, wherever these were read."""

    def __init__(self, *, dimension: int, bits: int) -> None:
        """From here on the process computes products on one thread: questions are answered side by side,
        and threads of numpy's that spin after a product of 2 ms held up FAISS for 15."""
        threadpool_limits(limits=1, user_api="blas")
        self._dimension = dimension
        self._bits = bits
        levels = _LEVELS[bits]
        # One look-up gives all the numbers that a byte holds.
        places = np.arange(8 // bits) * bits
        self._numbers = levels[(np.arange(256)[:, None] >> places) & (len(levels) - 1)]

    def similarities(
        self, question: TokenVectors, codes: Codes, lengths: Sequence[int]
    ) -> list[npt.NDArray[np.float32]]:
        """For each of the passages whose codes these are, so many tokens each, the cosines of the question's
        tokens to its own, (question tokens, tokens)."""
        ends = np.cumsum(lengths)
        return np.split(self._cosines(question, codes).T, ends[:-1], axis=1) if lengths else []

    def late_interaction(
        self, question: TokenVectors, codes: Codes, lengths: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """MaxSim in [-1, 1]: how well each of the question's tokens is met, on average; (len(lengths),)."""
        tokens = np.array(lengths, np.int64)
        scores = np.full(len(tokens), -1.0, np.float32)
        if len(question) and tokens.any():
            said = tokens > 0
            starts = (np.cumsum(tokens) - tokens)[said]
            scores[said] = np.maximum.reduceat(self._cosines(question, codes), starts).mean(axis=1)
        return scores

    def _cosines(self, question: TokenVectors, codes: Codes) -> npt.NDArray[np.float32]:
        """(tokens of all the passages, question tokens)"""
        # BLAS is a third faster where no column is left over from its eights.
        columns = np.zeros((-(-len(question) // 8) * 8, self._dimension), np.float32)
        columns[: len(question)] = question
        cosines = np.empty((len(codes), len(columns)), np.float32)
        # As many at a time as stay in the processor's cache, unpacked into the same memory.
        tokens = np.empty((min(_AT_A_TIME, len(codes)), self._dimension), np.float32)
        unpacked = tokens.reshape(-1, self._numbers.shape[1])
        for start in range(0, len(codes), _AT_A_TIME):
            part = codes[start : start + _AT_A_TIME]
            # "clip" writes in place, where "raise" would copy; no byte is out of bounds.
            np.take(self._numbers, part.ravel(), axis=0, out=unpacked[: part.size], mode="clip")
            np.matmul(tokens[: len(part)], columns.T, out=cosines[start : start + len(part)])
        cosines /= self._norms(codes)[:, np.newaxis]
        return cosines[:, : len(question)]

    def _norms(self, codes: Codes) -> npt.NDArray[np.float32]:
        """(tokens,): by how many of a token's numbers are of the outer levels, whose two bits are equal."""
        inner, outer = _LEVELS[self._bits][-2:] ** 2
        if self._bits == 1:
            return np.full(len(codes), np.sqrt(self._dimension * outer), np.float32)
        width = codes.shape[1]
        words = codes.view(np.uint64) if width % 8 == 0 else codes
        one, lower = words.dtype.type(1), words.dtype.type(int.from_bytes(b"\x55" * words.itemsize))
        outers = np.bitwise_count(~(words ^ (words >> one)) & lower).sum(axis=1, dtype=np.float32)
        norms: npt.NDArray[np.float32] = np.sqrt(self._dimension * inner + (outer - inner) * outers)
        return norms
