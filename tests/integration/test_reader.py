"""A reader goes from a model to an index to an answer: networks of two kinds, made here and untrained."""

import hashlib
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import RobertaProcessing
from transformers import (
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForQuestionAnswering,
)

from indexer.build import Change, Recipe, build
from indexer.encoder import locate
from indexer.errors import DamagedError, EncoderError
from indexer.folder import READER, IndexFolder, Manifest
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.reader import BUNDLED, NONE, Facts, Fit, Reader
from indexer.reader.export import export
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from tests.conftest import SEEDS, Silent
from tests.integration.server import serving
from tests.reader import write_reader

QUESTION = "How many metres of the wall gave way?"
PASSAGES = [
    "The wall gave way over a length of about 40 metres shortly before one in the morning.",
    "It rained.",
    "The council voted late on Tuesday to build the bridge, by nine votes to four. " * 12,
]


def bert(folder: Path) -> Path:
    """Token types, padding 0, 512 places."""
    torch.manual_seed(1)
    AutoTokenizer.from_pretrained(locate(DEFAULT_MODEL)).save_pretrained(folder)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=30522
    )
    BertForQuestionAnswering(config).save_pretrained(folder)
    return folder


def roberta(folder: Path) -> Path:
    """No token types, padding 1 from which places are counted, windows of 64 tokens."""
    torch.manual_seed(2)
    trained = ByteLevelBPETokenizer(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trained.train_from_iterator([*PASSAGES, QUESTION], vocab_size=400, special_tokens=special)
    trained._tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>"}
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(
        tokenizer_object=trained._tokenizer,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name}_token": token for name, token in names.items()},
    ).save_pretrained(folder)
    config = RobertaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        vocab_size=len(trained.get_vocab()), max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    RobertaForQuestionAnswering(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[bert, roberta])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make: Callable[[Path], Path] = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(tmp_path_factory.mktemp(make.__name__))


def best_score(model: Path, question: str, passage: str) -> float:
    """The best span's two logits less those of the first token, by transformers itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer: Any = AutoTokenizer.from_pretrained(model)
        network: Any = AutoModelForQuestionAnswering.from_pretrained(model).eval()
    told = tokenizer(question, passage, return_tensors="pt")
    with torch.no_grad():
        outputs = network(**told)
    starts, ends = outputs.start_logits[0].numpy(), outputs.end_logits[0].numpy()
    inside = [at for at, kind in enumerate(told.sequence_ids(0)) if kind == 1]
    spans = [(first, last) for first in inside for last in inside if 0 <= last - first < 30]
    return float(max(starts[first] + ends[last] for first, last in spans) - starts[0] - ends[0])


def test_a_model_reads_as_it_does_by_transformers(model: Path, tmp_path: Path) -> None:
    export(str(model), model, tmp_path, pytest.fail)
    reader = Reader(tmp_path)
    assert reader.facts.model == str(model)
    readings = reader.read(QUESTION, PASSAGES)  # together, so that the short ones are filled up
    for passage, reading in list(zip(PASSAGES, readings, strict=True))[:2]:
        expected = best_score(model, QUESTION, passage)
        assert reading.score == pytest.approx(expected, abs=0.02)  # logits of about 1, in bfloat16
        assert reading.answerable == pytest.approx(1 / (1 + np.exp(-expected)), abs=0.01)
    for passage, reading in zip(PASSAGES, readings, strict=True):
        assert 0 <= reading.span.start < reading.span.end <= len(passage)


def indexed(folder: Path, reader: str, **options: Any) -> Manifest:
    return build(
        IndexFolder(folder),
        Change(offer=Offer((SEEDS,)), **({"from_current": False} | options)),
        Recipe(DEFAULT_MODEL, 200, 2, reader=reader),
        Intake(),
        Silent(),
        keep=5,
        command="test",
    )


def opened(folder: Path) -> LocalGeneration:
    return LocalIndex(IndexFolder(folder)).open_best(pytest.fail)


def test_an_index_carries_its_reader_until_another_is_asked_for(seed_index: Path, tmp_path: Path) -> None:
    index = shutil.copytree(seed_index, tmp_path / "index")
    model = bert(tmp_path / "model")
    with opened(index) as generation:
        assert generation.reader is None
        assert generation.manifest.settings["reader"] == NONE
    built = indexed(index, str(model))
    assert built.counts["encoded"] == 0
    assert built.settings["reader"] == str(model)
    with opened(index) as generation:
        assert generation.reader
        fingerprint = generation.reader.facts.fingerprint
        files = {name: facts for name, facts in built.files.items() if name.startswith(f"{READER}/")}
    # A change keeps what there is, whatever is set now; so does a build that names the same.
    for reader, options in (("none", {"from_current": True}), (str(model), {})):
        again = indexed(index, reader, **options)
        kept = {name: facts for name, facts in again.files.items() if name.startswith(f"{READER}/")}
        assert kept == files
        with opened(index) as generation:
            assert generation.reader
            assert generation.reader.facts.fingerprint == fingerprint
    assert not indexed(index, "none").has_reader


def test_a_reader_that_was_changed_is_taken_anew(seed_index: Path, tmp_path: Path) -> None:
    index, ready = shutil.copytree(seed_index, tmp_path / "index"), write_reader(tmp_path / "ready")
    indexed(index, str(ready))
    facts = Facts.read(ready)
    (ready / "reader.json").unlink()
    replace(facts, fit=Fit(2.0, 0.0, 0.0)).write(ready)
    indexed(index, str(ready))
    with opened(index) as generation:
        assert generation.reader
        assert generation.reader.facts.fit.by_head == 2


def test_a_damaged_reader_is_refused_and_the_generation_before_serves(
    seed_index: Path, tmp_path: Path
) -> None:
    index = shutil.copytree(seed_index, tmp_path / "index")
    before = IndexFolder(index).current()
    built = indexed(index, str(write_reader(tmp_path / "ready")))
    graph = IndexFolder(index).generation(built.id) / READER / "reader.xml"
    graph.write_bytes(graph.read_bytes().replace(b"Equal", b"Ekual"))
    refused: list[str] = []
    with LocalIndex(IndexFolder(index)).open_best(refused.append) as generation:
        assert generation.id == before
    assert "reader.xml: is damaged" in refused[0]


def test_answers_over_http_mark_the_words_that_answer_without_torch(seed_index: Path, tmp_path: Path) -> None:
    index = shutil.copytree(seed_index, tmp_path / "index")
    indexed(index, str(write_reader(tmp_path / "ready")))
    with serving(index) as server:
        asked = {"query": "Whose wife said that her parents were here?"}
        told = server.client.post("/v1/answer", json=asked).raise_for_status().json()
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
    words = [told["answer"][one["start"] : one["end"]] for one in told["answer_spans"]]
    assert words
    assert set(words) == {"here"}
    assert "libtorch" not in loaded


def test_an_archive_has_the_reader(seed_index: Path, tmp_path: Path) -> None:
    index = shutil.copytree(seed_index, tmp_path / "index")
    indexed(index, str(write_reader(tmp_path / "ready")))
    run = [sys.executable, "-m", "service.cli", "index"]
    archive, target = tmp_path / "index.tar", tmp_path / "other"
    subprocess.run([*run, "export", str(archive), "--index", str(index)], check=True, capture_output=True)
    subprocess.run([*run, "import", str(archive), "--index", str(target)], check=True, capture_output=True)
    with opened(target) as generation:
        assert generation.reader
        assert generation.reader.facts.model.endswith("ready")


def test_what_is_no_question_answering_model_is_refused_and_the_index_stays(
    seed_index: Path, tmp_path: Path
) -> None:
    index = shutil.copytree(seed_index, tmp_path / "index")
    broken = write_reader(tmp_path / "broken")
    (broken / "tokenizer.json").write_text("{}", encoding="utf-8")
    narrow = write_reader(tmp_path / "narrow")
    facts = json.loads((narrow / "reader.json").read_text(encoding="utf-8"))
    (narrow / "reader.json").write_text(json.dumps({**facts, "window": 8}), encoding="utf-8")
    for reader, reason in (
        (str(broken), "cannot be run as a reader"),
        (str(narrow), "holds no reader that this version reads"),
        (str(tmp_path / "none"), "no folder of this name, and not to be had from the hub"),
        (str(locate(DEFAULT_MODEL)), "is no question-answering model, it lacks qa_outputs"),
    ):
        with pytest.raises((EncoderError, DamagedError), match=reason):
            indexed(index, reader)
    assert IndexFolder(index).current() == IndexFolder(seed_index).current()


def test_the_bundled_reader_is_what_its_card_says() -> None:
    from indexer.reader import locate as reader_named  # noqa: PLC0415

    folder = reader_named(BUNDLED)
    facts = Facts.read(folder)
    assert facts.model == BUNDLED
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((folder / "reader.bin").read_bytes()).hexdigest() in card
    reader = Reader(folder)
    passage = (
        "The wall gave way over a length of about 40 metres shortly before one in the morning, when the tide "
        "stood 2.9 metres above datum."
    )
    (told,) = reader.read(QUESTION, [passage])
    (silent,) = reader.read("Who paints the portraits of the prime minister?", [passage])
    assert "40" in passage[slice(*told.span)]
    assert told.answerable > 0.5 > silent.answerable
    assert json.loads((folder / "reader.json").read_text(encoding="utf-8"))["window"] == 256
