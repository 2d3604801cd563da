"""What is found is what looking at every vector finds; what is written once stays as it is."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import DamagedError
from indexer.local.vectors import VectorIndex, VectorWriter
from indexer.models import Mask, Vectors

DIMENSION = 32


def unit_vectors(count: int, dimension: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def topics(count: int, seed: int) -> Vectors:
    """Vectors that lie in groups, as those of texts do."""
    random = np.random.default_rng(seed)
    middles = unit_vectors(60, DIMENSION, seed=0)
    rows = middles[random.integers(60, size=count)] + 0.15 * random.normal(size=(count, DIMENSION))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def write(folder: Path, vectors: Vectors, *, exact_up_to: int = 30_000, batch: int = 1000) -> VectorWriter:
    with VectorWriter(folder, vectors.shape[1], exact_up_to=exact_up_to) as writer:
        for start in range(0, len(vectors), batch):
            writer.add(vectors[start : start + batch])
    return writer


def linked(source: Path, target: Path) -> Path:
    """The folder of a next generation: the same files under the same names."""
    target.mkdir()
    for file in source.iterdir():
        os.link(file, target / file.name)
    return target


def best(vectors: Vectors, asked: Vectors, k: int, allowed: Mask | None = None) -> list[int]:
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    cosines = vectors[rows] @ asked
    return [int(row) for row in rows[np.argsort(-cosines, kind="stable")[:k]]]


def recall(index: VectorIndex, asked: Vectors, k: int, allowed: Mask | None = None) -> float:
    stored = index.vectors(np.arange(len(index)))
    shares = []
    for one in asked:
        true = best(stored, one, k, allowed)
        shares.append(len({*true} & {*index.search(one, k, allowed)[0].tolist()}) / len(true))
    return float(np.mean(shares))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorIndex, Vectors]:
    path = tmp_path_factory.mktemp("vectors") / "index"
    write(path, unit_vectors(203, 16, seed=1))
    index = VectorIndex.open(path)
    return index, index.vectors(np.arange(203))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 passages in lists, as if they were too many to be scanned."""
    path = tmp_path_factory.mktemp("large") / "index"
    write(path, topics(6000, seed=1), exact_up_to=1000)
    return path


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
    first = np.sort(cosines[candidates])[::-1][:k]
    rows, scores = index.search(asked, k, allowed)
    assert len(rows) == len(scores) == min(k, len(candidates))
    assert set(rows.tolist()) <= set(candidates.tolist())
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_allclose(scores, first, atol=1e-5)
    np.testing.assert_allclose(cosines[rows], scores, atol=1e-5)


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_vectors_come_back_nearly_as_written_and_stored_again_exactly(
    tmp_path_factory: pytest.TempPathFactory, count: int, dimension: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("vectors")
    vectors = unit_vectors(count, dimension, seed)
    write(folder / "first", vectors)
    index = VectorIndex.open(folder / "first")
    assert (len(index), index.dimension) == vectors.shape
    order = np.random.default_rng(seed).permutation(count)
    again = index.vectors(order)
    np.testing.assert_allclose(again, vectors[order], atol=2**-11)
    write(folder / "second", again)
    np.testing.assert_array_equal(VectorIndex.open(folder / "second").vectors(np.arange(count)), again)


def test_a_vector_finds_itself_first(stored: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = stored
    rows, scores = index.search(vectors[17], 1)
    assert rows.tolist() == [17]
    assert scores[0] == pytest.approx(1, abs=1e-3)


def test_nothing_is_found_where_nothing_is_allowed(stored: tuple[VectorIndex, Vectors]) -> None:
    index, vectors = stored
    rows, scores = index.search(vectors[0], 5, np.zeros(len(vectors), dtype=np.bool_))
    assert rows.shape == scores.shape == (0,)


@pytest.mark.parametrize("exact_up_to", [30_000, 100])
def test_more_than_there_are_gives_all(tmp_path: Path, exact_up_to: int) -> None:
    vectors = unit_vectors(203, 16, seed=1)
    write(tmp_path / "v", vectors, exact_up_to=exact_up_to)
    rows, _ = VectorIndex.open(tmp_path / "v").search(vectors[0], 10_000)
    assert sorted(rows.tolist()) == list(range(203))


def test_an_index_may_be_empty_and_grow_from_there(tmp_path: Path) -> None:
    write(tmp_path / "v", unit_vectors(0, 8, seed=1))
    index = VectorIndex.open(tmp_path / "v")
    assert index.segments == []
    assert (len(index), index.dimension) == (0, 8)
    assert index.search(unit_vectors(1, 8, seed=1)[0], 5)[0].shape == (0,)
    assert index.vectors(np.empty(0, np.int64)).shape == (0, 8)
    write(tmp_path / "v", unit_vectors(3, 8, seed=1))
    assert len(VectorIndex.open(tmp_path / "v")) == 3


def test_a_large_segment_finds_what_its_facts_say(large: Path) -> None:
    index = VectorIndex.open(large)
    (segment,) = index.segments
    assert segment.passages == 6000
    assert 0 < segment.probes < segment.lists
    assert segment.questions == 256
    assert segment.recall_10 >= 0.99
    assert segment.recall_100 >= 0.97
    asked = topics(200, seed=9)
    assert recall(index, asked, 10) >= segment.recall_10 - 0.02
    assert recall(index, asked, 100) >= segment.recall_100 - 0.02


def test_scores_of_a_large_segment_are_the_cosines(large: Path) -> None:
    index = VectorIndex.open(large)
    (asked,) = topics(1, seed=3)
    rows, scores = index.search(asked, 150)
    np.testing.assert_allclose(index.vectors(rows) @ asked, scores, atol=1e-5)
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("few", [0, 20_000])
def test_filters_leave_the_first_of_what_is_allowed(
    large: Path, monkeypatch: pytest.MonkeyPatch, share: float, few: int
) -> None:
    monkeypatch.setattr("indexer.local.vectors._FEW_ALLOWED", few)
    index = VectorIndex.open(large)
    allowed = np.random.default_rng(5).random(6000) < share
    # One group's own: what is allowed lies where the question does not.
    apart = index.vectors(np.arange(6000)) @ topics(1, seed=77)[0]
    for mask in (allowed, apart > np.quantile(apart, 1 - share)):
        for one in topics(20, seed=4):
            for k in (1, 10, 100, 1000):
                rows, _ = index.search(one, k, mask)
                assert len(rows) == min(k, mask.sum())
                assert mask[rows].all()
                if few:
                    cosines = index.vectors(rows) @ one
                    stored = index.vectors(np.flatnonzero(mask)) @ one
                    np.testing.assert_allclose(cosines, np.sort(stored)[::-1][:k], atol=1e-5)
        assert recall(index, topics(50, seed=6), 10, mask) >= 0.97


@pytest.mark.parametrize("exact_up_to", [30_000, 1000])
def test_a_grown_index_is_as_good_as_one_built_at_once(tmp_path: Path, exact_up_to: int) -> None:
    vectors = topics(5000, seed=2)
    folder = tmp_path / "0"
    write(folder, vectors[:3000], exact_up_to=exact_up_to)
    for number, start in enumerate(range(3000, 5000, 100), start=1):
        folder = linked(folder, tmp_path / str(number))
        write(folder, vectors[start : start + 100], exact_up_to=exact_up_to)
    grown = VectorIndex.open(folder)
    assert len(grown.segments) > 1
    write(tmp_path / "at once", vectors, exact_up_to=exact_up_to)
    whole = VectorIndex.open(tmp_path / "at once")
    rows = np.arange(5000)
    np.testing.assert_array_equal(grown.vectors(rows), whole.vectors(rows))
    allowed = np.random.default_rng(8).random(5000) < 0.3
    for one in topics(30, seed=3):
        for mask in (None, allowed):
            if exact_up_to > 5000 or mask is not None:  # few are allowed: exact
                np.testing.assert_array_equal(grown.search(one, 120, mask), whole.search(one, 120, mask))
    assert recall(grown, topics(100, seed=4), 10) >= 0.97
    assert recall(grown, topics(100, seed=4), 100) >= 0.96


def test_growing_changes_no_file_of_the_generation_before(tmp_path: Path) -> None:
    vectors = topics(3000, seed=2)
    folder = tmp_path / "0"
    write(folder, vectors[:2000], exact_up_to=1000)
    for number, size in enumerate((100, 100, 100, 200, 0, 500), start=1):
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        grown = linked(folder, tmp_path / str(number))
        write(grown, vectors[2000 : 2000 + size], exact_up_to=1000)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        assert len(VectorIndex.open(folder)) + size == len(VectorIndex.open(grown))
        folder = grown


def test_small_growth_many_times_leaves_few_segments_and_writes_each_row_a_few_times(
    tmp_path: Path,
) -> None:
    vectors = unit_vectors(10_000, 4, seed=1)
    folder = tmp_path / "v"
    write(folder, vectors[:5000])
    most, written = 0, 0
    for start in range(5000, 10_000, 50):
        before = {path.name for path in folder.glob("*.vectors")}
        write(folder, vectors[start : start + 50])
        segments = VectorIndex.open(folder).segments
        most = max(most, len(segments))
        written += sum(one.passages for one in segments if one.vectors_file not in before)
    assert most <= 6
    assert written <= 8 * 10_000
    assert {path.stem for path in folder.glob("*.vectors")} == {one.name for one in segments}
    np.testing.assert_allclose(VectorIndex.open(folder).vectors(np.arange(10_000)), vectors, atol=2**-11)


def test_what_is_added_has_to_have_the_dimension(tmp_path: Path) -> None:
    write(tmp_path / "v", unit_vectors(5, 8, seed=1))
    with pytest.raises(ValueError, match="of 8 dimensions, not of 9"):
        VectorWriter(tmp_path / "v", 9)
    with (
        pytest.raises(ValueError, match="of 4 dimensions, not of 8"),
        VectorWriter(tmp_path / "w", 8) as writer,
    ):
        writer.add(unit_vectors(2, 4, seed=1))


def other_type(path: Path) -> None:
    other = faiss.IndexHNSWFlat(DIMENSION, 4)
    other.add(unit_vectors(10, DIMENSION, seed=1))
    faiss.write_index(other, str(path))


def other_lists(path: Path) -> None:
    """The right index over centroids of another type."""
    quantizer = faiss.IndexHNSWFlat(DIMENSION, 4, faiss.METRIC_INNER_PRODUCT)
    quantizer.add(unit_vectors(310, DIMENSION, seed=1))
    other = faiss.IndexIVFRaBitQ(quantizer, DIMENSION, 310, faiss.METRIC_INNER_PRODUCT)
    other.train(unit_vectors(310, DIMENSION, seed=1))
    faiss.write_index(other, str(path))


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def no_index(path: Path) -> None:
    path.write_bytes(b"not an index at all")


@pytest.mark.parametrize("harm", [other_type, other_lists, shortened, emptied, no_index, Path.unlink])
@pytest.mark.parametrize("file", ["segments.json", "000001.vectors", "000001.lists"])
def test_what_the_writer_does_not_make_is_refused(
    large: Path, tmp_path: Path, harm: Callable[[Path], None], file: str
) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    for path in large.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    harm(folder / file)
    if file == "segments.json" and harm is shortened:
        VectorIndex.open(folder)  # what is missing is the end of its last line
        return
    with pytest.raises(DamagedError, match=f"{file}: is no vector index of this version"):
        VectorIndex.open(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../000001"},
        {"passages": 5999},
        {"lists": 12},
        {"probes": 0},
        {"probes": 1e9},
        {"unknown": 1},
    ],
)
def test_facts_that_the_files_do_not_bear_out_are_refused(
    large: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = linked(large, tmp_path / "index")
    stored = json.loads((folder / "segments.json").read_text())
    stored["segments"][0].update(change)
    (folder / "segments.json").unlink()
    (folder / "segments.json").write_text(json.dumps(stored))
    with pytest.raises(DamagedError):
        VectorIndex.open(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        VectorIndex.open(tmp_path / "none")
    with pytest.raises(DamagedError):
        VectorWriter(tmp_path, 8)


def test_equal_vectors_come_in_one_order_whatever_is_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    distinct = random.normal(size=(40, 8)).astype(np.float32)
    vectors = np.concatenate([distinct, np.repeat(distinct[:1], 30, axis=0)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write(tmp_path / "v", vectors[:60])
    write(tmp_path / "v", vectors[60:])
    index = VectorIndex.open(tmp_path / "v")
    rows = [index.search(vectors[0], k)[0][:31].tolist() for k in (31, 35, 50, 70)]
    assert rows == [[0, *range(40, 70)]] * 4
    allowed = np.ones(70, np.bool_)
    assert index.search(vectors[0], 31, allowed)[0].tolist() == rows[0]
