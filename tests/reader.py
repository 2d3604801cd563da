"""A reader that is no trained one but runs as one does."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as opset
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from indexer.reader import Facts, Fit
from indexer.reader.facts import ANSWERABLE, GRAPH, IDS, MASK, SPANS, TOKENIZER, TYPES

_WORDS = "[PAD] [CLS] [SEP] [UNK] who where here or there".split()
_HERE = _WORDS.index("here")


def write_reader(folder: Path) -> Path:
    """A reader of a graph made here, which takes the word "here" for an answer, ends and all."""
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(_WORDS)}, unk_token=_WORDS[3]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    folder.mkdir(parents=True, exist_ok=True)
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
    Facts("here", "made for tests", fit=Fit(1.0, 0.0, -2.0), calibrated=True).write(folder)
    return folder
