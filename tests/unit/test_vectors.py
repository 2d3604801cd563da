"""Exact search: the same rows as looking at every vector."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import DamagedError
from indexer.models import Mask, Vectors
from indexer.vectors import VectorIndex


def unit_vectors(count: int, dimension: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorIndex, Vectors]:
    path = tmp_path_factory.mktemp("vectors") / "index"
    vectors = unit_vectors(203, 16, seed=1)
    VectorIndex.write(vectors, path)
    return VectorIndex.open(path), vectors


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 250),
    st.none() | st.lists(st.booleans(), min_size=203, max_size=203).map(np.array),
)
def test_search_equals_looking_at_every_vector(
    stored: tuple[VectorIndex, Vectors], seed: int, k: int, allowed: Mask | None
) -> None:
    index, vectors = stored
    (asked,) = unit_vectors(1, 16, seed)
    cosines = vectors @ asked
    candidates = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    best = np.sort(cosines[candidates])[::-1][:k]
    rows, scores = index.search(asked, k, allowed)
    assert len(rows) == len(scores) == min(k, len(candidates))
    assert set(rows.tolist()) <= set(candidates.tolist())
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_allclose(scores, best, atol=1e-5)
    np.testing.assert_allclose(cosines[rows], scores, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_vectors_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, count: int, dimension: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("vectors") / "index"
    vectors = unit_vectors(count, dimension, seed)
    VectorIndex.write(vectors, path)
    index = VectorIndex.open(path)
    assert (len(index), index.dimension) == vectors.shape
    order = np.random.default_rng(seed).permutation(count)
    np.testing.assert_array_equal(index.vectors(order), vectors[order])


def test_a_vector_finds_itself_first(stored: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = stored
    rows, scores = index.search(vectors[17], 1)
    assert rows.tolist() == [17]
    assert scores[0] == pytest.approx(1, abs=1e-5)


def test_nothing_is_found_where_nothing_is_allowed(stored: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = stored
    rows, scores = index.search(vectors[0], 5, np.zeros(len(vectors), dtype=np.bool_))
    assert rows.shape == scores.shape == (0,)


def test_more_than_there_are_gives_all(stored: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = stored
    rows, _ = index.search(vectors[0], 10_000)
    assert sorted(rows.tolist()) == list(range(len(vectors)))


def test_another_type_of_index_is_refused(tmp_path: Path) -> None:
    other = faiss.IndexHNSWFlat(8, 4)
    other.add(unit_vectors(10, 8, seed=1))
    faiss.write_index(other, str(tmp_path / "index"))
    with pytest.raises(DamagedError, match="index: is no vector index of this version"):
        VectorIndex.open(tmp_path / "index")


@pytest.mark.parametrize("content", [b"", b"Ix", b"not an index at all"])
def test_what_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(DamagedError):
        VectorIndex.open(tmp_path / "index")


def test_equal_vectors_come_in_one_order_whatever_is_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    distinct = random.normal(size=(40, 8)).astype(np.float32)
    vectors = np.concatenate([distinct, np.repeat(distinct[:1], 30, axis=0)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    VectorIndex.write(vectors, tmp_path / "v")
    index = VectorIndex.open(tmp_path / "v")
    rows = [index.search(vectors[0], k)[0][:31].tolist() for k in (31, 35, 50, 70)]
    assert rows == [[0, *range(40, 70)]] * 4
