"""The codes of every token of every passage in a folder, mapped."""

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

from indexer import storage
from indexer.errors import DamagedError
from indexer.lateinteraction import Codes, TokenCodes
from indexer.models import TokenVectors

_JOINED = 2  # times as large as what comes behind it a segment may be to be joined with it
_CODES, _STARTS = "codes", "starts.npy"  # of a segment, behind its number and a dot


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
        """Raises DamagedError where the folder holds something else."""
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
        self._compared = TokenCodes(dimension=dimension, bits=bits)

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
        return self._compared.similarities(question, *self._gathered(rows))

    def late_interaction(self, question: TokenVectors, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """MaxSim in [-1, 1]: how well each of the question's tokens is met, on average; (len(rows),)."""
        return self._compared.late_interaction(question, *self._gathered(rows))

    def _gathered(self, rows: Sequence[int]) -> tuple[Codes, list[int]]:
        """The codes of several passages behind each other, and how many tokens each has."""
        stored = [self.codes(row) for row in rows]
        codes = np.concatenate([np.empty((0, self._width), np.uint8), *stored])
        # Else the files would in time be resident: the largest of an index, looked at in few places.
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)
        return codes, [len(one) for one in stored]
