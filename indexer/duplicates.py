"""Which texts tell the same story in the same words: MinHash finds candidates, the words decide."""

import hashlib
import math
import re
import unicodedata
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from indexer import storage
from indexer.models import Article

Shingles = frozenset[int]
"""Hashes of every run of three words."""

# Broder, "On the resemblance and containment of documents", 1997. Two texts that share half of
# their shingles meet in one of the bands with a probability of .9998, two that share a third of them of .90.
_PERMUTATIONS = 189
_ROWS = 3  # of a band
_SAME = 0.5  # share of the shorter text's shingles
_SAME_LATER = 0.8  # that share for texts that appeared further apart than copies do
_COPIED_WITHIN = timedelta(days=5)
_FEWEST = 20  # shingles; shorter texts are copies where they, their headlines and their days are equal
_MOST_COMPARED = 256  # texts of a band, so that ten thousand of one template do not take for ever
_REMEMBERED = 2048  # texts whose shingles are kept at hand

# How many more of its facts than of its other words an edited copy may lack: by chance, and by a
# correction. Where wire reports of one template differ, it is in little but names and numbers.
_FACTS_LOST = 2.0  # times the share of other words that are lost
_DEVIATIONS = 2.5
_MOST_LOST = 0.25
_SHORT = 50  # shingles; in a text of fewer, chance says little
_MOST_LOST_OF_SHORT = 0.25

_WORD = re.compile(r"\w+")
_PLAIN_WORD = re.compile(r"\b[a-z]+\b")
_FACT = re.compile(r"\d[\d.,/]*\d|\d|(?<![.!?\"“'] )(?<!^)\b[A-Z]\w+", re.MULTILINE)


def shingles(text: str) -> Shingles:
    """Every run of three words, whatever their case and what stands between them."""
    words = _words(text)
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


def containment(one: Shingles, other: Shingles) -> float:
    """The share in [0, 1] of the smaller set that the larger holds; 0 where one is empty."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


class Signature(NamedTuple):
    """By what an article's copies are found: `told` is equal where all words are, `hashes` (uint32) meet
    where many are; `comparable` where the text is long enough for others to be nearly its copy."""

    told: bytes
    comparable: bool
    hashes: bytes


def sign(article: Article) -> Signature:
    words = _words(article.text)
    runs = [" ".join(run) for run in zip(words, words[1:], words[2:], strict=False)]
    comparable = len(runs) >= _FEWEST
    told = " ".join(words)
    if not comparable:  # "Blah blah blah." below many a headline
        told += f"\n{' '.join(_words(article.title))}\n{article.day}"
    hashes = RMinHash(num_perm=_PERMUTATIONS, seed=42)
    hashes.update(runs)
    return Signature(
        hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=12).digest(),
        comparable,
        np.array(hashes.digest(), dtype=np.uint32).tobytes(),
    )


def groups(
    signatures: Iterable[tuple[int, Signature]],
    article_of: Callable[[int], Article],
    workspace: Path,
    *,
    known: Iterable[Sequence[int]] = (),
    fresh: Collection[int] | None = None,
) -> list[list[int]]:
    """The numbers of articles that are copies of each other: two or more in a group, in order.

    `signatures` come in the order of their numbers, and are read once. With `fresh` only these are
    compared, with each other and with the rest, whose groups are `known` already. What is kept of each in
    memory are some dozens of bytes; hashes go through a file in `workspace`.
    """
    hashes = workspace / "signatures"
    try:
        numbers, equal, comparable = _spread(signatures, hashes)
        at = {number: place for place, number in enumerate(numbers.tolist())} if fresh is not None else {}
        places = None if fresh is None else np.array(sorted(at[number] for number in fresh), dtype=np.int64)
        groups_of = _Groups(len(equal), lambda place: article_of(int(numbers[place])), places)
        for copies in known:
            for copy in copies[1:]:
                groups_of.join(at[copies[0]], at[copy])
        for place in range(len(equal)) if places is None else places.tolist():
            if equal[place] != place:
                groups_of.join(int(equal[place]), place)
        unique = np.flatnonzero((equal == np.arange(len(equal))) & comparable)
        if len(unique):
            stored = np.memmap(hashes, dtype=np.uint32, mode="r", shape=(len(equal), _PERMUTATIONS))
            wanted = None if places is None else np.isin(unique, places)
            for band in range(0, _PERMUTATIONS, _ROWS):
                for candidates in _runs(stored[:, band : band + _ROWS], unique, wanted):
                    groups_of.compare(candidates)
        return [[int(numbers[place]) for place in group] for group in groups_of.found()]
    finally:
        storage.remove(hashes)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _spread(
    signatures: Iterable[tuple[int, Signature]], path: Path
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Writes a row of hashes for each article; returns, for each, its number, the place of the first article
    that is equal to it, and whether it is long enough for others to be nearly so."""
    firsts: dict[bytes, int] = {}
    numbers, equal, comparable = array("q"), array("q"), array("b")
    with storage.create(path) as stream:
        for place, (number, signature) in enumerate(signatures):
            numbers.append(number)
            equal.append(firsts.setdefault(signature.told, place))
            comparable.append(signature.comparable)
            stream.write(signature.hashes)
    return (
        np.array(numbers, dtype=np.int64),
        np.array(equal, dtype=np.int64),
        np.array(comparable, dtype=np.bool_),
    )


def _runs(
    band: npt.NDArray[np.uint32], unique: npt.NDArray[np.int64], wanted: npt.NDArray[np.bool_] | None
) -> Iterator[list[int]]:
    """Texts that agree in a band, as lists of two or more; with `wanted` those that have one of these."""
    keys = np.zeros(len(unique), dtype=np.uint64)
    for column in range(band.shape[1]):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + band[unique, column].astype(np.uint64)
    if wanted is not None:
        near = np.isin(keys, keys[wanted])
        keys, unique = keys[near], unique[near]
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    for run in np.split(order, edges) if len(edges) < len(order) - 1 else []:
        if len(run) > 1:
            yield unique[run].tolist()


class _Told(NamedTuple):
    """What is compared of an article: its runs of words, its names and numbers, its other words."""

    shingles: Shingles
    facts: Shingles
    words: Shingles
    moment: datetime | None

    @classmethod
    def by(cls, article: Article) -> "_Told":
        facts, words = (frozenset(map(hash, found.findall(article.text))) for found in (_FACT, _PLAIN_WORD))
        return cls(shingles(article.text), facts, words, article.moment)


def _tell_the_same(one: _Told, other: _Told) -> bool:
    least = _SAME
    if one.moment and other.moment and abs(one.moment - other.moment) > _COPIED_WITHIN:
        least = _SAME_LATER
    return containment(one.shingles, other.shingles) >= least and _facts_agree(one, other)


def _facts_agree(one: _Told, other: _Told) -> bool:
    """Whether facts are lost as other words are, rather than in their stead."""
    facts = min(len(one.facts), len(other.facts))
    lost = facts * (1 - containment(one.facts, other.facts))
    words = min(len(one.words), len(other.words))
    chance = min(_MOST_LOST, _FACTS_LOST * (1 - containment(one.words, other.words))) if words else 0.0
    expected = facts * chance
    most = expected + _DEVIATIONS * math.sqrt(expected * (1 - chance)) + 0.5
    if min(len(one.shingles), len(other.shingles)) < _SHORT:
        most = _MOST_LOST_OF_SHORT * facts
    return round(lost) <= max(1.0, most)


class _Groups:
    """Disjoint sets of texts, each known by its first."""

    def __init__(
        self, count: int, article_of: Callable[[int], Article], fresh: npt.NDArray[np.int64] | None
    ) -> None:
        """`fresh`: those of which at least one is in each comparison; all where it is None."""
        self._parent = np.arange(count)
        self._fresh = np.full(count, fresh is None)
        if fresh is not None:
            self._fresh[fresh] = True
        self._told = lru_cache(maxsize=_REMEMBERED)(lambda number: _Told.by(article_of(number)))
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
            for first in firsts[-_MOST_COMPARED:]:
                if self._same(first, number):
                    self.join(first, number)
                    break
            else:
                firsts.append(number)

    def _same(self, one: int, other: int) -> bool:
        if not (self._fresh[one] or self._fresh[other]) or (one, other) in self._different:
            return False
        same = _tell_the_same(self._told(one), self._told(other))
        if not same:
            self._different.add((one, other))
        return same

    def found(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for number in range(len(self._parent)):
            members.setdefault(self.first(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]
