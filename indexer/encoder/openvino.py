"""The only door to OpenVINO: converts a network once, and runs it on the CPU."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import properties
from openvino.properties import hint
from tokenizers import Encoding, Tokenizer

from indexer.encoder.facts import TOKENIZER, Facts, Kind
from indexer.models import Encoded, Span

if TYPE_CHECKING:
    import torch

_GRAPH = "model.xml"
_IDS, _MASK = "input_ids", "attention_mask"
_WINDOW = 4096  # texts tokenized and sorted by length at a time
_BATCH_TOKENS = 1024  # padded tokens of one inference: four usual passages; more gained nothing
# Lengths are rounded up to this many tokens: the CPU's matrix units work in tiles of 16, and each new
# shape needs kernels of its own. A sixth more passages a second (medians of six turns).
_TILE = 16


def convert(network: "torch.nn.Module", example: dict[str, "torch.Tensor"], folder: Path) -> None:
    """Writes a torch network as an OpenVINO graph; weights as f16, which halves them."""
    ov.save_model(ov.convert_model(network, example_input=example), folder / _GRAPH, compress_to_fp16=True)


class OpenVinoRuntime:
    """One compiled graph, run on one or several streams that share the cores."""

    def __init__(self, folder: Path, facts: Facts, *, streams: int) -> None:
        self._dimension = facts.dimension
        self._max_tokens = facts.max_tokens
        self._prompts = {"query": facts.query_prompt, "passage": facts.passage_prompt}
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(facts.max_tokens)
        core = ov.Core()
        has_bf16 = "BF16" in core.get_property("CPU", properties.device.capabilities)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        streams = streams or cores
        compiled = core.compile_model(
            core.read_model(folder / _GRAPH),
            "CPU",
            {
                # bf16 where the CPU computes in it: twice as fast at a cosine of .9999
                hint.inference_precision: ov.Type.bf16 if has_bf16 else ov.Type.f32,
                properties.num_streams: streams,
                properties.inference_num_threads: cores,
            },
        )
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())

    def encode(self, texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, Encoded]]:
        """As `Runtime.encode`."""
        prompt = self._prompts[kind]
        for start in range(0, len(texts), _WINDOW):
            window = [prompt + text for text in texts[start : start + _WINDOW]]
            encodings = self._tokenizer.encode_batch(window)
            ids = [encoding.ids for encoding in encodings]
            for batch, request in self._infer(ids, _batches([len(tokens) for tokens in ids])):
                vectors, tokens = _outputs(request)
                for at, vector, rows in zip(batch, vectors, tokens, strict=True):
                    said, spans = _said(encodings[at], len(prompt))
                    yield start + at, Encoded(vector, rows[said], spans)

    def _infer(
        self, ids: list[list[int]], batches: Iterable[list[int]]
    ) -> Iterator[tuple[list[int], ov.InferRequest]]:
        """Runs batches side by side; yields each with its ended request, oldest first."""
        running: deque[tuple[list[int], ov.InferRequest]] = deque()
        try:
            for batch in batches:
                try:
                    request = self._idle.get_nowait()
                except Empty:
                    # Who holds requests ends one of them; only who holds none may wait for
                    # others, so that nobody waits in a ring.
                    if running:
                        running[0][1].wait()
                        yield running[0]
                        request = running.popleft()[1]
                    else:
                        request = self._idle.get()
                running.append((batch, request))
                request.start_async(_padded([ids[at] for at in batch], self._max_tokens), share_inputs=False)
            while running:
                running[0][1].wait()
                yield running[0]
                self._idle.put(running.popleft()[1])
        finally:
            # Whatever went wrong, every request goes back: a lost one would be missed for ever.
            for _, request in running:
                with suppress(RuntimeError):
                    request.wait()
                self._idle.put(request)


def _outputs(request: ov.InferRequest) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The texts' vectors (n, dim) and those of their tokens (n, length, token_dim)."""
    texts, tokens = (request.get_output_tensor(at).data.copy() for at in (0, 1))
    return texts, tokens


def _said(encoding: Encoding, prompt: int) -> tuple[slice, list[Span]]:
    """Which of the tokens stand for the text itself, after a prompt of so many characters, and where."""
    spans = [
        (at, Span(start - prompt, end - prompt))
        for at, ((start, end), special) in enumerate(
            zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        )
        if not special and start >= prompt
    ]
    first = spans[0][0] if spans else 0
    return slice(first, first + len(spans)), [span for _, span in spans]


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Positions grouped by falling length: little padding, bounded memory."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _padded(batch: list[list[int]], max_tokens: int) -> dict[str, npt.NDArray[np.int64]]:
    """Token ids and attention mask, both (n, length); what fills a row is masked, so 0 will do.

    A model has no positions beyond `max_tokens`, so no row is filled further.
    """
    longest = max(map(len, batch))
    length = max(longest, min(-(-longest // _TILE) * _TILE, max_tokens))
    ids = np.zeros((len(batch), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {_IDS: ids, _MASK: mask}
