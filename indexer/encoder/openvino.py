"""The only door to OpenVINO: converts a network once, and runs it on the CPU."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as opset
from openvino import properties
from openvino.properties import hint
from tokenizers import Tokenizer

from indexer import storage
from indexer.cores import cores
from indexer.encoder.batching import IDS, MASK, batches, padded, said
from indexer.encoder.facts import TOKENIZER, Facts, Kind
from indexer.models import Encoded

if TYPE_CHECKING:
    import torch

_GRAPH = "model.xml"
_WORDS = "words"
_WINDOW = 4096  # texts tokenized and sorted by length at a time
_BATCH_TOKENS = 1024  # padded tokens of one inference: four usual passages; more gained nothing
# Questions of so many tokens at most are padded to it, and have a graph for this one length: a graph for any
# length takes 1.4 ms for another length than the last one, as much as for the question itself.
_QUESTION_TOKENS = 32


def convert(network: "torch.nn.Module", example: dict[str, "torch.Tensor"], folder: Path) -> None:
    """Writes a torch network as an OpenVINO graph; weights as f16, which halves them."""
    model = ov.convert_model(network, example_input=example)
    with storage.written_by("OpenVINO", folder / _GRAPH, RuntimeError):
        ov.save_model(model, folder / _GRAPH, compress_to_fp16=True)


class OpenVinoRuntime:
    """One graph, compiled twice, each when it is first needed: for texts of any length, run on one or several
    streams that share the cores, and for single questions that are not long."""

    def __init__(self, folder: Path, facts: Facts, *, streams: int, threads: int) -> None:
        self._graph = folder / _GRAPH
        self._max_tokens = facts.max_tokens
        self._prompts = {"query": facts.query_prompt, "passage": facts.passage_prompt}
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(facts.max_tokens)
        self._core = ov.Core()
        self._threads = threads or cores()
        self._streams = streams or self._threads
        self._compiling = Lock()
        self._requests: SimpleQueue[ov.InferRequest] | None = None
        self._question: _Question | None = None

    def load(self) -> None:
        """As `Runtime.load`."""
        self._for_questions()

    def encode_question(self, text: str) -> Encoded:
        """As `Runtime.encode_question`."""
        prompt = self._prompts["query"]
        encoding = self._tokenizer.encode(prompt + text)
        if len(encoding.ids) > min(_QUESTION_TOKENS, self._max_tokens):
            ((_, encoded),) = self.encode([text], "query")
            return encoded
        vector, tokens = self._for_questions().encode(encoding.ids)
        place, spans = said(encoding, len(prompt))
        return Encoded(vector, tokens[place], spans)

    def encode(self, texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, Encoded]]:
        """As `Runtime.encode`."""
        prompt = self._prompts[kind]
        for start in range(0, len(texts), _WINDOW):
            window = [prompt + text for text in texts[start : start + _WINDOW]]
            encodings = self._tokenizer.encode_batch(window)
            ids = [encoding.ids for encoding in encodings]
            for batch, request in self._infer(ids, batches([len(tokens) for tokens in ids], _BATCH_TOKENS)):
                vectors, tokens = _outputs(request)
                for at, vector, rows in zip(batch, vectors, tokens, strict=True):
                    place, spans = said(encodings[at], len(prompt))
                    yield start + at, Encoded(vector, rows[place], spans)

    def _infer(
        self, ids: list[list[int]], batches: Iterable[list[int]]
    ) -> Iterator[tuple[list[int], ov.InferRequest]]:
        """Runs batches side by side; yields each with its ended request, oldest first."""
        idle = self._idle()
        running: deque[tuple[list[int], ov.InferRequest]] = deque()
        try:
            for batch in batches:
                try:
                    request = idle.get_nowait()
                except Empty:
                    # Who holds requests ends one of them; only who holds none may wait for
                    # others, so that nobody waits in a ring.
                    if running:
                        running[0][1].wait()
                        yield running[0]
                        request = running.popleft()[1]
                    else:
                        request = idle.get()
                running.append((batch, request))
                request.start_async(padded([ids[at] for at in batch], self._max_tokens), share_inputs=False)
            while running:
                running[0][1].wait()
                yield running[0]
                idle.put(running.popleft()[1])
        finally:
            # Whatever went wrong, every request goes back: a lost one would be missed for ever.
            for _, request in running:
                with suppress(RuntimeError):
                    request.wait()
                idle.put(request)

    def _idle(self) -> "SimpleQueue[ov.InferRequest]":
        """The requests of the graph for any length that nobody uses."""
        with self._compiling:
            if self._requests is None:
                compiled = self._compile(self._core.read_model(self._graph), self._streams)
                self._requests = SimpleQueue()
                for _ in range(self._streams):
                    self._requests.put(compiled.create_infer_request())
            return self._requests

    def _for_questions(self) -> "_Question":
        with self._compiling:
            if self._question is None:
                length = min(_QUESTION_TOKENS, self._max_tokens)
                model = self._core.read_model(self._graph)
                model.reshape({IDS: [1, length], MASK: [1, length]})
                words = _cut_words(model)
                request = self._compile(model, streams=1).create_infer_request()
                self._question = _Question(request, length, words)
            return self._question

    def _compile(self, model: ov.Model, streams: int) -> ov.CompiledModel:
        has_bf16 = "BF16" in self._core.get_property("CPU", properties.device.capabilities)
        return self._core.compile_model(
            model,
            "CPU",
            {
                # bf16 where the CPU computes in it: twice as fast at a cosine of .9999
                hint.inference_precision: ov.Type.bf16 if has_bf16 else ov.Type.f32,
                # Pinned, the threads of every process would stand on the same first cores.
                hint.enable_cpu_pinning: False,
                properties.num_streams: streams,
                properties.inference_num_threads: self._threads,
            },
        )


class _Question:
    """The graph for one text of a fixed number of tokens at most."""

    def __init__(self, request: ov.InferRequest, length: int, words: npt.NDArray[np.floating] | None) -> None:
        """`words`: the vocabulary's vectors, (words, dim), where the graph expects those of its tokens."""
        self._request = request
        self._words = words
        self._running = Lock()
        self._ids = np.zeros((1, length), np.int64)
        self._mask = np.zeros((1, length), np.int64)
        for name, array in ((IDS, self._ids), (MASK, self._mask)):
            request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        if words is not None:
            self._looked_up = np.zeros((1, length, words.shape[1]), np.float32)
            request.set_tensor(_WORDS, ov.Tensor(self._looked_up, shared_memory=True))
        self._texts, self._tokens = (request.get_output_tensor(at).data for at in (0, 1))

    def encode(self, ids: list[int]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The text's vector (dim,) and those of its tokens (length, token_dim)."""
        with self._running:
            self._ids[0, : len(ids)] = ids
            self._mask[0] = 0
            self._mask[0, : len(ids)] = 1
            if self._words is not None:
                self._looked_up[0, : len(ids)] = self._words[ids]
            self._request.infer()
            return self._texts[0].copy(), self._tokens[0].copy()


def _cut_words(model: ov.Model) -> npt.NDArray[np.floating] | None:
    """Makes the vectors of a graph's tokens an input of it, and returns those of the whole vocabulary, as
    they lie in the file; None, and the graph as it was, where it does not look them up. They are half of a
    small model, and a compiled graph holds its own copy."""
    for lookup in model.get_ordered_ops():
        if lookup.get_type_name() != "Gather":
            continue
        table, asked = (_without_conversion(lookup.input_value(at).get_node()) for at in (0, 1))
        if (table.get_type_name(), asked.get_type_name()) != ("Constant", "Parameter"):
            continue
        words = opset.parameter(lookup.get_output_partial_shape(0), np.float32, _WORDS)
        words.get_output_tensor(0).set_names({_WORDS})
        lookup.output(0).replace(words.output(0))
        model.add_parameters([words])
        model.validate_nodes_and_infer_types()
        found: npt.NDArray[np.floating] = table.data
        return found
    return None


def _without_conversion(node: ov.Node) -> ov.Node:
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def _outputs(request: ov.InferRequest) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The texts' vectors (n, dim) and those of their tokens (n, length, token_dim)."""
    texts, tokens = (request.get_output_tensor(at).data.copy() for at in (0, 1))
    return texts, tokens
