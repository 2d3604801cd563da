"""The reader with a graph made for these tests, which takes the word "here" for an answer's ends."""

from math import exp
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from indexer.errors import DamagedError
from indexer.models import Span
from indexer.reader import ANSWERABLE, GRAPH, IDS, MASK, SPANS, TOKENIZER, TYPES, Fit, Reader

_WORDS = "[PAD] [CLS] [SEP] [UNK] who where here or there".split()
_HERE = _WORDS.index("here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(_WORDS)}, unk_token=_WORDS[3]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(folder / TOKENIZER))
    inputs = {name: opset.parameter([-1, -1], np.int64, name) for name in (IDS, MASK, TYPES)}
    is_here = opset.convert(opset.equal(inputs[IDS], opset.constant(_HERE, np.int64)), "f32")
    logits = opset.multiply(is_here, opset.constant(4.0, np.float32))
    spans = opset.unsqueeze(logits, opset.constant(-1, np.int64))
    spans = opset.concat([spans, spans], -1)
    answerable = opset.reduce_max(logits, opset.constant(1, np.int64), keep_dims=False)
    # Every input has to be used by something.
    unused = opset.add(opset.reduce_sum(inputs[MASK], [0, 1]), opset.reduce_sum(inputs[TYPES], [0, 1]))
    nothing = opset.multiply(opset.convert(unused, "f32"), opset.constant(0.0, np.float32))
    model = ov.Model([spans, opset.add(answerable, nothing)], list(inputs.values()))
    for output, name in zip(model.outputs, (SPANS, ANSWERABLE), strict=True):
        output.get_tensor().set_names({name})
    for node, name in zip(model.inputs, inputs, strict=True):
        node.get_tensor().set_names({name})
    ov.save_model(model, folder / GRAPH)
    Fit(by_head=1.0, by_score=0.0, bias=-2.0).write(folder)
    return folder


@pytest.fixture(scope="module")
def reader(folder: Path) -> Reader:
    return Reader(folder)


def test_span_counts_code_points_of_its_passage(reader: Reader) -> None:
    passage = "Überall 🙂 or here."
    (reading,) = reader.read("where?", [passage])
    assert passage[reading.span.start : reading.span.end] == "here"
    assert reading.score == pytest.approx(8, abs=0.1)
    assert reading.answerable == pytest.approx(1 / (1 + exp(-2)), abs=0.01)


def test_readings_come_in_the_order_of_their_passages(reader: Reader) -> None:
    passages = ["nothing", "or " * 40 + "here", "here", "there " * 7]
    readings = reader.read("where?", passages)
    assert [reading.score > 1 for reading in readings] == [False, True, True, False]
    assert readings[1].span == Span(120, 124)


def test_no_answer_is_taken_from_a_title(reader: Reader) -> None:
    (reading,) = reader.read("where?", ["there or there"], titles=["here"])
    assert reading.score == pytest.approx(0, abs=0.1)
    assert 0 <= reading.span.start < reading.span.end <= len("there or there")


def test_every_place_has_its_own_best_answer(reader: Reader) -> None:
    passage = "or there. or here."
    ((first, second, nothing),) = reader.read_places(
        "where?", [passage], [[Span(0, 9), Span(10, 18), Span(9, 9)]], titles=["there"]
    )
    assert 0 <= first.span.start < first.span.end <= 9
    assert second.span == Span(13, 17)
    assert first.score < second.score
    assert nothing.answerable == 0


def test_long_passages_are_read_to_their_end(reader: Reader) -> None:
    passage = "there " * 900 + "here"
    (reading,) = reader.read("where?", [passage])
    assert passage[reading.span.start : reading.span.end] == "here"


def test_an_endless_question_leaves_room_for_the_passage(reader: Reader) -> None:
    (reading,) = reader.read("who " * 1000, ["or here"])
    assert reading.span == Span(3, 7)


def test_an_empty_passage_has_no_answer(reader: Reader) -> None:
    (reading,) = reader.read("where?", [""])
    assert reading.answerable == 0
    assert reader.read("where?", []) == []


def test_a_folder_without_reader_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="holds no reader"):
        Reader(tmp_path)
