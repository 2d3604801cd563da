"""Writes a trained reader as an OpenVINO graph with its tokenizer: what `indexer.reader` reads.

    python training/export.py TRAINED OUT [--weights int8|f16] [--data DIR] [--more FILE…] [--pairs FILE]

int8 halves the size once more and needs nncf; only weights are stored so, sums are done in floating point.
The probability of an answer is fitted to paragraphs that training left out: to those of which people asked
what they do not answer, where a file has such, and with the questions as they are.
"""

import argparse
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import openvino as ov
import torch
from data import Example, Maker, Neighbours, Paragraph, Replacements, is_held_out, load
from model import ReaderNetwork, load_network
from reader import add_data_arguments, default_model
from torch import nn

from indexer.reader import Facts, Fit, Reader
from indexer.reader.facts import ANSWERABLE, FACTS, GRAPH, IDS, MASK, SPANS, TOKENIZER, TYPES, WEIGHTS


class _Outputs(nn.Module):
    """The network with the two outputs that are read: (n, length, 2) logits of spans, (n,) of an answer."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.network(input_ids, attention_mask, token_type_ids)
        return torch.stack((scores.starts, scores.ends), -1), scores.answerable


def export(trained: Path, out: Path, weights: str) -> None:
    out.mkdir(parents=True)
    ones = torch.ones((2, 16), dtype=torch.long)
    example = {IDS: 1000 * ones, MASK: ones, TYPES: ones}
    with torch.no_grad():
        graph = ov.convert_model(_Outputs(load_network(trained)), example_input=example)
    for output, name in zip(graph.outputs, (SPANS, ANSWERABLE), strict=True):
        output.get_tensor().set_names({name})
    if weights == "int8":
        import nncf  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)
    ov.save_model(graph, out / GRAPH, compress_to_fp16=True)
    shutil.copy(trained / "tokenizer.json", out / TOKENIZER)


def fit(reader: Reader, examples: list[Example]) -> Fit:
    """Logistic regression by Newton's method over the network's two scores; a slight ridge. Pairs with and
    without an answer weigh alike.

    `reader` has the fit by the head alone, so that the odds are the head's.
    """
    readings = [reader.read(one.question, [one.passage])[0] for one in examples]
    features = np.array([(reading.odds, reading.score, 1.0) for reading in readings])
    is_answered = np.array([bool(one.answers) for one in examples])
    weights = np.where(is_answered, 0.5 / is_answered.mean(), 0.5 / (1 - is_answered.mean()))
    fitted = np.zeros(3)
    for _ in range(30):
        probability = 1 / (1 + np.exp(-features @ fitted))
        gradient = features.T @ (weights * (probability - is_answered)) + 1e-3 * fitted
        hessian = (features.T * (weights * probability * (1 - probability))) @ features + 1e-3 * np.eye(3)
        fitted -= np.linalg.solve(hessian, gradient)
    return Fit(*(round(float(one), 4) for one in fitted))


def examples_to_fit(maker: Maker, held_out: list[Paragraph]) -> list[Example]:
    asked = [one for one in held_out if one.is_asked_in_vain]
    if not asked:
        return list(maker.epoch(0, Random(1), held_out))
    return [one for one in maker.epoch(1, Random(1), asked) if one.origin in ("as it is", "asked in vain")]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("trained", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", choices=["int8", "f16"], default="f16")
    add_data_arguments(parser)
    arguments = parser.parse_args()
    export(arguments.trained, arguments.out, arguments.weights)
    digest = hashlib.sha256((arguments.out / WEIGHTS).read_bytes()).hexdigest()
    facts = Facts(arguments.out.name, digest, fit=Fit(by_head=1.0, by_score=0.0))
    facts.write(arguments.out)
    paragraphs = load(arguments.data, arguments.more, arguments.opinions)
    learned = [one for one in paragraphs if not is_held_out(one)]
    maker = Maker(
        paragraphs,
        Neighbours.from_model(default_model(), learned),
        Replacements.read(arguments.pairs, learned),
        arguments.repeats,
    )
    examples = examples_to_fit(maker, [one for one in paragraphs if is_held_out(one)])
    fitted = fit(Reader(arguments.out), examples)
    (arguments.out / FACTS).unlink()
    replace(facts, fit=fitted, calibrated=True).write(arguments.out)


if __name__ == "__main__":
    main()
