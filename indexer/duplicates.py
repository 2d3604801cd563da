"""Which texts tell the same story in the same words: MinHash finds candidates, the words decide."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

Shingles = frozenset[int]
"""Hashes of every run of three words."""

# Broder, "On the resemblance and containment of documents", 1997. Two texts that share half of
# their shingles meet in one of the bands with a probability of .996.
_PERMUTATIONS = 126
_ROWS = 3  # of a band
_SAME = 0.5  # share of the shorter text's shingles
_SAME_FACTS = 0.5  # share of the names and numbers of the one with fewer
_FEWEST = 20  # shingles; of shorter texts only equal ones are copies
_BLOCK = 4096  # signatures written at a time
_REMEMBERED = 2048  # texts whose shingles are kept at hand

_WORD = re.compile(r"\w+")
_FACT = re.compile(r"\d[\d.,/]*\d|\d|(?<![.!?\"“'] )(?<!^)\b[A-Z]\w+", re.MULTILINE)


def shingles(text: str) -> Shingles:
    """Every run of three words, whatever their case and what stands between them."""
    words = _words(text)
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


def containment(one: Shingles, other: Shingles) -> float:
    """The share in [0, 1] of the smaller set that the larger holds; 0 where one is empty."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def groups(texts: Iterable[str], text_of: Callable[[int], str], workspace: Path) -> list[list[int]]:
    """The numbers, from 0, of texts that are copies of each other: two or more in a group, in order.

    Texts are read once, and those that could be copies again through `text_of`. What is kept of each in
    memory are some dozens of bytes; signatures go through a file in `workspace`.
    """
    signatures = workspace / "signatures"
    try:
        equal = _sign(texts, signatures)
        groups_of = _Groups(len(equal), text_of)
        for number, first in enumerate(equal):
            if first != number:
                groups_of.join(first, number)
        unique = np.flatnonzero(equal == np.arange(len(equal)))
        if len(unique):
            stored = np.memmap(signatures, dtype=np.uint32, mode="r", shape=(len(equal), _PERMUTATIONS))
            for band in range(0, _PERMUTATIONS, _ROWS):
                for candidates in _runs(stored[:, band : band + _ROWS], unique):
                    groups_of.compare(candidates)
        return groups_of.found()
    finally:
        signatures.unlink(missing_ok=True)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _sign(texts: Iterable[str], path: Path) -> npt.NDArray[np.int64]:
    """Writes a row of hashes for each text; returns, for each, the first text that is equal to it. A text
    without words is equal to none."""
    firsts: dict[bytes, int] = {}
    equal: list[int] = []
    with path.open("wb") as stream:
        block: list[list[int]] = []
        for number, text in enumerate(texts):
            words = _words(text)
            digest = hashlib.blake2b(
                " ".join(words).encode("utf-8", "replace") or b"%d" % number, digest_size=12
            ).digest()
            equal.append(firsts.setdefault(digest, number))
            sign = RMinHash(num_perm=_PERMUTATIONS, seed=42)
            sign.update([" ".join(run) for run in zip(words, words[1:], words[2:], strict=False)])
            block.append(sign.digest())
            if len(block) == _BLOCK:
                stream.write(np.array(block, dtype=np.uint32).tobytes())
                block.clear()
        stream.write(np.array(block, dtype=np.uint32).tobytes())
    return np.array(equal, dtype=np.int64)


def _runs(band: npt.NDArray[np.uint32], unique: npt.NDArray[np.int64]) -> Iterator[list[int]]:
    """Texts that agree in a band, as lists of two or more."""
    keys = np.zeros(len(unique), dtype=np.uint64)
    for column in range(band.shape[1]):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + band[unique, column].astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    for run in np.split(order, edges) if len(edges) < len(order) - 1 else []:
        if len(run) > 1:
            yield unique[run].tolist()


def _facts(text: str) -> Shingles:
    """What tells two reports of one template apart: names and numbers."""
    return frozenset(map(hash, _FACT.findall(text)))


class _Groups:
    """Disjoint sets of texts, each known by its first."""

    def __init__(self, count: int, text_of: Callable[[int], str]) -> None:
        self._parent = np.arange(count)
        self._shingles = lru_cache(maxsize=_REMEMBERED)(lambda number: shingles(text_of(number)))
        self._facts = lru_cache(maxsize=_REMEMBERED)(lambda number: _facts(text_of(number)))
        self._different: set[tuple[int, int]] = set()

    def first(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = number = int(self._parent[self._parent[number]])
        return number

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.first(one), self.first(other)))
        self._parent[second] = first

    def compare(self, candidates: list[int]) -> None:
        """Joins what tells the same. Each is compared with the first of a group, so that a chain of small
        changes does not lead from one story to another, and a crowd of copies costs one look each."""
        firsts: list[int] = []
        for number in sorted({self.first(candidate) for candidate in candidates}):
            for first in firsts:
                if self._same(first, number):
                    self.join(first, number)
                    break
            else:
                firsts.append(number)

    def _same(self, one: int, other: int) -> bool:
        if (one, other) in self._different:
            return False
        pair = self._shingles(one), self._shingles(other)
        facts = self._facts(one), self._facts(other)
        # Wire reports of one template share their words, but neither names nor numbers.
        same = (
            min(map(len, pair)) >= _FEWEST
            and containment(*pair) >= _SAME
            and (not all(facts) or containment(*facts) >= _SAME_FACTS)
        )
        if not same:
            self._different.add((one, other))
        return same

    def found(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for number in range(len(self._parent)):
            members.setdefault(self.first(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]
