"""The model that an exported encoder was made of, run by torch: on a GPU, for more texts than CPUs can do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from indexer.encoder.batching import IDS, MASK, batches, padded, said
from indexer.encoder.encoder import Encoder
from indexer.encoder.export import LEAST_COSINE, SAMPLES, fingerprint, load, locate, network
from indexer.encoder.facts import TOKENIZER
from indexer.errors import EncoderError
from indexer.models import Encoded

_BATCH_TOKENS = 1 << 15  # padded tokens of one batch
_LEAST_OF_TOKENS = 0.98  # single tokens in bf16 keep .995; turned otherwise they would have nothing in common


class Original:
    """Encodes passages as the exported encoder in `folder` does."""

    def __init__(self, folder: Path, device: str) -> None:
        """`device`: torch's name of it. Raises EncoderError where this machine has another model of this name
        or none, or where its vectors are not those of the export."""
        exported = Encoder(folder)
        self._facts = exported.facts
        source = locate(self._facts.model)
        if fingerprint(source) != self._facts.fingerprint:
            raise EncoderError(
                f"{source}: is another {self._facts.model} than that of {folder}; install the same on every "
                "machine"
            )
        self._device = device
        self._network = network(load(source), self._facts).to(device)
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._facts.max_tokens)
        self._compare(exported)

    def stream_passages(self, texts: Sequence[str]) -> Iterator[tuple[int, Encoded]]:
        """As `Encoder.stream_passages`."""
        prompt = self._facts.passage_prompt
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        ids = [encoding.ids for encoding in encodings]
        for batch in batches([len(tokens) for tokens in ids], _BATCH_TOKENS):
            filled = padded([ids[at] for at in batch], self._facts.max_tokens)
            with torch.inference_mode():
                told = self._network(
                    *(torch.from_numpy(filled[name]).to(self._device) for name in (IDS, MASK))
                )
            vectors, tokens = (one.float().cpu().numpy() for one in told)
            for at, vector, rows in zip(batch, vectors, tokens, strict=True):
                place, spans = said(encodings[at], len(prompt))
                yield at, Encoded(vector, rows[place], spans)

    def _compare(self, exported: Encoder) -> None:
        ours, theirs = (dict(one.stream_passages(SAMPLES)) for one in (self, exported))
        of_texts = min(float(ours[at].vector @ theirs[at].vector) for at in ours)
        of_tokens = min(float((ours[at].tokens * theirs[at].tokens).sum(axis=1).min()) for at in ours)
        if of_texts < LEAST_COSINE or of_tokens < _LEAST_OF_TOKENS:
            raise EncoderError(
                f"{self._facts.model}: on {self._device} its vectors differ from its export (cosine "
                f"{of_texts:.4f}, of tokens {of_tokens:.4f}); install the same torch on every "
                "machine, or encode without GPUs"
            )
