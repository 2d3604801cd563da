"""What the encoder makes of every token of every passage, a few bits a dimension, for late interaction.

A question is compared token by token (MaxSim: Khattab & Zaharia, ColBERT, SIGIR 2020). The encoder hands
its token vectors out turned at random, so that all dimensions are alike and each number is close to normal:
then a few levels a number, the same for all, lose little. With two bits a token of 384 dimensions takes 96
bytes instead of 1,536.
"""

import mmap
import shutil
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexer import storage
from indexer.errors import DamagedError
from indexer.models import TokenVectors

Codes = npt.NDArray[np.uint8]
"""(tokens, dim * bits / 8) of one passage."""

_AT_A_TIME = 512  # tokens compared with a question's
_JOINED = 2  # times as large as what comes behind it a segment may be to be joined with it
_CODES, _STARTS = "codes", "starts.npy"  # of a segment, behind its number and a dot
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


class TokenVectorWriter:
    """Fills an empty folder, or adds a segment to one, passage by passage in the order of their rows; use as
    a context. No file that is there is changed: they may be those of an earlier generation as well."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            storage.make_folder(folder)
        self._folder = folder
        self._starts = array("q", [0])
        self._before = _segments(folder)
        self._name = f"{int(self._before[-1]) + 1 if self._before else 1:06d}"
        self._stream: BinaryIO = storage.create(folder / f"{self._name}.{_CODES}")

    def add(self, codes: Codes) -> None:
        """Adds the next passage's."""
        self._stream.write(codes.tobytes())
        self._starts.append(self._starts[-1] + len(codes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            storage.abandon(self._stream)
            return
        self._stream.close()
        storage.write_array(self._path(self._name, _STARTS), np.asarray(self._starts))
        for earlier in reversed(self._before):
            if not self._joined(earlier):
                break

    def _joined(self, earlier: str) -> bool:
        """Whether the segment before the new one was small enough to be put in front of it: so a passage is
        copied a few times in its life, and there are never many segments."""
        before, new = (
            np.load(self._path(name, _STARTS), allow_pickle=False) for name in (earlier, self._name)
        )
        if len(before) > _JOINED * len(new):
            return False
        whole = self._path(earlier, "joined")
        with storage.create(whole) as target:
            for name in (earlier, self._name):
                with self._path(name, _CODES).open("rb") as part:
                    shutil.copyfileobj(part, target, 1 << 20)
        starts = self._path(self._name, _STARTS)
        storage.rename(whole, self._path(self._name, _CODES))
        storage.remove(starts)
        storage.write_array(starts, np.concatenate([before[:-1], before[-1] + new]))
        for kind in (_CODES, _STARTS):
            storage.remove(self._path(earlier, kind))
        return True

    def _path(self, segment: str, kind: str) -> Path:
        return self._folder / f"{segment}.{kind}"


def _segments(folder: Path) -> list[str]:
    """The numbers of the segments in a folder, in order."""
    return sorted(path.name.removesuffix(f".{_CODES}") for path in folder.glob(f"*.{_CODES}"))


class TokenVectorIndex:
    """Maps a folder that `TokenVectorWriter` filled."""

    def __init__(self, folder: Path, *, dimension: int, bits: int) -> None:
        """Raises DamagedError where the folder holds something else.

        From here on the process computes products on one thread: questions are answered side by side, and
        threads of numpy's that spin after a product of 2 ms held up FAISS for 15.
        """
        threadpool_limits(limits=1, user_api="blas")
        self._width = dimension * bits // 8
        self._maps: list[mmap.mmap] = []
        try:
            self._segments = [self._mapped(folder, name) for name in _segments(folder)]
            if not self._segments:
                raise ValueError("there is no segment")
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise DamagedError(
                f"{folder}: holds no token vectors of this version; run: dateline index build"
            ) from error
        counts = [len(starts) - 1 for starts, _ in self._segments]
        self._firsts = [0, *accumulate(counts)]  # the first row of each segment, and what would be the next
        self._dimension = dimension
        self._bits = bits
        levels = _LEVELS[bits]
        # One look-up gives all the numbers that a byte holds.
        places = np.arange(8 // bits) * bits
        self._numbers = levels[(np.arange(256)[:, None] >> places) & (len(levels) - 1)]

    def _mapped(self, folder: Path, segment: str) -> tuple[npt.NDArray[np.int64], Codes]:
        """Where each passage of a segment begins, and the codes of all."""
        starts = np.load(folder / f"{segment}.{_STARTS}", mmap_mode="r", allow_pickle=False).view(np.ndarray)
        size = int(starts[-1])
        file = folder / f"{segment}.{_CODES}"
        if file.stat().st_size != size * self._width:
            raise ValueError(f"{file.name} does not hold {size} tokens")
        if not size:
            return starts, np.empty((0, self._width), np.uint8)
        with file.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps.append(mapped)
        return starts, np.frombuffer(mapped, np.uint8).reshape(size, self._width)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def codes(self, row: int) -> Codes:
        """A passage's vectors as they are stored, for a next generation."""
        at = bisect_right(self._firsts, row) - 1
        starts, codes = self._segments[at]
        place = row - self._firsts[at]
        return codes[starts[place] : starts[place + 1]]

    def similarities(self, question: TokenVectors, rows: Sequence[int]) -> list[npt.NDArray[np.float32]]:
        """For each row the cosines of the question's tokens to the passage's, (question tokens, tokens)."""
        stored = [self.codes(row) for row in rows]
        ends = np.cumsum([len(codes) for codes in stored])
        return np.split(self._cosines(question, stored).T, ends[:-1], axis=1) if stored else []

    def late_interaction(self, question: TokenVectors, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """MaxSim in [-1, 1]: how well each of the question's tokens is met, on average; (len(rows),)."""
        stored = [self.codes(row) for row in rows]
        lengths = np.array([len(codes) for codes in stored], np.int64)
        scores = np.full(len(rows), -1.0, np.float32)
        if len(question) and lengths.any():
            said = lengths > 0
            starts = (np.cumsum(lengths) - lengths)[said]
            scores[said] = np.maximum.reduceat(self._cosines(question, stored), starts).mean(axis=1)
        return scores

    def _cosines(self, question: TokenVectors, stored: Sequence[Codes]) -> npt.NDArray[np.float32]:
        """(tokens of all the passages, question tokens)"""
        codes = np.concatenate([np.empty((0, self._width), np.uint8), *stored])
        # Else the files would in time be resident: the largest of an index, looked at in few places.
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)
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
