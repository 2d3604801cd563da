"""Whether two indexes hold the same: articles, stories, passages, vectors and what is known of tokens."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex


class Difference(NamedTuple):
    """How far two indexes of the same texts are apart."""

    vectors: float
    """The largest difference of a component."""
    codes: float
    """The share of tokens' codes, by dimension, that differ: a number at the edge between two levels."""


def opened(index: Path) -> LocalGeneration:
    return LocalIndex(IndexFolder(index)).open_best(pytest.fail)


def compared(one: Path, other: Path) -> Difference:
    """Asserts that two indexes hold the same articles, in this order and in the same stories, cut and read
    alike; returns how their vectors differ."""
    with opened(one) as first, opened(other) as second:
        told = [told_of(generation) for generation in (first, second)]
        assert told[0] == told[1]
        assert first.corpus.digest() == second.corpus.digest()
        assert first.manifest.settings == second.manifest.settings
        assert kinds(first) == kinds(second)
        rows = np.arange(first.corpus.passage_rows, dtype=np.int64)
        vectors = [generation.vectors.vectors(rows) for generation in (first, second)]
        codes = [levels(generation, rows) for generation in (first, second)]
        assert codes[0].shape == codes[1].shape
        return Difference(float(np.abs(vectors[0] - vectors[1]).max()), float((codes[0] != codes[1]).mean()))


def kinds(generation: LocalGeneration) -> set[str]:
    """What a generation is made of; full text is in as many files as its writer had threads to fill."""
    return {name.partition("/")[0] for name in generation.manifest.files}


def told_of(generation: LocalGeneration) -> list[object]:
    corpus = generation.corpus
    return [
        [(one.row, one.article, one.origin, one.page) for one in corpus.articles()],
        list(corpus.stories()),
        [(one.article.id, corpus.passages(one.article.id)) for one in corpus.articles()],
        [(one.article.id, corpus.versions(one.article.id)) for one in corpus.articles() if one.page],
        sorted((source, sorted(lines)) for source, lines in corpus.repeated_lines()),
        [digest for _, digest in corpus.digests()],
    ]


def levels(generation: LocalGeneration, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The codes of every token, a number a dimension."""
    assert generation.tokens
    codes = np.concatenate([generation.tokens.codes(int(row)) for row in rows])
    return np.stack([codes >> shift & 3 for shift in (0, 2, 4, 6)])
