"""Token vectors in a few bits: nearly the cosines of the vectors themselves, passage by passage."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import DamagedError
from indexer.folder import IndexFolder
from indexer.lateinteraction import Codes, coded
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.local.tokenvectors import TokenVectorIndex, TokenVectorWriter
from indexer.models import Scores, TokenVectors
from indexer.passages import encoded_text
from tests.conftest import SEEDS, build_index

DIMENSION = 384
QUESTIONS = [
    "What does Gabuev expect from military cooperation?",
    "What will the bridge cost?",
    "How many homes were flooded at Saltmarsh?",
    "Who leads the union at the fish plant?",
    "How deep is the clay?",
]
# Rounded to 2 and to 1 bits, a vector of normal numbers keeps so much of its direction (Max, 1960), and what
# it got instead is as likely to point anywhere.
KEPT = {2: 0.940, 1: 0.798}


def unit_vectors(count: int, seed: int, dimension: int = DIMENSION) -> TokenVectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    unit: TokenVectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def written(folder: Path, passages: Sequence[TokenVectors], bits: int) -> list[Codes]:
    codes = [coded(tokens, bits=bits) for tokens in passages]
    with TokenVectorWriter(folder) as writer:
        for one in codes:
            writer.add(one)
    return codes


def opened(folder: Path, bits: int, dimension: int = DIMENSION) -> TokenVectorIndex:
    return TokenVectorIndex(folder, dimension=dimension, bits=bits)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 12), max_size=8),
    st.sampled_from([1, 2]),
    st.sampled_from([8, 16, 384]),
    st.data(),
)
def test_what_is_written_is_read_row_by_row(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    bits: int,
    dimension: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    passages = [unit_vectors(length, seed, dimension) for seed, length in enumerate(lengths)]
    codes = written(folder, passages, bits)
    index = opened(folder, bits, dimension)
    assert len(index) == len(lengths)
    for row, one in enumerate(codes):
        assert one.shape == (lengths[row], dimension * bits // 8)
        np.testing.assert_array_equal(index.codes(row), one)
    rows = data.draw(st.lists(st.sampled_from(range(len(lengths))), max_size=10)) if lengths else []
    question = unit_vectors(3, seed=99, dimension=dimension)
    found = index.similarities(question, rows)
    assert [one.shape for one in found] == [(3, lengths[row]) for row in rows]
    for row, cosines in zip(rows, found, strict=True):
        np.testing.assert_allclose(cosines, index.similarities(question, [row])[0], atol=1e-5)
    assert index.late_interaction(question, rows).shape == (len(rows),)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]))
def test_cosines_from_codes_are_near_the_exact_ones(
    tmp_path_factory: pytest.TempPathFactory, seed: int, bits: int
) -> None:
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens = unit_vectors(60, seed)
    # Questions of which some are near to the tokens and some are not.
    question = np.concatenate(
        [tokens[:10], (tokens[10:20] + tokens[20:30]) / 2**0.5, unit_vectors(10, seed + 1)]
    )
    written(folder, [tokens], bits)
    (found,) = opened(folder, bits).similarities(question, [0])
    exact = question @ tokens.T
    anywhere = np.sqrt((1 - KEPT[bits] ** 2) / DIMENSION)
    assert np.abs(found - KEPT[bits] * exact).max() <= 6 * anywhere
    assert np.abs(found).max() <= 1 + 1e-5


@pytest.mark.parametrize("bits", [1, 2])
def test_the_vector_of_a_code_has_that_code(tmp_path: Path, bits: int) -> None:
    """What is read is written again as it was: rounding is done once and for all."""
    codes = written(tmp_path / "once", [unit_vectors(50, seed=5)], bits)
    identity: TokenVectors = np.eye(DIMENSION, dtype=np.float32)
    (numbers,) = opened(tmp_path / "once", bits).similarities(identity, [0])
    again = written(tmp_path / "again", [np.ascontiguousarray(numbers.T)], bits)
    np.testing.assert_array_equal(again[0], codes[0])


def exact_late_interaction(question: TokenVectors, passages: Sequence[TokenVectors]) -> Scores:
    return np.array([(question @ tokens.T).max(axis=1).mean() for tokens in passages], np.float32)


@pytest.fixture(scope="module")
def passages(generation: LocalGeneration) -> list[TokenVectors]:
    """The exact token vectors of every passage of the seeds, by row."""
    rows = range(generation.corpus.passage_count)
    texts = [encoded_text(article, passage.span) for passage, article in generation.corpus.read(list(rows))]
    encoded = dict(generation.encoder.stream_passages(texts))
    return [encoded[row].tokens for row in rows]


@pytest.mark.parametrize(("bits", "agreement", "apart"), [(2, 0.98, 0.06), (1, 0.93, 0.18)])
@pytest.mark.parametrize("question", QUESTIONS)
def test_late_interaction_ranks_real_passages_as_the_exact_vectors_do(
    generation: LocalGeneration,
    passages: list[TokenVectors],
    tmp_path: Path,
    question: str,
    bits: int,
    agreement: float,
    apart: float,
) -> None:
    asked = generation.encoder.encode_query(question).tokens
    exact = exact_late_interaction(asked, passages)
    written(tmp_path / "tokens", passages, bits)
    found = opened(tmp_path / "tokens", bits).late_interaction(asked, range(len(passages)))
    best = [set(np.argsort(-scores)[:10].tolist()) for scores in (found, exact)]
    assert best[0] == best[1]
    # Two that are nearly as good may change places.
    assert exact[found.argmax()] >= exact.max() - 0.02
    assert np.abs(found - exact).max() <= apart
    ranks = np.argsort(np.argsort(found)), np.argsort(np.argsort(exact))
    assert np.corrcoef(*ranks)[0, 1] >= agreement


def test_an_index_holds_the_codes_of_its_passages_in_their_rows(
    generation: LocalGeneration, passages: list[TokenVectors]
) -> None:
    assert generation.tokens
    assert len(generation.tokens) == generation.corpus.passage_count
    for row, tokens in enumerate(passages):
        (own,) = generation.tokens.similarities(tokens, [row])
        assert own.shape == (len(tokens), len(tokens))
        assert own.diagonal().min() > 0.9


def test_a_passage_without_tokens_meets_nothing(tmp_path: Path) -> None:
    written(tmp_path / "tokens", [unit_vectors(0, 1), unit_vectors(4, 2)], 2)
    index = opened(tmp_path / "tokens", 2)
    nothing, something = index.late_interaction(unit_vectors(2, 3), [0, 1])
    assert nothing == -1 < something
    assert index.late_interaction(unit_vectors(2, 3), []).shape == (0,)
    assert index.late_interaction(unit_vectors(0, 3), [0, 1]).tolist() == [-1, -1]


def test_an_empty_collection_is_no_damage(tmp_path: Path) -> None:
    written(tmp_path / "tokens", [], 2)
    assert len(opened(tmp_path / "tokens", 2)) == 0


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def lengthened(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def garbled(file: Path) -> None:
    file.write_bytes(b"\x80\x04 nonsense of any kind")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *[
            (name, damage)
            for name in ("000001.codes", "000001.starts.npy")
            for damage in (Path.unlink, cut, emptied)
        ],
        ("000001.codes", lengthened),
        ("000001.starts.npy", garbled),
    ],
)
def test_a_damaged_folder_is_named(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "tokens"
    written(folder, [unit_vectors(4, 1), unit_vectors(7, 2)], 2)
    damage(folder / name)
    with pytest.raises(
        DamagedError, match=rf"{folder}: holds no token vectors .*; run: dateline index build"
    ):
        opened(folder, 2)


def test_a_folder_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        opened(tmp_path, 2)
    np.save(tmp_path / "000001.starts.npy", np.array([], np.int64))
    (tmp_path / "000001.codes").touch()
    with pytest.raises(DamagedError):
        opened(tmp_path, 2)
    written(tmp_path / "one bit", [unit_vectors(4, 1)], 1)
    with pytest.raises(DamagedError):
        opened(tmp_path / "one bit", 2)


def test_a_writer_that_fails_leaves_nothing_that_can_be_read(tmp_path: Path) -> None:
    def failing() -> None:
        with TokenVectorWriter(tmp_path / "tokens") as writer:
            writer.add(coded(unit_vectors(4, 1), bits=2))
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with pytest.raises(DamagedError):
        opened(tmp_path / "tokens", 2)


def test_codes_are_carried_to_the_next_generation_byte_by_byte(seed_index: Path, tmp_path: Path) -> None:
    """Whichever rows the passages get there."""
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    manifest = build_index(index, SEEDS / "sample")
    assert manifest.counts["encoded"] == 0
    folder = IndexFolder(index)
    with LocalGeneration(folder, folder.ids()[0]) as old, LocalGeneration(folder, manifest.id) as new:
        assert old.tokens
        assert new.tokens
        of_old = {digest: row for row, digest in old.corpus.digests()}
        of_new = [(row, of_old[digest]) for row, digest in new.corpus.digests()]
        assert of_new
        assert any(row != before for row, before in of_new)
        for row, before in of_new:
            assert new.tokens.codes(row).tobytes() == old.tokens.codes(before).tobytes()


def test_another_precision_encodes_anew_and_none_at_all_encodes_nothing(
    seed_index: Path, tmp_path: Path
) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    folder = IndexFolder(index)
    article = SEEDS / "000_6f77d67fd69055e2.txt"
    one, none, two = (build_index(index, article, token_bits=bits) for bits in (1, 0, 2))
    assert [each.settings["token_bits"] for each in (one, none, two)] == [1, 0, 2]
    assert [each.counts["encoded"] for each in (one, none, two)] == [
        one.counts["passages"],
        0,
        two.counts["passages"],
    ]
    sizes = [(folder.generation(each.id) / "tokens" / "000001.codes").stat().st_size for each in (one, two)]
    assert sizes[1] == 2 * sizes[0]
    assert not (folder.generation(none.id) / "tokens").exists()
    with LocalIndex(folder).open_best(pytest.fail) as latest:
        assert latest.tokens


def test_a_change_keeps_the_precision_of_the_generation_that_it_changes(
    seed_index: Path, tmp_path: Path
) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    new = tmp_path / "new.txt"
    new.write_text("The lighthouse was sold on Monday to a painter.", encoding="utf-8")
    manifest = build_index(index, new, from_current=True, token_bits=1)
    assert manifest.settings["token_bits"] == 2
    assert manifest.counts["encoded"] == 1
